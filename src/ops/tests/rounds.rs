//! Runs of several rounds: whatever lies between two of them, nothing is written on the strength of an old read.

use std::time::Duration;

use super::Stage;
use crate::execute::{Event, Outcome, RunReport, Wave, WaveEvent};
use crate::org::AccountId;
use crate::plan::Plan;
use crate::resource::OWNER_TAG;

const LOG_ARCHIVE: &str = "222222222221";
const NETWORK: &str = "333333333331";
const PAYMENTS: &str = "444444444441";

/// `Front` trusts `Trusted`, so that the first wave begins the account of the second.
const CHAIN: &str = r#"
name = "chain"
[[role]]
name = "Front"
targets = [{ account = "log-archive" }]
[[role.trust]]
aws = "arn:aws:iam::333333333331:role/Trusted"
[[role]]
name = "Trusted"
targets = [{ account = "network" }]
[[role.trust]]
service = "ec2.amazonaws.com"
"#;

const EC2: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const LAMBDA: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const ALL: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

fn audit(description: &str) -> String {
    format!(
        "[[role]]\nname = \"Audit\"\ndescription = \"{description}\"\ntargets = [{{ account = \"network\" }}]\n\
         [[role.trust]]\nservice = \"ec2.amazonaws.com\"\n"
    )
}

/// A stage where network holds `Audit`, and a plan that begins network in the first of two waves and goes on with
/// `Audit` in the second.
async fn begun(first: &str, then: &str, prune: bool) -> (Stage, Plan) {
    let mut stage = Stage::new(&format!("name = \"chain\"\n{first}"));
    if !first.is_empty() {
        stage.converges().await;
    }
    stage.write(&format!("{CHAIN}{then}"));
    stage.selection.prune = prune;
    let plan = stage.plan().await;
    (stage, plan)
}

fn waves() -> Vec<Wave> {
    let wave = |accounts: &[&str]| Wave {
        title: accounts.join(", "),
        accounts: accounts
            .iter()
            .map(|account| AccountId::parse(account).unwrap())
            .collect(),
    };
    vec![wave(&[LOG_ARCHIVE]), wave(&[NETWORK, PAYMENTS])]
}

/// Rolls `plan` out in two waves; in between someone else acts.
async fn with_an_act_between(
    stage: &Stage,
    plan: &Plan,
    act: &'static [(&str, &[(&str, &str)])],
) -> RunReport {
    let sandbox = stage.sandbox.clone();
    let settings = |settings: &mut crate::execute::Settings| {
        settings.waves = waves();
        settings.bake = Duration::from_millis(20);
    };
    let run = stage.roll_out(plan, settings, move |event| {
        if let Event::Wave {
            event: WaveEvent::Baking(_),
            ..
        } = event
        {
            for (operation, params) in act {
                sandbox
                    .by_hand(AccountId::parse(NETWORK).unwrap(), operation, params)
                    .unwrap();
            }
        }
    });
    run.await
}

fn outcome(run: &RunReport, name: &str) -> Outcome {
    let found = run
        .results
        .iter()
        .find(|result| result.address.ends_with(&format!("/{name}")));
    found.unwrap_or_else(|| panic!("{name}: {run:#?}")).outcome
}

#[tokio::test(start_paused = true)]
async fn what_somebody_changed_between_two_waves_is_stale() {
    const OTHERS: &[(&str, &str)] = &[
        ("RoleName", "Audit"),
        ("Tags.member.1.Key", OWNER_TAG),
        ("Tags.member.1.Value", "someone-else"),
    ];
    const OURS: &[(&str, &str)] = &[("RoleName", "Audit"), ("TagKeys.member.1", OWNER_TAG)];
    const TRUST: &[(&str, &str)] = &[("RoleName", "Audit"), ("PolicyDocument", LAMBDA)];
    const INLINE: &[(&str, &str)] = &[
        ("RoleName", "Audit"),
        ("PolicyName", "x"),
        ("PolicyDocument", ALL),
    ];
    const MADE: &[(&str, &str)] = &[("RoleName", "Audit"), ("AssumeRolePolicyDocument", EC2)];
    type Case = (
        &'static str,
        String,
        String,
        bool,
        &'static [(&'static str, &'static [(&'static str, &'static str)])],
    );
    let cases: [Case; 5] = [
        (
            "a deletion of what bears another mark",
            audit("one"),
            String::new(),
            true,
            &[("TagRole", OTHERS)],
        ),
        (
            "an update of what lost the mark",
            audit("one"),
            audit("two"),
            false,
            &[("UntagRole", OURS)],
        ),
        (
            "an update of another trust",
            audit("one"),
            audit("two"),
            false,
            &[("UpdateAssumeRolePolicy", TRUST)],
        ),
        (
            "a deletion of what was given more",
            audit("one"),
            String::new(),
            true,
            &[("PutRolePolicy", INLINE)],
        ),
        (
            "a creation of what is there",
            String::new(),
            audit("two"),
            false,
            &[("CreateRole", MADE)],
        ),
    ];
    for (what, first, then, prune, act) in cases {
        let (stage, plan) = begun(&first, &then, prune).await;
        let undisturbed = begun(&first, &then, prune).await;
        let run = with_an_act_between(&undisturbed.0, &undisturbed.1, &[]).await;
        assert_eq!(outcome(&run, "Audit"), Outcome::Done, "{what}, undisturbed");
        let run = with_an_act_between(&stage, &plan, act).await;
        assert_eq!(outcome(&run, "Audit"), Outcome::Stale, "{what}: {run:#?}");
        assert_eq!(
            (outcome(&run, "Trusted"), outcome(&run, "Front")),
            (Outcome::Done, Outcome::Done),
            "{what}"
        );
        stage.by_hand(NETWORK, "GetRole", &[("RoleName", "Audit")]);
    }
}

/// `Left` and `Right` trust each other, so one of them is created closed and opened in a later round.
const RING: &str = r#"
name = "ring"
[[role]]
name = "Left"
managed_policies = ["aws:SecurityAudit"]
targets = [{ account = "network" }]
[[role.trust]]
aws = "arn:aws:iam::444444444441:role/Right"
[[role]]
name = "Right"
managed_policies = ["aws:SecurityAudit"]
targets = [{ account = "payments-prod" }]
[[role.trust]]
aws = "arn:aws:iam::333333333331:role/Left"
"#;

#[tokio::test(start_paused = true)]
async fn a_role_is_opened_in_its_second_pass_only_as_the_first_one_left_it() {
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let cases: [(&str, &[(&str, &str)]); 4] = [
        ("", &[]),
        ("AttachRolePolicy", &[("PolicyArn", admin)]),
        ("UpdateAssumeRolePolicy", &[("PolicyDocument", EC2)]),
        ("UntagRole", &[("TagKeys.member.1", OWNER_TAG)]),
    ];
    for (operation, params) in cases {
        let stage = Stage::new(RING);
        let plan = stage.plan().await;
        let changes: Vec<_> = plan
            .accounts
            .iter()
            .flat_map(|part| &part.changes)
            .collect();
        let address = |closed: bool| {
            let found = changes
                .iter()
                .find(|change| change.finish_after.is_empty() != closed);
            found.unwrap().address.clone()
        };
        let (closed, open) = (address(true), address(false));
        let (account, name) = closed.split_once("/role/").unwrap();
        let account = AccountId::parse(account).unwrap();
        let params: Vec<(&str, &str)> =
            params.iter().copied().chain([("RoleName", name)]).collect();
        let params: Vec<(String, String)> = params
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let sandbox = stage.sandbox.clone();
        let other = open.clone();
        let run = stage.roll_out(
            &plan,
            |_| {},
            move |event| {
                // The other end stands, so the second pass is next.
                if !operation.is_empty()
                    && matches!(&event, Event::ChangeFinished { address, .. } if *address == other)
                {
                    let params: Vec<(&str, &str)> = params
                        .iter()
                        .map(|(k, v)| (k.as_str(), v.as_str()))
                        .collect();
                    sandbox.by_hand(account, operation, &params).unwrap();
                }
            },
        );
        let run = run.await;
        let expect = if operation.is_empty() {
            Outcome::Done
        } else {
            Outcome::Stale
        };
        let of = |address: &str| {
            run.results
                .iter()
                .find(|result| result.address == address)
                .unwrap()
                .outcome
        };
        assert_eq!(
            (of(&closed), of(&open)),
            (expect, Outcome::Done),
            "{operation}: {run:#?}"
        );
    }
}

/// A role that another account trusts moves to another path: the trust names a deleted id until it is written again.
#[tokio::test(start_paused = true)]
async fn what_the_run_itself_did_in_another_account_makes_nothing_stale() {
    let text = |path: &str| {
        format!(
            r#"
name = "moving"
[[role]]
name = "Caller"
path = "{path}"
targets = [{{ account = "payments-prod" }}]
[[role.trust]]
service = "ec2.amazonaws.com"
[[role]]
name = "Callee"
targets = [{{ account = "network" }}]
[[role.trust]]
aws = "arn:aws:iam::444444444441:role{path}Caller"
"#
        )
    };
    let stage = Stage::new(&text("/"));
    stage.converges().await;
    stage.write(&text("/moved/"));
    let plan = stage.converges().await;
    assert_eq!((plan.summary.replace, plan.summary.update), (1, 1));
}
