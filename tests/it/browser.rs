//! The pages of `plan` and `drift --format html` in a browser: filters, expansion, escaping, paper, contrast, names for
//! screen readers, no error, no request, and how heavy they are.

use std::collections::{BTreeMap, BTreeSet};

use rolecall::config::Accept;
use rolecall::drift::{Drift, History, Scope, judge};
use rolecall::org::AccountId;
use rolecall::plan::{
    AccountPlan, Action, Attribute, AttributeDiff, Caller, Change, Demand, DocumentDiff, FORMAT,
    Finding, Place, Plan, Severity, Summary, Trust, TrustMap,
};
use rolecall::report;
use rolecall::resource::Origin;
use rolecall::resource::policy::StatementDiff;
use rolecall::resource::secret::Secrets;
use serde_json::{Value, json};

use crate::support::browser::Browser;

const HOSTILE: &str =
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";

fn id(n: u64) -> AccountId {
    AccountId::parse(&format!("{:012}", 200_000_000_000 + n)).unwrap()
}

fn diff(attribute: Attribute, before: Value, after: Value) -> AttributeDiff {
    AttributeDiff {
        attribute,
        cosmetic: false,
        widens: false,
        reverse_widens: false,
        cause: None,
        before,
        after,
        documents: vec![],
    }
}

/// An update of a policy whose statement names the account; `extra` makes it unlike those of other accounts.
fn update(id: AccountId, role: &str, extra: &str) -> Change {
    let made = |actions: &[&str]| json!({"Sid": "Read", "Effect": "Allow", "Action": actions, "Resource": format!("arn:aws:s3:::logs-{id}/*")});
    let after = made(&["s3:GetObject", "s3:ListBucket", extra]);
    let mut changed = diff(
        Attribute::InlinePolicies,
        json!({"logs": {}}),
        json!({"logs": {}}),
    );
    changed.widens = role.ends_with('7');
    let statement = StatementDiff {
        before: Some(made(&["s3:GetObject"])),
        after: Some(after),
        widens: changed.widens,
        cosmetic: false,
    };
    changed.documents = vec![DocumentDiff {
        policy: Some("logs".into()),
        statements: vec![statement],
    }];
    change(
        &format!("{id}/role/{role}"),
        Action::Update,
        "inline_policies differ",
        &[changed],
    )
}

fn change(address: &str, action: Action, reason: &str, diffs: &[AttributeDiff]) -> Change {
    let change = json!({"address": address, "action": action, "reason": reason, "cosmetic": false, "cause": "unknown",
        "fingerprint": "", "expected": "", "details": false, "diffs": diffs, "steps": []});
    serde_json::from_value(change).unwrap()
}

fn account(n: u64, name: &str, ou: &str, changes: &[Change]) -> AccountPlan {
    let account = json!({"id": id(n), "name": name, "ou": ou, "status": "read", "error": null, "changes": changes});
    serde_json::from_value(account).unwrap()
}

fn plan(accounts: Vec<AccountPlan>, findings: Vec<Finding>) -> Plan {
    let changes = accounts.iter().map(|account| account.changes.len()).sum();
    let summary = Summary {
        accounts: accounts.len(),
        update: changes,
        steps: changes,
        ..Summary::default()
    };
    Plan {
        format: FORMAT.into(),
        name: "vendor-roles".into(),
        organization_id: "o-exampleorgid".into(),
        created_at: "2026-01-02T03:04:05Z".into(),
        desired_digest: String::new(),
        scope: rolecall::plan::Scope::default(),
        accounts,
        findings,
        allowed: BTreeSet::new(),
        summary,
    }
}

fn page(plan: &Plan, trusts: &TrustMap) -> String {
    let mut out = Vec::new();
    report::html::plan(plan, trusts, &Secrets::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn demanded(value: &str) -> BTreeSet<Demand> {
    BTreeSet::from([Demand {
        operator: "StringEquals".into(),
        values: BTreeSet::from([value.into()]),
    }])
}

fn drift_page(drift: &Drift) -> String {
    let mut out = Vec::new();
    report::html::drift(drift, &small().1, &Secrets::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Three accounts: one where a hand moved, one where it is unknown, one where all is accepted or pending.
fn drifted() -> Drift {
    let caused = |cause: &str, change: Change| {
        let mut value = serde_json::to_value(change).unwrap();
        value["cause"] = json!(cause);
        serde_json::from_value::<Change>(value).unwrap()
    };
    let described = |n: u64, role: &str| {
        change(
            &format!("{}/role/{role}", id(n)),
            Action::Update,
            "description differs",
            &[diff(
                Attribute::Description,
                json!(HOSTILE),
                json!("as written"),
            )],
        )
    };
    // To detach it narrows access, so what was done has widened it.
    let attached = AttributeDiff {
        reverse_widens: true,
        ..diff(
            Attribute::ManagedPolicies,
            json!(["arn:aws:iam::aws:policy/AdministratorAccess"]),
            json!([]),
        )
    };
    let open = change(
        &format!("{}/role/Open", id(1)),
        Action::Update,
        "managed_policies differ",
        &[attached],
    );
    let trust = diff(
        Attribute::Trust,
        Value::Null,
        json!({"Version": "2012-10-17", "Statement": []}),
    );
    let gone = change(
        &format!("{}/role/Gone", id(1)),
        Action::Create,
        "not in the account",
        &[trust],
    );
    let accounts = vec![
        account(
            1,
            "prod-eu",
            "Workloads/Prod",
            &[
                caused("drift", gone),
                caused("drift", open),
                caused("desired", described(1, "Due")),
            ],
        ),
        account(2, "prod-us", "Workloads/Prod", &[described(2, "Unknown")]),
        account(
            3,
            "dev",
            "Workloads/Dev",
            &[
                caused("drift", described(3, "Known")),
                caused("desired", described(3, "Due")),
            ],
        ),
        account(4, "quiet", "", &[]),
    ];
    let accept = Accept {
        address: "*/role/Known".into(),
        attribute: "description".into(),
        reason: format!("ticket 7 {HOSTILE}"),
        until: jiff::civil::date(2026, 2, 1),
        origin: Origin {
            file: "accept.toml".into(),
            line: 1,
        },
    };
    judge(
        plan(accounts, vec![]),
        &[accept],
        jiff::civil::date(2026, 1, 2),
        (Scope::Whole, History::Some),
    )
}

/// Four accounts in two units, every kind of change, two findings, one account outside.
fn small() -> (Plan, TrustMap) {
    let hostile = diff(Attribute::Description, json!("before"), json!(HOSTILE));
    let accounts = vec![
        account(
            1,
            "prod-eu",
            "Workloads/Prod",
            &[update(id(1), "Reader7", "s3:GetObjectVersion")],
        ),
        account(
            2,
            "prod-us",
            "Workloads/Prod",
            &[update(id(2), "Reader7", "s3:GetObjectVersion")],
        ),
        account(
            3,
            "dev",
            "Workloads/Dev",
            &[
                change(
                    &format!("{}/role/Hostile", id(3)),
                    Action::Update,
                    HOSTILE,
                    &[hostile],
                ),
                change(
                    &format!("{}/role/Old", id(3)),
                    Action::Delete,
                    "no longer in the desired state",
                    &[],
                ),
            ],
        ),
        account(
            4,
            HOSTILE,
            "",
            &[change(
                &format!("{}/policy/New", id(4)),
                Action::Create,
                "not in the account",
                &[],
            )],
        ),
    ];
    let finding = |code: &str, severity, n: u64, role: &str| Finding {
        code: code.into(),
        severity,
        address: Some(format!("{}/role/{role}", id(n))),
        message: format!("{code} {HOSTILE}"),
    };
    let findings = vec![
        finding("deletes", Severity::Stop, 3, "Old"),
        finding("no-external-id", Severity::Warn, 1, "Reader7"),
    ];
    let trust = |caller: Caller, role: &str, conditions: &[&str]| Trust {
        caller,
        principals: BTreeSet::from(["arn:aws:iam::999999999999:root".into()]),
        conditions: conditions
            .iter()
            .map(|key| ((*key).to_owned(), demanded("x-1")))
            .collect(),
        role: role.into(),
        accounts: BTreeSet::from([id(1), id(2)]),
    };
    let outsider = AccountId::parse("999999999999").unwrap();
    let member = |name: &str, ou: &str| Place::Member {
        name: name.into(),
        ou: ou.into(),
    };
    let places: BTreeMap<AccountId, Place> = [
        (
            outsider,
            Place::Outsider {
                name: Some("Cortex XDR".into()),
            },
        ),
        (id(1), member("prod-eu", "Workloads/Prod")),
        (id(2), member("prod-us", "Workloads/Prod")),
        (id(3), member("dev", "Workloads/Dev")),
    ]
    .into();
    let trusts = vec![
        trust(Caller::Account(outsider), "Reader7", &[]),
        trust(Caller::Account(id(3)), "Audit", &[]),
        trust(
            Caller::Service("ec2.amazonaws.com".into()),
            "Reader7",
            &["aws:sourcearn"],
        ),
    ];
    (plan(accounts, findings), TrustMap { trusts, places })
}

/// 1,000 accounts × 20 roles: most changes equal over the accounts, one role's different in each.
fn large() -> (Plan, TrustMap) {
    let units = [
        "Security",
        "Infrastructure/Network",
        "Workloads/Prod/EU",
        "Workloads/Prod/US",
        "Workloads/Dev",
        "Sandbox",
    ];
    let accounts = (0..1000)
        .map(|n| {
            let own = format!("s3:Get{n}");
            let changes = (0..20).map(|role| {
                update(
                    id(n),
                    &format!("Role{role}"),
                    if role == 0 {
                        &own
                    } else {
                        "s3:GetObjectVersion"
                    },
                )
            });
            account(
                n,
                &format!("workload-{n:04}"),
                units[usize::try_from(n).unwrap() % units.len()],
                &changes.collect::<Vec<_>>(),
            )
        })
        .collect();
    let outsider = AccountId::parse("999999999999").unwrap();
    let members = (0..1000).map(|n| {
        let ou = units[usize::try_from(n).unwrap() % units.len()].to_owned();
        (
            id(n),
            Place::Member {
                name: format!("workload-{n:04}"),
                ou,
            },
        )
    });
    let places = members
        .chain([(outsider, Place::Outsider { name: None })])
        .collect();
    let trusts = (0..20)
        .map(|role| Trust {
            caller: if role % 2 == 0 {
                Caller::Account(outsider)
            } else {
                Caller::Account(id(role))
            },
            principals: BTreeSet::from(["arn:aws:iam::999999999999:root".into()]),
            conditions: BTreeMap::from([("sts:externalid".into(), demanded("x-1"))]),
            role: format!("Role{role}"),
            accounts: (0..1000).map(id).collect(),
        })
        .collect();
    (plan(accounts, vec![]), TrustMap { trusts, places })
}

/// What is in the list of changes: `action name place`.
const LISTED: &str = "[...document.querySelectorAll('#list > .change')].map(c => ['.badge', '.name', '.place'].map(s => c.querySelector(s).textContent).join(' '))";

/// Types into a field of the filter and waits for the list to follow.
fn set(browser: &mut Browser, field: &str, value: &str) {
    browser.eval(&format!(
        "new Promise(done => {{ const f = document.getElementById('{field}'); f.value = {}; \
         f.dispatchEvent(new Event('input', {{bubbles: true}})); setTimeout(done, 150); }})",
        json!(value)
    ));
}

#[track_caller]
fn quiet(browser: &mut Browser) {
    assert_eq!(browser.complaints(), Vec::<Value>::new());
    assert_eq!(browser.requests(), Vec::<String>::new());
}

#[test]
fn filters_leave_what_fits_and_clearing_brings_all_back() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (plan, trusts) = small();
    browser.open(&page(&plan, &trusts));
    let all = browser.eval(LISTED);
    assert_eq!(all.as_array().unwrap().len(), 4, "{all}");
    for (field, value, left) in [
        (
            "f-account",
            "prod-eu",
            json!(["update Reader7 in prod-eu (200000000001) of 2"]),
        ),
        (
            "f-account",
            "200000000003",
            json!([
                "delete Old in dev (200000000003)",
                "update Hostile in dev (200000000003)"
            ]),
        ),
        (
            "f-ou",
            "Workloads/Prod",
            json!(["update Reader7 in 2 accounts"]),
        ),
        (
            "f-ou",
            "Workloads",
            json!([
                "update Reader7 in 2 accounts",
                "delete Old in dev (200000000003)",
                "update Hostile in dev (200000000003)"
            ]),
        ),
        ("f-role", "reader", json!(["update Reader7 in 2 accounts"])),
        (
            "f-action",
            "delete",
            json!(["delete Old in dev (200000000003)"]),
        ),
        (
            "f-action",
            "widens",
            json!(["update Reader7 in 2 accounts"]),
        ),
        (
            "f-finding",
            "no-external-id",
            json!(["update Reader7 in prod-eu (200000000001) of 2"]),
        ),
        ("f-account", "nobody", json!([])),
    ] {
        set(&mut browser, field, value);
        assert_eq!(browser.eval(LISTED), left, "{field} {value}");
        browser.eval("new Promise(done => { document.getElementById('clear').click(); setTimeout(done, 50); })");
        assert_eq!(browser.eval(LISTED), all, "after {field} {value}");
    }
    browser.eval("document.querySelector('.tile[aria-label^=\"prod-us\"]').click()");
    assert_eq!(
        browser.eval(LISTED),
        json!(["update Reader7 in prod-us (200000000002) of 2"])
    );
    browser.eval("document.querySelector('[data-action=update]').click()");
    assert_eq!(
        browser.eval("document.getElementById('count').textContent"),
        "1 change in 1 account"
    );
    quiet(&mut browser);
}

#[test]
fn a_change_opens_with_its_statements_and_nothing_in_it_is_markup() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (plan, trusts) = small();
    browser.open(&page(&plan, &trusts));
    assert_eq!(
        browser.eval("document.querySelectorAll('#list .body').length"),
        0,
        "details are made when opened"
    );
    browser.eval(
        "document.getElementById('open-all').click(), new Promise(done => setTimeout(done, 200))",
    );
    assert_eq!(
        browser.eval("document.querySelectorAll('#list .body').length"),
        4
    );
    let text = browser.eval("document.body.innerText");
    let text = text.as_str().unwrap();
    for word in [
        HOSTILE,
        "s3:GetObjectVersion",
        "prod-us 200000000002",
        "arn:aws:s3:::logs-<account>/*",
    ] {
        assert!(text.contains(word), "{word} in {text}");
    }
    let added = browser
        .eval("[...document.querySelectorAll('.l.add')].map(l => l.textContent.trim()).join('|')");
    assert!(
        added.as_str().unwrap().contains("+     \"s3:ListBucket\""),
        "{added}"
    );
    let strange = "document.querySelectorAll('img, script:not(#data), iframe, object').length";
    assert_eq!(
        browser.eval(strange),
        1,
        "the page's own script and nothing else"
    );
    assert_eq!(
        browser.eval("document.title"),
        "rolecall plan for vendor-roles"
    );
    quiet(&mut browser);
}

#[test]
fn the_page_of_drift_filters_by_standing_and_marks_an_account_by_its_gravest() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    browser.open(&drift_page(&drifted()));
    let all = browser.eval(LISTED);
    assert_eq!(
        all,
        json!([
            "changed by hand Open differs in prod-eu (200000000001)",
            "changed by hand Gone is missing in prod-eu (200000000001)",
            "cause unknown Unknown differs in prod-us (200000000002)",
            "accepted Known differs in dev (200000000003)",
            "pending Due is to be updated in 2 accounts",
        ])
    );
    let tiles = "[...document.querySelectorAll('.tile')].map(t => t.querySelector('.who').textContent + ' ' + t.querySelector('.glyph').className.split('s-')[1])";
    assert_eq!(
        browser.eval(tiles),
        json!([
            "quiet same",
            "dev accepted",
            "prod-eu hand",
            "prod-us unknown"
        ])
    );
    for (field, value, left) in [
        (
            "f-standing",
            "hand",
            json!([
                "changed by hand Open differs in prod-eu (200000000001)",
                "changed by hand Gone is missing in prod-eu (200000000001)"
            ]),
        ),
        (
            "f-standing",
            "accepted",
            json!(["accepted Known differs in dev (200000000003)"]),
        ),
        (
            "f-action",
            "is missing",
            json!(["changed by hand Gone is missing in prod-eu (200000000001)"]),
        ),
        (
            "f-action",
            "widens",
            json!(["changed by hand Open differs in prod-eu (200000000001)"]),
        ),
        (
            "f-ou",
            "Workloads/Dev",
            json!([
                "accepted Known differs in dev (200000000003)",
                "pending Due is to be updated in dev (200000000003) of 2"
            ]),
        ),
    ] {
        set(&mut browser, field, value);
        assert_eq!(browser.eval(LISTED), left, "{field} {value}");
        browser.eval("new Promise(done => { document.getElementById('clear').click(); setTimeout(done, 50); })");
        assert_eq!(browser.eval(LISTED), all, "after {field} {value}");
    }
    browser.eval("document.querySelector('.chip[data-action=pending]').click()");
    assert_eq!(
        browser.eval("document.getElementById('count').textContent"),
        "2 differences in 2 accounts"
    );
    browser.eval(
        "document.getElementById('clear').click(), new Promise(done => setTimeout(done, 50))",
    );
    browser.eval(
        "document.getElementById('open-all').click(), new Promise(done => setTimeout(done, 200))",
    );
    let text = browser.eval("document.body.innerText");
    let text = text.as_str().unwrap();
    for word in [
        "description until 2026-02-01: ticket 7",
        HOSTILE,
        "+ arn:aws:iam::aws:policy/AdministratorAccess",
        "wider than desired",
    ] {
        assert!(text.contains(word), "{word} in {text}");
    }
    for word in ["delete", "Steps", "plan for"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
    assert_eq!(
        browser.eval("document.title"),
        "rolecall drift of vendor-roles"
    );
    // A plan knows of no standing.
    let (plan, trusts) = small();
    browser.open(&page(&plan, &trusts));
    assert_eq!(
        browser.eval("document.getElementById('f-standing').checkVisibility()"),
        false
    );
    quiet(&mut browser);
}

#[test]
fn on_paper_everything_shown_is_open_and_what_is_missing_is_said() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (plan, trusts) = small();
    let dark = json!({"features": [{"name": "prefers-color-scheme", "value": "dark"}]});
    browser.call("Emulation.setEmulatedMedia", &dark);
    browser.open(&page(&plan, &trusts));
    browser.eval("document.querySelectorAll('.unit').forEach(unit => { unit.open = false; })");
    browser.call("Page.printToPDF", &json!({}));
    assert_eq!(
        browser.eval("document.querySelectorAll('#list > .change[open] > .body').length"),
        4
    );
    assert_eq!(
        browser.eval("document.querySelectorAll('#trust-rows tbody tr').length"),
        3
    );
    assert_eq!(
        browser.eval("document.getElementById('paper').textContent"),
        "5 changes in 4 accounts"
    );
    let print =
        json!({"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]});
    browser.call("Emulation.setEmulatedMedia", &print);
    let hidden = "['#filters', '.tools', '.only', '.skip'].filter(s => document.querySelector(s).checkVisibility())";
    assert_eq!(browser.eval(hidden), json!([]));
    let shown = "['#paper', '.tile', '.body .diff', '#trust-rows table', '#summary'].filter(s => !document.querySelector(s).checkVisibility())";
    assert_eq!(browser.eval(shown), json!([]));
    assert_eq!(
        browser.eval("getComputedStyle(document.body).backgroundColor"),
        "rgb(255, 255, 255)"
    );
    assert_eq!(
        browser.eval("getComputedStyle(document.body).color"),
        "rgb(0, 0, 0)"
    );
    let wide = "[...document.querySelectorAll('pre.diff')].filter(pre => pre.scrollWidth > pre.clientWidth + 1).length";
    assert_eq!(browser.eval(wide), 0, "no line is cut off");

    let (plan, trusts) = large();
    browser.open(&page(&plan, &trusts));
    set(&mut browser, "f-role", "Role0");
    browser.eval("window.dispatchEvent(new Event('beforeprint'))");
    assert_eq!(
        browser.eval("document.getElementById('paper').textContent"),
        "1,000 changes in 1,000 accounts; filtered by role or policy Role0; only the first 100 of 1,000 entries are printed"
    );
    quiet(&mut browser);
}

/// Names of what can be used, as a screen reader gets them: `role name`.
fn controls(browser: &mut Browser) -> Vec<String> {
    let tree = browser.call("Accessibility.getFullAXTree", &json!({}));
    let used = [
        "button",
        "searchbox",
        "textbox",
        "combobox",
        "link",
        "DisclosureTriangle",
    ];
    let nodes = tree["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|node| node["ignored"] == false);
    let of = |node: &Value, member: &str| {
        node[member]["value"]
            .as_str()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    nodes
        .map(|node| (of(node, "role"), of(node, "name")))
        .filter(|(role, _)| used.contains(&role.as_str()))
        .map(|(role, name)| format!("{role} {name}"))
        .collect()
}

#[test]
fn a_screen_reader_gets_a_name_for_everything_that_can_be_used() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (plan, trusts) = small();
    for (page, expected) in [
        (page(&plan, &trusts), "button 1 delete"),
        (drift_page(&drifted()), "combobox Standing"),
    ] {
        browser.open(&page);
        browser.eval("document.getElementById('open-all').click(), new Promise(done => setTimeout(done, 200))");
        let controls = controls(&mut browser);
        assert!(
            controls.len() > 20 && controls.iter().any(|one| one == expected),
            "{controls:#?}"
        );
        let nameless: Vec<&String> = controls.iter().filter(|one| !one.contains(' ')).collect();
        assert!(nameless.is_empty(), "{controls:#?}");
        let levels = "[...document.querySelectorAll('h1, h2, h3')].filter(h => h.checkVisibility()).map(h => h.tagName).join(' ')";
        assert!(
            browser
                .eval(levels)
                .as_str()
                .unwrap()
                .starts_with("H1 H2 H2 H2")
        );
        let unnamed = "[...document.querySelectorAll('section, nav, form, table')].filter(r => r.checkVisibility() && \
            !r.getAttribute('aria-label') && !r.getAttribute('aria-labelledby') && !r.querySelector('caption')).length";
        assert_eq!(browser.eval(unnamed), 0, "regions and tables have names");
        let nested = "document.querySelectorAll('summary button, summary a, button button, [role=button] button').length";
        assert_eq!(
            browser.eval(nested),
            0,
            "nothing that can be used stands in something else that can"
        );
    }
    quiet(&mut browser);
}

#[test]
fn every_text_stands_out_in_light_and_in_dark() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (plan, trusts) = small();
    let (large, many) = large();
    for page in [
        page(&plan, &trusts),
        drift_page(&drifted()),
        page(&large, &many),
    ] {
        for scheme in ["light", "dark"] {
            let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
            browser.call("Emulation.setEmulatedMedia", &scheme);
            browser.open(&page);
            browser.eval("[...document.querySelectorAll('#list > .change')].slice(0, 5).forEach(c => { c.open = true; }), document.getElementById('trust-table').open = true, new Promise(done => setTimeout(done, 300))");
            let pale = browser.eval(include_str!("support/contrast.js"));
            assert_eq!(pale, json!([]), "{scheme}: {pale:#}");
        }
    }
}

#[test]
fn the_keyboard_reaches_every_account_and_opens_a_change() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (plan, trusts) = small();
    browser.open(&page(&plan, &trusts));
    let focused = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.id";
    browser.press("/");
    assert_eq!(browser.eval(focused), "f-account");
    browser.eval("document.querySelector('.tile[tabindex=\"0\"]').focus()");
    let mut seen = BTreeSet::new();
    for _ in 0..4 {
        seen.insert(browser.eval(focused).to_string());
        browser.press("ArrowDown");
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
    browser.eval("document.querySelector('#list summary').focus()");
    browser.press("Enter");
    assert_eq!(
        browser.eval("document.querySelector('#list .change').open"),
        true
    );
    let nameless = "[...document.querySelectorAll('button, input, select, [role=button]')].filter(b => \
        !(b.textContent.trim() || b.getAttribute('aria-label') || b.labels?.length)).length";
    assert_eq!(
        browser.eval(nameless),
        0,
        "everything that can be used has a name"
    );
    quiet(&mut browser);
}

#[test]
fn the_map_marks_outsiders_and_says_who_enters_what() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (plan, trusts) = small();
    browser.open(&page(&plan, &trusts));
    let nodes =
        "[...document.querySelectorAll('#map .node')].map(n => n.getAttribute('aria-label'))";
    assert_eq!(
        browser.eval(nodes),
        json!([
            "Cortex XDR, 999999999999, outside the organization: may enter 1 role",
            "ec2, ec2.amazonaws.com: may enter 1 role",
            "dev, 200000000003: may enter 1 role",
            "prod-eu, 200000000001 · Workloads/Prod",
            "prod-us, 200000000002 · Workloads/Prod",
        ])
    );
    assert_eq!(
        browser.eval("document.querySelectorAll('#map .mark').length"),
        1
    );
    assert_eq!(
        browser.eval("document.querySelectorAll('#map path').length"),
        6
    );
    assert_eq!(
        browser.eval("document.querySelectorAll('#map path.open').length"),
        2,
        "no external id"
    );
    browser.eval("document.querySelector('#map .node').focus()");
    browser.press("Enter");
    browser.eval("new Promise(done => setTimeout(done, 100))");
    let rows = "[...document.querySelectorAll('#trust-rows tbody tr')].map(r => r.innerText.split('\\t').join('; '))";
    assert_eq!(
        browser.eval(rows),
        json!([
            "Cortex XDR (999999999999) outsider; arn:aws:iam::999999999999:root; Reader7; \
                prod-eu (200000000001), prod-us (200000000002); —"
        ])
    );
    set(&mut browser, "f-ou", "Workloads/Dev");
    assert_eq!(
        browser.eval(nodes).as_array().unwrap().len(),
        3,
        "dev, and what it enters"
    );
    set(&mut browser, "f-ou", "*");
    let demanded = "[...document.querySelectorAll('#trust-rows tbody tr')].find(r => r.innerText.startsWith('ec2')).lastChild.innerText";
    assert_eq!(browser.eval(demanded), "StringEquals aws:sourcearn = x-1");
    quiet(&mut browser);
}

#[test]
fn a_thousand_accounts_of_twenty_roles_stay_light() {
    let (plan, trusts) = large();
    let page = page(&plan, &trusts);
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    let Some(mut browser) = Browser::start() else {
        return;
    };
    browser.open(&page);
    let nodes = browser
        .eval("document.querySelectorAll('*').length")
        .as_u64()
        .unwrap();
    assert!(nodes < 5000, "{nodes} nodes");
    assert_eq!(
        browser.eval("document.querySelectorAll('.tile').length"),
        1000
    );
    assert_eq!(
        browser.eval("document.getElementById('count').textContent"),
        "20,000 changes in 1,000 accounts"
    );
    set(&mut browser, "f-account", "workload-0042");
    assert_eq!(
        browser.eval("document.getElementById('count').textContent"),
        "20 changes in 1 account"
    );
    quiet(&mut browser);
}
