//! Saved plans through the binary: what is written is what a fresh plan makes, whatever the file says.

use serde_json::{Value, json};

use crate::support::served::Served;
use crate::support::{Directory, rolecall, run};

const PAYMENTS: &str = "444444444441";
const FOREIGN: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"666666666661"},"Action":"sts:AssumeRole"}}"#;

/// `First` is created in three accounts and `Second`, which is there already, updated in one.
const ROLES: &str = r#"
name = "saved"
[[role]]
name = "First"
targets = [{ ou = "Workloads/Prod" }]
managed_policies = ["aws:SecurityAudit"]
[[role.trust]]
aws = "111111111111"
[[role]]
name = "Second"
description = "new"
targets = [{ account = "payments-prod" }]
[[role.trust]]
aws = "111111111111"
"#;

/// An organization in which `Second` is managed and described otherwise, `Foreign` is not managed, and `Old` is no longer
/// desired.
async fn stage() -> (Served, Directory) {
    let (served, desired) = (Served::demo().await, Directory::new(ROLES));
    let own = [
        ("Tags.member.1.Key", "rolecall:managed-by"),
        ("Tags.member.1.Value", "saved"),
    ];
    let role = |name: &str, tags: &[(&str, &str)]| {
        let trust = FOREIGN.replace("666666666661", "111111111111");
        let params = [
            &[
                ("RoleName", name),
                ("AssumeRolePolicyDocument", &trust),
                ("Description", "old"),
            ],
            tags,
        ]
        .concat();
        served.by_hand(PAYMENTS, "CreateRole", &params);
    };
    role("Second", &own);
    role("Old", &own);
    role("Foreign", &[]);
    // An earlier run found both as they are: they are on record.
    let one = |name: &str| {
        format!(
            "[[role]]\nname = \"{name}\"\ndescription = \"old\"\ntargets = [{{ account = \"payments-prod\" }}]\n[[role.trust]]\naws = \"111111111111\"\n"
        )
    };
    let earlier = format!("name = \"saved\"\n{}{}", one("Second"), one("Old"));
    desired.write("rolecall.toml", &earlier);
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0)
        .says(&["No changes"]);
    desired.write("rolecall.toml", ROLES);
    (served, desired)
}

fn saved(served: &Served, desired: &Directory, arguments: &[&str]) -> Value {
    let out = desired.file("p.plan");
    served
        .rolecall(
            desired,
            &[&["plan", "--out", out.to_str().unwrap()], arguments].concat(),
        )
        .exits(0);
    serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap()
}

fn put(desired: &Directory, plan: &Value) -> String {
    desired.write("p.plan", &plan.to_string());
    desired.file("p.plan").to_str().unwrap().to_owned()
}

fn change<'a>(plan: &'a mut Value, name: &str) -> &'a mut Value {
    let accounts = plan["accounts"].as_array_mut().unwrap();
    let changes = accounts
        .iter_mut()
        .flat_map(|account| account["changes"].as_array_mut().unwrap());
    changes
        .into_iter()
        .find(|change| change["address"].as_str().unwrap().ends_with(name))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_was_changed_is_refused_and_nothing_is_written() {
    type Tamper = fn(&mut Value);
    let cases: [(&str, Tamper); 13] = [
        ("a step on a role that is not managed", |plan| {
            let steps = change(plan, "/Second")["steps"].as_array_mut().unwrap();
            steps.push(json!({"op": "DeleteRole", "role": "Foreign"}));
        }),
        ("a step on a protected role", |plan| {
            let step = json!({"op": "UpdateAssumeRolePolicy", "role": "OrganizationAccountAccessRole", "document": FOREIGN});
            change(plan, "/Second")["steps"] = json!([step]);
        }),
        ("the whole plan moved to the management account", |plan| {
            let text = plan.to_string().replace(PAYMENTS, "111111111111");
            *plan = serde_json::from_str(&text).unwrap();
        }),
        ("an account's id alone", |plan| {
            let accounts = plan["accounts"].as_array_mut().unwrap();
            accounts
                .iter_mut()
                .find(|account| account["id"] == PAYMENTS)
                .unwrap()["id"] = json!("111111111111");
        }),
        ("a trust that lets anybody in", |plan| {
            let steps = change(plan, "/First")["steps"].as_array_mut().unwrap();
            steps[0]["trust"] = json!(FOREIGN.replace("666666666661", "*"));
        }),
        ("a role without the mark", |plan| {
            change(plan, "/First")["steps"][0]["tags"] = json!({});
        }),
        ("another policy", |plan| {
            let text = plan
                .to_string()
                .replace("policy/SecurityAudit", "policy/AdministratorAccess");
            *plan = serde_json::from_str(&text).unwrap();
        }),
        ("a step less", |plan| {
            change(plan, "/First")["steps"]
                .as_array_mut()
                .unwrap()
                .pop();
        }),
        ("steps in another order", |plan| {
            change(plan, "/First")["steps"]
                .as_array_mut()
                .unwrap()
                .reverse();
        }),
        ("a deletion that nobody asked for", |plan| {
            let mut other = change(plan, "/Second").clone();
            other["address"] = json!(format!("{PAYMENTS}/role/Old"));
            other["action"] = json!("delete");
            other["steps"] = json!([{"op": "DeleteRole", "role": "Old"}]);
            let accounts = plan["accounts"].as_array_mut().unwrap();
            accounts
                .iter_mut()
                .find(|account| account["id"] == PAYMENTS)
                .unwrap()["changes"]
                .as_array_mut()
                .unwrap()
                .push(other);
            plan["scope"]["prune"] = json!(true);
        }),
        ("what is shown of a change", |plan| {
            change(plan, "/Second")["diffs"][0]["after"] = json!("harmless");
        }),
        ("what is expected", |plan| {
            change(plan, "/Second")["expected"] = json!("sha256:00");
        }),
        ("another action", |plan| {
            change(plan, "/Second")["action"] = json!("adopt");
        }),
    ];
    let (served, desired) = stage().await;
    let honest = saved(&served, &desired, &[]);
    let before = served.writes();
    for (what, tamper) in cases {
        let mut plan = honest.clone();
        tamper(&mut plan);
        assert_ne!(plan, honest, "{what}");
        let path = put(&desired, &plan);
        let run = served.rolecall(&desired, &["apply", &path]);
        assert_eq!(
            (run.code, served.writes()),
            (4, before.clone()),
            "{what}: {}",
            run.text()
        );
        assert!(
            run.text().contains("nothing was written"),
            "{what}: {}",
            run.text()
        );
    }
    let path = put(&desired, &honest);
    served.rolecall(&desired, &["apply", &path]).exits(0);
    served
        .rolecall(&desired, &["apply", &path])
        .exits(4)
        .says(&["stale"]);
    served
        .rolecall(&desired, &["plan", "--detailed-exitcode"])
        .exits(0);
}

/// A change that is claimed of another resource is as stale as any that does not find what it saw.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_was_moved_to_another_resource_touches_neither() {
    let (served, desired) = stage().await;
    let mut plan = saved(&served, &desired, &[]);
    change(&mut plan, "/Second")["address"] = json!(format!("{PAYMENTS}/role/Foreign"));
    let path = put(&desired, &plan);
    served
        .rolecall(&desired, &["apply", &path])
        .exits(3)
        .says(&["role/Foreign", "1 stale"]);
    assert_eq!(
        (served.count("CreateRole"), served.count("UpdateRole")),
        (3, 0)
    );
}

/// Every value of a plan in turn, each replaced by another one of its kind.
fn mutations(value: &Value, at: &mut Vec<String>, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                at.push(key.replace('~', "~0").replace('/', "~1"));
                mutations(member, at, found);
                at.pop();
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                at.push(n.to_string());
                mutations(item, at, found);
                at.pop();
            }
            if !items.is_empty() {
                found.push((format!("/{}", at.join("/")), json!(items[1..])));
            }
        }
        Value::String(text) => {
            let other = if text.contains("First") {
                text.replace("First", "Foreign")
            } else {
                format!("{text}x")
            };
            found.push((format!("/{}", at.join("/")), json!(other)));
        }
        Value::Bool(flag) => found.push((format!("/{}", at.join("/")), json!(!flag))),
        Value::Number(_) | Value::Null => found.push((format!("/{}", at.join("/")), json!(7))),
    }
}

/// Roles, one text each, as they stand in an account.
fn roles(served: &Served) -> Vec<String> {
    served.sandbox.with(|world| {
        let accounts = world.accounts.iter();
        let roles = accounts.flat_map(|(id, account)| {
            account
                .iam
                .roles
                .values()
                .filter_map(|role| role.latest())
                .map(move |role| (id, role))
        });
        roles
            .map(|(id, role)| {
                let parts = (
                    &role.attached,
                    &role.inline,
                    &role.description,
                    &role.boundary,
                    &role.tags,
                );
                format!("{id} {}{} {} {parts:?}", role.path, role.name, role.trust)
            })
            .collect()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_is_changed_in_a_plan_nothing_is_written_that_a_fresh_plan_would_not_write() {
    let (served, desired) = stage().await;
    let honest = saved(&served, &desired, &[]);
    let before = roles(&served);
    let path = put(&desired, &honest);
    served.rolecall(&desired, &["apply", &path]).exits(0);
    let after = roles(&served);
    assert_ne!(before, after);
    let mut found = Vec::new();
    mutations(&honest, &mut Vec::new(), &mut found);
    assert!(found.len() > 100, "{}", found.len());
    // Every fifth of them; a soak tries all.
    let step = if std::env::var_os("SOAK").is_some() {
        1
    } else {
        5
    };
    let chosen: Vec<(String, Value)> = found.into_iter().step_by(step).collect();
    crate::support::for_each(chosen, |(at, value)| {
        let (honest, before, after) = (honest.clone(), before.clone(), after.clone());
        async move {
            let (served, desired) = stage().await;
            let mut plan = honest;
            *plan.pointer_mut(&at).unwrap() = value.clone();
            let path = put(&desired, &plan);
            let run = tokio::task::block_in_place(|| served.rolecall(&desired, &["apply", &path]));
            assert!((0..=4).contains(&run.code), "{at}: {}", run.text());
            for role in roles(&served) {
                assert!(
                    before.contains(&role) || after.contains(&role),
                    "{at} = {value}: {role}"
                );
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_that_widen_a_plan_count_only_where_its_signature_holds() {
    let (served, desired) = stage().await;
    desired.write(
        "rolecall.toml",
        &format!("{ROLES}\n[limits]\nmax_deletes = 0\n"),
    );
    let honest = saved(&served, &desired, &["--prune", "--allow", "deletes"]);
    assert_eq!(
        (&honest["scope"]["prune"], &honest["allowed"]),
        (&json!(true), &json!(["deletes"]))
    );
    let mut unsigned = honest.clone();
    unsigned.as_object_mut().unwrap().remove("signature");
    let mut changed = honest.clone();
    changed["created_at"] = json!("2026-01-01T00:00:00Z");
    for plan in [&unsigned, &changed] {
        let path = put(&desired, plan);
        let words = [
            "nothing was written",
            "--prune",
            "--allow deletes",
            "ROLECALL_PLAN_KEY",
        ];
        served
            .rolecall(&desired, &["apply", &path])
            .exits(4)
            .says(&words);
        served
            .rolecall(&desired, &["apply", &path, "--prune"])
            .exits(4)
            .says(&["deletes", "--allow deletes"]);
    }
    assert_eq!(served.count("DeleteRole"), 0);
    // A shared key is demanded where there is one.
    let path = put(&desired, &honest);
    let shared = |key: &str, arguments: &[&str]| {
        let mut command = served.command(&desired, arguments);
        run(command.env("ROLECALL_PLAN_KEY", key))
    };
    shared("one", &["apply", &path])
        .exits(4)
        .says(&["not signed with the key", "ROLECALL_PLAN_KEY"]);
    shared(
        "one",
        &["plan", "--prune", "--allow", "deletes", "--out", &path],
    )
    .exits(0);
    shared("another", &["apply", &path])
        .exits(4)
        .says(&["not signed with the key"]);
    shared("one", &["apply", &path])
        .exits(0)
        .says(&["Apply complete"]);
    assert_eq!(served.count("DeleteRole"), 1);
    served
        .rolecall(&desired, &["apply", &path, "--role", "First"])
        .exits(1)
        .says(&["cannot narrow a saved plan"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrowed_plan_is_applied_as_narrow_as_it_was_made() {
    let (served, desired) = stage().await;
    let plan = saved(
        &served,
        &desired,
        &["--role", "First", "--account", "payments-prod"],
    );
    let path = put(&desired, &plan);
    served
        .rolecall(&desired, &["apply", &path])
        .exits(0)
        .says(&["1 done"]);
    assert_eq!(
        served
            .writes()
            .iter()
            .filter(|operation| *operation == "CreateRole")
            .count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_is_shown_without_aws_and_without_its_secrets() {
    let served = Served::demo().await;
    let desired = Directory::new(
        r#"
name = "saved"
[vars]
external_id = { type = "string", sensitive = true }
[[role]]
name = "Vendor"
targets = [{ account = "payments-prod" }]
[[role.trust]]
aws = "999999999999"
external_id = "{{ var.external_id }}"
"#,
    );
    desired.write("answers.vars", "external_id = \"hunter2-hunter2\"");
    let (plan, answers) = (desired.file("p.plan"), desired.file("answers.vars"));
    let plan = plan.to_str().unwrap();
    // Named once for all commands of a pipeline; what the command line names comes later and wins.
    let mut command = served.command(&desired, &["plan", "--out", plan]);
    let printed = run(command.env("ROLECALL_VAR_FILE", &answers)).exits(0);
    let show = |arguments: &[&str]| run(rolecall().args([&["show", plan], arguments].concat()));
    let shown = show(&[]).exits(0).says(&["role Vendor will be created"]);
    assert_eq!(
        shown.stdout, printed.stdout,
        "the same text as the plan's own"
    );
    show(&["--format", "markdown"]).exits(0).says(&["Vendor"]);
    let json = show(&["--format", "json"]).exits(0).stdout;
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["summary"]["create"], 1);
    assert!(
        json.contains("(sensitive)") && !json.contains("(sensitive:") && !json.contains("hunter2")
    );
    for (text, expected) in [
        ("", "not a saved plan"),
        ("{\"format\": \"rolecall-plan/99\"}", "rolecall-plan/99"),
        ("[1, 2", "not a saved plan"),
    ] {
        desired.write("p.plan", text);
        show(&[]).exits(1).says(&[expected, "plan --out"]);
    }
}
