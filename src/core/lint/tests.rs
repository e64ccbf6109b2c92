//! Each lint with what it must find and what it must leave alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod issuers;
mod keys;

use serde_json::{Value, json};

use super::*;
use crate::org::Partition;
use crate::resource::Origin;
use crate::resource::name::{PolicyArn, PolicyName};
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::role::{Manage, PolicyRef};

const OWN: &str = "111111111111";
const MEMBER: &str = "222222222222";
const VENDOR: &str = "999999999999";
const ID: &str = "3f2b8c1e-9d47-4a6b-8e21-5c0d7f9a1b23";

fn id(text: &str) -> AccountId {
    AccountId::parse(text).unwrap()
}

fn document(kind: PolicyKind, statements: &Value) -> PolicyDocument {
    let value = json!({"Version": "2012-10-17", "Statement": statements});
    PolicyDocument::from_value(&value, kind, &Partition::default())
        // What IAM refuses may still be asked about.
        .unwrap_or_else(|_| PolicyDocument::live(&value.to_string(), kind, &Partition::default()))
}

fn role(name: &str, trust: &Value) -> Role {
    Role {
        name: RoleName::parse(name).unwrap(),
        path: None,
        description: None,
        max_session_duration: None,
        trust: document(PolicyKind::Trust, trust),
        managed_policies: None,
        inline_policies: None,
        permissions_boundary: None,
        tags: None,
        manage: Manage::default(),
        adopt: false,
        create: true,
        ensure: Ensure::Present,
        external: false,
        prevent_destroy: false,
        former_stack: None,
        expires: None,
        expect: Vec::new(),
        origin: Origin {
            file: "roles.toml".to_owned(),
            line: 7,
        },
    }
}

fn inline(mut role: Role, statements: &Value) -> Role {
    let name = PolicyName::parse("inline").unwrap();
    role.inline_policies = Some([(name, document(PolicyKind::Identity, statements))].into());
    role
}

fn aws(name: &str) -> PolicyRef {
    PolicyRef::Arn(PolicyArn::aws_managed(&Partition::default(), name).unwrap())
}

fn holding(roles: &[Role]) -> AccountDesired {
    AccountDesired {
        roles: roles
            .iter()
            .map(|role| (role.name.key(), Arc::new(role.clone())))
            .collect(),
        ..AccountDesired::default()
    }
}

fn member() -> Settings {
    Settings {
        known_accounts: [(id("006742885340"), "Palo Alto Cortex XDR".to_owned())].into(),
        organization: Some([id(OWN), id(MEMBER)].into()),
        ..Settings::default()
    }
}

fn findings(roles: &[Role], settings: &Settings) -> Vec<(&'static str, String)> {
    let accounts = [(id(OWN), holding(roles))].into();
    run(&accounts, settings)
        .into_iter()
        .map(|one| (one.code, one.message.to_string()))
        .collect()
}

fn of(code: &str, role: Role) -> Option<String> {
    findings(&[role], &member())
        .into_iter()
        .find(|(found, _)| *found == code)
        .map(|(_, message)| message)
}

/// Each case: what it is, the trust, whether the lint speaks.
#[track_caller]
fn check(code: &str, cases: &[(&str, Value, bool)]) {
    for (what, trust, expect) in cases {
        let found = of(code, role("CortexXDRRole", trust));
        assert_eq!(found.is_some(), *expect, "{code}: {what}: {found:?}");
    }
}

fn allow(principal: &Value, conditions: &Value) -> Value {
    json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": conditions})
}

fn everybody(conditions: &Value) -> Value {
    json!([allow(&json!({"AWS": "*"}), conditions)])
}

fn vendor(conditions: &Value) -> Value {
    json!([allow(&json!({"AWS": VENDOR}), conditions)])
}

#[test]
fn a_trust_of_everybody_is_public_unless_a_condition_keeps_strangers_out() {
    let deny = json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole",
        "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-ours000000"}}});
    check(
        "public-trust",
        &[
            ("no condition", everybody(&json!({})), true),
            (
                "external id alone",
                everybody(&json!({"StringEquals": {"sts:ExternalId": ID}})),
                true,
            ),
            (
                "any organization",
                everybody(&json!({"StringLike": {"aws:PrincipalOrgID": "*"}})),
                true,
            ),
            (
                "organizations by pattern",
                everybody(&json!({"StringLike": {"aws:PrincipalOrgID": "o-*"}})),
                true,
            ),
            (
                "our organization",
                everybody(&json!({"StringEquals": {"aws:PrincipalOrgID": "o-ours000000"}})),
                false,
            ),
            (
                "our organization where there is one",
                everybody(&json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-ours000000"}})),
                true,
            ),
            (
                "units anywhere",
                everybody(&json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-*/*"}})),
                true,
            ),
            (
                "units of ours",
                everybody(
                    &json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-ours000000/*"}}),
                ),
                false,
            ),
            (
                "anywhere",
                everybody(&json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}})),
                true,
            ),
            (
                "one half of the world",
                everybody(&json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}})),
                true,
            ),
            (
                "an office",
                everybody(&json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})),
                false,
            ),
            (
                "not an office",
                everybody(&json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}})),
                true,
            ),
            (
                "not an account",
                everybody(&json!({"StringNotEquals": {"aws:PrincipalAccount": VENDOR}})),
                true,
            ),
            (
                "an account",
                everybody(&json!({"StringEquals": {"aws:PrincipalAccount": MEMBER}})),
                false,
            ),
            (
                "a name that anybody can give a role",
                everybody(&json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/cado-*"}})),
                true,
            ),
            (
                "roles of an account",
                everybody(
                    &json!({"ArnLike": {"aws:PrincipalArn": format!("arn:aws:iam::{MEMBER}:role/cado-*")}}),
                ),
                false,
            ),
            (
                "a role by its id",
                everybody(&json!({"StringLike": {"aws:userid": "AROAEXAMPLEEXAMPLE123:*"}})),
                false,
            ),
            (
                "source account where there is one",
                everybody(&json!({"StringEqualsIfExists": {"aws:SourceAccount": OWN}})),
                true,
            ),
            (
                "source account",
                everybody(&json!({"StringEquals": {"aws:SourceAccount": OWN}})),
                false,
            ),
            (
                "all values of a key that may be absent",
                everybody(&json!({"ForAllValues:StringEquals": {"aws:CalledVia": "x"}})),
                true,
            ),
            (
                "a session tag of the caller's choice",
                everybody(&json!({"StringEquals": {"aws:RequestTag/t": "x"}})),
                true,
            ),
            (
                "mfa",
                everybody(&json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
                true,
            ),
            (
                "others are denied",
                json!([allow(&json!({"AWS": "*"}), &json!({})), deny]),
                false,
            ),
            ("an account alone", vendor(&json!({})), false),
            (
                "everybody may tag and nobody may assume",
                json!([{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:TagSession"}]),
                false,
            ),
        ],
    );
}

#[test]
fn a_machine_from_outside_needs_a_definite_external_id() {
    let id = |operator: &str, value: &str| json!({ operator: {"sts:ExternalId": value} });
    check(
        "no-external-id",
        &[
            ("none", vendor(&json!({})), true),
            (
                "a role of theirs",
                json!([allow(
                    &json!({"AWS": format!("arn:aws:iam::{VENDOR}:role/x")}),
                    &json!({})
                )]),
                true,
            ),
            ("an id", vendor(&id("StringEquals", ID)), false),
            (
                "an id in any case",
                vendor(&id("StringEqualsIgnoreCase", ID)),
                false,
            ),
            ("any id", vendor(&id("StringLike", "*")), true),
            (
                "an id where there is one",
                vendor(&id("StringEqualsIfExists", ID)),
                true,
            ),
            ("any other id", vendor(&id("StringNotEquals", ID)), true),
            (
                "pinned to a role of theirs",
                vendor(
                    &json!({"ArnLike": {"aws:PrincipalArn": format!("arn:aws:iam::{VENDOR}:role/*")}}),
                ),
                true,
            ),
            (
                "people with mfa",
                vendor(&json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
                false,
            ),
            (
                "our organization only",
                vendor(&json!({"StringEquals": {"aws:PrincipalOrgID": "o-ours000000"}})),
                false,
            ),
            (
                "a member",
                json!([allow(&json!({"AWS": MEMBER}), &json!({}))]),
                false,
            ),
            (
                "its own account",
                json!([allow(&json!({"AWS": OWN}), &json!({}))]),
                false,
            ),
            (
                "a service",
                json!([allow(&json!({"Service": "ec2.amazonaws.com"}), &json!({}))]),
                false,
            ),
            (
                "denied without an id",
                json!([allow(&json!({"AWS": VENDOR}), &json!({})), {"Effect": "Deny", "Principal": {"AWS": "*"},
                    "Action": "sts:AssumeRole", "Condition": {"StringNotEquals": {"sts:ExternalId": ID}}}]),
                false,
            ),
        ],
    );
    let message = of(
        "no-external-id",
        role("CloudTrailLogs-Z", &vendor(&json!({}))),
    )
    .unwrap();
    assert_eq!(
        message,
        "role `CloudTrailLogs-Z` trusts account 999999999999 outside the organization without an external id; \
         ask the other party for an external id that is unique to you, and set `external_id`"
    );
    let known = of(
        "no-external-id",
        role(
            "X",
            &json!([allow(&json!({"AWS": "006742885340"}), &json!({}))]),
        ),
    )
    .unwrap();
    assert!(
        known.contains("account 006742885340 (Palo Alto Cortex XDR)"),
        "{known}"
    );
}

#[test]
fn without_the_organization_every_other_account_may_be_an_outsider() {
    let unknown = Settings::default();
    let found = findings(&[role("X", &vendor(&json!({})))], &unknown);
    assert!(
        found[0]
            .1
            .contains("account 999999999999 (unless that is in your organization)"),
        "{found:?}"
    );
    assert!(
        findings(
            &[role("X", &json!([allow(&json!({"AWS": OWN}), &json!({}))]))],
            &unknown
        )
        .is_empty()
    );
    let named = Settings {
        known_accounts: [(id(VENDOR), "Vendor".to_owned())].into(),
        ..unknown
    };
    let found = findings(&[role("X", &vendor(&json!({})))], &named);
    assert!(
        found[0].1.contains("account 999999999999 (Vendor) without"),
        "{found:?}"
    );
}

#[test]
fn mfa_is_not_demanded_of_machines() {
    let both = json!({"StringEquals": {"sts:ExternalId": ID}, "Bool": {"aws:MultiFactorAuthPresent": "true"}});
    let age = json!({"StringEquals": {"sts:ExternalId": ID}, "NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}});
    let if_exists = json!({"StringEquals": {"sts:ExternalId": ID}, "BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}});
    let mfa = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
    let deny = json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole",
        "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}});
    let oidc = json!([{"Effect": "Allow", "Principal": {"Federated": GITHUB}, "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {"token.actions.githubusercontent.com:sub": "repo:o/r:ref:refs/heads/main"},
            "Bool": {"aws:MultiFactorAuthPresent": "true"}}}]);
    check(
        "mfa-on-machine",
        &[
            ("external id and mfa", vendor(&both), true),
            ("external id and the age of mfa", vendor(&age), true),
            (
                "external id and mfa where the key is there",
                vendor(&if_exists),
                true,
            ),
            (
                "external id, and a denial without mfa",
                json!([
                    allow(
                        &json!({"AWS": VENDOR}),
                        &json!({"StringEquals": {"sts:ExternalId": ID}})
                    ),
                    deny
                ]),
                true,
            ),
            (
                "external id alone",
                vendor(&json!({"StringEquals": {"sts:ExternalId": ID}})),
                false,
            ),
            ("people", vendor(&mfa), false),
            (
                "people in one statement, a vendor in another",
                json!([
                    allow(&json!({"AWS": MEMBER}), &mfa),
                    allow(
                        &json!({"AWS": VENDOR}),
                        &json!({"StringEquals": {"sts:ExternalId": ID}})
                    )
                ]),
                false,
            ),
            (
                "a service",
                json!([allow(&json!({"Service": "lambda.amazonaws.com"}), &mfa)]),
                true,
            ),
            (
                "a service without",
                json!([allow(
                    &json!({"Service": "lambda.amazonaws.com"}),
                    &json!({})
                )]),
                false,
            ),
            ("GitHub", oidc, true),
            (
                "that there is no mfa",
                vendor(
                    &json!({"StringEquals": {"sts:ExternalId": ID}, "Bool": {"aws:MultiFactorAuthPresent": "false"}}),
                ),
                false,
            ),
        ],
    );
    let message = of("mfa-on-machine", role("CortexXDRRole", &vendor(&both))).unwrap();
    for part in ["MFA", "remove `require_mfa`", "CortexXDRRole"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_service_says_on_whose_behalf_it_comes() {
    let service =
        |name: &str, conditions: Value| json!([allow(&json!({ "Service": name }), &conditions)]);
    let config = |conditions: Value| service("config.amazonaws.com", conditions);
    check(
        "confused-service",
        &[
            ("nothing", config(json!({})), true),
            (
                "account",
                config(json!({"StringEquals": {"aws:SourceAccount": OWN}})),
                false,
            ),
            (
                "account where it is sent",
                config(json!({"StringEqualsIfExists": {"aws:SourceAccount": OWN}})),
                true,
            ),
            (
                "any account",
                config(json!({"StringLike": {"aws:SourceAccount": "*"}})),
                true,
            ),
            (
                "organization",
                config(json!({"StringEquals": {"aws:SourceOrgID": "o-ours000000"}})),
                false,
            ),
            (
                "resource",
                config(json!({"ArnLike": {"aws:SourceArn": format!("arn:aws:config:*:{OWN}:*")}})),
                false,
            ),
            (
                "a bucket",
                config(json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::ours"}})),
                false,
            ),
            (
                "any bucket",
                config(json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}})),
                true,
            ),
            (
                "resource of any account",
                config(json!({"ArnLike": {"aws:SourceArn": "arn:aws:config:*:*:recorder"}})),
                true,
            ),
            (
                "EC2 sends nothing",
                service("ec2.amazonaws.com", json!({})),
                false,
            ),
            (
                "EC2 in China",
                service("ec2.amazonaws.com.cn", json!({})),
                false,
            ),
            (
                "Lambda sends nothing",
                service("lambda.amazonaws.com", json!({})),
                false,
            ),
            (
                "Pod Identity sends tags",
                service("pods.eks.amazonaws.com", json!({})),
                false,
            ),
            ("no service", vendor(&json!({})), false),
        ],
    );
}

const GITHUB: &str = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com";

fn federated(provider: &str, conditions: &Value) -> Value {
    json!([{"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": conditions}])
}

#[test]
fn an_identity_provider_is_trusted_for_some_identities_only() {
    let github = |operator: &str, subject: &str| {
        let key = "token.actions.githubusercontent.com:sub";
        let aud = "token.actions.githubusercontent.com:aud";
        federated(
            GITHUB,
            &json!({ operator: {key: subject}, "StringEqualsIgnoreCase": {aud: "sts.amazonaws.com"} }),
        )
    };
    let eks = "arn:aws:iam::111111111111:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABCDEF";
    let pod = |subject: &str| {
        federated(
            eks,
            &json!({"StringLike": {"oidc.eks.eu-west-1.amazonaws.com/id/ABCDEF:sub": subject}}),
        )
    };
    let aud =
        json!({"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}});
    let terraform = |subject: &str| {
        let provider = "arn:aws:iam::111111111111:oidc-provider/app.terraform.io";
        federated(
            provider,
            &json!({"StringLike": {"app.terraform.io:sub": subject}}),
        )
    };
    check(
        "oidc-open",
        &[
            ("no condition", federated(GITHUB, &json!({})), true),
            ("audience alone", federated(GITHUB, &aud), true),
            (
                "one branch",
                github("StringEquals", "repo:org/repo:ref:refs/heads/main"),
                false,
            ),
            (
                "an environment",
                github("StringEquals", "repo:org/repo:environment:prod"),
                false,
            ),
            (
                "branches by pattern",
                github("StringLike", "repo:org/repo:ref:refs/heads/release-*"),
                false,
            ),
            ("everything", github("StringLike", "*"), true),
            ("every repository", github("StringLike", "repo:*"), true),
            (
                "organizations that begin so",
                github("StringLike", "repo:org*"),
                true,
            ),
            ("an organization", github("StringLike", "repo:org/*"), true),
            (
                "repositories that begin so",
                github("StringLike", "repo:org/repo*"),
                true,
            ),
            (
                "a repository",
                github("StringLike", "repo:org/repo:*"),
                true,
            ),
            (
                "a workflow anywhere",
                github("StringEquals", "workflow:deploy"),
                true,
            ),
            (
                "an environment anywhere",
                github("StringEquals", "environment:prod"),
                true,
            ),
            (
                "a wildcard that is none",
                github("StringEquals", "repo:org/*"),
                false,
            ),
            (
                "where there is a subject",
                github("StringEqualsIfExists", "repo:org/repo:ref:refs/heads/main"),
                false,
            ),
            (
                "a service account",
                pod("system:serviceaccount:ns:name"),
                false,
            ),
            (
                "service accounts of a namespace",
                pod("system:serviceaccount:ns:*"),
                false,
            ),
            ("every namespace", pod("system:serviceaccount:*:name"), true),
            (
                "every service account",
                pod("system:serviceaccount:*"),
                true,
            ),
            (
                "a workspace",
                terraform("organization:org:project:*:workspace:w:run_phase:*"),
                false,
            ),
            (
                "any organization",
                terraform("organization:*:workspace:w"),
                true,
            ),
            (
                "Cognito's pool",
                federated(
                    "cognito-identity.amazonaws.com",
                    &json!({"StringEquals": {"cognito-identity.amazonaws.com:aud": "eu-west-1:pool"}}),
                ),
                false,
            ),
            (
                "any pool",
                federated("cognito-identity.amazonaws.com", &json!({})),
                true,
            ),
            (
                "SAML",
                json!([{"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::111111111111:saml-provider/idp"},
                    "Action": "sts:AssumeRoleWithSAML", "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}}]),
                false,
            ),
        ],
    );
}

#[test]
fn an_external_id_is_unique_to_a_role() {
    let trust = vendor(&json!({"StringEquals": {"sts:ExternalId": ID}}));
    let other = vendor(&json!({"StringEquals": {"sts:ExternalId": "another-one"}}));
    let found = findings(
        &[
            role("One", &trust),
            role("Two", &trust),
            role("Three", &other),
        ],
        &member(),
    );
    let codes: Vec<_> = found.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, ["shared-external-id", "shared-external-id"]);
    for (_, message) in &found {
        assert!(
            message.contains("`One`") && message.contains("`Two`") && message.contains("unique"),
            "{message}"
        );
        assert!(
            message.contains("roles.toml:7") && !message.contains(ID),
            "{message}"
        );
    }
}

#[test]
fn one_role_in_many_accounts_shares_no_id_and_two_roles_in_two_accounts_do() {
    let trust = vendor(&json!({"StringEquals": {"sts:ExternalId": ID}}));
    let [one, two] = [
        holding(&[role("One", &trust)]),
        holding(&[role("Two", &trust)]),
    ];
    let same = [(id(OWN), one.clone()), (id(MEMBER), one.clone())].into();
    assert!(run(&same, &member()).is_empty());
    let different = [(id(OWN), one), (id(MEMBER), two)].into();
    let found: Vec<_> = run(&different, &member())
        .into_iter()
        .map(|found| (found.account, found.code))
        .collect();
    assert_eq!(
        found,
        [
            (id(OWN), "shared-external-id"),
            (id(MEMBER), "shared-external-id")
        ]
    );
}

fn trusted_with(managed: &[&str]) -> Role {
    let trust = vendor(&json!({"StringEquals": {"sts:ExternalId": ID}}));
    Role {
        managed_policies: Some(managed.iter().map(|name| aws(name)).collect()),
        ..role("VendorRole", &trust)
    }
}

fn statement(effect: &str, actions: &Value, resources: &Value) -> Value {
    json!({"Effect": effect, "Action": actions, "Resource": resources})
}

#[test]
fn an_outsider_is_no_administrator() {
    let all = statement("Allow", &json!("*"), &json!("*"));
    let bounded = |boundary: &str| Role {
        permissions_boundary: Some(Some(aws(boundary))),
        ..trusted_with(&["AdministratorAccess"])
    };
    let own = |managed: &[&str]| Role {
        trust: document(
            PolicyKind::Trust,
            &json!([allow(&json!({"AWS": MEMBER}), &json!({}))]),
        ),
        ..trusted_with(managed)
    };
    let denied = json!([
        statement("Allow", &json!("iam:*"), &json!("*")),
        statement("Deny", &json!("iam:*"), &json!("*"))
    ]);
    let scoped = json!([{"Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/managed_by": "vendor"}}}]);
    let cases = [
        (
            "AdministratorAccess",
            trusted_with(&["AdministratorAccess"]),
            true,
        ),
        (
            "PowerUserAccess",
            trusted_with(&["PowerUserAccess", "SecurityAudit"]),
            true,
        ),
        ("IAMFullAccess", trusted_with(&["IAMFullAccess"]), true),
        ("ReadOnlyAccess", trusted_with(&["ReadOnlyAccess"]), false),
        ("a member", own(&["AdministratorAccess"]), false),
        ("bounded", bounded("ReadOnlyAccess"), false),
        ("bounded by all", bounded("AdministratorAccess"), true),
        ("everything", inline(trusted_with(&[]), &json!([all])), true),
        (
            "everything on one bucket",
            inline(
                trusted_with(&[]),
                &json!([statement("Allow", &json!("*"), &json!("arn:aws:s3:::b"))]),
            ),
            false,
        ),
        (
            "everything but some",
            inline(
                trusted_with(&[]),
                &json!([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]),
            ),
            true,
        ),
        (
            "everything with a tag",
            inline(trusted_with(&[]), &scoped),
            false,
        ),
        (
            "all of IAM",
            inline(
                trusted_with(&[]),
                &json!([statement("Allow", &json!("iam:*"), &json!("*"))]),
            ),
            true,
        ),
        (
            "all of IAM, denied",
            inline(trusted_with(&[]), &denied),
            false,
        ),
    ];
    for (what, role, expect) in cases {
        let found = of("admin-to-outsider", role);
        assert_eq!(found.is_some(), expect, "{what}: {found:?}");
    }
}

#[test]
fn an_outsider_cannot_give_itself_more_rights() {
    let passes = |service: &str| {
        json!([
            statement("Allow", &json!(["lambda:Create*", "lambda:InvokeFunction"]), &json!("*")),
            {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
                "Condition": {"StringEquals": {"iam:PassedToService": service}}},
        ])
    };
    let run = |resource: &str| {
        json!([statement(
            "Allow",
            &json!("IAM:putrolepolicy"),
            &json!(resource)
        )])
    };
    let cases: Vec<(&str, Value, Option<&str>)> = vec![
        ("one action", run("*"), Some("`iam:PutRolePolicy`")),
        (
            "all roles of the account",
            run("arn:aws:iam::*:role/*"),
            Some("`iam:PutRolePolicy`"),
        ),
        (
            "itself",
            run("arn:aws:iam::111111111111:role/Vendor*"),
            Some("`iam:PutRolePolicy`"),
        ),
        (
            "other roles",
            run("arn:aws:iam::111111111111:role/Other*"),
            None,
        ),
        (
            "a set by wildcards",
            json!([statement(
                "Allow",
                &json!(["iam:Pass*", "ec2:Run*"]),
                &json!("*")
            )]),
            Some("`ec2:RunInstances` and `iam:PassRole`"),
        ),
        (
            "half of a set",
            json!([statement(
                "Allow",
                &json!(["iam:PassRole", "ec2:Describe*"]),
                &json!("*")
            )]),
            None,
        ),
        (
            "passed to the service of the set",
            passes("lambda.amazonaws.com"),
            Some("`iam:PassRole`, `lambda:CreateFunction` and `lambda:InvokeFunction`"),
        ),
        (
            "passed to another service",
            passes("rds.amazonaws.com"),
            None,
        ),
        (
            "roles of one name",
            json!([
                statement(
                    "Allow",
                    &json!("iam:PassRole"),
                    &json!("arn:aws:iam::*:role/Scanner*")
                ),
                statement("Allow", &json!("ec2:RunInstances"), &json!("*"))
            ]),
            None,
        ),
        (
            "denied",
            json!([
                statement("Allow", &json!(["iam:Pass*", "ec2:Run*"]), &json!("*")),
                statement("Deny", &json!("iam:PassRole"), &json!("*"))
            ]),
            None,
        ),
        (
            "denied on one role",
            json!([
                statement("Allow", &json!(["iam:Pass*", "ec2:Run*"]), &json!("*")),
                statement(
                    "Deny",
                    &json!("iam:PassRole"),
                    &json!("arn:aws:iam::*:role/Admin")
                )
            ]),
            Some("`iam:PassRole`"),
        ),
        (
            "with a tag",
            json!([{"Effect": "Allow", "Action": "ssm:SendCommand", "Resource": "*",
                "Condition": {"StringEquals": {"aws:ResourceTag/managed_by": "vendor"}}}]),
            None,
        ),
        (
            "in one region",
            json!([{"Effect": "Allow", "Action": "ssm:SendCommand", "Resource": "*",
                "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}}]),
            Some("`ssm:SendCommand`"),
        ),
        (
            "reading",
            json!([statement(
                "Allow",
                &json!(["s3:Get*", "iam:List*", "iam:Get*"]),
                &json!("*")
            )]),
            None,
        ),
    ];
    for (what, statements, expect) in cases {
        let found = of("escalation", inline(trusted_with(&[]), &statements));
        match expect {
            Some(words) => assert!(
                found.as_ref().is_some_and(|found| found.contains(words)),
                "{what}: {found:?}"
            ),
            None => assert_eq!(found, None, "{what}"),
        }
    }
}

#[test]
fn what_lies_in_a_customer_managed_policy_counts_and_its_boundary_limits_it() {
    let policy = |name: &str, actions: Value| ManagedPolicy {
        name: PolicyName::parse(name).unwrap(),
        path: None,
        description: None,
        document: document(
            PolicyKind::Identity,
            &json!([statement("Allow", &actions, &json!("*"))]),
        ),
        tags: None,
        adopt: false,
        prevent_destroy: false,
        former_stack: None,
        origin: Origin::default(),
    };
    let local = |name: &str| PolicyRef::Local(PolicyName::parse(name).unwrap());
    let vendor = Role {
        managed_policies: Some([local("Powers")].into()),
        ..trusted_with(&[])
    };
    let bounded = |to: &str| Role {
        permissions_boundary: Some(Some(local(to))),
        ..vendor.clone()
    };
    let full = PolicyRef::Arn(PolicyArn::parse("arn:aws:iam::111111111111:policy/Powers").unwrap());
    let by_arn = Role {
        managed_policies: Some([full].into()),
        ..trusted_with(&[])
    };
    for (role, expect) in [
        (vendor.clone(), true),
        (by_arn, true),
        (bounded("Powers"), true),
        (bounded("Reading"), false),
        (bounded("ElsewhereAndUnknown"), false),
    ] {
        let mut desired = holding(std::slice::from_ref(&role));
        for one in [
            policy("Powers", json!("ssm:SendCommand")),
            policy("Reading", json!("s3:Get*")),
        ] {
            desired.policies.insert(one.name.key(), Arc::new(one));
        }
        let found = super::run(&[(id(OWN), desired)].into(), &member());
        assert_eq!(
            found.iter().any(|one| one.code == "escalation"),
            expect,
            "{role:?}: {found:?}"
        );
    }
}

#[test]
fn levels_are_the_defaults_until_they_are_set() {
    let trust = json!([allow(&json!({"AWS": "*"}), &json!({}))]);
    let levels = |settings: &Settings| {
        let accounts = [(id(OWN), holding(&[role("X", &trust)]))].into();
        run(&accounts, settings)
            .into_iter()
            .map(|one| (one.code, one.level))
            .collect::<Vec<_>>()
    };
    let set = |level: &str| Settings {
        severities: [("public-trust".to_owned(), Level::parse(level).unwrap())].into(),
        ..member()
    };
    assert_eq!(levels(&member()), [("public-trust", Level::Stop)]);
    assert_eq!(levels(&set("warn")), [("public-trust", Level::Warn)]);
    assert_eq!(levels(&set("off")), []);
    assert_eq!(Level::parse("Stop"), None);
    assert!(
        LINTS
            .iter()
            .all(|lint| lint.level == Level::Warn || lint.code == "public-trust")
    );
}

#[test]
fn what_shall_be_absent_or_is_somebody_elses_is_left_alone() {
    let trust = json!([allow(&json!({"AWS": "*"}), &json!({}))]);
    let absent = Role {
        ensure: Ensure::Absent,
        ..role("X", &trust)
    };
    let external = Role {
        external: true,
        ..role("Y", &trust)
    };
    assert!(findings(&[absent, external], &member()).is_empty());
}

#[test]
fn every_word_names_the_role_says_how_to_mend_it_and_ends_without_a_stop() {
    let everything = inline(
        role(
            "X",
            &json!([
                allow(&json!({"AWS": "*"}), &json!({})),
                allow(&json!({"AWS": VENDOR}), &json!({})),
                allow(
                    &json!({"Service": "lambda.amazonaws.com"}),
                    &json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})
                ),
                allow(&json!({"Service": "sns.amazonaws.com"}), &json!({})),
                federated(GITHUB, &json!({}))[0],
            ]),
        ),
        &json!([statement("Allow", &json!(["ssm:SendCommand"]), &json!("*"))]),
    );
    let found = findings(&[everything], &member());
    assert!(found.len() >= 5, "{found:#?}");
    for (code, message) in found {
        let lint = LINTS.iter().find(|lint| lint.code == code).unwrap();
        assert!(
            message.starts_with("role `X` ") && message.ends_with(&format!("; {}", lint.fix)),
            "{message}"
        );
        assert!(!message.ends_with('.'), "{message}");
    }
}

#[test]
fn ten_thousand_accounts_that_share_a_role_share_what_is_said() {
    let one = holding(&[role("X", &vendor(&json!({})))]);
    let accounts = (0..10_000)
        .map(|number| (id(&format!("{number:012}")), one.clone()))
        .collect();
    let found = run(&accounts, &member());
    assert_eq!(found.len(), 10_000);
    assert!(
        found
            .iter()
            .all(|other| Arc::ptr_eq(&other.message, &found[0].message))
    );
}

#[test]
fn the_sets_of_actions_are_read_and_none_holds_another() {
    let sets = powers::sets();
    assert_eq!(sets.len(), 75);
    for set in sets {
        assert!(
            sets.iter()
                .all(|other| other == set || !other.is_subset(set)),
            "{set:?}"
        );
    }
}

#[test]
fn every_code_can_be_set_in_the_file() {
    let mut codes: Vec<&str> = LINTS
        .iter()
        .map(|lint| lint.code)
        .chain([TRUST_WIDENED])
        .collect();
    let mut settable = crate::config::lints::CODES.to_vec();
    codes.sort_unstable();
    settable.sort_unstable();
    assert_eq!(codes, settable);
}
