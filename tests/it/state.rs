//! States in a directory and in moto's S3, and the commands that look at them.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_credential_types::Credentials;
use rolecall::aws;
use rolecall::execute::{Halt, Outcome, RunSummary};
use rolecall::org::AccountId;
use rolecall::plan::{Action, Converged, Items, Summary};
use rolecall::sandbox::faults::{Effect, Fault, When};
use rolecall::store::Failure;
use rolecall::store::backend::{Condition, Version};
use rolecall::store::{
    Access, AccountRecord, Backend, Directory as Local, Entry, Identity, LeaseError, LeaseSettings,
    ResourceRecord, RunHeader, Store, StoreError, Waiting,
};
use serde_json::json;
use sha2::Digest as _;

use crate::support::bucket::Bucket;
use crate::support::listener::listen;
use crate::support::moto::{Moto, missing, python};
use crate::support::served::Served;
use crate::support::{Directory, Run, for_each, http_client, rolecall, run};

const DESIRED: &str = r#"
name = "vendor-roles"
[organization]
access_role = "OrganizationAccountAccessRole"
"#;

const ADDRESS: &str = "222222222222/role/Reader";

fn identity() -> Identity {
    Identity {
        organization: "o-example".to_owned(),
        name: "vendor-roles".to_owned(),
    }
}

async fn open(backend: &Arc<dyn Backend>) -> Store {
    Store::open(Arc::clone(backend), identity(), Access::Write)
        .await
        .unwrap()
}

fn account(id: &str) -> AccountId {
    AccountId::parse(id).unwrap()
}

fn header(run: &str) -> RunHeader {
    RunHeader {
        run: run.to_owned(),
        who: "arn:aws:iam::111111111111:user/alice".to_owned(),
        host: "laptop".to_owned(),
        started_at: "2026-01-01T00:00:00Z".to_owned(),
        version: "0.1.0".to_owned(),
        desired_digest: "sha256:11".to_owned(),
        command: "apply".to_owned(),
        plan: Summary {
            create: 1,
            ..Summary::default()
        },
    }
}

fn started(step: usize) -> Entry {
    Entry::StepStarted {
        address: ADDRESS.to_owned(),
        step,
        op: "CreateRole".to_owned(),
    }
}

fn lease(run: &str) -> LeaseSettings {
    LeaseSettings {
        holder: "alice".to_owned(),
        host: "laptop".to_owned(),
        run: run.to_owned(),
        ttl: Duration::from_mins(1),
        lock_timeout: Duration::ZERO,
    }
}

/// Waits without a word.
fn quietly() -> Waiting<'static> {
    static HALT: LazyLock<Halt> = LazyLock::new(Halt::default);
    Waiting {
        tell: &|_| {},
        halt: &HALT,
    }
}

/// One resource converged, one run that ended and one that was cut short.
async fn fill(store: &Store) {
    let resource = ResourceRecord {
        converged_at: "2026-01-01T00:00:01Z".to_owned(),
        run: "20260101T000000Z-0001".to_owned(),
        rollback: None,
        converged: Converged {
            unique_id: Some("AROAEXAMPLE".to_owned()),
            arn: Some("arn:aws:iam::222222222222:role/Reader".to_owned()),
            values: json!({"max_session_duration": 3600}),
            items: Items::new(),
        },
    };
    let record = AccountRecord {
        account: account("222222222222"),
        resources: [(ADDRESS.to_owned(), resource)].into(),
    };
    store.put_account(&record).await.unwrap();
    let log = store.begin(&header("20260101T000000Z-0001")).await.unwrap();
    log.note(Entry::ChangeStarted {
        address: ADDRESS.to_owned(),
        action: Action::Create,
        before: json!(null),
        details: false,
        expected: "sha256:22".to_owned(),
        steps: 1,
    });
    log.append(started(0)).await.unwrap();
    log.note(Entry::StepFinished {
        address: ADDRESS.to_owned(),
        step: 0,
        error: None,
    });
    log.note(Entry::ChangeFinished {
        address: ADDRESS.to_owned(),
        outcome: Outcome::Done,
        error: None,
    });
    log.note(Entry::RunFinished {
        summary: RunSummary {
            done: 1,
            ..RunSummary::default()
        },
    });
    log.close().await.unwrap();
    let cut_off = store.begin(&header("20260102T000000Z-0001")).await.unwrap();
    cut_off.append(started(0)).await.unwrap();
}

/// A directory of desired state whose `state/` is filled.
async fn filled() -> (Directory, Store) {
    let desired = Directory::new(DESIRED);
    let backend: Arc<dyn Backend> = Arc::new(Local::new(desired.file("state")));
    let store = open(&backend).await;
    fill(&store).await;
    (desired, store)
}

/// Runs `rolecall state …`, which needs no AWS for a local state: there are no credentials.
#[track_caller]
fn state(desired: &Directory, arguments: &[&str]) -> Run {
    let (command, rest) = arguments.split_first().unwrap();
    run(rolecall()
        .args(["state", command, "-c"])
        .arg(desired.path())
        .args(rest))
}

#[tokio::test]
async fn what_is_on_record_is_listed_and_shown() {
    let (desired, _) = filled().await;
    let told = state(&desired, &["list"]).exits(0);
    assert!(
        told.stdout.contains(ADDRESS) && told.stdout.contains("1 resource in 1 account"),
        "{}",
        told.stdout
    );
    let list = state(&desired, &["list", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(list["resources"][0]["address"], ADDRESS);
    assert_eq!(list["resources"][0]["run"], "20260101T000000Z-0001");
    state(&desired, &["show", ADDRESS])
        .exits(0)
        .says(&["AROAEXAMPLE", "\"max_session_duration\": 3600"]);
    let shown = state(&desired, &["show", ADDRESS, "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(shown["values"], json!({"max_session_duration": 3600}));
    for unknown in [
        "222222222222/role/Other",
        "333333333333/role/Reader",
        "nothing",
    ] {
        state(&desired, &["show", unknown])
            .exits(1)
            .says(&[unknown, "state list"]);
    }
}

#[tokio::test]
async fn runs_are_listed_newest_first_and_told_whole() {
    let (desired, _) = filled().await;
    let told = state(&desired, &["history"]).exits(0).says(&[
        "1 create",
        "1 done",
        "not finished",
        "2 runs",
        "alice",
    ]);
    let at = |run: &str| told.stdout.find(run).unwrap();
    assert!(at("20260102T000000Z-0001") < at("20260101T000000Z-0001"));
    let runs = state(&desired, &["history", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(runs["runs"][0]["finished"], json!(null));
    assert_eq!(runs["runs"][1]["finished"]["done"], 1);
    let words = [
        "create 222222222222/role/Reader",
        "step 1: CreateRole",
        "step 1 done",
        "ended: 1 done",
    ];
    state(&desired, &["history", "20260101T000000Z-0001"])
        .exits(0)
        .says(&words);
    let cut_off = state(
        &desired,
        &["history", "20260102T000000Z-0001", "--format", "json"],
    )
    .exits(0)
    .json();
    assert_eq!(
        (
            &cut_off["finished"],
            &cut_off["entries"][0]["entry"]["event"]
        ),
        (&json!(false), &json!("step_started"))
    );
    state(&desired, &["history", "20260102T000000Z-0001"])
        .exits(0)
        .says(&["cut short"]);
    state(&desired, &["history", "20200101T000000Z-0001"])
        .exits(1)
        .says(&["no run", "state history"]);
}

#[test]
fn where_there_is_no_state_there_is_nothing_to_show_and_none_is_made() {
    let desired = Directory::new(DESIRED);
    state(&desired, &["list"]).exits(0).says(&["no state in"]);
    assert_eq!(
        state(&desired, &["list", "--format", "json"])
            .exits(0)
            .json()["resources"],
        json!([])
    );
    assert_eq!(
        state(&desired, &["history", "--format", "json"])
            .exits(0)
            .json()["runs"],
        json!([])
    );
    state(&desired, &["show", ADDRESS]).exits(1);
    state(&desired, &["unlock"]).exits(0);
    assert!(!desired.file("state").exists());
    state(&desired, &["list", "--state", "gs://bucket"])
        .exits(1)
        .says(&["gs://bucket", "s3://bucket/prefix"]);
}

#[tokio::test]
async fn somebody_elses_damaged_and_newer_states_are_told_apart_and_left_alone() {
    let (desired, _) = filled().await;
    let other = Directory::new(&DESIRED.replace("vendor-roles", "other-roles"));
    let path = desired.file("state");
    let path = path.to_str().unwrap();
    state(&other, &["list", "--state", path]).exits(1).says(&[
        "belongs to `vendor-roles`",
        "`other-roles`",
        "o-example",
    ]);
    let here = DESIRED.replace("[organization]", "[organization]\nid = \"o-exampleorgid\"");
    state(&Directory::new(&here), &["list", "--state", path])
        .exits(1)
        .says(&["o-exampleorgid", "o-example"]);

    let file = desired.file("state/accounts/222222222222.json");
    let whole = std::fs::read_to_string(&file).unwrap();
    for (text, says) in [
        (whole.replace("3600", "7200"), "is damaged: its checksum"),
        (String::new(), "is damaged"),
        (
            whole.replace("rolecall-state/1", "rolecall-state/9"),
            "`rolecall-state/9`, but this version of rolecall reads `rolecall-state/1`",
        ),
    ] {
        std::fs::write(&file, &text).unwrap();
        state(&desired, &["list"]).exits(1).says(&[
            "state/accounts/222222222222.json",
            says,
            "hint",
        ]);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }
    let log = desired.file("state/runs/20260101T000000Z-0001.jsonl");
    let damaged = std::fs::read_to_string(&log)
        .unwrap()
        .replace("CreateRole", "DeleteRole");
    std::fs::write(&log, damaged).unwrap();
    state(&desired, &["history", "20260101T000000Z-0001"])
        .exits(1)
        .says(&["20260101T000000Z-0001.jsonl:3` is damaged"]);
}

/// Another process that holds the lock of a state.
fn locked_by_another(state: &Path) -> Option<Child> {
    let script = "import fcntl, sys\nfile = open(sys.argv[1], 'w')\nfcntl.flock(file, fcntl.LOCK_EX)\nprint('locked', flush=True)\nsys.stdin.read()";
    let mut child = Command::new(python())
        .args(["-c", script])
        .arg(state.join("lock.json"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    Some(child)
}

#[tokio::test]
async fn a_held_lock_is_refused_and_ends_with_its_process() {
    let (desired, store) = filled().await;
    state(&desired, &["unlock"])
        .exits(0)
        .says(&["no run holds"]);
    let ours = store
        .lease(lease("20260103T000000Z-0001"), quietly())
        .await
        .unwrap();
    let process = format!("process {}", std::process::id());
    for arguments in [&["unlock"][..], &["unlock", "--force"]] {
        state(&desired, arguments).exits(4).says(&[
            "alice",
            "laptop",
            "20260103T000000Z-0001",
            &process,
            "since",
        ]);
    }
    ours.release().await.unwrap();
    state(&desired, &["unlock"]).exits(0);

    let Some(mut other) = locked_by_another(&desired.file("state")) else {
        return missing("python3");
    };
    assert!(matches!(
        store.lease(lease("second"), quietly()).await,
        Err(LeaseError::Held { .. })
    ));
    other.kill().unwrap();
    other.wait().unwrap();
    store
        .lease(lease("third"), quietly())
        .await
        .unwrap()
        .release()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_state_is_looked_at_though_the_desired_state_cannot_be_read() {
    let (desired, store) = filled().await;
    let broken = DESIRED.replace("name =", "nonsense = [\nname =")
        + "\n[vars]\nsecret = { type = \"string\" }\nx = {\n";
    let needy = format!(
        "{DESIRED}[vars]\nsecret = {{ type = \"string\", sensitive = true }}\n[[role]]\nname = \"{{{{ var.secret }}}}\"\ntargets = \"all\"\n"
    );
    let elsewhere = format!("{DESIRED}[[role]]\nname = 5\nunheard = \"of\"\n[[role.trust]\n");
    for text in [needy, elsewhere] {
        desired.write("rolecall.toml", &text);
        run(rolecall().arg("validate").arg("-c").arg(desired.path())).exits(1);
        state(&desired, &["list"]).exits(0).says(&[ADDRESS]);
        state(&desired, &["show", ADDRESS])
            .exits(0)
            .says(&["AROAEXAMPLE"]);
        state(&desired, &["history"]).exits(0).says(&["2 runs"]);
        state(&desired, &["history", "20260101T000000Z-0001"])
            .exits(0)
            .says(&["ended: 1 done"]);
        let held = store.lease(lease("running"), quietly()).await.unwrap();
        state(&desired, &["unlock", "--force"])
            .exits(4)
            .says(&["run running"]);
        held.release().await.unwrap();
    }
    // The organization is held against the state where it can be read, and whose state it is in any case.
    desired.write(
        "rolecall.toml",
        &format!(
            "{}\nx = [",
            DESIRED.replace("[organization]", "[organization]\nid = \"o-exampleorgid\"")
        ),
    );
    state(&desired, &["list"])
        .exits(1)
        .says(&["o-exampleorgid"]);
    // Where the name itself cannot be read it is asked for.
    for text in [broken.as_str(), "[organization]\n", "name = 5\n"] {
        desired.write("rolecall.toml", text);
        state(&desired, &["list"])
            .exits(1)
            .says(&["cannot determine whose state to open", "--name"]);
        state(&desired, &["list", "--name", "vendor-roles"])
            .exits(0)
            .says(&[ADDRESS]);
        state(&desired, &["list", "--name", "other-roles"])
            .exits(1)
            .says(&["belongs to `vendor-roles`"]);
        state(&desired, &["list", "--name", "Vendor Roles"])
            .exits(1)
            .says(&["`Vendor Roles` is not a valid directory name"]);
    }
    std::fs::remove_file(desired.file("rolecall.toml")).unwrap();
    state(&desired, &["list"])
        .exits(1)
        .says(&["there is no `rolecall.toml`", "--name"]);
    state(&desired, &["history", "--name", "vendor-roles"])
        .exits(0)
        .says(&["2 runs"]);
}

#[tokio::test]
async fn a_damaged_record_hides_no_other_and_old_runs_are_counted() {
    let (desired, store) = filled().await;
    for day in 3..=9 {
        let log = store
            .begin(&header(&format!("2026010{day}T000000Z-0001")))
            .await
            .unwrap();
        log.append(Entry::RunFinished {
            summary: RunSummary {
                done: day,
                ..RunSummary::default()
            },
        })
        .await
        .unwrap();
    }
    let limited = state(&desired, &["history", "--limit", "2"])
        .exits(0)
        .says(&["9 done", "2 runs; 7 more"]);
    assert!(!limited.text().contains("7 done"), "{}", limited.text());
    assert_eq!(
        state(&desired, &["history", "--limit", "3", "--format", "json"])
            .exits(0)
            .json()["more"],
        6
    );
    let damage = |run: &str, with: &str| {
        let path = desired.file(&format!("state/runs/{run}.jsonl"));
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, whole.replacen("alice", with, 1)).unwrap();
    };
    damage("20260104T000000Z-0001", "mallory");
    let file = "state/runs/20260104T000000Z-0001.jsonl:1` is damaged";
    let told = state(&desired, &["history"])
        .exits(3)
        .says(&[file, "9 done", "3 done", "1 done", "9 runs", "hint"]);
    let line = told
        .stdout
        .lines()
        .find(|line| line.starts_with("20260104"))
        .unwrap();
    assert!(line.contains("damaged"), "{line}");
    let json = state(&desired, &["history", "--format", "json"])
        .exits(3)
        .json();
    assert_eq!(
        (
            json["runs"].as_array().unwrap().len(),
            &json["unusable"][0]["run"]
        ),
        (8, &json!("20260104T000000Z-0001"))
    );
    // The last run is not the damaged one.
    assert_eq!(
        store.last_run().await.unwrap().unwrap().header.run,
        "20260109T000000Z-0001"
    );
    damage("20260109T000000Z-0001", "mallory");
    let error = store.last_run().await.unwrap_err().to_string();
    assert!(
        error.contains("20260109T000000Z-0001.jsonl:1` is damaged"),
        "{error}"
    );
}

/// A state of the sandbox's organization in a bucket.
async fn in_bucket(served: &Served, bucket: &Bucket) -> Store {
    let organization = served.sandbox.with(|world| world.organization.id.clone());
    let identity = Identity {
        organization,
        name: "vendor-roles".to_owned(),
    };
    Store::open(bucket.backend().await, identity, Access::Write)
        .await
        .unwrap()
}

/// A sealed file with other content.
fn resealed(bytes: &[u8], change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let mut file: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    change(&mut file["content"]);
    file["sha256"] = json!("0".repeat(64));
    let text = format!("{file}\n");
    let sum: String = sha2::Sha256::digest(&text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    text.replacen(&"0".repeat(64), &sum, 1).into_bytes()
}

/// Moves the end of a lease, as if its holder's clock went wrong by so many hours.
fn skewed(bytes: &[u8], hours: i64) -> Vec<u8> {
    resealed(bytes, |content| {
        if let Some(until) = content["claim"]["holder"].get_mut("until") {
            let time: jiff::Timestamp = until.as_str().unwrap().parse().unwrap();
            *until = json!((time + jiff::SignedDuration::from_hours(hours)).to_string());
        }
    })
}

const ONE_ROLE: &str = "name = \"vendor-roles\"\n[[role]]\nname = \"Audit\"\nmanaged_policies = [\"aws:SecurityAudit\"]\ntargets = [{ account = \"network\" }]\n[[role.trust]]\nservice = \"ec2.amazonaws.com\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_clock_is_wrong_keeps_its_lease_as_long_as_it_lives() {
    let desired = Directory::new(ONE_ROLE);
    for hours in [-1, 1] {
        let (served, bucket) = (Served::demo().await, Bucket::start().await);
        bucket.rewrite(move |key, bytes| {
            if key.ends_with("lease.json") {
                skewed(&bytes, hours)
            } else {
                bytes
            }
        });
        let store = in_bucket(&served, &bucket).await;
        let settings = LeaseSettings {
            ttl: Duration::from_secs(10),
            ..lease("living")
        };
        let held = store.lease(settings, quietly()).await.unwrap();
        let (url, told) = listen([200]);
        let waits = "waiting 10 s to see whether the lease of alice on laptop for run living is still renewed";
        for arguments in [
            &["apply", "--auto-approve", "--notify", &url][..],
            &["state", "unlock"],
        ] {
            let mut command = served.command(&desired, arguments);
            bucket.hold(&mut command);
            let run = tokio::task::spawn_blocking(move || run(&mut command))
                .await
                .unwrap();
            run.exits(4).says(&[waits, "is held by alice on laptop"]);
        }
        let notice: serde_json::Value = serde_json::from_slice(&told.recv().unwrap().body).unwrap();
        assert_eq!(notice["exit_code"], 4);
        assert!(
            notice["error"]
                .as_str()
                .unwrap()
                .contains("held by alice on laptop"),
            "{notice}"
        );
        assert!(
            !held.lost().is_cancelled() && served.count("CreateRole") == 0,
            "{hours}"
        );
        held.release().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_the_next_apply_says_why_it_waits_and_finishes() {
    let (served, bucket, desired) = (
        Served::demo().await,
        Bucket::start().await,
        Directory::new(ONE_ROLE),
    );
    let apply = |arguments: &[&str]| {
        let mut command = served.command(
            &desired,
            &[&["apply", "--auto-approve"], arguments].concat(),
        );
        bucket.hold(&mut command);
        command
    };
    served
        .sandbox
        .fail(Fault::of("AttachRolePolicy", When::First(1), Effect::Hang));
    let mut child = apply(&["--lease", "2s"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while served.count("AttachRolePolicy") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // As long as the lease may be alive by the clock the next one is refused; later it is watched.
    let left = bucket.get("team/lease.json").unwrap();
    bucket.put("team/lease.json", skewed(&left, -1));
    let mut command = apply(&[]);
    let next = tokio::task::spawn_blocking(move || run(&mut command))
        .await
        .unwrap()
        .exits(0);
    next.says(&[
        "waiting 2 s to see whether the lease of arn:aws:iam::",
        "is still renewed",
        "1 done",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_of_many_runs_is_found_in_a_few_calls() {
    let (served, bucket, desired) = (
        Served::demo().await,
        Bucket::start().await,
        Directory::new(ONE_ROLE),
    );
    let store = in_bucket(&served, &bucket).await;
    let start: jiff::Timestamp =
        jiff::Timestamp::now() - jiff::SignedDuration::from_hours(300 * 24);
    for day in 0..301 {
        let day = (start + jiff::SignedDuration::from_hours(day * 24))
            .strftime("%Y%m%dT000000.000Z-0001")
            .to_string();
        store.begin(&header(&day)).await.unwrap();
    }
    bucket.calls();
    let mut command = served.command(&desired, &["apply", "--auto-approve", "--resume"]);
    bucket.hold(&mut command);
    let refused = tokio::task::spawn_blocking(move || run(&mut command))
        .await
        .unwrap();
    refused.exits(1).says(&[
        "cannot be resumed",
        &jiff::Timestamp::now().strftime("%Y%m").to_string(),
    ]);
    let calls = bucket.calls();
    // Whose it is, the lease, the names, the parts of one record.
    assert!(calls.len() <= 10, "{calls:#?}");
    let mut command = served.command(&desired, &["state", "history"]);
    bucket.hold(&mut command);
    let history = tokio::task::spawn_blocking(move || run(&mut command))
        .await
        .unwrap();
    history.exits(0).says(&["20 runs; 281 more"]);
}

/// moto with an empty bucket.
struct S3 {
    moto: Moto,
    client: aws_sdk_s3::Client,
}

impl S3 {
    async fn start() -> Option<Self> {
        let moto = Moto::start()?;
        let config = aws_sdk_s3::Config::builder()
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::v2026_01_12())
            .http_client(http_client())
            .endpoint_url(&moto.endpoint)
            .region(aws_sdk_s3::config::Region::new("us-east-1"))
            .credentials_provider(Credentials::new("testing", "testing", None, None, "test"))
            .force_path_style(true)
            .build();
        let client = aws_sdk_s3::Client::from_conf(config);
        client
            .create_bucket()
            .bucket("states")
            .send()
            .await
            .unwrap();
        Some(Self { moto, client })
    }

    async fn backend(&self) -> Arc<dyn Backend> {
        let settings = aws::Settings {
            endpoint: Some(self.moto.endpoint.clone()),
            region: Some("us-east-1".to_owned()),
            credentials: Some(Credentials::new("testing", "testing", None, None, "test")),
            ..aws::Settings::default()
        };
        Arc::new(
            aws::Bucket::connect(settings, "states", "team/roles")
                .await
                .unwrap(),
        )
    }

    #[track_caller]
    fn state(&self, desired: &Directory, arguments: &[&str]) -> Run {
        let (command, rest) = arguments.split_first().unwrap();
        let mut binary = rolecall();
        binary
            .envs(self.moto.env())
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("ROLECALL_STATE", "s3://states/team/roles/");
        run(binary
            .args(["state", command, "-c"])
            .arg(desired.path())
            .args(rest))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_in_a_bucket_is_listed_shown_and_unlocked() {
    let Some(s3) = S3::start().await else { return };
    let desired = Directory::new(DESIRED);
    s3.state(&desired, &["list"])
        .exits(0)
        .says(&["no state in `s3://states/team/roles/`"]);
    let store = open(&s3.backend().await).await;
    fill(&store).await;
    s3.state(&desired, &["list"]).exits(0).says(&[ADDRESS]);
    s3.state(&desired, &["history"])
        .exits(0)
        .says(&["1 done", "not finished", "2 runs"]);
    assert!(!desired.file("state").exists());

    let held = store
        .lease(lease("20260103T000000Z-0001"), quietly())
        .await
        .unwrap();
    s3.state(&desired, &["unlock"]).exits(4).says(&[
        "alice",
        "laptop",
        "20260103T000000Z-0001",
        "until",
        "--force",
    ]);
    s3.state(&desired, &["unlock", "--force"])
        .exits(0)
        .says(&["unlocked"]);
    let next = store.lease(lease("next"), quietly()).await.unwrap();
    held.release().await.unwrap();
    assert!(
        matches!(
            store.lease(lease("last"), quietly()).await,
            Err(LeaseError::Held { .. })
        ),
        "giving back takes nobody else's"
    );
    next.release().await.unwrap();
    store
        .lease(lease("last"), quietly())
        .await
        .unwrap()
        .release()
        .await
        .unwrap();
    let record = store.run("20260101T000000Z-0001").await.unwrap();
    assert!(record.finished && record.entries.len() == 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_write_to_a_bucket_at_once_one_wins() {
    let Some(s3) = S3::start().await else { return };
    let backend = s3.backend().await;
    let stores = for_each((0..8).collect(), |_| {
        let backend = Arc::clone(&backend);
        async move { open(&backend).await }
    })
    .await;
    assert!(stores.iter().all(|store| store.salt() == stores[0].salt()));
    let asked = stores
        .iter()
        .enumerate()
        .map(|(n, store)| (n, store.clone()))
        .collect();
    let answers = for_each(asked, |(n, store): (usize, Store)| async move {
        store.lease(lease(&n.to_string()), quietly()).await
    });
    let answers = answers.await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(
        answers
            .iter()
            .filter_map(|answer| answer.as_ref().err())
            .all(|error| matches!(error, LeaseError::Held { .. }))
    );

    let put = |bytes: &[u8], condition| {
        let (backend, bytes) = (Arc::clone(&backend), bytes.to_vec());
        async move { backend.put("object.json", bytes, condition).await }
    };
    let first = put(b"first", Condition::Absent).await.unwrap();
    assert_eq!(
        put(b"other", Condition::Absent).await,
        Err(Failure::Conflict)
    );
    let second = put(b"second", Condition::Version(first.clone()))
        .await
        .unwrap();
    assert_eq!(
        put(b"other", Condition::Version(first.clone())).await,
        Err(Failure::Conflict)
    );
    // The answer to the write of `second` was lost, and it is sent again.
    assert_eq!(put(b"second", Condition::Version(first)).await, Ok(second));
    let gone = backend
        .put(
            "no-such.json",
            b"x".to_vec(),
            Condition::Version(Version("\"0\"".to_owned())),
        )
        .await;
    assert_eq!(gone, Err(Failure::Conflict));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_or_an_endpoint_that_vanishes_is_told_and_what_was_recorded_stays() {
    let Some(s3) = S3::start().await else { return };
    let desired = Directory::new(DESIRED);
    let backend = s3.backend().await;
    let store = open(&backend).await;
    let log = store.begin(&header("20260101T000000Z-0001")).await.unwrap();
    log.append(started(0)).await.unwrap();
    for key in [
        "state.json",
        "runs/20260101T000000Z-0001/00000001.jsonl",
        "runs/20260101T000000Z-0001/00000002.jsonl",
    ] {
        s3.client
            .delete_object()
            .bucket("states")
            .key(format!("team/roles/{key}"))
            .send()
            .await
            .unwrap();
    }
    s3.client
        .delete_bucket()
        .bucket("states")
        .send()
        .await
        .unwrap();
    let error = log.append(started(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Write { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("s3://states/team/roles/runs/20260101T000000Z-0001")
            && text.contains("NoSuchBucket"),
        "{text}"
    );
    s3.state(&desired, &["list"]).exits(1).says(&[
        "cannot read `s3://states/team/roles/state.json`",
        "NoSuchBucket",
    ]);

    let S3 { moto, .. } = s3;
    let environment = moto.env();
    drop(moto);
    let mut binary = rolecall();
    binary.envs(environment).env("AWS_MAX_ATTEMPTS", "1").args([
        "state",
        "list",
        "--state",
        "s3://states/team",
        "-c",
    ]);
    run(binary.arg(desired.path())).exits(1).says(&[
        "cannot read `s3://states/team/state.json`",
        "cannot reach AWS",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_whose_bucket_vanishes_stops_where_it_is_and_another_one_finishes() {
    let (Some(s3), served) = (S3::start().await, Served::demo().await) else {
        return;
    };
    let role = "[[role]]\nname = \"Audit\"\ntargets = \"all\"\nexclude = [{ account = \"management\" }]\n[[role.trust]]\nservice = \"ec2.amazonaws.com\"\n";
    let desired = Directory::new(&format!(
        "name = \"vendor-roles\"\n{role}[rollout]\nparallelism = 1\n"
    ));
    served.sandbox.set_latency(Duration::from_millis(20));
    let mut command = served.command(&desired, &["apply", "--auto-approve"]);
    command
        .env("AWS_ENDPOINT_URL_S3", &s3.moto.endpoint)
        .env("ROLECALL_STATE", "s3://states/team")
        .env("AWS_MAX_ATTEMPTS", "1");
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while served.count("CreateRole") < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(s3);
    let output = tokio::task::spawn_blocking(|| child.wait_with_output())
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    for word in ["the run cannot be recorded", "s3://states/team/runs/"] {
        assert!(said.contains(word), "`{word}` is not in {said}");
    }
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("not reached"),
        "{said}"
    );
    let created = served.count("CreateRole");
    assert!((3..10).contains(&created), "{created} roles were created");
    // Nothing depends on what is lost with it.
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    assert_eq!(served.count("CreateRole"), 10);
}
