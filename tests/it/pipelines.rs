//! The pipelines in `examples/pipelines` are well formed, and every shell step of them does what it says: it is run by
//! bash as its engine would, with the tools of that engine (`gh`, `curl`) replaced by stubs that write down how they were
//! called.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use saphyr::{LoadableYamlNode, Yaml};
use serde_json::{Value, json};

use crate::support::Directory;
use crate::support::pipeline::{
    Machine, Step, TARGET, actionlint, archive, at, lint, shells, string, variables,
};
use crate::support::served::Served;
use crate::support::world::example;

const GITHUB: [&str; 3] = ["plan", "apply", "drift"];

fn pipeline(file: &str) -> PathBuf {
    example("pipelines").join(file)
}

fn text(file: &str) -> String {
    std::fs::read_to_string(pipeline(file)).unwrap()
}

/// The `run:` steps of a workflow's one job.
fn github(name: &str) -> Vec<Step> {
    let source = text(&format!("github/{name}.yml"));
    let documents = Yaml::load_from_str(&source).unwrap();
    let env = variables(documents[0].as_mapping_get("env"));
    shells(at(&documents[0], &["jobs", name, "steps"]), &env)
}

/// A job of GitLab's file: its lines are one script, after those that every job begins with.
fn gitlab(job: &str) -> Step {
    let source = text("gitlab/.gitlab-ci.yml");
    let documents = Yaml::load_from_str(&source).unwrap();
    let lines = |path: &[&str]| {
        at(&documents[0], path)
            .as_vec()
            .unwrap()
            .iter()
            .map(string)
            .collect::<Vec<_>>()
    };
    let script = [
        lines(&[".rolecall", "before_script"]),
        lines(&[job, "script"]),
    ]
    .concat()
    .join("\n");
    Step {
        name: job.to_owned(),
        script,
        env: variables(documents[0].as_mapping_get("variables")),
    }
}

/// A container of the pod: its arguments, the last command line of them, and its variables.
fn container(kind: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let source = text("kubernetes/cronjob.yaml");
    let documents = Yaml::load_from_str(&source).unwrap();
    let pod = at(
        &documents[1],
        &["spec", "jobTemplate", "spec", "template", "spec"],
    );
    let container = &at(pod, &[kind]).as_vec().unwrap()[0];
    let args = at(container, &["args"]).as_vec().unwrap().iter();
    let variable = |entry: &Yaml<'_>| (string(at(entry, &["name"])), string(at(entry, &["value"])));
    let env = at(container, &["env"]).as_vec().unwrap().iter();
    (args.map(string).collect(), env.map(variable).collect())
}

/// What the image of the release is started with.
fn kubernetes() -> Step {
    let (args, env) = container("containers");
    Step {
        name: "cronjob".to_owned(),
        script: format!("rolecall {}", args.join(" ")),
        env,
    }
}

/// What pushes the metrics, where it learns at once that the other container has ended.
fn push() -> Step {
    let (args, env) = container("initContainers");
    let script = args[0].replace("sleep 3600 & wait", "kill -TERM $$");
    assert_ne!(script, args[0]);
    Step {
        name: "push".to_owned(),
        script,
        env,
    }
}

/// The build of a `CodeBuild` project: its commands run in one shell.
fn aws(project: &str) -> Step {
    let source = text("aws/template.yaml");
    let documents = Yaml::load_from_str(&source).unwrap();
    let properties = at(&documents[0], &["Resources", project, "Properties"]);
    let buildspec = string(at(properties, &["Source", "BuildSpec"]));
    let build = Yaml::load_from_str(&buildspec).unwrap();
    assert_eq!(string(at(&build[0], &["env", "shell"])), "bash");
    let commands = |phase: &str| {
        let commands = at(&build[0], &["phases", phase, "commands"]).as_vec();
        commands.unwrap().iter().map(string).collect::<Vec<_>>()
    };
    let declared = at(properties, &["Environment", "EnvironmentVariables"]).as_vec();
    let names = declared
        .unwrap()
        .iter()
        .map(|one| string(at(one, &["Name"])));
    Step {
        name: project.to_owned(),
        script: [commands("install"), commands("build")].concat().join("\n"),
        // CloudFormation puts their values in.
        env: names
            .map(|name| {
                let value = match name.as_str() {
                    "ARCHIVE" => format!("https://example.com/{}", archive(TARGET)),
                    "ROLECALL_CONFIG" => ".".to_owned(),
                    _ => String::new(),
                };
                (name, value)
            })
            .collect(),
    }
}

/// What the service runs, and the exit codes that do not fail it.
fn systemd() -> (Step, String) {
    let source = text("systemd/rolecall-drift.service");
    let value = |key: &str| {
        source
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{key}=")))
            .unwrap()
            .to_owned()
    };
    let script = value("ExecStart");
    (
        Step {
            name: "service".to_owned(),
            script,
            env: BTreeMap::new(),
        },
        value("SuccessExitStatus"),
    )
}

fn all_steps() -> Vec<Step> {
    let github = GITHUB.iter().flat_map(|name| github(name));
    let gitlab = ["plan", "apply", "drift"].map(gitlab);
    github
        .chain(gitlab)
        .chain([kubernetes(), push(), systemd().0])
        .chain(["Drift", "NewAccount"].map(aws))
        .collect()
}

/// A step of a workflow, by its name.
fn named(workflow: &str, name: &str) -> Step {
    github(workflow)
        .into_iter()
        .find(|step| step.name == name)
        .unwrap_or_else(|| panic!("no step {name}"))
}

#[test]
fn every_workflow_uses_what_its_actions_and_contexts_have() {
    for name in GITHUB {
        let file = pipeline(&format!("github/{name}.yml"));
        assert_eq!(actionlint(&file).unwrap_or_default(), "", "{name}");
    }
    let source =
        text("github/plan.yml").replace("steps.plan.outputs.code", "steps.plans.outputs.code");
    let broken = Directory::of(&[("plan.yml", &source)]);
    if let Some(found) = actionlint(&broken.file("plan.yml")) {
        assert!(
            found.contains("property \"plans\" is not defined"),
            "{found}"
        );
    }
}

#[test]
fn every_file_is_what_its_engine_takes() {
    for name in GITHUB {
        let file = pipeline(&format!("github/{name}.yml"));
        lint(
            "check-jsonschema",
            &[
                "--builtin-schema",
                "vendor.github-workflows",
                file.to_str().unwrap(),
            ],
            None,
        );
    }
    let file = pipeline("gitlab/.gitlab-ci.yml");
    let schema = [
        "--builtin-schema",
        "vendor.gitlab-ci",
        "--data-transform",
        "gitlab-ci",
    ];
    lint(
        "check-jsonschema",
        &[&schema[..], &[file.to_str().unwrap()]].concat(),
        None,
    );
    lint(
        "kubernetes-validate",
        &[
            "--strict",
            pipeline("kubernetes/cronjob.yaml").to_str().unwrap(),
        ],
        None,
    );
    lint(
        "cfn-lint",
        &[pipeline("aws/template.yaml").to_str().unwrap()],
        None,
    );
    let units =
        ["service", "timer"].map(|kind| pipeline(&format!("systemd/rolecall-drift.{kind}")));
    match Command::new("systemd-analyze")
        .arg("verify")
        .args(units)
        .output()
    {
        Err(_) => eprintln!("NOT TESTED: systemd-analyze does not start"),
        Ok(output) => assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

#[test]
fn every_shell_step_is_clean_and_takes_expressions_through_its_environment_alone() {
    for step in all_steps() {
        assert!(
            !step.script.contains("${{"),
            "{} can be injected into",
            step.name
        );
        lint(
            "shellcheck",
            &["--shell", "bash", "--severity", "style", "-"],
            Some(&step.script),
        );
    }
}

#[test]
fn changes_and_drift_fail_no_step_and_anything_else_does() {
    let mut machine = Machine::new();
    let steps = [
        (named("plan", "Plan"), [0, 1, 0, 3, 4]),
        (named("drift", "Drift"), [0, 1, 0, 3, 4]),
        (gitlab("plan"), [0, 1, 0, 3, 4]),
        (gitlab("drift"), [0, 1, 0, 3, 4]),
        (named("apply", "Apply"), [0, 1, 2, 3, 4]),
        (gitlab("apply"), [0, 1, 2, 3, 4]),
        (kubernetes(), [0, 1, 2, 3, 4]),
        (aws("Drift"), [0, 1, 2, 3, 4]),
        (aws("NewAccount"), [0, 1, 2, 3, 4]),
        (systemd().0, [0, 1, 2, 3, 4]),
    ];
    machine.workspace.write("reviewed.plan", "a plan");
    let work = machine.outputs.path().display().to_string();
    machine
        .set("ACCOUNT", "444444444441")
        .set("OIDC_TOKEN", "token")
        .set("GITLAB_TOKEN", "token")
        .set("CI_PIPELINE_ID", "1");
    machine
        .set("CI_API_V4_URL", "https://gitlab.example.com/api/v4")
        .set("CI_PROJECT_ID", "5");
    for (mut step, codes) in steps {
        step.script = step
            .script
            .replace("/var/lib/rolecall", &work)
            .replace("/work/", &format!("{work}/"));
        for (exits, code) in codes.into_iter().enumerate() {
            machine.set("EXITS", &exits.to_string());
            machine.step(&step).exits(code);
        }
    }
    assert_eq!(systemd().1, "2");
}

#[test]
fn github_keeps_one_issue_and_one_comment() {
    let mut machine = Machine::new();
    machine.workspace.write("drift.md", "drift");
    machine.workspace.write("plan.md", "plan");
    let issue = named("drift", "Issue");
    for (code, open, expect) in [
        (
            "2",
            "",
            &["gh label create rolecall-drift ", "gh issue create "][..],
        ),
        ("2", "12", &["gh issue edit 12 --body-file drift.md"]),
        ("0", "12", &["gh issue close 12 "]),
        ("0", "", &[]),
    ] {
        machine.set("CODE", code).set("OPEN", open);
        machine.step(&issue).exits(0);
        let calls = machine.calls();
        let (list, changes): (Vec<&str>, Vec<&str>) = calls
            .lines()
            .partition(|call| call.starts_with("gh issue list"));
        assert_eq!(
            (list.len(), changes.len()),
            (1, expect.len()),
            "{code} {open}: {calls}"
        );
        assert!(
            changes
                .iter()
                .zip(expect)
                .all(|(call, expect)| call.starts_with(expect)),
            "{code} {open}: {calls}"
        );
    }
    machine.set("PULL_REQUEST", "7");
    machine.step(&named("plan", "Comment")).exits(0);
    assert_eq!(
        machine.calls(),
        "gh pr comment 7 --body-file plan.md --edit-last --create-if-none\n"
    );
}

#[test]
fn comment_and_page_come_from_one_run() {
    let mut machine = Machine::new();
    for name in [
        "OIDC_TOKEN",
        "GITLAB_TOKEN",
        "CI_PIPELINE_ID",
        "CI_API_V4_URL",
        "CI_PROJECT_ID",
    ] {
        machine.set(name, "1");
    }
    machine.set("EXITS", "2");
    for (step, page) in [
        (named("plan", "Plan"), "plan.html"),
        (named("drift", "Drift"), "drift.html"),
        (gitlab("plan"), "plan.html"),
        (gitlab("drift"), "drift.html"),
    ] {
        machine.step(&step).exits(0);
        let file = machine.workspace.file(page);
        assert!(file.exists(), "{}", step.name);
        std::fs::remove_file(file).unwrap();
    }
    let calls = machine.calls();
    let reads = calls
        .lines()
        .filter(|call| call.starts_with("rolecall plan") || call.starts_with("rolecall drift"));
    assert_eq!(reads.count(), 4, "{calls}");
}

#[test]
fn gitlab_keeps_one_issue_and_writes_a_note() {
    let mut machine = Machine::new();
    for (name, value) in [
        ("OIDC_TOKEN", "token"),
        ("GITLAB_TOKEN", "secret"),
        ("CI_PIPELINE_ID", "1"),
    ] {
        machine.set(name, value);
    }
    machine
        .set("CI_API_V4_URL", "https://gitlab.example.com/api/v4")
        .set("CI_PROJECT_ID", "5");
    for (exits, open, expect) in [
        ("2", "", "title=IAM roles drift from the desired state"),
        (
            "2",
            "12",
            "--request PUT --data-urlencode description@drift.md https://gitlab.example.com/api/v4/projects/5/issues/12",
        ),
        (
            "0",
            "12",
            "--data state_event=close https://gitlab.example.com/api/v4/projects/5/issues/12",
        ),
    ] {
        machine.set("EXITS", exits).set("OPEN", open);
        machine.step(&gitlab("drift")).exits(0);
        let calls = machine.calls();
        assert!(calls.contains(expect), "{exits} {open}: {calls}");
    }
    machine.set("CI_MERGE_REQUEST_IID", "7").set("EXITS", "2");
    machine.step(&gitlab("plan")).exits(0);
    assert!(
        machine.calls().contains(
            "--data-urlencode body@plan.md https://gitlab.example.com/api/v4/projects/5/merge_requests/7/notes"
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_that_was_reviewed_is_applied_once_and_nothing_else_is() {
    let served = Served::demo().await;
    let mut machine = Machine::new();
    machine.env.extend(served.env());
    for name in ["Validate", "Plan"] {
        machine.step(&named("plan", name)).exits(0);
    }
    assert_eq!(machine.read("output"), "code=2\n");
    assert!(machine.read("summary").contains("VendorLogReader"));
    let mode = std::fs::metadata(machine.workspace.file("reviewed.plan"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    machine.step(&named("apply", "Commit of the plan")).exits(0);
    assert!(machine.read("output").ends_with("sha=0123abcd\n"));
    // An artifact comes back with another mode.
    let plan = machine.workspace.file("reviewed.plan");
    std::fs::set_permissions(plan, std::fs::Permissions::from_mode(0o644)).unwrap();
    machine.step(&named("apply", "Apply")).exits(0);
    let report = std::fs::read_to_string(machine.workspace.file("run.json")).unwrap();
    assert!(report.contains("rolecall-run/1"), "{report}");
    machine.outputs.write("output", "");
    let reviewed = std::fs::read_to_string(machine.workspace.file("reviewed.plan")).unwrap();
    machine.step(&named("plan", "Plan")).exits(0);
    assert_eq!(machine.read("output"), "code=0\n");
    // What was reviewed is not what is there any more.
    machine.workspace.write("reviewed.plan", &reviewed);
    let stale = machine.step(&named("apply", "Apply"));
    assert_ne!(stale.code, 0, "{stale:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_by_hand_is_told_by_every_engine() {
    let served = Served::demo().await;
    let mut machine = Machine::new();
    machine.env.extend(served.env());
    let desired = machine.workspace.path().display().to_string();
    let work = machine.outputs.path().display().to_string();
    let apply = Step {
        name: "apply".to_owned(),
        script: "rolecall apply --auto-approve".to_owned(),
        env: BTreeMap::new(),
    };
    machine.step(&apply).exits(0);
    machine.step(&named("drift", "Drift")).exits(0);
    assert_eq!(machine.read("output"), "code=0\n");
    let admin = ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess");
    served.by_hand(
        "444444444441",
        "AttachRolePolicy",
        &[("RoleName", "SecurityAudit"), admin],
    );
    machine.outputs.write("output", "");
    machine.step(&named("drift", "Drift")).exits(0);
    assert_eq!(machine.read("output"), "code=2\n");
    assert!(machine.read("summary").contains("SecurityAudit"));
    let mut cronjob = kubernetes();
    cronjob.script = cronjob
        .script
        .replace("/desired", &desired)
        .replace("/work", &work);
    machine.set("WORK", &work).set("PUSHGATEWAY", "http://push");
    machine.step(&cronjob).exits(2).says(&["rolecall-drift/1"]);
    machine.step(&push()).exits(0);
    assert!(
        machine
            .calls()
            .contains("rolecall.prom http://push/metrics/job/rolecall")
    );
    machine
        .step(&aws("Drift"))
        .exits(2)
        .says(&["SecurityAudit"]);
    let (mut service, _) = systemd();
    service.script = service
        .script
        .replace("/etc/rolecall/desired", &desired)
        .replace("/var/lib/rolecall", &work);
    machine.step(&service).exits(2).says(&["rolecall-drift/1"]);
}

#[test]
fn every_pipeline_takes_the_release_and_none_compiles() {
    let version = env!("CARGO_PKG_VERSION");
    let action = format!("- uses: your_org/rolecall/.github/actions/setup@v{version}\n");
    for name in GITHUB {
        assert!(
            text(&format!("github/{name}.yml")).contains(&action),
            "{name}"
        );
    }
    let image = format!("image: ghcr.io/your_org/rolecall:{version}\n");
    assert!(text("kubernetes/cronjob.yaml").contains(&image));
    let release = format!("/releases/download/v{version}/{}\n", archive(TARGET));
    assert!(text("gitlab/.gitlab-ci.yml").contains(&release));
    for step in all_steps() {
        assert!(!step.script.contains("cargo"), "{} compiles", step.name);
    }
}

#[test]
fn an_archive_with_another_sum_is_not_unpacked() {
    let mut machine = Machine::new();
    for (name, value) in [
        ("ARCHIVE_SHA256", "0".repeat(64).as_str()),
        ("ACCOUNT", "444444444441"),
        ("OIDC_TOKEN", "token"),
        ("GITLAB_TOKEN", "token"),
        ("CI_PIPELINE_ID", "1"),
    ] {
        machine.set(name, value);
    }
    for step in [
        aws("Drift"),
        aws("NewAccount"),
        gitlab("plan"),
        gitlab("drift"),
    ] {
        let run = machine.step(&step);
        assert_ne!(run.code, 0, "{}: {run:?}", step.name);
        let calls = machine.calls();
        assert!(calls.contains("curl --fail"), "{calls}");
        assert!(!calls.contains("rolecall "), "{}: {calls}", step.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_account_gets_its_roles_and_no_other_account_is_written() {
    let served = Served::demo().await;
    let mut machine = Machine::new();
    machine.env.extend(served.env());
    let build = aws("NewAccount");
    for wrong in ["", "*", "44444444444", "4444444444411", "management"] {
        machine.set("ACCOUNT", wrong);
        machine.step(&build).exits(1).says(&["ACCOUNT is not"]);
        assert_eq!(machine.calls(), "", "{wrong}");
    }
    // The management account is targeted by nothing here.
    for account in ["444444444441", "111111111111"] {
        machine.set("ACCOUNT", account);
        machine.step(&build).exits(0);
    }
    for (account, code) in [("444444444441", 0), ("444444444442", 2), ("log-archive", 2)] {
        let plan = Step {
            name: account.to_owned(),
            script: format!("rolecall plan --detailed-exitcode --account {account}"),
            env: BTreeMap::new(),
        };
        machine.step(&plan).exits(code);
    }
}

fn json_of(yaml: &Yaml<'_>) -> Value {
    if let Some(mapping) = yaml.as_mapping() {
        let pairs = mapping.iter();
        return pairs
            .map(|(key, value)| (string(key), json_of(value)))
            .collect();
    }
    if let Some(list) = yaml.as_vec() {
        return list.iter().map(json_of).collect();
    }
    yaml.as_bool()
        .map_or_else(|| json!(yaml.as_str()), Value::from)
}

/// Whether `EventBridge`'s pattern takes the event, as far as the patterns here go.
fn takes(pattern: &Value, event: Option<&Value>) -> bool {
    match pattern {
        Value::Object(fields) => fields
            .iter()
            .all(|(key, pattern)| takes(pattern, event.and_then(|event| event.get(key)))),
        Value::Array(values) => values.iter().any(|value| match value.get("exists") {
            Some(exists) => exists == event.is_some(),
            None => Some(value) == event,
        }),
        _ => panic!("{pattern} is not a pattern"),
    }
}

#[test]
fn an_account_that_was_created_or_moved_starts_a_build_for_itself() {
    let event = |kind: &str, name: &str, rest: Value| {
        let mut detail = json!({ "eventSource": "organizations.amazonaws.com", "eventName": name });
        let fields = rest.as_object().unwrap().clone();
        detail.as_object_mut().unwrap().extend(fields);
        json!({ "source": "aws.organizations", "detail-type": kind, "detail": detail })
    };
    let created = |state: &str| {
        let status =
            json!({ "createAccountStatus": { "state": state, "accountId": "777777777777" } });
        let rest = json!({ "serviceEventDetails": status });
        event(
            "AWS Service Event via CloudTrail",
            "CreateAccountResult",
            rest,
        )
    };
    let call = |name: &str, mut rest: Value| {
        rest["requestParameters"] = json!({ "accountId": "777777777777" });
        event("AWS API Call via CloudTrail", name, rest)
    };
    let source = text("aws/template.yaml");
    let documents = Yaml::load_from_str(&source).unwrap();
    let rule = |name: &str| json_of(at(&documents[0], &["Resources", name, "Properties"]));
    for (event, started) in [
        (created("SUCCEEDED"), Some("Created")),
        (created("FAILED"), None),
        (call("MoveAccount", json!({})), Some("Moved")),
        (
            call("MoveAccount", json!({ "errorCode": "AccessDenied" })),
            None,
        ),
        (call("CloseAccount", json!({})), None),
    ] {
        for name in ["Created", "Moved"] {
            let rule = rule(name);
            let is_taken = takes(&rule["EventPattern"], Some(&event));
            assert_eq!(is_taken, started == Some(name), "{name}: {event}");
            if is_taken {
                let input = &rule["Targets"][0]["InputTransformer"];
                let path = input["InputPathsMap"]["account"].as_str().unwrap();
                let pointer = path.replace('$', "").replace('.', "/");
                let account = event.pointer(&pointer).unwrap().as_str().unwrap();
                let sent = input["InputTemplate"].as_str().unwrap();
                let sent: Value =
                    serde_json::from_str(&sent.replace("<account>", account)).unwrap();
                let variable =
                    json!({ "name": "ACCOUNT", "type": "PLAINTEXT", "value": "777777777777" });
                assert_eq!(sent, json!({ "environmentVariablesOverride": [variable] }));
            }
        }
    }
}
