//! Laws: what holds for any desired state and any account.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::roles::header;
use super::world::*;
use crate::desired::AccountDesired;
use crate::evaluate::{Decision, Request, evaluate};
use crate::live::LiveAccount;
use crate::org::AwsError;
use crate::permissions;
use crate::plan::*;
use crate::resource::managed_policy::{LivePolicy, ManagedPolicy};
use crate::resource::name::IamPath;
use crate::resource::operation::Operation;
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::role::{Ensure, LiveRole, Manage, Mode, PolicyRef, Role, RoleDetails};
use crate::resource::step::Step;
use crate::resource::{OWNER_TAG, Tags};

const ROLES: [&str; 4] = ["Alpha", "Beta", "Gamma", "Delta"];
const POLICIES: [&str; 3] = ["P", "Q", "R"];

fn a_path() -> impl Strategy<Value = IamPath> {
    prop::sample::select(vec!["/", "/x/"]).prop_map(|path| IamPath::parse(path).unwrap())
}

fn a_trust() -> impl Strategy<Value = PolicyDocument> {
    let arns = ROLES.map(|name| format!("arn:aws:iam::{A}:role/{name}"));
    let principals: Vec<String> = ["111111111111".to_owned(), "333333333333".to_owned()]
        .into_iter()
        .chain(arns)
        .collect();
    prop::sample::subsequence(principals, 1..3)
        .prop_map(|names| trust(&names.iter().map(String::as_str).collect::<Vec<_>>()))
}

fn an_identity() -> impl Strategy<Value = PolicyDocument> {
    prop::sample::select(vec!["s3:GetObject", "s3:*", "ec2:Describe*"]).prop_map(allow)
}

fn inline()
-> impl Strategy<Value = std::collections::BTreeMap<crate::resource::name::PolicyName, PolicyDocument>>
{
    let name = prop::sample::select(vec!["one", "two", "rolecall-x-assume"]).prop_map(policy_name);
    prop::collection::btree_map(name, an_identity(), 0..3)
}

fn a_mode() -> impl Strategy<Value = Mode> {
    prop::sample::select(vec![Mode::Exclusive, Mode::Additive])
}

fn some_tags() -> impl Strategy<Value = Tags> {
    let key = prop::sample::select(vec!["team", "Env"]).prop_map(str::to_owned);
    prop::collection::btree_map(key, "[ab]{0,1}", 0..3)
}

fn references() -> impl Strategy<Value = BTreeSet<PolicyRef>> {
    let all: Vec<PolicyRef> = POLICIES
        .iter()
        .map(|name| local(name))
        .chain([aws_ref("SecurityAudit"), aws_ref("ReadOnlyAccess")])
        .collect();
    prop::sample::subsequence(all, 0..4).prop_map(BTreeSet::from_iter)
}

fn a_desired_role(name: &'static str) -> impl Strategy<Value = Role> {
    let flags = (
        any::<bool>(),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
    );
    let manage = (a_mode(), a_mode(), a_mode(), a_mode());
    let some = (
        prop::option::of(a_path()),
        prop::option::of("[ab]{0,1}"),
        prop::option::of(prop::sample::select(vec![3600_u32, 7200])),
    );
    let parts = (
        prop::option::of(references()),
        prop::option::of(inline()),
        prop::option::of(some_tags()),
    );
    (a_trust(), some, parts, manage, flags).prop_map(
        move |(trust, some, parts, manage, (adopt, absent, external))| Role {
            trust,
            path: some.0,
            description: some.1,
            max_session_duration: some.2,
            managed_policies: parts.0,
            inline_policies: parts.1,
            tags: parts.2,
            manage: Manage {
                trust: manage.0,
                managed_policies: manage.1,
                inline_policies: manage.2,
                tags: manage.3,
            },
            adopt,
            ensure: if absent {
                Ensure::Absent
            } else {
                Ensure::Present
            },
            external,
            ..role(name)
        },
    )
}

fn a_desired_policy(name: &'static str) -> impl Strategy<Value = ManagedPolicy> {
    (
        an_identity(),
        prop::option::of(a_path()),
        prop::option::of(some_tags()),
        any::<bool>(),
    )
        .prop_map(move |(document, path, tags, adopt)| ManagedPolicy {
            path,
            document,
            tags,
            adopt,
            ..policy(name)
        })
}

fn an_owner() -> impl Strategy<Value = Tags> {
    prop::sample::select(vec![
        tags(&[]),
        tags(&[(OWNER_TAG, "other")]),
        tags(&[(OWNER_TAG, OURS)]),
        tags(&[(OWNER_TAG, OURS)]),
    ])
}

fn a_live_role(name: &'static str) -> impl Strategy<Value = LiveRole> {
    let attached = prop::sample::subsequence(
        POLICIES
            .iter()
            .map(|name| local_arn("/", name))
            .chain([aws("SecurityAudit")])
            .collect::<Vec<_>>(),
        0..4,
    );
    let trusted = a_trust();
    (
        trusted,
        a_path(),
        attached,
        inline(),
        some_tags(),
        an_owner(),
        any::<bool>(),
    )
        .prop_map(
            move |(trust, path, attached, inline_policies, mut tags, owner, long)| {
                tags.extend(owner);
                LiveRole {
                    arn: format!("arn:aws:iam::{A}:role{path}{name}"),
                    trust,
                    path,
                    managed_policies: attached.into_iter().collect(),
                    inline_policies,
                    tags,
                    details: Some(RoleDetails {
                        description: String::new(),
                        max_session_duration: if long { 7200 } else { 3600 },
                    }),
                    ..live_role(name)
                }
            },
        )
}

fn a_live_policy(name: &'static str) -> impl Strategy<Value = LivePolicy> {
    (an_identity(), an_owner()).prop_map(move |(document, tags)| LivePolicy {
        document,
        tags: Some(tags),
        ..live_policy(name)
    })
}

prop_compose! {
    fn a_desired()(
        roles in ROLES.map(|name| prop::option::weighted(0.7, a_desired_role(name))),
        policies in POLICIES.map(|name| prop::option::weighted(0.7, a_desired_policy(name))),
    ) -> AccountDesired {
        desire(&roles.into_iter().flatten().collect::<Vec<_>>(), &policies.into_iter().flatten().collect::<Vec<_>>())
    }
}

prop_compose! {
    fn a_live()(
        roles in ROLES.map(|name| prop::option::of(a_live_role(name))),
        // Attached policies exist.
        policies in POLICIES.map(a_live_policy),
    ) -> LiveAccount {
        live(&roles.into_iter().flatten().collect::<Vec<_>>(), &policies)
    }
}

fn an_extras() -> impl Strategy<Value = Extras> {
    prop::sample::select(vec![Extras::Keep, Extras::Remove])
}

/// Whether a trust policy that stays names a role that the plan takes away for good: then the next plan has to say so.
fn cuts_a_trust(desired: &AccountDesired, live: &LiveAccount, plan: &AccountPlan) -> bool {
    let mut gone: BTreeSet<&str> = BTreeSet::new();
    for change in plan
        .changes
        .iter()
        .filter(|change| matches!(change.action, Action::Delete | Action::Replace))
    {
        if let Some(ResourceKind::Role(name)) = change.resource() {
            gone.insert(&live.roles[&name.key()].arn);
        }
    }
    let trusts = desired
        .roles
        .values()
        .map(|role| &role.trust)
        .chain(live.roles.values().map(|role| &role.trust));
    trusts
        .flat_map(PolicyDocument::aws_principals)
        .any(|arn| gone.contains(arn.as_str()))
}

/// What `permissions` prints for the access role.
fn permitted(desired: &AccountDesired, extras: Extras) -> PolicyDocument {
    let printed = permissions::access_role(permissions::Scope {
        name: OURS,
        partition: &partition(),
        desired,
        stand_ins: &[],
        commands: permissions::Commands::All,
        extras: if extras == Extras::Remove {
            permissions::Extras::Remove
        } else {
            permissions::Extras::Keep
        },
        history: permissions::History::Left,
    });
    PolicyDocument::live(
        &printed.to_value().to_string(),
        PolicyKind::Identity,
        &partition(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_applied_leaves_nothing_to_plan(desired in a_desired(), live in a_live(), extras in an_extras()) {
        let settings = Settings { extras, ..settings() };
        let plan = plan_account(&settings, &account(A), Some(&desired), &live, None);
        prop_assume!(!plan.findings.iter().any(|finding| finding.code == "policy-in-use"));
        prop_assume!(!cuts_a_trust(&desired, &live, &plan));
        let after = run(&live, &plan).map_err(TestCaseError::fail)?;
        for change in &plan.changes {
            prop_assert!(change.cosmetic == change.steps.is_empty());
            if !change.cosmetic {
                prop_assert_eq!(converged(change, &after), Convergence::Converged, "{}", change.address);
            }
        }
        let again = plan_account(&settings, &account(A), Some(&desired), &after, None);
        let left: Vec<_> = again.changes.iter().filter(|change| !change.cosmetic).collect();
        prop_assert!(left.is_empty(), "{left:#?}");
    }

    #[test]
    fn what_a_run_wrote_itself_is_foreseen_and_what_somebody_else_wrote_is_not(
        desired in a_desired(), live in a_live(), extras in an_extras(), at in any::<prop::sample::Index>()
    ) {
        let settings = Settings { extras, ..settings() };
        let plan = plan_account(&settings, &account(A), Some(&desired), &live, None);
        prop_assume!(!plan.findings.iter().any(|finding| finding.code == "policy-in-use"));
        let mut after = run(&live, &plan).map_err(TestCaseError::fail)?;
        let steps = plan.changes.iter().flat_map(|change| &change.steps);
        let wrote: Vec<Step> = steps.cloned().collect();
        let (grants, partition) = (policy_name("rolecall-x-assume"), partition());
        let earlier = Earlier { first: &live, wrote: &wrote, grants: &grants, partition: &partition };
        let roles = || plan.changes.iter().filter(|change| matches!(change.resource(), Some(ResourceKind::Role(_))));
        let deleted = deleted(&plan, &live);
        prop_assert_eq!(recheck_later(roles(), earlier, &after, &deleted), BTreeSet::new());
        // Nothing that was written is seen yet: then it is as if nothing had been foreseen.
        let unseen = recheck_later(roles(), Earlier { wrote: &[], ..earlier }, &live, &deleted);
        prop_assert_eq!(unseen, BTreeSet::new());
        let there: Vec<_> = roles().filter_map(|change| match change.resource() {
            Some(ResourceKind::Role(name)) if after.roles.contains_key(&name.key()) => Some((change.address.clone(), name.key())),
            _ => None,
        }).collect();
        prop_assume!(!there.is_empty());
        let (address, key) = at.get(&there);
        // Whose it is counts for every change.
        after.roles.get_mut(key).unwrap().tags.clear();
        prop_assert_eq!(recheck_later(roles(), earlier, &after, &deleted), BTreeSet::from([address.clone()]));
    }

    #[test]
    fn only_what_bears_our_mark_or_is_adopted_is_written(desired in a_desired(), live in a_live(), extras in an_extras()) {
        let settings = Settings { extras, ..settings() };
        let plan = plan_account(&settings, &account(A), Some(&desired), &live, None);
        for change in plan.changes.iter().filter(|change| !change.steps.is_empty() && change.action != Action::Create) {
            let (tags, adopt) = match change.resource().unwrap() {
                ResourceKind::Role(name) => (live.roles[&name.key()].tags.clone(), desired.roles.get(&name.key()).is_some_and(|role| role.adopt)),
                ResourceKind::Policy(name) => (live.policies[&name.key()].tags.clone().unwrap(), desired.policies.get(&name.key()).is_some_and(|policy| policy.adopt)),
                // Its name makes it managed.
                ResourceKind::Grant(_) | ResourceKind::Attachment(_) => continue,
            };
            let owner = tags.get(OWNER_TAG).map(String::as_str);
            prop_assert!(owner == Some(OURS) || (owner.is_none() && adopt && change.action == Action::Adopt), "{}", change.address);
        }
    }

    #[test]
    fn what_permissions_prints_allows_every_step(desired in a_desired(), live in a_live(), extras in an_extras()) {
        let settings = Settings { extras, ..settings() };
        let plan = plan_account(&settings, &account(A), Some(&desired), &live, None);
        prop_assume!(!plan.findings.iter().any(|finding| finding.code == "policy-in-use"));
        let printed = permitted(&desired, extras);
        // Tags as they are when a step is reached, by ARN.
        let roles = live.roles.values().map(|role| (role.arn.clone(), role.tags.clone()));
        let policies = live.policies.values().map(|policy| (policy.arn.to_string(), policy.tags.clone().unwrap()));
        let mut tags: BTreeMap<String, Tags> = roles.chain(policies).collect();
        for change in &plan.changes {
            let mut arn = match change.resource().unwrap() {
                ResourceKind::Role(name) => live.roles.get(&name.key()).map_or_else(String::new, |role| role.arn.clone()),
                ResourceKind::Policy(name) => live.policies.get(&name.key()).map_or_else(String::new, |policy| policy.arn.to_string()),
                ResourceKind::Grant(_) | ResourceKind::Attachment(_) => continue,
            };
            for step in &change.steps {
                match step {
                    Step::CreateRole { role, path, .. } => arn = format!("arn:aws:iam::{A}:role{path}{role}"),
                    Step::CreatePolicy { name, path, .. } => arn = format!("arn:aws:iam::{A}:policy{path}{name}"),
                    // On its way to another path a policy is taken off roles.
                    Step::DetachRolePolicy { role, .. } => arn = live.roles[&role.key()].arn.clone(),
                    Step::DeletePolicyVersion { arn: own, .. } | Step::DeletePolicy { arn: own } => arn = own.to_string(),
                    _ => {}
                }
                let resource = if matches!(step, Step::RemoveRoleFromInstanceProfile { .. }) {
                    format!("arn:aws:iam::{A}:instance-profile/x")
                } else {
                    arn.clone()
                };
                let (given, also) = match step {
                    Step::CreateRole { tags, .. } => (tags.clone(), Some(Operation::TagRole)),
                    Step::CreatePolicy { tags, .. } => (tags.clone(), Some(Operation::TagPolicy)),
                    Step::TagRole { tags, .. } | Step::TagPolicy { tags, .. } => (tags.clone(), None),
                    _ => (Tags::new(), None),
                };
                let keys = |kind: &str, tags: &Tags| -> Vec<_> {
                    tags.iter().map(|(key, value)| (format!("aws:{kind}/{key}"), vec![value.clone()])).collect()
                };
                let now = tags.get(&resource).cloned().unwrap_or_default();
                for operation in [step.operation()].into_iter().chain(also) {
                    let request = Request {
                        action: operation.action().to_owned(),
                        context: keys("ResourceTag", &now).into_iter().chain(keys("RequestTag", &given)).collect(),
                        resource: resource.clone(),
                        ..Request::default()
                    };
                    prop_assert!(evaluate(&[&printed], &request) == Decision::Allow, "{} {operation:?} on {resource}: {}", change.address, printed.text());
                }
                match step {
                    Step::DeleteRole { .. } | Step::DeletePolicy { .. } => _ = tags.remove(&resource),
                    Step::UntagRole { keys, .. } => tags.entry(resource).or_default().retain(|key, _| !keys.contains(key)),
                    _ => tags.entry(resource).or_default().extend(given),
                }
            }
        }
    }

    #[test]
    fn a_plan_is_the_same_whatever_the_order_of_accounts_and_survives_saving(
        desired in a_desired(), one in a_live(), other in a_live(), order in Just([0_usize, 1, 2, 3]).prop_shuffle()
    ) {
        let error = AwsError { account: None, operation: "AssumeRole".into(), resource: None, code: Some("AccessDenied".into()), message: "no".into(), request_id: None };
        let parts = [
            plan_account(&settings(), &account("222222222222"), Some(&desired), &one, None),
            plan_account(&settings(), &account("333333333333"), Some(&desired), &other, None),
            unreadable(&account("444444444444"), error),
            skipped(&account("555555555555"), "SUSPENDED".into()),
        ];
        let plan = build(header(), &settings(), parts.to_vec());
        let shuffled = build(header(), &settings(), order.iter().map(|index| parts[*index].clone()).collect());
        prop_assert_eq!(serde_json::to_string(&plan).unwrap(), serde_json::to_string(&shuffled).unwrap());
        let saved = save(&plan, &settings().secrets, "salt", None).unwrap();
        prop_assert_eq!(load(&saved, &settings().secrets).unwrap(), plan);
    }
}

#[test]
fn a_role_that_is_adopted_may_be_taken_off_a_policy_that_is_pruned() {
    let attached = LiveRole {
        managed_policies: [local_arn("/", "Q")].into(),
        ..live_role("R")
    };
    let live = live(&[attached], &[marked_policy(live_policy("Q"))]);
    let desired = desire(
        &[Role {
            adopt: true,
            ..role("R")
        }],
        &[],
    );
    let settings = Settings {
        allow: ["adopt".to_owned()].into(),
        ..pruning()
    };
    let plan = plan_account(&settings, &account(A), Some(&desired), &live, None);
    let steps = plan.changes.iter().flat_map(|change| &change.steps);
    assert!(
        steps
            .map(Step::operation)
            .any(|one| one == Operation::DetachRolePolicy),
        "{:#?}",
        plan.changes
    );
    let printed = permitted(&desired, Extras::Remove);
    let request = Request {
        action: Operation::DetachRolePolicy.action().to_owned(),
        resource: format!("arn:aws:iam::{A}:role/R"),
        ..Request::default()
    };
    assert_eq!(
        evaluate(&[&printed], &request),
        Decision::Allow,
        "{}",
        printed.text()
    );
}
