//! What the README and the guides of `rolecall help` show works: every TOML block is a valid desired state, every shell
//! block runs against the sandbox, and the pictures show what the program prints.
//!
//! In a shell block each line is a command that ends with 0, or with N where its comment says `exit N`. Commands of cargo
//! are not run: they would build this very program.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;

use crate::support::browser::Browser;
use crate::support::served::Served;
use crate::support::world::{copy, example};
use crate::support::{Directory, rolecall, run};

const README: &str = include_str!("../../README.md");
const FINDINGS: &str = include_str!("../../src/commands/help/findings.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The README and the guides: name and text.
fn pages() -> Vec<(String, String)> {
    let guides = std::fs::read_dir(root().join("src/commands/help")).unwrap();
    let mut pages: Vec<PathBuf> = guides
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.push(root().join("README.md"));
    pages.sort();
    pages
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// The blocks of a page that are of this language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once("```") {
        let (info, after) = after.split_once('\n').unwrap();
        let (block, after) = after.split_once("```").expect("every block is closed");
        if info == language {
            found.push(block);
        }
        rest = after;
    }
    found
}

/// What the examples of the pages refer to: policies, kits, a desired state of one's own.
fn workplace() -> Directory {
    let place = Directory::of(&[]);
    copy(&example("quickstart"), place.path());
    for (from, to) in [("quickstart", "examples/quickstart"), ("cado", "kits/cado")] {
        copy(&example(from), &place.path().join(to));
    }
    place.write(
        "policies/read-logs.json",
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}"#,
    );
    place.write("vendor.yaml", VENDOR);
    place.write("terraform.tfstate", STATE);
    place
}

/// What the page on imports reads.
const VENDOR: &str = r#"
Resources:
  Reader:
    Type: AWS::IAM::Role
    Properties:
      RoleName: VendorReader
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {AWS: "arn:aws:iam::999999999999:root"}, Action: "sts:AssumeRole", Condition: {StringEquals: {"sts:ExternalId": "from-the-vendor"}}}
      ManagedPolicyArns: ["arn:aws:iam::aws:policy/SecurityAudit"]
"#;
const STATE: &str = r#"{"version": 4, "terraform_version": "1.9.0", "serial": 1, "lineage": "x", "outputs": {}, "resources": [
    {"mode": "managed", "type": "aws_iam_role", "name": "audit", "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]", "instances": [
        {"schema_version": 0, "attributes": {"arn": "arn:aws:iam::222222222221:role/TerraformAudit", "name": "TerraformAudit", "path": "/",
            "assume_role_policy": "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::111111111111:root\"},\"Action\":\"sts:AssumeRole\"}]}",
            "managed_policy_arns": [], "inline_policy": [], "max_session_duration": 3600, "tags": {}}}]}
]}"#;

#[test]
fn every_toml_block_is_a_valid_desired_state() {
    for (page, text) in pages() {
        for block in blocks(&text, "toml") {
            let place = workplace();
            let mut top = block.lines().take_while(|line| !line.starts_with('['));
            let head = if top.any(|line| line.starts_with("name = ")) {
                ""
            } else {
                "name = \"of-the-page\"\n"
            };
            std::fs::remove_file(place.path().join("vendor.toml")).unwrap();
            place.write("rolecall.toml", &format!("{head}{block}"));
            let ended = run(rolecall().arg("validate").arg("-c").arg(place.path()));
            assert_eq!(ended.code, 0, "{page}:\n{block}\n{}", ended.text());
        }
    }
}

/// The commands of a shell block, without prompts and what they print, each with the code that it ends with.
fn commands(block: &str, language: &str) -> Vec<(String, i32)> {
    let expected = Regex::new(r"#.*\bexit (\d+)").unwrap();
    let joined = block.replace("\\\n", " ");
    let lines = joined.lines().filter_map(|line| match language {
        "console" => line.strip_prefix("$ "),
        _ => Some(line),
    });
    lines
        .filter(|line| !line.trim().is_empty() && !line.starts_with(['#']))
        .filter(|line| !line.starts_with("cargo "))
        .map(|line| {
            let code = expected
                .captures(line)
                .map_or(0, |found| found[1].parse().unwrap());
            (line.to_owned(), code)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shell_block_runs() {
    for (page, text) in pages() {
        let of = |language| {
            blocks(&text, language)
                .into_iter()
                .flat_map(move |block| commands(block, language))
        };
        let commands: Vec<(String, i32)> = of("sh").chain(of("console")).collect();
        if commands.is_empty() {
            continue;
        }
        let mut script = "trap 'kill $(jobs -p) 2>/dev/null' EXIT\n".to_owned();
        for (line, code) in commands {
            let quoted = line.replace('\'', "'\\''");
            write!(
                script,
                "{line}\nended=$?\n[ $ended = {code} ] || {{ echo \"$ended, not {code}:\" '{quoted}' >&2; exit 97; }}\n"
            )
            .unwrap();
        }
        let (served, place) = (Served::demo().await, workplace());
        let program = Path::new(env!("CARGO_BIN_EXE_rolecall")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let mut bash = Command::new("bash");
        bash.env_clear()
            .envs(served.env())
            .env("HOME", place.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("PATH", format!("{}:{path}", program.display()))
            .current_dir(place.path())
            .stdin(Stdio::null())
            .args(["-c", &script]);
        let ended = run(&mut bash);
        assert_eq!(ended.code, 0, "{page}:\n{}", ended.text());
    }
}

#[test]
fn the_permissions_that_are_shown_are_those_that_are_printed() {
    let quickstart = root().join("examples/quickstart");
    let printed = run(rolecall()
        .args(["permissions", "--format", "json", "-c"])
        .arg(quickstart))
    .exits(0)
    .json();
    for (page, text) in pages() {
        for block in blocks(&text, "json") {
            let shown: serde_json::Value = serde_json::from_str(block).unwrap();
            assert_eq!(printed["caller"], shown, "{page}: {:#}", printed["caller"]);
        }
    }
}

/// The codes of findings in the code, as they are written there.
fn codes() -> BTreeSet<String> {
    let written = Regex::new(
        r#"(?:Finding::(?:stop|warn)|\bstop|\brefuse)\(\s*"([a-z-]+)"|\bcode: "([a-z-]+)"|const (?:CODE|TRUST_WIDENED): &str = "([a-z-]+)""#,
    )
    .unwrap();
    let mut found = BTreeSet::new();
    let mut directories = vec![root().join("src")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // What an import reports has codes of its own.
                let skipped = ["tests", "sandbox", "import"]
                    .iter()
                    .any(|name| path.ends_with(name));
                directories.extend((!skipped).then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
            {
                let text = std::fs::read_to_string(path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                let codes = written.captures_iter(text);
                found.extend(codes.filter_map(|code| {
                    let code = code.iter().skip(1).flatten().next()?;
                    Some(code.as_str().to_owned())
                }));
            }
        }
    }
    found
}

#[test]
fn every_code_of_a_finding_has_an_entry_that_says_what_allow_does() {
    let mut entries = BTreeSet::new();
    for part in FINDINGS.split("\n## ").skip(1) {
        for entry in part.split("\n### ").skip(1) {
            let code = entry.split('`').nth(1).unwrap();
            assert!(entries.insert(code.to_owned()), "{code} has two entries");
            let words = entry.split_whitespace().collect::<Vec<_>>().join(" ");
            let says = words.contains("--allow") || words.contains("Nothing to allow");
            // What holds for every lint is said above them.
            assert!(says || part.starts_with("Lints"), "{code}");
        }
    }
    assert_eq!(entries, codes());
}

#[test]
fn the_reference_is_what_is_printed_and_is_itself_valid() {
    let file = root().join("examples/reference.toml");
    let printed = run(rolecall().args(["schema", "--reference"])).exits(0);
    same(&file, &printed.stdout);
    run(rolecall().arg("validate").arg("-c").arg(file)).exits(0);
}

/// Fails where `file` is not `text`; writes it instead where `BLESS` is set.
fn same(file: &Path, text: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(file, text).unwrap();
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    let how = "BLESS=1 cargo test --locked --test it readme:: writes it anew";
    assert!(kept == text, "{} is out of date: {how}", file.display());
}

/// The quickstart after two changes by hand, and the plan that repairs them.
#[tokio::test(flavor = "multi_thread")]
async fn the_picture_of_a_plan_is_what_is_printed() {
    let served = Served::demo().await;
    let place = workplace();
    served
        .rolecall(&place, &["apply", "--auto-approve", "--quiet"])
        .exits(0);
    let open = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"sts:AssumeRole"}]}"#;
    served.by_hand(
        "222222222221",
        "UpdateAssumeRolePolicy",
        &[("RoleName", "VendorLogReader"), ("PolicyDocument", open)],
    );
    served.by_hand(
        "444444444441",
        "AttachRolePolicy",
        &[
            ("RoleName", "SecurityAudit"),
            ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess"),
        ],
    );
    let plan = served
        .rolecall(&place, &["plan", "--color", "always", "--quiet"])
        .exits(0);
    let picture = anstyle_svg::Term::new().render_svg(&plan.stdout);
    same(&root().join("examples/plan.svg"), &picture);

    // Two browsers draw letters differently, so the page's picture is drawn anew on request alone.
    if std::env::var_os("BLESS").is_some()
        && let Some(mut browser) = Browser::start()
    {
        let page = served
            .rolecall(&place, &["plan", "--format", "html", "--quiet"])
            .exits(0);
        browser.open(&page.stdout);
        browser.eval("document.getElementById('open-all').click()");
        std::fs::write(root().join("examples/plan-page.png"), browser.picture()).unwrap();
    }
    let picture = std::fs::read(root().join("examples/plan-page.png")).unwrap();
    assert!(picture.starts_with(b"\x89PNG"));
    for picture in ["examples/plan.svg", "examples/plan-page.png"] {
        assert!(README.contains(picture), "{picture}");
    }
}
