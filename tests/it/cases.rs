//! `tests/cases/<claim>/`: a desired state, what was done to live IAM by hand, and the plan of it.
//!
//! Data only. `desired.toml` is the directory's `rolecall.toml`; documents that it names lie beside it. `live.json`
//! lists the calls that are made by hand first, as `{"account", "operation", "params"}`: a parameter that is an
//! object is sent as JSON text, `Tags` as the list that IAM takes, and tags of `aws:` are set as AWS itself sets
//! them. `org.toml` is another organization than the demonstration's, `args.txt` holds further arguments of `plan`.
//! `plan.txt` and `plan.json` are what `plan` prints, with the exit code of `--detailed-exitcode`; `BLESS=1` rewrites
//! them. Where `plan.md` is there, it is what `plan --format markdown` prints.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use regex::Regex;
use rolecall::org::AccountId;
use rolecall::sandbox::build::OrgSpec;
use rolecall::sandbox::world::World;

use serde::Deserialize;
use serde_json::Value;
use similar::TextDiff;

use crate::support::served::Served;
use crate::support::{Directory, for_each};

/// One directory of `tests/cases`.
pub struct Case {
    pub name: String,
    path: PathBuf,
}

/// What someone did by hand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    account: String,
    operation: String,
    params: BTreeMap<String, Value>,
}

impl Case {
    /// Every case, by name.
    pub fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
        let mut cases: Vec<Self> = fs::read_dir(&root)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| Self {
                name: entry.file_name().into_string().unwrap(),
                path: entry.path(),
            })
            .collect();
        cases.sort_by(|one, other| one.name.cmp(&other.name));
        cases
    }

    fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.path.join(file)).ok()
    }

    /// The organization with everything done that was done by hand.
    pub async fn served(&self) -> Served {
        let spec = self
            .read("org.toml")
            .map(|text| OrgSpec::parse(&text).unwrap());
        let served = Served::new(World::new(&spec.unwrap_or_else(OrgSpec::demo)).unwrap()).await;
        let live = self
            .read("live.json")
            .unwrap_or_else(|| panic!("{}: no live.json", self.name));
        let acts: Vec<Act> =
            serde_json::from_str(&live).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        for act in &acts {
            act.perform(&served);
        }
        served
    }

    /// The desired state, with the documents beside it.
    pub fn desired(&self) -> Directory {
        let directory = Directory::of(&[("rolecall.toml", &self.read("desired.toml").unwrap())]);
        for entry in fs::read_dir(&self.path).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if ![
                "desired.toml",
                "live.json",
                "org.toml",
                "args.txt",
                "plan.txt",
                "plan.json",
                "plan.md",
            ]
            .contains(&&*name)
            {
                directory.write(&name, &self.read(&name).unwrap());
            }
        }
        directory
    }

    /// Further arguments of `plan` and `apply`.
    pub fn arguments(&self) -> Vec<String> {
        self.read("args.txt")
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    }

    /// Plans, and says how what is printed differs from what is written down.
    async fn check(&self) -> Option<String> {
        let (served, desired) = (self.served().await, self.desired());
        let plan = |format: &str| {
            let more = self.arguments();
            let mut arguments = vec!["plan", "--detailed-exitcode", "--format", format];
            arguments.extend(more.iter().map(String::as_str));
            // The sandbox answers on the same threads, so the one that waits gives its place away.
            let run = tokio::task::block_in_place(|| served.rolecall(&desired, &arguments));
            let place = desired.path().to_str().unwrap();
            let said: String = run
                .stderr
                .lines()
                .filter(|line| !is_progress(line))
                .map(|line| format!("{line}\n"))
                .collect();
            (
                run.stdout,
                format!("{}[exit code {}]\n", said.replace(place, "."), run.code),
            )
        };
        let (text, ending) = plan("text");
        assert!(
            !ending.contains("cannot reach AWS"),
            "{}: {ending}",
            self.name
        );
        let (json, _) = plan("json");
        assert_eq!(
            served.writes(),
            Vec::<String>::new(),
            "{}: a plan writes nothing",
            self.name
        );
        let json = serde_json::from_str(&json)
            .map(|json| pretty(&stable(json)))
            .unwrap_or_default();
        let request_id = Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap();
        let [text, json] = [text + &ending, json]
            .map(|said| request_id.replace_all(&said, "<request id>").into_owned());
        let markdown = self
            .read("plan.md")
            .and_then(|_| self.compare("plan.md", &plan("markdown").0));
        let differences = [
            self.compare("plan.txt", &text),
            self.compare("plan.json", &json),
            markdown,
        ];
        differences
            .into_iter()
            .flatten()
            .reduce(|one, other| one + &other)
    }

    fn compare(&self, file: &str, got: &str) -> Option<String> {
        let expected = self.read(file).unwrap_or_default();
        if expected == got {
            return None;
        }
        if std::env::var_os("BLESS").is_some() {
            fs::write(self.path.join(file), got).unwrap();
            return None;
        }
        let diff = TextDiff::from_lines(expected.as_str(), got);
        let header = format!("tests/cases/{}/{file}", self.name);
        Some(
            diff.unified_diff()
                .context_radius(4)
                .header(&header, "as it is now")
                .to_string(),
        )
    }
}

impl Act {
    fn perform(&self, served: &Served) {
        let mut params: Vec<(String, String)> = Vec::new();
        let mut system = Vec::new();
        for (name, value) in &self.params {
            match (name.as_str(), value) {
                ("Tags", Value::Object(tags)) => {
                    let (of_aws, of_people) = tags
                        .iter()
                        .partition::<Vec<_>, _>(|(key, _)| key.starts_with("aws:"));
                    system = of_aws;
                    for (n, (key, value)) in of_people.into_iter().enumerate() {
                        params.push((format!("Tags.member.{}.Key", n + 1), key.clone()));
                        params.push((
                            format!("Tags.member.{}.Value", n + 1),
                            value.as_str().unwrap().to_owned(),
                        ));
                    }
                }
                (_, Value::String(text)) => params.push((name.clone(), text.clone())),
                (_, value) => params.push((name.clone(), value.to_string())),
            }
        }
        let borrowed: Vec<(&str, &str)> = params
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        served.by_hand(&self.account, &self.operation, &borrowed);
        for (key, value) in system {
            self.tag(served, key, value.as_str().unwrap());
        }
    }

    /// Sets a tag of `aws:` on the role, which no one but AWS can.
    fn tag(&self, served: &Served, key: &str, value: &str) {
        let name = self.params["RoleName"].as_str().unwrap().to_lowercase();
        served.sandbox.with(|world| {
            let (now, lag) = (world.clock.now(), world.lag);
            let account = world
                .accounts
                .get_mut(&AccountId::parse(&self.account).unwrap())
                .unwrap();
            let role = account.iam.roles.get_mut(&name).unwrap();
            let mut tagged = role.latest().unwrap().clone();
            Arc::make_mut(&mut tagged)
                .tags
                .insert(key.to_owned(), value.to_owned());
            role.set(now, lag, Some(tagged));
        });
    }
}

/// Whether a line tells how far reading is; accounts come in any order.
fn is_progress(line: &str) -> bool {
    line.starts_with("Reading the organization") || line.starts_with("Reading accounts")
}

/// Takes out what is another at every run, and digests, which no one can check by eye.
pub fn stable(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            for (name, member) in members {
                *member = match name.as_str() {
                    "created_at" => Value::from("…"),
                    "desired_digest" | "fingerprint" | "expected" => Value::from("sha256:…"),
                    _ => stable(member.take()),
                };
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| *item = stable(item.take())),
        _ => {}
    }
    value
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn every_case_is_planned_as_its_directory_says() {
    let checked = for_each(Case::all(), |case| async move {
        case.check().await.map(|differs| (case.name, differs))
    });
    let differences: BTreeMap<String, String> = checked.await.into_iter().flatten().collect();
    let said: String = differences
        .values()
        .map(|difference| format!("{difference}\n"))
        .collect();
    assert!(
        differences.is_empty(),
        "{said}{} cases differ; BLESS=1 rewrites them",
        differences.len()
    );
}
