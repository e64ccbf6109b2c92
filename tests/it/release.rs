//! A release: its workflow, the scripts that pack it, and the action that installs it. What only GitHub has is linted;
//! every other step is run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use saphyr::{LoadableYamlNode, Yaml};

use crate::support::pipeline::{
    Machine, Step, TARGET, actionlint, archive, at, lint, repository, shells, string, sum,
    variables,
};
use crate::support::{Directory, run};

const VERSION: &str = env!("CARGO_PKG_VERSION");

const TARGETS: [&str; 4] = [
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
];

fn file(name: &str) -> PathBuf {
    repository().join(".github").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap()
}

/// The shell steps of a workflow's job.
fn job(workflow: &str, name: &str) -> Vec<Step> {
    let source = text(&format!("workflows/{workflow}.yml"));
    let documents = Yaml::load_from_str(&source).unwrap();
    let mut env = variables(documents[0].as_mapping_get("env"));
    let job = at(&documents[0], &["jobs", name]);
    env.extend(variables(job.as_mapping_get("env")));
    job.as_mapping_get("steps")
        .map(|steps| shells(steps, &env))
        .unwrap_or_default()
}

/// All shell steps of a workflow.
fn workflow(name: &str) -> Vec<Step> {
    let source = text(&format!("workflows/{name}.yml"));
    let documents = Yaml::load_from_str(&source).unwrap();
    let jobs = at(&documents[0], &["jobs"]).as_mapping().unwrap().iter();
    jobs.flat_map(|(job_name, _)| job(name, &string(job_name)))
        .collect()
}

/// The shell steps of the action that installs a release.
fn setup() -> Vec<Step> {
    let source = text("actions/setup/action.yml");
    let documents = Yaml::load_from_str(&source).unwrap();
    shells(at(&documents[0], &["runs", "steps"]), &BTreeMap::new())
}

fn named(steps: Vec<Step>, name: &str) -> Step {
    steps.into_iter().find(|step| step.name == name).unwrap()
}

#[test]
fn every_file_of_github_is_what_it_takes() {
    for name in ["ci", "release"] {
        let workflow = file(&format!("workflows/{name}.yml"));
        assert_eq!(actionlint(&workflow).unwrap_or_default(), "", "{name}");
    }
    for (schema, name) in [
        ("vendor.github-workflows", "workflows/ci.yml"),
        ("vendor.github-workflows", "workflows/release.yml"),
        ("vendor.github-actions", "actions/setup/action.yml"),
        ("vendor.dependabot", "dependabot.yml"),
    ] {
        let path = file(name);
        let args = ["--builtin-schema", schema, path.to_str().unwrap()];
        lint("check-jsonschema", &args, None);
    }
    let steps = ["ci", "release"].into_iter().flat_map(workflow);
    for step in steps.chain(setup()) {
        assert!(
            !step.script.contains("${{"),
            "{} can be injected into",
            step.name
        );
        let args = ["--shell", "bash", "--severity", "style", "-"];
        lint("shellcheck", &args, Some(&step.script));
    }
    for script in ["archive", "formula"] {
        let path = file(&format!("release/{script}"));
        lint("shellcheck", &[path.to_str().unwrap()], None);
    }
}

#[test]
fn every_platform_is_in_the_workflow_the_action_and_the_formula() {
    let source = text("workflows/release.yml");
    let documents = Yaml::load_from_str(&source).unwrap();
    let matrix = ["jobs", "build", "strategy", "matrix", "include"];
    let built = at(&documents[0], &matrix).as_vec().unwrap().iter();
    let built: Vec<_> = built.map(|one| string(at(one, &["target"]))).collect();
    assert_eq!(built, TARGETS);
    for target in TARGETS {
        for name in ["actions/setup/action.yml", "release/formula"] {
            assert!(text(name).contains(target), "{name} has no {target}");
        }
    }
}

#[test]
fn an_archive_has_the_same_bytes_each_time_and_runs_where_it_is_unpacked() {
    let out = Directory::of(&[]);
    let pack = |binary: &Path, directory: &str| {
        let mut command = Command::new(file("release/archive"));
        command.arg(binary).args([VERSION, TARGET]);
        run(command.arg(out.file(directory))).exits(0);
        out.file(directory).join(archive(TARGET))
    };
    // A small file stands for the binary where only the bytes count.
    let small = file("release/archive");
    assert_eq!(sum(&pack(&small, "first")), sum(&pack(&small, "second")));
    let first = pack(Path::new(env!("CARGO_BIN_EXE_rolecall")), "real");
    let mut unpack = Command::new("tar");
    unpack.arg("-xzf").arg(first).arg("-C").arg(out.path());
    run(&mut unpack).exits(0);
    let unpacked = out.file(&format!("rolecall-{VERSION}-{TARGET}"));
    for name in ["LICENSE", "README.md", "examples/quickstart/rolecall.toml"] {
        assert!(unpacked.join(name).exists(), "{name}");
    }
    let mut demo = Command::new(unpacked.join("rolecall"));
    demo.args(["sandbox", "demo"]).env_clear();
    run(&mut demo).exits(0);
}

#[test]
fn the_formula_names_every_archive_by_its_sum() {
    let lines = |targets: &[&str]| {
        let numbered = targets.iter().enumerate();
        let line = |(at, target): (usize, &&str)| format!("{at:064x}  {}\n", archive(target));
        numbered.map(line).collect::<String>()
    };
    let formula = |sums: &str| {
        let directory = Directory::of(&[("SHA256SUMS", sums)]);
        let mut command = Command::new(file("release/formula"));
        command.args(["acme/rolecall", VERSION]);
        run(command.arg(directory.file("SHA256SUMS")))
    };
    let written = formula(&lines(&TARGETS)).exits(0).stdout;
    for (at, target) in TARGETS.iter().enumerate() {
        let url = format!(
            "/acme/rolecall/releases/download/v{VERSION}/{}",
            archive(target)
        );
        let both = format!("{url}\"\n      sha256 \"{at:064x}\"");
        assert!(written.contains(&both), "{target}: {written}");
    }
    formula(&lines(&TARGETS[..3]))
        .exits(1)
        .says(&["has no sum of", TARGETS[3]]);
}

#[test]
fn a_tag_is_released_if_the_manifest_and_the_changelog_have_its_version() {
    let mut machine = Machine::new();
    let manifest = std::fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    machine.workspace.write("Cargo.toml", &manifest);
    let step = named(job("release", "check"), "Version");
    for (tag, changelog, code) in [
        (
            format!("v{VERSION}"),
            format!("## [{VERSION}] - 2026-12-01\n"),
            0,
        ),
        (format!("v{VERSION}"), "## [Unreleased]\n".to_owned(), 1),
        (format!("v{VERSION}0"), format!("## [{VERSION}0]\n"), 1),
        (
            format!("v{VERSION}-rc.1"),
            format!("## [{VERSION}-rc.1]\n"),
            1,
        ),
    ] {
        machine.workspace.write("CHANGELOG.md", &changelog);
        machine.set("TAG", &tag);
        machine.step(&step).exits(code);
    }
}

#[test]
fn a_crate_is_published_after_those_it_depends_on() {
    let step = named(job("release", "crates"), "Publish");
    let list = step.script.split_once("for crate in ").unwrap().1;
    let order: Vec<&str> = list.split(';').next().unwrap().split(' ').collect();
    let crates = [
        ("rolecall-core", "src/core/Cargo.toml"),
        ("rolecall-sandbox", "src/sandbox/Cargo.toml"),
        ("rolecall", "Cargo.toml"),
    ];
    let place = |name: &str| order.iter().position(|one| *one == name).unwrap();
    assert_eq!(order.len(), crates.len());
    for (name, manifest) in crates {
        let text = std::fs::read_to_string(repository().join(manifest)).unwrap();
        let table: toml::Table = text.parse().unwrap();
        for dependency in table["dependencies"].as_table().unwrap().keys() {
            if crates.iter().any(|(one, _)| one == dependency) {
                assert!(place(dependency) < place(name), "{dependency}, {name}");
            }
        }
    }
}

#[test]
fn the_wheel_and_the_minimum_version_of_rust_follow_the_manifest() {
    let wheel: toml::Table = text("pypi/pyproject.toml").parse().unwrap();
    let maturin = &wheel["tool"]["maturin"];
    assert_eq!(maturin["bindings"].as_str(), Some("bin"));
    let manifest = file("pypi").join(maturin["manifest-path"].as_str().unwrap());
    let manifest: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
    let package = &manifest["package"];
    for key in ["name", "description"] {
        assert_eq!(wheel["project"][key], package[key]);
    }
    assert!(wheel["project"].get("version").is_none());
    let license = &manifest["workspace"]["package"]["license"];
    assert_eq!(&wheel["project"]["license"], license);
    let action = text("actions/setup/action.yml");
    assert!(action.contains(&format!("default: \"{VERSION}\"\n")));
}

/// A runner that uses the action as a workflow would: the variables of the engine and the inputs' defaults.
fn runner() -> Machine {
    let mut machine = Machine::new();
    let temp = machine.outputs.file("temp").display().to_string();
    let path = machine.outputs.file("path").display().to_string();
    for (name, value) in [
        (
            "ACTION_PATH",
            "/home/runner/work/_actions/acme/rolecall/releases/v1/.github/actions/setup",
        ),
        ("GITHUB_REPOSITORY", "acme/iam"),
        ("RUNNER_TEMP", temp.as_str()),
        ("GITHUB_PATH", path.as_str()),
        ("VERSION", VERSION),
        ("OS", "Linux"),
        ("ARCH", "X64"),
        ("SHA256", ""),
        ("PROVENANCE", "true"),
        ("GH_TOKEN", "token"),
    ] {
        machine.set(name, value);
    }
    machine.step(&named(setup(), "Release")).exits(0);
    for line in machine.read("output").lines() {
        let (name, value) = line.split_once('=').unwrap();
        machine.set(&name.to_uppercase(), value);
    }
    machine
}

#[test]
fn the_action_installs_the_release_that_it_is_part_of() {
    let machine = runner();
    let install = named(setup(), "Install");
    let name = archive(TARGET);
    machine.step(&install).exits(0).says(&["rolecall"]);
    let calls = machine.calls();
    for call in [
        format!("gh release download v{VERSION} --repo acme/rolecall --pattern {name} "),
        "--pattern SHA256SUMS".to_owned(),
        format!("gh attestation verify {name} --repo acme/rolecall "),
    ] {
        assert!(calls.contains(&call), "{call}: {calls}");
    }
    let bin = PathBuf::from(machine.read("path").trim());
    assert!(bin.join("rolecall").exists());
    // From the cache: its sum is looked up again.
    machine.step(&install).exits(0);
    let calls = machine.calls();
    assert!(!calls.contains(&format!("--pattern {name}")), "{calls}");
    assert!(calls.contains("--pattern SHA256SUMS"), "{calls}");
    assert!(calls.contains("gh attestation verify"), "{calls}");
}

#[test]
fn the_action_takes_its_repository_and_platform_from_the_runner() {
    let release = named(setup(), "Release");
    let mut machine = runner();
    machine.outputs.write("output", "");
    machine.set("ACTION_PATH", "./.github/actions/setup");
    machine.set("OS", "macOS").set("ARCH", "ARM64");
    machine.step(&release).exits(0);
    let output = machine.read("output");
    assert!(output.contains("repository=acme/iam\n"), "{output}");
    assert!(output.contains("-aarch64-apple-darwin\n"), "{output}");
    machine.set("OS", "Windows").set("ARCH", "X64");
    machine
        .step(&release)
        .exits(1)
        .says(&["no release of rolecall for Windows on X64"]);
    for version in ["", "latest/../x", "1.0 --repo evil/rolecall", "$(id)"] {
        machine.set("OS", "Linux").set("VERSION", version);
        machine.step(&release).exits(1).says(&["is not a version"]);
    }
}

#[test]
fn the_action_refuses_what_is_not_the_release() {
    let install = named(setup(), "Install");
    let cached = |machine: &Machine| {
        format!(
            "temp/rolecall-{VERSION}/{}",
            machine.env["NAME"].clone() + ".tar.gz"
        )
    };
    let wrong_sum = "0".repeat(64);
    #[expect(clippy::type_complexity, reason = "a table, read as it stands")]
    let cases: [(&str, &dyn Fn(&mut Machine)); 5] = [
        ("an archive of the cache that was changed", &|machine| {
            machine.outputs.write(&cached(machine), "another archive");
        }),
        ("a sum of the workflow", &|machine| {
            machine.set("SHA256", &wrong_sum);
        }),
        ("a release without a sum", &|machine| {
            machine.outputs.write("release/SHA256SUMS", "");
        }),
        ("another sum in the release", &|machine| {
            let line = format!("{wrong_sum}  {}\n", archive(TARGET));
            machine.outputs.write("release/SHA256SUMS", &line);
        }),
        ("an archive that another workflow built", &|machine| {
            machine.set("UNPROVEN", "1");
        }),
    ];
    for (what, break_it) in cases {
        let mut machine = runner();
        break_it(&mut machine);
        let run = machine.step(&install);
        assert_eq!(run.code, 1, "{what}: {run:?}");
        assert!(!machine.outputs.file("path").exists(), "{what}");
        assert!(
            !machine.outputs.file("temp/rolecall-bin").exists(),
            "{what}"
        );
    }
    let mut machine = runner();
    machine.set("UNPROVEN", "1").set("PROVENANCE", "false");
    machine.step(&install).exits(0);
}
