//! What people see, as snapshots.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::accounts::{AccountRow, Accounts, Targeting};
use super::run::Extent;
use super::style::{ColorChoice, Style, Verbosity};
use super::{accounts, human, json as json_view, run};
use crate::config::Accept;
use crate::drift::{Drift, History, Scope, judge};
use crate::execute::{ChangeResult, Outcome, RunReport, RunSummary};
use crate::org::{AccountId, AccountStatus, AwsError, OuPath};
use crate::plan::{
    AccountPlan, Action, Attribute, AttributeDiff, Cause, Change, DocumentDiff, FORMAT, Finding,
    Plan, Reason, Severity, Status, Summary, Watch,
};
use crate::resource::Origin;
use crate::resource::policy::StatementDiff;
use crate::resource::step::Step;

/// No colour, 100 columns.
fn text() -> Style {
    Style::new(ColorChoice::Never, false, false)
}

fn coloured() -> Style {
    Style::new(ColorChoice::Always, false, false)
}

fn shown(plan: &Plan, style: &Style) -> String {
    let mut out = Vec::new();
    human::plan(plan, style, &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    for line in out.lines() {
        assert_eq!(line, line.trim_end(), "trailing space");
    }
    out
}

pub(super) fn account(id: &str, name: &str, changes: Vec<Change>) -> AccountPlan {
    AccountPlan {
        id: AccountId::parse(id).unwrap(),
        name: name.into(),
        ou: "Workloads".into(),
        status: Status::Read,
        error: None,
        changes,
        findings: Vec::new(),
        unchanged: 0,
        owned: 0,
        orphans: 0,
        desired: 0,
        seen: BTreeMap::new(),
        gone: BTreeSet::new(),
    }
}

pub(super) fn unreadable(id: &str, name: &str, request: &str) -> AccountPlan {
    let error = AwsError {
        account: Some(AccountId::parse(id).unwrap()),
        operation: "AssumeRole".into(),
        resource: Some(format!(
            "arn:aws:iam::{id}:role/OrganizationAccountAccessRole"
        )),
        code: Some("AccessDenied".into()),
        message:
            "User: arn:aws:iam::111111111111:user/ci is not authorized to perform: sts:AssumeRole"
                .into(),
        request_id: Some(request.into()),
    };
    AccountPlan {
        status: Status::Unreadable,
        error: Some(Reason::Aws(error)),
        ..account(id, name, vec![])
    }
}

pub(super) fn skipped(id: &str, name: &str, why: &str) -> AccountPlan {
    AccountPlan {
        status: Status::Skipped,
        error: Some(Reason::Text(why.into())),
        ..account(id, name, vec![])
    }
}

pub(super) fn change(
    address: &str,
    action: Action,
    reason: &str,
    diffs: Vec<AttributeDiff>,
) -> Change {
    let cosmetic = !diffs.is_empty() && diffs.iter().all(|diff| diff.cosmetic);
    let (_, name) = super::group::resource(address);
    let step = Step::DeleteRole {
        role: name.to_owned().try_into().unwrap(),
    };
    Change {
        address: address.into(),
        action,
        reason: reason.into(),
        cosmetic,
        cause: Cause::Unknown,
        rolled_back: None,
        accepted: BTreeSet::new(),
        fingerprint: format!("sha256:{address}"),
        expected: String::new(),
        details: false,
        watch: Watch::default(),
        after: BTreeSet::new(),
        finish_after: BTreeSet::new(),
        diffs,
        steps: if cosmetic { vec![] } else { vec![step] },
    }
}

pub(super) fn differ(attribute: Attribute, before: Value, after: Value) -> AttributeDiff {
    AttributeDiff {
        attribute,
        cosmetic: false,
        widens: false,
        reverse_widens: false,
        cause: None,
        before,
        after,
        documents: vec![],
    }
}

pub(super) fn statement(
    before: Option<Value>,
    after: Option<Value>,
    widens: bool,
) -> StatementDiff {
    StatementDiff {
        before,
        after,
        widens,
        cosmetic: false,
    }
}

pub(super) fn document(policy: Option<&str>, statements: Vec<StatementDiff>) -> DocumentDiff {
    DocumentDiff {
        policy: policy.map(Into::into),
        statements,
    }
}

pub(super) fn finding(
    code: &str,
    severity: Severity,
    address: Option<&str>,
    message: &str,
) -> Finding {
    Finding {
        code: code.into(),
        severity,
        address: address.map(Into::into),
        message: message.into(),
    }
}

pub(super) fn plan(accounts: Vec<AccountPlan>, findings: Vec<Finding>) -> Plan {
    let mut summary = Summary {
        unchanged: 20,
        ..Summary::default()
    };
    for account in &accounts {
        summary.accounts += usize::from(account.status != Status::Skipped);
        summary.unreadable += usize::from(account.status == Status::Unreadable);
        for change in &account.changes {
            summary.steps += change.steps.len();
            *match change.action {
                _ if change.cosmetic => &mut summary.cosmetic,
                Action::Create => &mut summary.create,
                Action::Update => &mut summary.update,
                Action::Replace => &mut summary.replace,
                Action::Delete => &mut summary.delete,
                Action::Adopt => &mut summary.adopt,
            } += 1;
        }
    }
    Plan {
        format: FORMAT.into(),
        name: "vendor-roles".into(),
        organization_id: "o-exampleorgid".into(),
        created_at: "2026-01-02T03:04:05Z".into(),
        desired_digest: "sha256:0".into(),
        scope: crate::plan::Scope::default(),
        accounts,
        findings,
        allowed: BTreeSet::new(),
        summary,
    }
}

pub(super) fn trust(principal: &str, external_id: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }]})
}

fn logs() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Read", "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": ["arn:aws:s3:::audit", "arn:aws:s3:::audit/*"]},
        {"Sid": "NoOther", "Effect": "Deny", "NotAction": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    ]})
}

pub(super) fn creation(id: &str) -> Change {
    let diffs = vec![
        differ(
            Attribute::Trust,
            Value::Null,
            trust("arn:aws:iam::111111111111:root", "(sensitive)"),
        ),
        differ(
            Attribute::ManagedPolicies,
            Value::Null,
            json!([
                "arn:aws:iam::aws:policy/SecurityAudit",
                format!("arn:aws:iam::{id}:policy/CadoPolicy")
            ]),
        ),
        differ(
            Attribute::InlinePolicies,
            Value::Null,
            json!({"logs": logs()}),
        ),
        differ(
            Attribute::PermissionsBoundary,
            Value::Null,
            json!(format!("arn:aws:iam::{id}:policy/Boundary")),
        ),
        differ(Attribute::MaxSessionDuration, Value::Null, json!(7200)),
        differ(
            Attribute::Description,
            Value::Null,
            json!("Cado \"Response\""),
        ),
        differ(
            Attribute::Tags,
            Value::Null,
            json!({"rolecall:managed-by": "vendor-roles", "team": "secops"}),
        ),
    ];
    change(
        &format!("{id}/role/CadoResponseRole"),
        Action::Create,
        "not in the account",
        diffs,
    )
}

pub(super) fn widened(id: &str) -> Change {
    let before = json!({"Action": "sts:AssumeRole", "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
        "Condition": {"StringEquals": {"sts:ExternalId": "(sensitive)"}}, "Sid": "Vendor"});
    let after = json!({"Sid": "Vendor", "Effect": "Allow", "Principal": {"AWS": ["111111111111", "222222222222"]},
        "Action": ["sts:AssumeRole", "sts:TagSession"]});
    let mut diff = differ(Attribute::Trust, json!({}), json!({}));
    diff.widens = true;
    diff.documents = vec![document(
        None,
        vec![
            statement(Some(before), Some(after), true),
            statement(
                None,
                Some(
                    json!({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}),
                ),
                true,
            ),
        ],
    )];
    Change {
        cause: Cause::Desired,
        ..change(
            &format!("{id}/role/Auditor"),
            Action::Update,
            "the trust policy differs",
            vec![diff],
        )
    }
}

pub(super) fn update(id: &str) -> Change {
    let mut inline = differ(
        Attribute::InlinePolicies,
        json!({"logs": {}, "old": {}}),
        json!({"logs": {}, "new": {}}),
    );
    let actions = |last: &str| {
        json!([
            "s3:GetObject",
            "s3:ListBucket",
            "s3:GetBucketLocation",
            "s3:ListAllMyBuckets",
            "kms:Decrypt",
            last
        ])
    };
    inline.documents = vec![
        document(
            Some("logs"),
            vec![statement(
                Some(
                    json!({"Sid": "Read", "Effect": "Allow", "Action": actions("S3:getobjectversion"), "Resource": "*"}),
                ),
                Some(
                    json!({"Sid": "Read", "Effect": "Allow", "Action": actions("s3:GetObjectVersion"), "Resource": "arn:aws:s3:::audit/*"}),
                ),
                false,
            )],
        ),
        document(
            Some("new"),
            vec![statement(
                None,
                Some(json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})),
                true,
            )],
        ),
        document(
            Some("old"),
            vec![statement(
                Some(json!({"Effect": "Allow", "Action": "ec2:*", "Resource": "*"})),
                None,
                false,
            )],
        ),
    ];
    inline.widens = true;
    let mut managed = differ(
        Attribute::ManagedPolicies,
        json!([
            "arn:aws:iam::aws:policy/AdministratorAccess",
            "arn:aws:iam::aws:policy/SecurityAudit"
        ]),
        json!([
            "arn:aws:iam::aws:policy/SecurityAudit",
            "arn:aws:iam::aws:policy/ReadOnlyAccess"
        ]),
    );
    managed.widens = true;
    let diffs = vec![
        inline,
        managed,
        differ(Attribute::MaxSessionDuration, json!(3600), json!(7200)),
        differ(
            Attribute::PermissionsBoundary,
            Value::Null,
            json!("arn:aws:iam::aws:policy/PowerUserAccess"),
        ),
        differ(
            Attribute::Description,
            json!("x".repeat(60)),
            json!("two\nlines \u{1b}[2J"),
        ),
        differ(
            Attribute::Tags,
            json!({"env": "dev", "owner": "bob", "same": "1"}),
            json!({"env": "prod", "team": "secops", "same": "1"}),
        ),
    ];
    Change {
        cause: Cause::Drift,
        ..change(
            &format!("{id}/role/CloudTrailReader"),
            Action::Update,
            "attributes differ",
            diffs,
        )
    }
}

fn cosmetic(id: &str) -> Change {
    let mut diff = differ(Attribute::Document, json!({}), json!({}));
    diff.cosmetic = true;
    diff.documents = vec![document(
        None,
        vec![StatementDiff {
            before: Some(json!({"Sid": "A", "Effect": "Allow", "Action": "s3:*", "Resource": "*"})),
            after: Some(json!({"Sid": "B", "Effect": "Allow", "Action": "s3:*", "Resource": "*"})),
            widens: false,
            cosmetic: true,
        }],
    )];
    change(
        &format!("{id}/policy/CadoPolicy"),
        Action::Update,
        "the document differs only in spelling",
        vec![diff],
    )
}

pub(super) fn mixed() -> Plan {
    let (prod, dev, log) = ("222222222222", "333333333333", "444444444444");
    let deletion = |id: &str| {
        let diffs = vec![
            differ(
                Attribute::Trust,
                trust("arn:aws:iam::999999999999:root", "x"),
                Value::Null,
            ),
            differ(
                Attribute::ManagedPolicies,
                json!(["arn:aws:iam::aws:policy/ReadOnlyAccess"]),
                Value::Null,
            ),
        ];
        change(
            &format!("{id}/role/OldAuditor"),
            Action::Delete,
            "no longer in the desired state",
            diffs,
        )
    };
    let replacement = change(
        &format!("{log}/role/Moved"),
        Action::Replace,
        "the path differs and IAM has no rename; trusts elsewhere that name this role break until they are bound again",
        vec![differ(Attribute::Path, json!("/"), json!("/vendors/"))],
    );
    let adoption = change(
        &format!("{prod}/role/ByHand"),
        Action::Adopt,
        "exists and bears no mark",
        vec![differ(
            Attribute::Tags,
            json!({}),
            json!({"rolecall:managed-by": "vendor-roles"}),
        )],
    );
    let findings = vec![
        finding(
            "deletes",
            Severity::Stop,
            None,
            "3 resources would be deleted or replaced, `max_deletes` is 2: raise it, or allow this once",
        ),
        finding(
            "foreign-owner",
            Severity::Stop,
            Some("333333333333/role/Theirs"),
            "bears the mark of `other-team`; nothing is changed",
        ),
        finding(
            "no-external-id",
            Severity::Warn,
            Some("222222222222/role/Auditor"),
            "trusts account 111111111111 without sts:ExternalId: set `external_id` to a value the vendor gave you for this account",
        ),
        finding(
            "no-external-id",
            Severity::Warn,
            Some("333333333333/role/Auditor"),
            "trusts account 111111111111 without sts:ExternalId: set `external_id` to a value the vendor gave you for this account",
        ),
    ];
    plan(
        vec![
            account(
                prod,
                "prod",
                vec![creation(prod), widened(prod), adoption, deletion(prod)],
            ),
            account(dev, "dev", vec![creation(dev), update(dev), deletion(dev)]),
            account(log, "log-archive", vec![cosmetic(log), replacement]),
            skipped("555555555555", "closed", "SUSPENDED"),
        ],
        findings,
    )
}

/// A drift with something of every standing; the trust of Auditor was opened by hand in two accounts.
pub(super) fn drifted() -> Drift {
    let (prod, dev, log) = ("222222222222", "333333333333", "444444444444");
    let by = |cause: Cause, diff: AttributeDiff| AttributeDiff {
        cause: Some(cause),
        ..diff
    };
    let caused = |cause: Cause, change: Change| Change { cause, ..change };
    let update = |id: &str, name: &str, diffs| {
        change(
            &format!("{id}/role/{name}"),
            Action::Update,
            "attributes differ",
            diffs,
        )
    };
    let opened = |id: &str| {
        let open =
            json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"});
        let live = json!({"Version": "2012-10-17", "Statement": [open]});
        let desired = trust("arn:aws:iam::999999999999:root", "x");
        let mut diff = differ(Attribute::Trust, live, desired);
        diff.documents = vec![document(None, vec![])];
        caused(Cause::Drift, update(id, "Auditor", vec![diff]))
    };
    let policies = |names: &[&str]| {
        names
            .iter()
            .map(|name| format!("arn:aws:iam::aws:policy/{name}"))
            .collect()
    };
    let mut attached = differ(
        Attribute::ManagedPolicies,
        policies(&["AdministratorAccess", "SecurityAudit"]),
        policies(&["SecurityAudit"]),
    );
    attached.reverse_widens = true;
    let mut wanted = differ(
        Attribute::ManagedPolicies,
        policies(&[]),
        policies(&["ReadOnlyAccess"]),
    );
    wanted.widens = true;
    let several = vec![
        by(
            Cause::Drift,
            differ(Attribute::Tags, json!({"team": "b"}), json!({"team": "a"})),
        ),
        by(
            Cause::Desired,
            differ(Attribute::MaxSessionDuration, json!(3600), json!(7200)),
        ),
        by(Cause::Drift, attached),
    ];
    let again = change(
        &format!("{dev}/role/Again"),
        Action::Update,
        "was deleted and recreated",
        vec![],
    );
    let gone = change(
        &format!("{prod}/role/Gone"),
        Action::Create,
        "not in the account",
        vec![differ(
            Attribute::Trust,
            Value::Null,
            trust("arn:aws:iam::111111111111:root", "x"),
        )],
    );
    let description = || {
        vec![differ(
            Attribute::Description,
            json!("by hand"),
            json!("as written"),
        )]
    };
    let plan = plan(
        vec![
            account(
                prod,
                "prod",
                vec![
                    caused(Cause::Drift, gone),
                    opened(prod),
                    caused(Cause::Desired, update(prod, "Due", vec![wanted])),
                ],
            ),
            account(
                dev,
                "dev",
                vec![
                    opened(dev),
                    caused(Cause::Drift, again),
                    caused(Cause::Both, update(dev, "Moved", description())),
                ],
            ),
            account(
                log,
                "log-archive",
                vec![
                    update(log, "Several", several),
                    update(log, "Unrecorded", description()),
                ],
            ),
            unreadable("666666666666", "locked", "1"),
        ],
        vec![finding(
            "foreign-owner",
            Severity::Stop,
            Some("333333333333/role/Theirs"),
            "bears the mark of `other-team`",
        )],
    );
    let accept = Accept {
        address: "*/role/Several".into(),
        attribute: "managed_policies".into(),
        reason: "break glass, ticket 7".into(),
        until: jiff::civil::date(2026, 2, 1),
        origin: Origin {
            file: "accept.toml".into(),
            line: 1,
        },
    };
    let whole = (Scope::Whole, History::Some);
    judge(plan, &[accept], jiff::civil::date(2026, 1, 2), whole)
}

#[test]
fn a_plan_shows_the_gravest_first_and_equal_changes_once() {
    insta::assert_snapshot!(shown(&mixed(), &text()));
}

#[test]
fn a_plan_in_colour() {
    insta::assert_snapshot!(shown(&mixed(), &coloured()).replace('\u{1b}', "␛"));
}

#[test]
fn verbose_shows_whole_documents_and_every_account() {
    insta::assert_snapshot!(shown(
        &mixed(),
        &Style {
            verbosity: Verbosity::Verbose,
            ..text()
        }
    ));
}

#[test]
fn equal_changes_in_three_hundred_accounts_are_one() {
    let accounts = (0..300)
        .map(|n| {
            let id = format!("{:012}", 200_000_000_000_u64 + n);
            // The last two have another duration.
            let mut change = creation(&id);
            if n > 297 {
                change.diffs[4].after = json!(3600);
            }
            account(&id, &format!("workload-{n:03}"), vec![change])
        })
        .collect();
    insta::assert_snapshot!(shown(&plan(accounts, vec![]), &text()));
}

#[test]
fn an_account_that_is_named_in_a_change_is_folded_with_the_others() {
    let diffs = || {
        vec![differ(
            Attribute::Trust,
            Value::Null,
            trust("arn:aws:iam::111111111111:root", "x"),
        )]
    };
    let accounts = ["111111111111", "222222222222", "333333333333"].map(|id| {
        account(
            id,
            "a",
            vec![change(
                &format!("{id}/role/X"),
                Action::Create,
                "not in the account",
                diffs(),
            )],
        )
    });
    let plan = plan(accounts.into(), vec![]);
    let groups = super::group::groups(&plan);
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].accounts.len(), 3);
}

#[test]
fn a_widened_trust_is_marked_where_it_widens() {
    insta::assert_snapshot!(shown(
        &plan(
            vec![account(
                "222222222222",
                "prod",
                vec![widened("222222222222")]
            )],
            vec![]
        ),
        &text()
    ));
}

#[test]
fn a_sensitive_change_says_what_changed_but_not_the_values() {
    let before = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:root"}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "(sensitive)"}}});
    let mut after = before.clone();
    after["Condition"] = json!({"StringEquals": {"sts:ExternalId": "(sensitive)", "aws:PrincipalOrgID": "o-exampleorgid"}});
    let mut diff = differ(Attribute::Trust, json!({}), json!({}));
    diff.documents = vec![document(
        None,
        vec![statement(Some(before), Some(after), false)],
    )];
    let rotated = json!({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole",
        "Condition": {"StringNotEquals": {"sts:ExternalId": "(sensitive)"}}});
    // What plans hold of a live value that is another one than the sensitive one that is desired.
    let mut live = rotated.clone();
    live["Condition"]["StringNotEquals"]["sts:ExternalId"] = json!("(sensitive) (another value)");
    if let Some(document) = diff.documents.first_mut() {
        document
            .statements
            .push(statement(Some(live), Some(rotated), false));
    }
    let description = differ(
        Attribute::Description,
        json!("(sensitive) (another value)"),
        json!("(sensitive)"),
    );
    let tags = differ(
        Attribute::Tags,
        json!({"token": "(sensitive) (another value)"}),
        json!({"token": "(sensitive)"}),
    );
    let diffs = vec![diff, description, tags];
    let changes = vec![change(
        "222222222222/role/Cado",
        Action::Update,
        "the trust policy differs",
        diffs,
    )];
    insta::assert_snapshot!(shown(
        &plan(vec![account("222222222222", "prod", changes)], vec![]),
        &text()
    ));
}

#[test]
fn a_change_deep_in_a_long_statement_shows_what_it_is_in() {
    let actions = |other: &str| {
        (0..30)
            .map(|n| format!("s3:Action{n:02}"))
            .chain([other.to_owned()])
            .collect::<Vec<_>>()
    };
    let statement_of = |other: &str| json!({"Sid": "Long", "Effect": "Allow", "Action": actions(other), "Resource": "*"});
    let mut diff = differ(Attribute::Document, json!({}), json!({}));
    diff.documents = vec![document(
        None,
        vec![statement(
            Some(statement_of("s3:Action15a")),
            Some(statement_of("s3:Action15b")),
            true,
        )],
    )];
    let changes = vec![change(
        "222222222222/policy/Long",
        Action::Update,
        "the document differs",
        vec![diff],
    )];
    insta::assert_snapshot!(shown(
        &plan(vec![account("222222222222", "prod", changes)], vec![]),
        &text()
    ));
}

#[test]
fn what_cannot_be_read_is_never_called_as_desired() {
    let many = (0..7)
        .map(|n| {
            unreadable(
                &format!("22222222222{n}"),
                &format!("prod-{n}"),
                &format!("request-{n}"),
            )
        })
        .collect();
    insta::assert_snapshot!(shown(&plan(many, vec![]), &text()));
    let one = vec![
        account("111111111111", "main", vec![]),
        unreadable("222222222222", "prod", "request-1"),
    ];
    let one = shown(&plan(one, vec![]), &text());
    assert!(one.contains("request-1)"), "{one}");
    assert!(
        one.contains("No changes in the 1 account that could be read (1 account unreadable)."),
        "{one}"
    );
    assert!(!one.contains("as desired"), "{one}");
}

#[test]
fn nothing_to_do_is_one_line() {
    let quiet = || {
        vec![
            account("222222222222", "prod", vec![]),
            account("333333333333", "dev", vec![]),
        ]
    };
    insta::assert_snapshot!(shown(&plan(quiet(), vec![]), &text()));
    let adopt = finding(
        "adopt",
        Severity::Stop,
        Some("222222222222/role/X"),
        "bears no mark: set `adopt = true` to take it over",
    );
    insta::assert_snapshot!(shown(&plan(quiet(), vec![adopt]), &text()));
    insta::assert_snapshot!(shown(&plan(vec![], vec![]), &text()));
}

#[test]
fn a_cosmetic_difference_is_no_change() {
    let plan = plan(
        vec![account(
            "222222222222",
            "prod",
            vec![cosmetic("222222222222")],
        )],
        vec![],
    );
    insta::assert_snapshot!(shown(&plan, &text()));
    assert!(
        shown(
            &plan,
            &Style {
                verbosity: Verbosity::Verbose,
                ..text()
            }
        )
        .contains("+   \"Sid\": \"B\"")
    );
}

#[test]
fn an_allowed_stop_no_longer_refuses_but_shows() {
    let stops = [
        ("deletes", None),
        ("foreign-owner", Some("222222222222/role/X")),
    ];
    let mut plan = plan(
        vec![account(
            "222222222222",
            "prod",
            vec![update("222222222222")],
        )],
        stops
            .iter()
            .map(|(code, address)| finding(code, Severity::Stop, *address, "message"))
            .collect(),
    );
    plan.allowed = stops.iter().map(|(code, _)| (*code).to_owned()).collect();
    let text = shown(&plan, &text());
    assert!(text.contains("allowed deletes"), "{text}");
    assert!(
        text.contains("stop foreign-owner role X in prod (222222222222)"),
        "{text}"
    );
    assert!(
        text.contains("Fix them (foreign-owner cannot be allowed)"),
        "{text}"
    );
}

fn ran() -> RunReport {
    let result = |address: &str, outcome, error: Option<String>| ChangeResult {
        address: address.into(),
        action: Action::Update,
        outcome,
        error,
    };
    let denied = |id: &str, role: &str| {
        let error = AwsError {
            account: Some(AccountId::parse(id).unwrap()),
            operation: "AttachRolePolicy".into(),
            resource: Some(role.into()),
            code: Some("AccessDenied".into()),
            message: format!(
                "User: arn:aws:sts::{id}:assumed-role/Admin/rolecall is not authorized, with an explicit deny in a service control policy"
            ),
            request_id: Some(format!("request-{id}")),
        };
        result(
            &format!("{id}/role/{role}"),
            Outcome::Failed,
            Some(error.to_string()),
        )
    };
    let results = vec![
        result("111111111111/role/Fine", Outcome::Done, None),
        denied("222222222222", "Cado"),
        denied("333333333333", "Cado"),
        denied("333333333333", "Other"),
        result(
            "444444444444/role/Cado",
            Outcome::Stale,
            Some("the trust policy changed since it was planned".into()),
        ),
        result("555555555555/role/Cado", Outcome::NotReached, None),
    ];
    let summary = RunSummary {
        done: 1,
        failed: 3,
        stale: 1,
        not_reached: 1,
    };
    RunReport {
        format: crate::execute::FORMAT.into(),
        run: "20260102T030405Z-1".into(),
        results,
        summary,
    }
}

fn run_shown(report: &RunReport, style: &Style) -> String {
    let mut out = Vec::new();
    run::run(report, Extent::Whole, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_run_says_what_failed_and_why() {
    insta::assert_snapshot!(run_shown(&ran(), &text()));
    insta::assert_snapshot!(run_shown(&ran(), &coloured()).replace('\u{1b}', "␛"));
    let verbose = run_shown(
        &ran(),
        &Style {
            verbosity: Verbosity::Verbose,
            ..text()
        },
    );
    assert!(
        verbose.contains("request-222222222222") && verbose.contains("111111111111/role/Fine"),
        "{verbose}"
    );
}

#[test]
fn a_run_without_failures_is_complete() {
    let report = RunReport {
        results: vec![],
        summary: RunSummary {
            done: 14,
            ..RunSummary::default()
        },
        ..ran()
    };
    insta::assert_snapshot!(run_shown(&report, &text()));
}

#[test]
fn the_accounts_are_a_table_without_trailing_spaces() {
    let row = |id: &str, name: &str, ou: &str, status: &str, roles: &[(&str, &str)]| AccountRow {
        id: AccountId::parse(id).unwrap(),
        name: name.into(),
        ou: OuPath(ou.into()),
        status: AccountStatus(status.into()),
        roles: roles
            .iter()
            .map(|(role, why)| Targeting {
                role: (*role).into(),
                why: (*why).into(),
            })
            .collect(),
    };
    let accounts = Accounts::new(vec![
        row("111111111111", "main", "", "ACTIVE", &[]),
        row(
            "222222222222",
            "prod",
            "Workloads/Prod",
            "ACTIVE",
            &[("Cado", "ou = \"Workloads\""), ("Auditor", "all")],
        ),
        row("333333333333", "closed", "Workloads", "SUSPENDED", &[]),
    ]);
    let mut out = Vec::new();
    accounts::table(&accounts, &text(), &mut out).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
    let mut out = Vec::new();
    json_view::write(&accounts, &mut out).unwrap();
    assert!(out.ends_with(b"}\n"));
    let back: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(
        back["accounts"][1]["roles"][0],
        json!({"role": "Cado", "why": "ou = \"Workloads\""})
    );
}

#[test]
fn a_closed_pipe_is_an_error_not_a_panic() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for result in [
        human::plan(&mixed(), &text(), &mut Closed),
        run::run(&ran(), Extent::Whole, &text(), &mut Closed),
        json_view::write(&ran(), &mut Closed),
    ] {
        assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    }
}
