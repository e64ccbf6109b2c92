//! What the page shows, as JSON: accounts once, equal changes once, equal differences once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use crate::drift::Standing;
use crate::org::AccountId;
use crate::plan::{Caller, Change, Demand, Place, Plan, Status, TrustMap};
use crate::report::finding::{self, Bundle};
use crate::report::group::{self, AccountName};
use crate::report::human;
use crate::report::style::{Paint, Style, Verbosity};
use crate::report::subject::{Listed, Subject, View, words};
use crate::report::unread::{self, Accounts, Unread};
use crate::resource::secret::Secrets;

/// What holds words of the page's own and never a value.
pub const WORDS: [&str; 8] = [
    "action",
    "code",
    "kind",
    "operations",
    "standing",
    "status",
    "view",
    "weight",
];

/// The place of each account in the list of accounts.
type Places = BTreeMap<AccountId, usize>;

/// Everything the page shows.
pub fn data(subject: &Subject<'_>, trusts: &TrustMap, secrets: &Secrets) -> Value {
    let Subject {
        view,
        plan,
        summary: _,
        changes,
    } = subject;
    let places: Places = plan
        .accounts
        .iter()
        .enumerate()
        .map(|(place, account)| (account.id, place))
        .collect();
    let mut texts = Texts::default();
    let changes: Vec<Value> = changes
        .iter()
        .map(|one| change(one, &places, &mut texts))
        .collect();
    let unread = |all: Vec<Unread<'_>>| -> Vec<Value> {
        all.into_iter()
            .map(|one| json!({"why": one.why, "accounts": indices(&one.accounts, &places)}))
            .collect()
    };
    let (refusal, standings) = match view {
        View::Plan => (finding::refusal(plan), None),
        View::Drift => (None, Some(standings())),
    };
    json!({
        "view": view.command(),
        "standings": standings,
        "accounts": accounts(plan),
        "changes": changes,
        "texts": texts.all,
        "findings": finding::bundles(plan).iter().map(|bundle| finding(bundle, *view, &places)).collect::<Vec<_>>(),
        "refusal": refusal,
        "unreadable": unread(unread::unreadable(plan, Accounts::Together)),
        "skipped": unread(unread::skipped(plan)),
        "trusts": trust_map(trusts, secrets),
    })
}

/// What the page calls them, in order.
fn standings() -> Value {
    Standing::ALL
        .into_iter()
        .map(words)
        .map(|(key, words)| (key.to_owned(), Value::from(words)))
        .collect()
}

fn accounts(plan: &Plan) -> Vec<Value> {
    let accounts = plan.accounts.iter().map(|account| {
        let status = match account.status {
            Status::Read => "read",
            Status::Unreadable => "unreadable",
            Status::Skipped => "skipped",
        };
        json!({"id": account.id, "name": account.name, "ou": account.ou, "status": status})
    });
    accounts.collect()
}

fn change(listed: &Listed<'_>, places: &Places, texts: &mut Texts) -> Value {
    let group = &listed.group;
    let (kind, name) = group.resource();
    json!({
        "kind": kind,
        "name": name,
        "action": listed.does(),
        "standing": listed.standing.map(|standing| words(standing).0),
        "widens": group.widens(),
        "reason": listed.reason(),
        "who": listed.who.concat(),
        "steps": group.steps,
        "operations": group::operations(&group.change),
        "text": texts.place(differences(&group.change)),
        "accounts": indices(&group.accounts, places),
    })
}

fn differences(change: &Change) -> String {
    let style = Style {
        paint: Paint::Tagged,
        width: 110,
        verbosity: Verbosity::Verbose,
    };
    human::differences(change, &style)
}

/// Texts, equal ones once.
#[derive(Default)]
struct Texts {
    all: Vec<String>,
    known: HashMap<String, usize>,
}

impl Texts {
    fn place(&mut self, text: String) -> usize {
        *self.known.entry(text).or_insert_with_key(|text| {
            self.all.push(text.clone());
            self.all.len() - 1
        })
    }
}

fn finding(bundle: &Bundle<'_>, view: View, places: &Places) -> Value {
    // A drift is looked at and not applied: nothing stops it.
    let weight = if view == View::Drift {
        "note"
    } else {
        bundle.weight.word()
    };
    json!({
        "weight": weight,
        "code": bundle.code,
        "kind": bundle.resource.map(|(kind, _)| kind),
        "name": bundle.resource.map(|(_, name)| name),
        "message": bundle.message,
        "accounts": indices(&bundle.accounts, places),
    })
}

fn indices(accounts: &[AccountName<'_>], places: &Places) -> Vec<usize> {
    accounts
        .iter()
        .filter_map(|account| places.get(&account.id).copied())
        .collect()
}

/// What a trust demands of a key. Sensitive values are masked before equal ones are made one and the rest is counted.
fn demands(key: &str, demands: &BTreeSet<Demand>, secrets: &Secrets) -> Vec<String> {
    let said = demands.iter().map(|Demand { operator, values }| {
        let values: BTreeSet<String> = values.iter().map(|value| secrets.mask(value)).collect();
        let values: Vec<String> = values.into_iter().collect();
        format!(
            "{operator} {key} = {}",
            group::shortened(&values, false).join(", ")
        )
    });
    let said: BTreeSet<String> = said.collect();
    group::shortened(&said.into_iter().collect::<Vec<_>>(), false)
}

fn trust_map(map: &TrustMap, secrets: &Secrets) -> Value {
    let places: BTreeMap<String, Value> = map
        .places
        .iter()
        .map(|(id, place)| {
            let place = match place {
                Place::Member { name, ou } => json!({"name": name, "ou": ou}),
                Place::Outsider { name } => json!({"name": name, "outsider": true}),
            };
            (secrets.mask(id.as_str()), place)
        })
        .collect();
    let trusts: Vec<Value> = map
        .trusts
        .iter()
        .map(|trust| {
            let (kind, name) = match &trust.caller {
                Caller::Anyone => ("anyone", "anyone".to_owned()),
                Caller::Account(id) => ("account", id.to_string()),
                Caller::Provider(name) => ("provider", name.clone()),
                Caller::Service(name) => ("service", name.clone()),
                Caller::Other(name) => ("other", name.clone()),
            };
            let conditions: BTreeMap<String, Vec<String>> =
                trust.conditions.iter().map(|(key, all)| (secrets.mask(key), demands(key, all, secrets))).collect();
            let loose: Vec<String> = trust.loose().into_iter().map(|key| secrets.mask(key)).collect();
            json!({"kind": kind, "caller": name, "principals": trust.principals, "conditions": conditions, "loose": loose,
                "role": trust.role, "accounts": trust.accounts})
        })
        .collect();
    json!({"places": places, "trusts": trusts})
}
