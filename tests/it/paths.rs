//! Files that are named to the program: what it reads stays below the directory, what it writes stays what it is.

use std::fmt::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::served::Served;
use crate::support::{Directory, Run, rolecall, run};

const SECRET: &str = "TOPSECRET-b7d1";

const DESIRED: &str = "name = \"paths\"\n[[role]]\nname = \"R\"\ntargets = [{ account = \"log-archive\" }]\ntrust = \"trust.json\"\n";

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"sts:AssumeRole"}}"#;

fn desired() -> Directory {
    Directory::of(&[("rolecall.toml", DESIRED), ("trust.json", TRUST)])
}

fn mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn is_fifo(path: &Path) -> bool {
    std::fs::symlink_metadata(path)
        .unwrap()
        .file_type()
        .is_fifo()
}

/// Reads a FIFO to its end while something writes to it.
fn reader(path: &Path) -> std::thread::JoinHandle<String> {
    let path = path.to_owned();
    std::thread::spawn(move || std::fs::read_to_string(path).unwrap())
}

fn is_a_plan(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text)
        .is_ok_and(|plan| plan["format"] == "rolecall-plan/1")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_and_is_not_a_regular_file_is_written_to_and_never_replaced() {
    let (served, desired) = (Served::demo().await, desired());
    let path = |name: &str| desired.file(name);
    let out = |to: &str| served.rolecall(&desired, &["plan", "--quiet", "--out", to]);

    mkfifo(&path("fifo"));
    symlink("fifo", path("link")).unwrap();
    for name in ["fifo", "link"] {
        let read = reader(&path("fifo"));
        out(path(name).to_str().unwrap()).exits(0);
        assert!(is_a_plan(&read.join().unwrap()) && is_fifo(&path("fifo")));
    }
    let read = reader(&path("fifo"));
    served
        .rolecall(
            &desired,
            &["drift", "--metrics-file", path("fifo").to_str().unwrap()],
        )
        .exits(2);
    assert!(read.join().unwrap().contains("rolecall_drift_looks_total") && is_fifo(&path("fifo")));

    // As root these would have become regular files, as a user their directory cannot be written to.
    out("/dev/null").exits(0);
    served
        .rolecall(&desired, &["drift", "--metrics-file", "/dev/null"])
        .exits(2);
    out("/dev/full")
        .exits(1)
        .says(&["cannot save the plan to `/dev/full`", "No space left"]);
    for device in ["/dev/null", "/dev/full"] {
        assert!(
            std::fs::metadata(device)
                .unwrap()
                .file_type()
                .is_char_device()
        );
    }

    let piped = out("/dev/stdout").exits(0).stdout;
    let (text, plan) = piped.split_at(
        piped
            .find("{\"format\"")
            .or_else(|| piped.find("{\n"))
            .unwrap(),
    );
    assert!(
        text.contains("Plan for paths") && is_a_plan(plan),
        "{piped}"
    );

    let script = |script: &str| {
        let mut command = Command::new("bash");
        command
            .envs(served.env())
            .args(["-c", script, env!("CARGO_BIN_EXE_rolecall")])
            .arg(desired.path());
        run(command.current_dir(desired.path())).exits(0)
    };
    script(r#""$0" plan -c "$1" --quiet --out >(cat > substituted); wait $!"#);
    assert!(is_a_plan(
        &std::fs::read_to_string(path("substituted")).unwrap()
    ));
    script(r#""$0" plan -c "$1" --quiet --out /dev/stdout > redirected"#);
    let redirected = std::fs::read_to_string(path("redirected")).unwrap();
    assert!(
        redirected.starts_with("Plan for paths") && redirected.contains("rolecall-plan/1"),
        "{redirected}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_output_and_error_are_written_to_where_they_are_sockets() {
    let (served, desired) = (Served::demo().await, desired());
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/2", "/dev/stderr"] {
        let (here, there) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut command = served.command(&desired, &["plan", "--quiet", "--out", name]);
        let end = || Stdio::from(OwnedFd::from(there.try_clone().unwrap()));
        let mut child = command.stdout(end()).stderr(end()).spawn().unwrap();
        // The command holds ends of its own.
        drop((command, there));
        let told = std::io::read_to_string(here).unwrap();
        assert!(
            child.wait().unwrap().success() && told.contains("rolecall-plan/1"),
            "{name}: {told}"
        );
    }
    // What belongs to no one here is an error, and nothing is put in its place.
    let (_here, there) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut command = served.command(&desired, &["plan", "--out", "/dev/fd/0"]);
    run(command.stdin(OwnedFd::from(there)))
        .exits(1)
        .says(&["cannot save the plan to `/dev/fd/0`"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_regular_file_is_replaced_where_it_is_and_what_cannot_be_written_is_said() {
    let (served, desired) = (Served::demo().await, desired());
    let path = |name: &str| desired.file(name);
    let out = |to: &Path| served.rolecall(&desired, &["plan", "--out", to.to_str().unwrap()]);

    desired.write("elsewhere/plan", "an older plan");
    symlink("elsewhere/plan", path("link")).unwrap();
    symlink("elsewhere/new", path("dangling")).unwrap();
    out(&path("link")).exits(0);
    out(&path("dangling")).exits(0);
    for (link, target) in [("link", "elsewhere/plan"), ("dangling", "elsewhere/new")] {
        assert!(std::fs::symlink_metadata(path(link)).unwrap().is_symlink());
        assert!(is_a_plan(&std::fs::read_to_string(path(target)).unwrap()));
    }
    out(&path("elsewhere"))
        .exits(1)
        .says(&["cannot save the plan to", "it is a directory"]);
    out(&path("none/plan"))
        .exits(1)
        .says(&["cannot save the plan to", "No such file"]);
    // No one may create a file there, not even root.
    out(Path::new("/sys/plan"))
        .exits(1)
        .says(&["cannot create a file in `/sys`"]);
    served
        .rolecall(&desired, &["drift", "--metrics-file", "/sys/x"])
        .exits(1)
        .says(&["cannot write the metrics"]);

    let pages = path("pages");
    run(rolecall().args(["man", "--out"]).arg(&pages)).exits(0);
    std::fs::rename(pages.join("rolecall.1"), path("page")).unwrap();
    symlink("../page", pages.join("rolecall.1")).unwrap();
    std::fs::write(path("page"), "").unwrap();
    run(rolecall().args(["man", "--out"]).arg(&pages)).exits(0);
    assert!(
        std::fs::symlink_metadata(pages.join("rolecall.1"))
            .unwrap()
            .is_symlink()
    );
    assert!(
        std::fs::read_to_string(path("page"))
            .unwrap()
            .contains("rolecall")
    );
}

#[track_caller]
fn validate(desired: &Directory) -> Run {
    let run = run(rolecall().args(["validate", "-c"]).arg(desired.path()));
    assert!(!run.text().contains("TOPSECRET"), "{}", run.text());
    run
}

/// Another directory, which is no one's business.
fn foreign() -> Directory {
    let token = format!("{{\"accessToken\":\"{SECRET}\"}}");
    let toml = format!("name = \"other\"\npassword = \"{SECRET}\"\n");
    Directory::of(&[
        ("token.json", &token),
        ("token.yaml", &format!("accessToken: {SECRET}: x\n")),
        ("shadow", &format!("root:{SECRET}:1\n")),
        ("secret.toml", &format!("{SECRET}\n")),
        ("kit/rolecall.toml", &toml),
        ("kit/more.toml", &format!("x = {SECRET}\n")),
    ])
}

#[test]
fn a_document_that_lies_outside_is_refused_and_no_line_of_it_is_shown() {
    let foreign = foreign();
    let outside = |name: &str| foreign.file(name);
    let desired = desired();
    let link = |target: &Path, name: &str| {
        _ = std::fs::remove_file(desired.file(name));
        symlink(target, desired.file(name)).unwrap();
    };
    let check = |document: &str, words: &[&str]| {
        desired.write("rolecall.toml", &DESIRED.replace("trust.json", document));
        validate(&desired)
            .exits(1)
            .says(&["rolecall.toml:5:9"])
            .says(words);
    };
    let lies_outside = ["is outside the directory", "[documents] allow"];
    for target in ["token.json", "shadow"] {
        link(&outside(target), "p.json");
        check("p.json", &lies_outside);
    }
    link(&outside("token.yaml"), "p.yaml");
    check("p.yaml", &lies_outside);
    link(Path::new("p.json"), "again.json");
    check("again.json", &lies_outside);
    for target in ["/dev/zero", "/proc/self/environ", "/etc/passwd"] {
        link(Path::new(target), "p.json");
        check("p.json", &lies_outside);
    }
    check(outside("token.json").to_str().unwrap(), &lies_outside);
    let name = foreign
        .path()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    check(&format!("../{name}/token.json"), &lies_outside);
    link(foreign.path(), "linked");
    check("linked/token.json", &lies_outside);
    check("linked/../token.json", &["cannot read"]);

    mkfifo(&desired.file("fifo.json"));
    check("fifo.json", &["it is a FIFO, not a regular file"]);
    std::fs::create_dir(desired.file("d.json")).unwrap();
    check("d.json", &["it is a directory"]);
    desired.write("large.json", &format!("{TRUST}{}", " ".repeat(20 << 20)));
    check("large.json", &["it is larger than 1 MiB"]);

    // Links that stay inside lead where they lead.
    link(Path::new("inner/trust.json"), "inside.json");
    desired.write("inner/trust.json", TRUST);
    desired.write(
        "rolecall.toml",
        &DESIRED.replace("trust.json", "inside.json"),
    );
    validate(&desired).exits(0);
}

#[test]
fn a_toml_file_that_lies_outside_is_refused_and_no_line_of_it_is_shown() {
    let foreign = foreign();
    for name in ["rolecall.toml", "more.toml"] {
        let desired = desired();
        _ = std::fs::remove_file(desired.file(name));
        symlink(foreign.file("secret.toml"), desired.file(name)).unwrap();
        validate(&desired)
            .exits(1)
            .says(&[name, "is outside the directory", "module"]);
        run(rolecall().args(["validate", "-c"]).arg(desired.file(name)))
            .exits(1)
            .says(&["is outside"]);

        std::fs::remove_file(desired.file(name)).unwrap();
        mkfifo(&desired.file(name));
        validate(&desired)
            .exits(1)
            .says(&[name, "it is a FIFO, not a regular file"]);

        std::fs::remove_file(desired.file(name)).unwrap();
        desired.write(name, &"#".repeat(20 << 20));
        validate(&desired)
            .exits(1)
            .says(&[name, "it is larger than 8 MiB"]);
    }
    let files = Directory::of(&[("a/rolecall.toml", DESIRED), ("a/trust.json", TRUST)]);
    // As Kubernetes mounts a ConfigMap.
    symlink("..data/rolecall.toml", files.file("rolecall.toml")).unwrap();
    symlink("..data/trust.json", files.file("trust.json")).unwrap();
    symlink("a", files.file("..data")).unwrap();
    validate(&files).exits(0);
}

#[test]
fn a_module_may_lie_elsewhere_only_where_its_source_says_so() {
    let foreign = foreign();
    let name = foreign
        .path()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let using = |source: &str| {
        Directory::new(&format!(
            "name = \"paths\"\n[[module]]\nsource = \"{source}\"\n"
        ))
    };

    // Named, it is read; what is wrong in it is said with its place and without its text.
    let told = validate(&using(&format!("../{name}/kit"))).exits(1);
    told.says(&[
        "kit/rolecall.toml:2:1",
        "unknown key `password`",
        "kit/more.toml:1:5",
    ]);

    let linked = using("kit");
    symlink(foreign.file("kit"), linked.file("kit")).unwrap();
    let leaves = [
        "`kit` is a link that leads outside the directory",
        "rolecall.toml:3:10",
    ];
    validate(&linked).exits(1).says(&leaves);
    let hidden = using("inner/../kit");
    std::fs::create_dir(hidden.file("inner")).unwrap();
    symlink(foreign.file("kit"), hidden.file("kit")).unwrap();
    validate(&hidden)
        .exits(1)
        .says(&["leads outside the directory"]);

    // A module that lies elsewhere reads its own documents, and no others.
    let kit = Directory::of(&[("kit/rolecall.toml", DESIRED), ("kit/trust.json", TRUST)]);
    let kit_name = kit.path().file_name().unwrap().to_str().unwrap().to_owned();
    validate(&using(&format!("../{kit_name}/kit"))).exits(0);
    kit.write(
        "kit/rolecall.toml",
        &DESIRED.replace("trust.json", "../trust.json"),
    );
    kit.write("trust.json", TRUST);
    validate(&using(&format!("../{kit_name}/kit")))
        .exits(1)
        .says(&["is outside the directory"]);
    // One below the root reads those of the root.
    let inside = using("kits/a");
    inside.write(
        "kits/a/rolecall.toml",
        &DESIRED.replace("trust.json", "../../trust.json"),
    );
    inside.write("trust.json", TRUST);
    validate(&inside).exits(0);
}

#[test]
fn directories_that_documents_may_lie_in_are_named_by_the_root() {
    let shared = Directory::of(&[
        ("trust.json", TRUST),
        ("broken.json", &format!("{{\"Version\": {SECRET}\n")),
    ]);
    let name = shared
        .path()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let text = |allow: &str, document: &str| {
        let role = DESIRED.replace("trust.json", &format!("../{name}/{document}"));
        format!("{role}[documents]\nallow = [{allow}]\n")
    };
    let allowed = format!("\"../{name}\"");
    validate(&Directory::new(&text(&allowed, "trust.json"))).exits(0);
    validate(&Directory::new(&text("", "trust.json")))
        .exits(1)
        .says(&["is outside the directory"]);
    validate(&Directory::new(&text(&allowed, "broken.json")))
        .exits(1)
        .says(&["broken.json:1:13", "is not JSON"]);
    validate(&Directory::new(&text("\"../none\"", "trust.json")))
        .exits(1)
        .says(&["cannot read `../none`", "7:10"]);
    let module = Directory::of(&[
        (
            "rolecall.toml",
            "name = \"paths\"\n[[module]]\nsource = \"kit\"\n",
        ),
        (
            "kit/rolecall.toml",
            &text(&format!("\"../../{name}\""), "trust.json"),
        ),
    ]);
    validate(&module)
        .exits(1)
        .says(&["`[documents]` is not allowed in a module"]);
}

#[test]
fn values_may_come_through_a_pipe_and_are_not_shown_then() {
    let desired = Directory::new("name = \"paths\"\n[vars]\nn = { type = \"integer\" }\n");
    let validate = |file: &str| {
        let script = format!("\"$0\" validate -c \"$1\" --var-file {file}");
        let mut command = Command::new("bash");
        command
            .args(["-c", &script, env!("CARGO_BIN_EXE_rolecall")])
            .arg(desired.path());
        run(command.current_dir(desired.path()))
    };
    validate("<(echo n = 1)").exits(0);
    let piped = validate(&format!("<(echo 'n = {SECRET}')")).exits(1);
    assert!(!piped.text().contains("TOPSECRET"), "{}", piped.text());
    validate("/dev/zero")
        .exits(1)
        .says(&["cannot read `/dev/zero`", "it is larger than 1 MiB"]);
    desired.write("values.vars", "n = oops\n");
    validate("values.vars")
        .exits(1)
        .says(&["values.vars:1:5", "n = oops"]);
}

#[test]
fn modules_that_are_nested_too_deep_are_told_so() {
    let deep = Directory::new("name = \"paths\"\n[[module]]\nsource = \"m0\"\n");
    for n in 0..80 {
        let text = format!("name = \"m\"\n[[module]]\nsource = \"../m{}\"\n", n + 1);
        deep.write(&format!("m{n}/rolecall.toml"), &text);
    }
    validate(&deep)
        .exits(1)
        .says(&["modules are nested more than 64 deep", "fewer levels"]);
    // A path may be too long before that.
    let mut long = String::new();
    (0..400).for_each(|_| _ = write!(long, "{}/", "x".repeat(200)));
    let long = Directory::new(&format!(
        "name = \"paths\"\n[[module]]\nsource = \"{long}\"\n"
    ));
    validate(&long).exits(1).says(&["File name too long"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_never_followed_through_links_and_no_fifo_holds_it_up() {
    let served = Served::demo().await;
    let foreign = Directory::of(&[("credentials", SECRET)]);
    let victim = foreign.file("credentials");
    let with = |file: &str, make: &dyn Fn(&Path)| {
        let desired = desired();
        std::fs::create_dir_all(desired.file(file).parent().unwrap()).unwrap();
        make(&desired.file(file));
        desired
    };
    let link = |to: &Path, file: &str| with(file, &|path| symlink(to, path).unwrap());
    let apply = ["apply", "--auto-approve"];

    for target in [&victim, &foreign.file("new")] {
        let refused = served.rolecall(&link(target, "state/lock.json"), &apply);
        refused.exits(1).says(&["state/lock.json", "symbolic link"]);
        served
            .rolecall(&link(target, "state/state.json"), &apply)
            .exits(1)
            .says(&["state/state.json", "symbolic link"]);
    }
    for part in ["state/accounts", "state/runs"] {
        let refused = served
            .rolecall(&link(foreign.path(), part), &apply)
            .exits(1);
        refused.says(&[part, "is a symbolic link, which is not followed"]);
    }
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), SECRET);
    assert_eq!(std::fs::read_dir(foreign.path()).unwrap().count(), 1);
    assert_eq!(served.writes(), Vec::<String>::new());

    for (file, arguments) in [
        ("state/state.json", &["plan"][..]),
        ("state/state.json", &apply),
        ("state/lock.json", &apply),
    ] {
        let desired = with(file, &|path| mkfifo(path));
        served
            .rolecall(&desired, arguments)
            .exits(1)
            .says(&[file, "it is a FIFO, not a regular file"]);
    }

    // That the state as a whole lies elsewhere is the user's choice.
    let elsewhere = link(foreign.path(), "state");
    served.rolecall(&elsewhere, &apply).exits(0);
    std::fs::remove_file(foreign.file("lock.json")).unwrap();
    symlink(&victim, foreign.file("lock.json")).unwrap();
    served
        .rolecall(&elsewhere, &["state", "unlock"])
        .exits(1)
        .says(&["lock.json", "symbolic link"]);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), SECRET);
}
