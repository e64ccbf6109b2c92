//! Laws of importing live IAM, over random organizations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::fold::{Folding, Units, fold};
use super::{Options, Policies, Services, Stacks, select};
use crate::config::files::Memory;
use crate::config::{self, Inputs, NarrowScope};
use crate::desired::Limits;
use crate::import::check::check;
use crate::import::draft::Draft;
use crate::import::emit::{Emitted, SECRETS};
use crate::import::report::{Class, Entry, Report};
use crate::live::{AccountLive, LiveAccount};
use crate::org::*;
use crate::plan::{self, Action, Extras, Intent, Settings, Unmanaged};
use crate::resource::Tags;
use crate::resource::managed_policy::{LivePolicy, PolicyVersion};
use crate::resource::name::{IamPath, PolicyArn, PolicyName, RoleName};
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::role::{LiveRole, Role, RoleDetails};
use crate::resource::secret::Secrets;
use crate::resource::step::Step;

/// A sequence of numbers that a seed decides.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        // Knuth, MMIX.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll()).unwrap() % end
    }

    fn one_in(&mut self, chance: usize) -> bool {
        self.below(chance) == 0
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            let other = self.below(at + 1);
            items.swap(at, other);
        }
    }
}

const UNITS: [&str; 4] = ["", "Security", "Workloads/Dev", "Workloads/Prod"];

fn id(number: usize) -> AccountId {
    AccountId::parse(&format!("1000000{number:05}")).unwrap()
}

fn organization(accounts: usize) -> Organization {
    let account = |number: usize| Account {
        id: id(number),
        name: format!("account-{number}"),
        email: format!("{number}@example.com"),
        status: AccountStatus("ACTIVE".to_owned()),
        ou: OuPath(UNITS[number % 4].to_owned()),
        parents: Vec::new(),
        joined: None,
        tags: None,
    };
    let units = ["Security", "Workloads", "Workloads/Dev", "Workloads/Prod"];
    let units = units.iter().enumerate();
    Organization {
        id: "o-a1b2c3d4e5".to_owned(),
        management_account: id(0),
        partition: Partition::default(),
        caller: Caller {
            account: id(0),
            arn: format!("arn:aws:iam::{}:user/x", id(0)),
        },
        units: units
            .map(|(at, path)| (format!("ou-abcd-{at:08}"), OuPath((*path).to_owned())))
            .chain([("r-abcd".to_owned(), OuPath::default())])
            .collect(),
        accounts: (0..accounts)
            .map(|number| (id(number), account(number)))
            .collect(),
    }
}

fn document(kind: PolicyKind, value: &Value) -> PolicyDocument {
    PolicyDocument::live(&value.to_string(), kind, &Partition::default())
}

fn allow(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn trust_statement(aws: &str, external: Option<&str>) -> Value {
    let mut statement =
        json!({"Effect": "Allow", "Principal": {"AWS": aws}, "Action": "sts:AssumeRole"});
    if let Some(external) = external {
        statement["Condition"] = json!({"StringEquals": {"sts:ExternalId": external}});
    }
    statement
}

/// A role of one account, drawn around what the role of this number has everywhere.
fn role(number: usize, account: AccountId, dice: &mut Dice, noise: usize) -> Option<LiveRole> {
    let common = &mut Dice(u64::try_from(number).unwrap() * 7919 + 13);
    let odd = |dice: &mut Dice| dice.one_in(noise);
    if odd(dice) || (number % 3 == 1 && account.as_str().ends_with('3')) {
        return None;
    }
    let name = match number % 4 {
        1 => format!("Role{number}-{account}"),
        2 if odd(dice) => format!("ROLE{number}"),
        _ => format!("Role{number}"),
    };
    let management = id(0);
    let mut trust = vec![trust_statement(
        &format!("arn:aws:iam::{management}:root"),
        number.is_multiple_of(2).then_some(if odd(dice) {
            "another-secret"
        } else {
            "shared-secret"
        }),
    )];
    if common.one_in(2) {
        trust.push(json!({"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:role/Breakglass")},
            "Action": ["sts:AssumeRole", "sts:TagSession"], "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}}));
    }
    if number == 4 {
        trust.push(trust_statement(
            "arn:aws:iam::999999999999:root",
            Some(&format!("own-{account}-x")),
        ));
    }
    if odd(dice) {
        trust.push(json!({"Sid": "Odd", "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}));
    }
    if odd(dice) {
        trust[0]["Principal"]["AWS"] = "arn:aws:iam::888888888888:root".into();
    }
    dice.shuffle(&mut trust);
    let bucket = if odd(dice) { "other" } else { "audit" };
    let mut statements = vec![
        json!({"Sid": "Read", "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": [format!("arn:aws:s3:::{bucket}-{account}/*"), format!("arn:aws:s3:::{bucket}-{account}")]}),
        json!({"Effect": "Allow", "Action": "logs:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": true}}}),
    ];
    if odd(dice) {
        statements.push(json!({"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::${aws:username}/*"}));
    }
    if odd(dice) {
        statements[0]["Action"] = json!(["S3:listbucket", "s3:GetObject"]);
    }
    dice.shuffle(&mut statements);
    let mut inline = BTreeMap::new();
    if number % 2 == 1 || odd(dice) {
        inline.insert(
            PolicyName::parse("read").unwrap(),
            document(PolicyKind::Identity, &allow(&statements)),
        );
    }
    if odd(dice) {
        let text = json!({"Statement": {"Effect": "Allow", "Action": "sqs:*", "Resource": "arn:aws:sqs:*:*:a-{{ not }}"}});
        inline.insert(
            PolicyName::parse("odd").unwrap(),
            document(PolicyKind::Identity, &text),
        );
    }
    let mut attached =
        BTreeSet::from([PolicyArn::aws_managed(&Partition::default(), "SecurityAudit").unwrap()]);
    if odd(dice) {
        attached.insert(
            PolicyArn::aws_managed(&Partition::default(), "job-function/ViewOnlyAccess").unwrap(),
        );
    }
    if number.is_multiple_of(3) {
        attached
            .insert(PolicyArn::parse(&format!("arn:aws:iam::{account}:policy/team/Data")).unwrap());
    }
    let mut tags = Tags::from([(
        "team".to_owned(),
        if odd(dice) { "b" } else { "a" }.to_owned(),
    )]);
    if odd(dice) {
        tags.insert("odd".to_owned(), account.to_string());
    }
    let description = match number % 3 {
        0 => format!("of {account}"),
        1 if odd(dice) => "an odd one, $& '\"".to_owned(),
        _ => String::new(),
    };
    let trust = json!({"Version": "2012-10-17", "Statement": trust});
    Some(LiveRole {
        id: format!("AROA{number:017}"),
        arn: format!("arn:aws:iam::{account}:role/app/{name}"),
        name: RoleName::parse(&name).unwrap(),
        path: IamPath::parse(if odd(dice) { "/odd/" } else { "/app/" }).unwrap(),
        details: Some(RoleDetails {
            description,
            max_session_duration: if odd(dice) { 7200 } else { 3600 },
        }),
        trust: document(PolicyKind::Trust, &trust),
        managed_policies: attached,
        inline_policies: inline,
        permissions_boundary: (number == 5).then(|| {
            PolicyArn::parse(&format!("arn:aws:iam::{account}:policy/team/Data")).unwrap()
        }),
        tags,
        instance_profiles: BTreeSet::new(),
    })
}

fn policy(account: AccountId, dice: &mut Dice, noise: usize) -> LivePolicy {
    let action = if dice.one_in(noise) {
        "s3:PutObject"
    } else {
        "s3:GetObject"
    };
    let mut statements = vec![
        json!({"Effect": "Allow", "Action": action, "Resource": format!("arn:aws:s3:::data-{account}/*")}),
    ];
    if dice.one_in(noise) {
        statements.push(json!({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}));
    }
    LivePolicy {
        arn: PolicyArn::parse(&format!("arn:aws:iam::{account}:policy/team/Data")).unwrap(),
        name: PolicyName::parse("Data").unwrap(),
        path: IamPath::parse("/team/").unwrap(),
        description: None,
        document: document(PolicyKind::Identity, &allow(&statements)),
        versions: vec![PolicyVersion {
            id: "v1".to_owned(),
            created: 1,
            is_default: true,
        }],
        attachments: 1,
        boundaries: 0,
        tags: Some(Tags::new()),
    }
}

type World = BTreeMap<AccountId, AccountLive>;

/// Accounts with some roles each; one of `noise` draws is another than everywhere.
fn world(accounts: usize, roles: usize, noise: usize, seed: u64) -> World {
    let mut dice = Dice(seed);
    (0..accounts)
        .map(|number| {
            let account = id(number);
            let mut live = LiveAccount::default();
            for number in 0..roles {
                if let Some(role) = role(number, account, &mut dice, noise) {
                    live.roles.insert(role.name.key(), role);
                }
            }
            live.policies
                .insert("data".to_owned(), policy(account, &mut dice, noise));
            (account, AccountLive::Read(live))
        })
        .collect()
}

fn options() -> Options {
    Options {
        roles: Vec::new(),
        services: Services::Include,
        stacks: Stacks::Leave,
        policies: Policies::Attached,
        name: "imported".to_owned(),
        protected: BTreeSet::new(),
    }
}

fn import(world: &World, organization: &Organization) -> (Draft, Emitted, Vec<Entry>) {
    let options = options();
    let selection = select(organization, world, &options);
    let (observed, mut entries) = selection.observe(organization, world, &options);
    let folding = Folding {
        organization: Some(organization),
        units: Units::Fold,
        partition: &organization.partition,
    };
    let mut draft = fold("imported", &observed, folding);
    let (emitted, lost) = check(&mut draft, Some(organization));
    entries.extend(lost);
    (draft, emitted, entries)
}

fn settings() -> Settings {
    Settings {
        name: "imported".to_owned(),
        partition: Partition::default(),
        management_account: id(0),
        extras: Extras::Remove,
        allow: BTreeSet::new(),
        limits: Limits::default(),
        protected: BTreeSet::new(),
        roles: Vec::new(),
        lints: crate::lint::Settings::default(),
        secrets: Secrets::default(),
        intent: Intent::Converge,
        unmanaged: Unmanaged::Left,
        today: jiff::civil::date(2027, 1, 1),
        accepts: Vec::new(),
        begun: BTreeSet::new(),
    }
}

/// What the plan of an import does, account by account: it must adopt equal resources and nothing else.
#[track_caller]
fn adopts_only(world: &World, organization: &Organization, emitted: &Emitted) -> usize {
    let mut files = Memory::default();
    for file in &emitted.files {
        files.write(Path::new("/d").join(&file.path), file.text.as_bytes());
    }
    let show = || {
        let texts = emitted.files.iter();
        texts
            .flat_map(|file| ["--- ", &file.path, "\n", &file.text, "\n"])
            .collect::<String>()
    };
    let mut inputs = Inputs::new(Arc::new(files), "/d");
    if emitted.files.iter().any(|file| file.path == SECRETS) {
        inputs.var_files.push("/d/secrets.vars".into());
    }
    let config = config::load(&inputs).unwrap_or_else(|problems| panic!("{problems}\n{}", show()));
    let expansion = config
        .expand(organization, &NarrowScope::default())
        .unwrap_or_else(|problems| panic!("{problems}\n{}", show()));
    let mut adopted = 0;
    for (id, live) in world {
        let AccountLive::Read(live) = live else {
            continue;
        };
        let desired = expansion.desired.accounts.get(id);
        // What is not written is not managed, so a plan does not miss it.
        for (key, role) in desired.into_iter().flat_map(|desired| &desired.roles) {
            if let Some(live) = live.roles.get(key) {
                writes_all(role, live, &show);
            }
        }
        let part = plan::plan_account(&settings(), &organization.accounts[id], desired, live, None);
        for change in &part.changes {
            let marks = change
                .steps
                .iter()
                .all(|step| matches!(step, Step::TagRole { .. } | Step::TagPolicy { .. }));
            assert!(
                change.action == Action::Adopt && marks,
                "{} {:?} {:#?}\n{}",
                change.address,
                change.action,
                change.diffs,
                show()
            );
            adopted += 1;
        }
        assert!(part.findings.is_empty(), "{:#?}\n{}", part.findings, show());
    }
    adopted
}

/// A role writes all that the live one has: nothing of it is left unmanaged.
#[track_caller]
fn writes_all(role: &Role, live: &LiveRole, show: &dyn Fn() -> String) {
    let details = live.details.as_ref().unwrap();
    let mut missing = Vec::new();
    let mut must = |what: &'static str, is_there: bool| {
        if !is_there {
            missing.push(what);
        }
    };
    must("managed_policies", role.managed_policies.is_some());
    must("inline_policies", role.inline_policies.is_some());
    must(
        "permissions_boundary",
        live.permissions_boundary.is_none() || role.permissions_boundary.is_some(),
    );
    must(
        "description",
        details.description.is_empty() || role.description.is_some(),
    );
    must(
        "max_session_duration",
        details.max_session_duration == 3600 || role.max_session_duration.is_some(),
    );
    let own = live.tags.keys().any(|key| !crate::diff::is_system_tag(key));
    must("tags", !own || role.tags.is_some());
    assert!(
        missing.is_empty(),
        "{} lacks {missing:?}\n{}",
        role.name,
        show()
    );
}

fn count(world: &World) -> usize {
    let roles = world.values().map(|live| match live {
        AccountLive::Read(live) => live.roles.len(),
        AccountLive::Unreadable(_) => 0,
    });
    roles.sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_plan_of_an_import_adopts_what_is_there_and_nothing_else(accounts in 30_usize..45, noise in 6_usize..60, seed in any::<u64>()) {
        let organization = organization(accounts);
        let world = world(accounts, 6, noise, seed);
        let (_, emitted, entries) = import(&world, &organization);
        prop_assert_eq!(entries.iter().filter(|entry| entry.class == Class::Lost).collect::<Vec<_>>(), Vec::<&Entry>::new());
        let adopted = adopts_only(&world, &organization, &emitted);
        prop_assert!(adopted >= count(&world), "{adopted} of {}", count(&world));
    }

    #[test]
    fn no_external_id_is_in_anything_but_the_files_for_them(noise in 6_usize..60, seed in any::<u64>()) {
        let organization = organization(31);
        let world = world(31, 6, noise, seed);
        let (draft, emitted, entries) = import(&world, &organization);
        let report = Report::new("x", &draft, entries);
        let secrets = ["shared-secret", "another-secret", "own-1000000"];
        let printed = [report.to_text(), report.to_markdown(), report.to_json().to_string()];
        let public = emitted.files.iter().filter(|file| !file.is_private).map(|file| &file.text);
        for text in public.chain(&printed) {
            for secret in secrets {
                prop_assert!(!text.contains(secret), "{secret} is in\n{text}");
            }
        }
        prop_assert!(emitted.files.iter().any(|file| file.is_private));
    }
}

#[test]
fn what_is_the_same_everywhere_is_written_once() {
    let organization = organization(32);
    let world = world(32, 6, usize::MAX, 1);
    let (draft, emitted, _) = import(&world, &organization);
    assert_eq!((draft.roles.len(), draft.policies.len()), (6, 1));
    assert_eq!(
        adopts_only(&world, &organization, &emitted),
        6 * 32 + 32 - 2 * 3
    );
    let names: Vec<&str> = draft.roles.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(names[1], "Role1-{{ account.id }}");
    assert!(draft.roles.iter().all(|role| role.when.is_none()));
}

/// One account with this role.
fn one_role(change: impl Fn(&mut LiveRole)) -> (Organization, World) {
    let organization = organization(3);
    let mut world = world(3, 3, usize::MAX, 1);
    for live in world.values_mut() {
        if let AccountLive::Read(live) = live
            && let Some(role) = live.roles.get_mut("role0")
        {
            change(role);
        }
    }
    (organization, world)
}

#[test]
fn what_the_rules_of_a_desired_state_refuse_is_lost_and_the_rest_is_written() {
    let refused = json!({"Statement": {"Effect": "Allow", "Action": "nothing", "Resource": "*"}});
    let (organization, world) = one_role(|role| {
        let document = document(PolicyKind::Identity, &refused);
        role.inline_policies
            .insert(PolicyName::parse("bad").unwrap(), document);
    });
    let (draft, emitted, entries) = import(&world, &organization);
    let lost: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.class == Class::Lost)
        .collect();
    assert_eq!((lost.len(), lost[0].code), (1, "refused"), "{lost:#?}");
    assert!(
        lost[0].what.contains("Role0") && lost[0].why.contains("nothing"),
        "{lost:#?}"
    );
    assert!(draft.roles.iter().all(|role| role.name != "Role0"));
    adopts_only(&world, &organization, &emitted);
}

#[test]
fn what_nobody_should_import_is_left_and_said_so() {
    let (organization, mut world) = one_role(|_| {});
    let first = *world.keys().next().unwrap();
    let Some(AccountLive::Read(live)) = world.get_mut(&first) else {
        panic!()
    };
    let template = live.roles["role0"].clone();
    let mut add = |name: &str, change: &dyn Fn(&mut LiveRole)| {
        let mut role = LiveRole {
            name: RoleName::parse(name).unwrap(),
            ..template.clone()
        };
        change(&mut role);
        live.roles.insert(role.name.key(), role);
    };
    let service = json!({"Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}});
    let service = document(PolicyKind::Trust, &service);
    add("AWSServiceRoleForSupport", &|_| {});
    add("stacked", &|role| {
        _ = role
            .tags
            .insert("aws:cloudformation:stack-name".to_owned(), "s".to_owned());
    });
    add("others", &|role| {
        _ = role
            .tags
            .insert(crate::resource::OWNER_TAG.to_owned(), "other".to_owned());
    });
    add("function", &|role| role.trust = service.clone());
    add("opaque", &|role| {
        role.trust = document(PolicyKind::Trust, &json!({"Statement": 5}));
    });
    world.insert(
        id(1),
        AccountLive::Unreadable(AwsError::before_any_call(
            "credentials",
            None,
            "no".to_owned(),
        )),
    );
    let leaves = Options {
        services: Services::Leave,
        ..options()
    };
    let selection = select(&organization, &world, &leaves);
    let (observed, entries) = selection.observe(&organization, &world, &leaves);
    let said: Vec<String> = entries
        .iter()
        .map(|entry| format!("{} {} {}", entry.class.word(), entry.code, entry.source))
        .collect();
    let account = first.to_string();
    let of = |kind: &str, name: &str| format!("{kind} {account}/role/{name}");
    let mut expect = vec![
        of("left protected", "AWSServiceRoleForSupport"),
        of("left filtered", "function"),
        of("left filtered", "others"),
        of("left filtered", "stacked"),
        format!("lost unreadable {}", id(1)),
        of("lost document", "opaque"),
    ];
    let mut said = said;
    said.sort();
    expect.sort();
    assert_eq!(said, expect);
    assert!(!observed.accounts.contains_key(&id(1)));
    // Roles of stacks are taken where that is asked for.
    let stacks = Options {
        stacks: Stacks::External,
        ..options()
    };
    let (observed, _) =
        select(&organization, &world, &stacks).observe(&organization, &world, &stacks);
    let stacked = observed.accounts[&first]
        .roles
        .iter()
        .find(|role| role.name == "stacked")
        .unwrap();
    assert!(stacked.external && !stacked.tags.keys().any(|key| key.starts_with("aws:")));
}

#[test]
fn the_order_of_statements_and_lists_changes_no_byte() {
    let organization = organization(30);
    let world = world(30, 6, 9, 5);
    let (_, first, _) = import(&world, &organization);
    let reversed: World = world
        .iter()
        .map(|(id, live)| {
            let AccountLive::Read(live) = live else {
                panic!()
            };
            let mut live = live.clone();
            for role in live.roles.values_mut() {
                let turn = |document: &PolicyDocument, kind| {
                    let mut value = document.to_value();
                    if let Some(statements) = value["Statement"].as_array_mut() {
                        statements.reverse();
                        for statement in statements {
                            for key in ["Action", "Resource"] {
                                if let Some(items) =
                                    statement.get_mut(key).and_then(Value::as_array_mut)
                                {
                                    items.reverse();
                                }
                            }
                        }
                    }
                    self::document(kind, &value)
                };
                role.trust = turn(&role.trust, PolicyKind::Trust);
                for document in role.inline_policies.values_mut() {
                    *document = turn(document, PolicyKind::Identity);
                }
            }
            (*id, AccountLive::Read(live))
        })
        .collect();
    let (_, second, _) = import(&reversed, &organization);
    assert_eq!(first.files, second.files);
}

#[test]
fn targets_are_units_where_all_of_their_accounts_are_meant() {
    let organization = organization(12);
    let mut world = world(12, 1, usize::MAX, 1);
    let keep = |world: &mut World, keep: &dyn Fn(&Account) -> bool| {
        for (id, live) in world.iter_mut() {
            if let AccountLive::Read(live) = live
                && !keep(&organization.accounts[id])
            {
                live.roles.clear();
            }
        }
    };
    let targets = |world: &World| {
        let (_, emitted, _) = import(world, &organization);
        adopts_only(world, &organization, &emitted);
        let roles = emitted
            .files
            .iter()
            .find(|file| file.path == "roles.toml")
            .unwrap();
        let lines = roles
            .text
            .lines()
            .skip_while(|line| !line.starts_with("targets"));
        lines
            .take_while(|line| !line.starts_with("managed"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(targets(&world), "targets = \"all\"");
    keep(&mut world, &|account| account.ou.0 != "Security");
    let written = targets(&world);
    assert!(
        written.contains("{ ou = \"Workloads\" }")
            && written.contains("# account-0")
            && !written.contains("Prod"),
        "{written}"
    );
    keep(&mut world, &|account| {
        account.ou.0 == "Workloads/Prod" || account.id == id(2)
    });
    let written = targets(&world);
    assert!(
        written.contains("{ ou = \"Workloads/Prod\" }") && written.contains(id(2).as_str()),
        "{written}"
    );
}
