//! What AWS does, asked of the sandbox and of moto.
//!
//! A probe is a small piece of API behaviour: it builds what it needs in an account of its own and comes to a verdict
//! (`ok`, the code of an error, a value). Beside it stands the verdict that AWS documents, and where. The sandbox must
//! come to that verdict in every probe. Where moto does not, `disagreements.toml` says so, and must stay true: other
//! hands' reading of the documentation keeps ours from confirming itself.

mod encoding;
mod lists;
mod organizations;
mod policies;
mod roles;
mod stage;
mod sts;
mod tags;
mod trusts;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;

use rolecall::sandbox::world::World;
use serde::Deserialize;

use crate::support::cloud::Cloud;
use crate::support::moto::Moto;
use crate::support::served::Served;
use stage::Stage;

type Verdict = Pin<Box<dyn Future<Output = String> + Send>>;

/// One question to an AWS.
struct Probe {
    name: &'static str,
    aws: &'static str,
    page: &'static str,
    run: Box<dyn Fn(Stage) -> Verdict>,
}

/// A probe: its name, the verdict that AWS documents, the page that says so, and the way to a verdict.
fn probe<F, Fut>(name: &'static str, aws: &'static str, page: &'static str, run: F) -> Probe
where
    F: Fn(Stage) -> Fut + 'static,
    Fut: Future<Output = String> + Send + 'static,
{
    Probe {
        name,
        aws,
        page,
        run: Box::new(move |stage| Box::pin(run(stage))),
    }
}

/// The verdict of a probe whose preparations failed. No page documents that, and no disagreement may.
const BROKEN: &str = "the probe broke";

fn all() -> Vec<Probe> {
    [
        organizations::probes(),
        sts::probes(),
        roles::probes(),
        trusts::probes(),
        tags::probes(),
        policies::probes(),
        lists::probes(),
        encoding::probes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Runs every probe in an account of its own and says what each came to.
async fn verdicts(cloud: Cloud, probes: &[Probe]) -> BTreeMap<&'static str, String> {
    let names: Vec<String> = (0..probes.len())
        .map(|number| format!("probe-{number:03}"))
        .collect();
    let accounts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let built = Arc::new(cloud.build(&[], &accounts).await);
    let cloud = Arc::new(cloud);
    let mut verdicts = BTreeMap::new();
    for (probe, name) in probes.iter().zip(&names) {
        let stage = Stage::enter(&cloud, &built, &built.accounts[name]).await;
        let verdict = tokio::spawn((probe.run)(stage))
            .await
            .unwrap_or_else(|_| BROKEN.to_owned());
        assert!(
            verdicts.insert(probe.name, verdict).is_none(),
            "two probes have the name `{}`",
            probe.name
        );
    }
    verdicts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandbox_answers_as_aws_documents() {
    let served = Served::new(World::generated(1, 0, 7)).await;
    let keys = served.sandbox.credentials();
    let cloud = Cloud::new(
        &served.endpoint,
        keys.access_key_id(),
        keys.secret_access_key(),
    )
    .await;

    let probes = all();
    let verdicts = verdicts(cloud, &probes).await;

    let wrong: Vec<String> = probes
        .iter()
        .filter(|probe| verdicts[probe.name] != probe.aws)
        .map(
            |Probe {
                 name, aws, page, ..
             }| format!("{name}: `{}`, but `{aws}` by {page}", verdicts[name]),
        )
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {} probes:\n{}",
        wrong.len(),
        probes.len(),
        wrong.join("\n")
    );
    assert!(probes.len() >= 60, "{} probes are left", probes.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moto_disagrees_exactly_where_it_is_written_down() {
    let Some(moto) = Moto::start() else { return };
    let cloud = Cloud::new(&moto.endpoint, "testing", "testing").await;
    let probes = all();
    let verdicts = verdicts(cloud, &probes).await;
    let wrong = differences(&probes, &verdicts, &Disagreements::read().disagreement);
    assert!(
        wrong.is_empty(),
        "tests/it/disagreements.toml is not what moto does:\n{}",
        wrong.join("\n")
    );
}

/// `disagreements.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Disagreements {
    disagreement: Vec<Disagreement>,
}

/// One probe in which moto does not do what AWS documents.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Disagreement {
    probe: String,
    moto: String,
    aws: String,
    page: String,
}

impl Disagreements {
    fn read() -> Self {
        toml::from_str(include_str!("../disagreements.toml")).unwrap()
    }
}

/// What is not as it is written down: disagreements that are new, gone, or of another kind than before.
fn differences(
    probes: &[Probe],
    verdicts: &BTreeMap<&str, String>,
    listed: &[Disagreement],
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut of: BTreeMap<&str, &Disagreement> = BTreeMap::new();
    for entry in listed {
        if of.insert(&entry.probe, entry).is_some() {
            wrong.push(format!("`{}` stands there twice", entry.probe));
        }
    }
    let known: BTreeSet<&str> = probes.iter().map(|probe| probe.name).collect();
    wrong.extend(
        of.keys()
            .filter(|name| !known.contains(**name))
            .map(|name| format!("there is no probe `{name}`")),
    );
    for Probe {
        name, aws, page, ..
    } in probes
    {
        let moto = &verdicts[name];
        match of.get(name) {
            _ if moto == BROKEN => wrong.push(format!("`{name}` broke on moto; see above why")),
            None if moto != aws => wrong.push(format!(
                "new:\n[[disagreement]]\nprobe = \"{name}\"\nmoto = \"{moto}\"\naws = \"{aws}\"\npage = \"{page}\"\n"
            )),
            Some(_) if moto == aws => wrong.push(format!("gone: moto does as AWS in `{name}`")),
            Some(entry) if entry.moto != *moto => {
                wrong.push(format!("changed: moto's `{name}` is `{moto}`, was `{}`", entry.moto));
            }
            Some(entry) if entry.aws != *aws || entry.page != *page => {
                wrong.push(format!("`{name}` has another verdict or page of AWS than the probe: `{aws}`, {page}"));
            }
            _ => {}
        }
    }
    wrong
}

#[test]
fn a_disagreement_that_is_new_gone_or_changed_is_told() {
    let probes = [probe("p", "ok", "a page", |_| async { String::new() })];
    let entry = |probe: &str, moto: &str, aws: &str, page: &str| Disagreement {
        probe: probe.to_owned(),
        moto: moto.to_owned(),
        aws: aws.to_owned(),
        page: page.to_owned(),
    };
    let listed = entry("p", "NoSuchEntity", "ok", "a page");
    for (verdict, listed, says) in [
        ("ok", vec![], None),
        ("NoSuchEntity", vec![listed.clone()], None),
        ("NoSuchEntity", vec![], Some("new:")),
        ("ok", vec![listed.clone()], Some("gone:")),
        ("LimitExceeded", vec![listed.clone()], Some("changed:")),
        ("NoSuchEntity", vec![listed.clone(), listed], Some("twice")),
        (
            "NoSuchEntity",
            vec![entry("p", "NoSuchEntity", "InvalidInput", "a page")],
            Some("another verdict"),
        ),
        (
            "NoSuchEntity",
            vec![entry("p", "NoSuchEntity", "ok", "no page")],
            Some("another verdict"),
        ),
        (
            "ok",
            vec![entry("q", "NoSuchEntity", "ok", "a page")],
            Some("no probe `q`"),
        ),
        (
            BROKEN,
            vec![entry("p", BROKEN, "ok", "a page")],
            Some("broke"),
        ),
    ] {
        let told = differences(
            &probes,
            &BTreeMap::from([("p", verdict.to_owned())]),
            &listed,
        );
        match says {
            None => assert!(told.is_empty(), "{told:?}"),
            Some(says) => assert!(
                told.len() == 1 && told[0].contains(says),
                "{says}: {told:?}"
            ),
        }
    }
}
