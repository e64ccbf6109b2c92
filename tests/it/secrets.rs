//! Sensitive values and whatever expressions make of them, looked for in everything that leaves the program.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rolecall::sandbox::faults::{Effect, Fault, Refusal, When};

use crate::support::listener::listen;
use crate::support::served::Served;
use crate::support::{Directory, Run, run};

/// Ten secrets, each as a variable of its own.
const SECRETS: [&str; 10] = [
    "Alpha-Qz7Kd",
    " Bravo.Wx8Lm ",
    "Charlie_Ev9Np",
    "Delta/Ru1Oq/Sv2Pt",
    "echo=tw3xy@zz",
    "FOXTROT+UX4YZ",
    "Golf Hv5Jk",
    "Hotel:Iw6Kl",
    "India-Jx7Lm-Ky8Mn",
    "Juliett-Lz9No",
];

/// What expressions make of a variable, `@`.
const MADE: [&str; 13] = [
    "@",
    "@ | lower",
    "@ | upper",
    "@ | reverse",
    "@ | trim",
    "@[1:8]",
    "@[::-1][0:7]",
    "@ | replace('a', '4')",
    "(@ | split('-') | list)[-1]",
    "'pre' ~ @ ~ 'post'",
    "[@, 'x'] | join('=')",
    "account.tags.none | default(@ | title)",
    "'chosen-' ~ @[2:7] if @ else 'no'",
];

fn texts(secret: &str) -> BTreeSet<String> {
    let chars: Vec<char> = secret.chars().collect();
    let slice = |from: usize, to: usize| chars[from..to].iter().collect::<String>();
    let reversed: String = chars.iter().rev().collect();
    let made = [
        secret.to_owned(),
        secret.trim().to_owned(),
        reversed.trim().to_owned(),
        slice(1, 8),
        reversed.chars().take(7).collect(),
        secret.replace('a', "4"),
        secret.rsplit('-').next().unwrap().to_owned(),
        slice(2, 7),
    ];
    let mut all = BTreeSet::new();
    for text in made
        .iter()
        .map(|text| text.trim())
        .filter(|text| text.len() >= 5)
    {
        let json = serde_json::json!(text).to_string();
        all.extend([text.to_lowercase(), json.trim_matches('"').to_lowercase()]);
        all.insert(
            utf8_percent_encode(text, NON_ALPHANUMERIC)
                .to_string()
                .to_lowercase(),
        );
        all.insert(
            base64::engine::general_purpose::STANDARD
                .encode(text)
                .to_lowercase(),
        );
    }
    all
}

const OUTSIDER: &str = "987654321098";

fn desired() -> Directory {
    let mut text = format!(
        "name = \"secrets\"\n[vars]\nvendor = {{ type = \"account_id\", sensitive = true, default = \"{OUTSIDER}\" }}\n"
    );
    for n in 0..SECRETS.len() {
        _ = writeln!(text, "s{n} = {{ type = \"string\", sensitive = true }}");
    }
    for (n, _) in SECRETS.iter().enumerate() {
        let named = format!("var.s{n}");
        // As a part of names and paths that IAM allows.
        let plain = format!("{named} | replace(' ', '') | replace('/', '') | replace(':', '')");
        _ = write!(
            text,
            r#"
[[role]]
name = "R{n}-{{{{ {plain} }}}}"
path = "/team/{{{{ {plain} | lower }}}}/"
description = "for {{{{ {named} | upper }}}}"
targets = [{{ account = "network" }}, {{ account = "data-prod" }}]
managed_policies = ["local:P{n}-{{{{ {plain} | upper }}}}"]
[role.tags]
"key{{{{ {plain} }}}}" = "x"
"#
        );
        for (m, made) in MADE.iter().enumerate() {
            _ = writeln!(text, "t{m} = \"={{{{ {} }}}}\"", made.replace('@', &named));
        }
        _ = write!(
            text,
            r#"
[[role.trust]]
aws = ["{{{{ var.vendor }}}}"]
external_id = "{{{{ {named} | trim | reverse | replace(' ', '') }}}}"
[[role.inline_policy]]
name = "I-{{{{ {plain} }}}}"
[[role.inline_policy.statement]]
actions = ["s3:GetObject"]
resources = ["arn:aws:s3:::{{{{ {plain} | lower }}}}/{{{{ {named} }}}}/*"]
[[policy]]
name = "P{n}-{{{{ {plain} | upper }}}}"
[[policy.statement]]
actions = ["s3:PutObject"]
resources = ["arn:aws:s3:::{{{{ {named} | reverse }}}}/*"]
[[check]]
for = "role"
severity = "warn"
assert = "false"
message = "{{{{ role.name }}}} {{{{ role.trust[0].external_id | reverse }}}} {{{{ role.tags | items | list | string | upper }}}}"
"#
        );
    }
    Directory::new(&text)
}

/// Everything that was looked into, and what no part of it may hold.
struct Search {
    texts: AhoCorasick,
    found: Vec<String>,
    looked: usize,
}

impl Search {
    fn new(texts: BTreeSet<String>) -> Self {
        let texts = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(texts)
            .unwrap();
        Self {
            texts,
            found: Vec::new(),
            looked: 0,
        }
    }

    fn look(&mut self, place: &str, text: &str) {
        self.looked += 1;
        for found in self.texts.find_iter(text).take(5) {
            let around: String = text[..found.start()].chars().rev().take(60).collect();
            let around: String = around.chars().rev().collect();
            self.found.push(format!(
                "{place}: `{}` after `{around}`",
                &text[found.range()]
            ));
        }
    }

    fn look_at(&mut self, what: &str, run: Run) -> Run {
        self.look(&format!("{what}, stdout"), &run.stdout);
        self.look(&format!("{what}, stderr"), &run.stderr);
        run
    }

    fn look_into(&mut self, directory: &Path) {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            self.look("the name of a file", &entry.file_name().to_string_lossy());
            if path.is_dir() {
                self.look_into(&path);
            } else if !path.ends_with("rolecall.toml") {
                self.look(
                    &path.display().to_string(),
                    &String::from_utf8_lossy(&std::fs::read(&path).unwrap()),
                );
            }
        }
    }
}

fn given() -> Vec<(String, String)> {
    SECRETS
        .iter()
        .enumerate()
        .map(|(n, secret)| (format!("ROLECALL_VAR_s{n}"), (*secret).to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_and_nothing_made_of_one_leaves_the_program() {
    let (served, desired) = (Served::demo().await, desired());
    let texts = SECRETS.iter().flat_map(|secret| texts(secret));
    // The password of a collector, as it is and as HTTP says it.
    let password = ["tr4c3r-pa55w0rd", "dHJhY2VyOlRyNGMzci1QYTU1dzByZA"].map(str::to_owned);
    let mut search = Search::new(texts.chain(password).chain([OUTSIDER.to_owned()]).collect());
    let (url, told) = listen(std::iter::repeat(200));
    let (collector, spans) = listen(std::iter::repeat(200));
    let endpoint = collector.replace("http://", "http://tracer:Tr4c3r-Pa55w0rd@");
    let command = |arguments: &[&str]| {
        let mut command = served.command(&desired, arguments);
        command.envs(given());
        run(&mut command)
    };
    let saved = desired.file("plan.json");
    let saved = saved.to_str().unwrap();
    let metrics = desired.file("metrics.prom");
    let metrics = metrics.to_str().unwrap();
    for arguments in [
        &["validate"][..],
        &["validate", "--format", "json"],
        &["plan"],
        &["plan", "-v"],
        &["plan", "--format", "json", "--out", saved],
        &["plan", "--format", "html"],
        &["plan", "--format", "markdown"],
        &["plan", "--sarif", "/dev/stdout"],
        &["permissions"],
        &["permissions", "--format", "json"],
        &["accounts"],
        &["accounts", "--format", "json"],
    ] {
        search.look_at(&arguments.join(" "), command(arguments).exits(0));
    }
    // A refusal by AWS says what it refuses.
    served.sandbox.fail(Fault::of(
        "PutRolePolicy",
        When::First(2),
        Effect::Refuse(Refusal::AccessDenied),
    ));
    let mut traced = served.command(
        &desired,
        &[
            "apply",
            "--auto-approve",
            "-v",
            "--notify",
            &url,
            "--allow",
            "check",
        ],
    );
    traced
        .envs(given())
        .env("ROLECALL_LOG", "trace")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
    search
        .look_at("apply with a trace log", run(&mut traced))
        .exits(3);
    search.look_at("plan -vvv", command(&["plan", "-vvv"]).exits(0));
    search.look_at(
        "apply --format json",
        command(&["apply", "--auto-approve", "--format", "json"]).exits(0),
    );
    let stale = command(&["apply", saved]);
    assert_ne!(stale.code, 0);
    search.look_at("apply of a stale plan", stale);
    let account = "333333333331";
    let listed = command(&["state", "list", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(listed["resources"].as_array().unwrap().len(), 40);
    let mut addresses = listed["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["address"].as_str().unwrap());
    let role = addresses
        .find(|address| address.starts_with(&format!("{account}/role/")))
        .unwrap();
    let run_id = command(&["state", "history", "--format", "json"])
        .exits(0)
        .json()["runs"][0]["header"]["run"]
        .clone();
    served.by_hand(
        account,
        "TagRole",
        &[
            ("RoleName", &format!("R0-{}", SECRETS[0])),
            ("Tags.member.1.Key", "t0"),
            ("Tags.member.1.Value", "by-hand"),
        ],
    );
    for arguments in [
        &["state", "list"][..],
        &["state", "list", "--format", "json"],
        &["state", "show", role],
        &["state", "show", role, "--format", "json"],
        &["state", "history"],
        &["state", "history", run_id.as_str().unwrap()],
        &[
            "state",
            "history",
            run_id.as_str().unwrap(),
            "--format",
            "json",
        ],
        &["output"],
        &["output", "--format", "json"],
        &["output", "--format", "csv"],
        &["verify"],
        &["verify", "--format", "json"],
    ] {
        search.look_at(&arguments.join(" "), command(arguments));
    }
    for format in ["text", "json", "html", "markdown"] {
        let arguments = [
            "drift",
            "--format",
            format,
            "--who",
            "--notify",
            &url,
            "--metrics-file",
            metrics,
            "--unmanaged",
        ];
        search.look_at(&arguments.join(" "), command(&arguments).exits(2));
    }
    search.look_at(
        "rollback",
        command(&["rollback", run_id.as_str().unwrap(), "--auto-approve"]),
    );
    search.look_into(desired.path());
    for posted in told.try_iter().chain(spans.try_iter()) {
        search.look(
            "a webhook or a collector",
            &String::from_utf8_lossy(&posted.body),
        );
    }
    assert!(search.looked > 80, "{} places", search.looked);
    let found: BTreeSet<&String> = search.found.iter().collect();
    assert!(
        found.is_empty(),
        "{} of {}:\n{found:#?}",
        found.len(),
        search.looked
    );
    // They are shown to whoever asks for them.
    let shown = command(&["output", "--show-sensitive"]).exits(0).stdout;
    assert!(
        shown.contains(OUTSIDER) && shown.contains(SECRETS[0]),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_is_applied_whatever_the_secrets_are() {
    for secrets in [
        ["1", "2"],
        ["a", "true"],
        ["sha256", "sensitive"],
        ["role", "op"],
        ["CreateRole", "format"],
    ] {
        let served = Served::demo().await;
        let desired = Directory::new(
            r#"
name = "short"
[vars]
a = { type = "string", sensitive = true }
b = { type = "string", sensitive = true }
[[role]]
name = "Vendor{{ var.a }}"
targets = [{ account = "network" }]
description = "{{ var.a }}{{ var.b }} and {{ var.b }}"
tags = { "{{ var.a }}" = "{{ var.b }}" }
max_session_duration = "{{ 3600 + (var.a | length) }}"
[[role.trust]]
aws = ["999999999999"]
external_id = "{{ var.a }}{{ var.b }}"
"#,
        );
        let vars = [format!("a={}", secrets[0]), format!("b={}", secrets[1])];
        let saved = desired.file("plan.json");
        let vars = ["--var", &vars[0], "--var", &vars[1]];
        let plan = [
            &["plan", "--format", "json", "--out", saved.to_str().unwrap()],
            &vars[..],
        ]
        .concat();
        let shown = served.rolecall(&desired, &plan).exits(0).json();
        let plan: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&saved).unwrap()).unwrap();
        for plan in [&plan, &shown] {
            let change = &plan["accounts"]
                .as_array()
                .unwrap()
                .iter()
                .find(|one| one["name"] == "network")
                .unwrap();
            let change = &change["changes"][0];
            assert_eq!(
                (&change["action"], &change["steps"][0]["op"]),
                (&"create".into(), &"CreateRole".into())
            );
            assert!(
                !change
                    .to_string()
                    .contains(&format!("Vendor{}", secrets[0])),
                "{change:#}"
            );
        }
        served
            .rolecall(
                &desired,
                &[&["apply", saved.to_str().unwrap()], &vars[..]].concat(),
            )
            .exits(0);
        served
            .rolecall(
                &desired,
                &[&["plan", "--detailed-exitcode"], &vars[..]].concat(),
            )
            .exits(0);
        let other = ["--var", "a=Zq9Xw", "--var", "b=Kp4Lm"];
        let refused = served.rolecall(
            &desired,
            &[&["apply", saved.to_str().unwrap()], &other[..]].concat(),
        );
        refused
            .exits(1)
            .says(&["another value of a sensitive variable"]);
    }
}
