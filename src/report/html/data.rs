//! What the page shows, as JSON: accounts once, equal changes once, equal differences once.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use crate::org::AccountId;
use crate::plan::{Action, Caller, Change, Place, Plan, Status, TrustMap};
use crate::report::finding::{self, Bundle};
use crate::report::group::{self, AccountName, Group};
use crate::report::human;
use crate::report::style::{Paint, Style, Verbosity};
use crate::report::unread::{self, Accounts, Unread};

/// The place of each account in the list of accounts.
type Places = BTreeMap<AccountId, usize>;

/// Everything the page shows.
pub fn data(plan: &Plan, groups: &[Group<'_>], trusts: &TrustMap) -> Value {
    let places: Places = plan.accounts.iter().enumerate().map(|(place, account)| (account.id, place)).collect();
    let mut texts = Texts::default();
    let changes: Vec<Value> = groups.iter().map(|group| change(group, &places, &mut texts)).collect();
    let unread = |all: Vec<Unread<'_>>| -> Vec<Value> {
        all.into_iter().map(|one| json!({"why": one.why, "accounts": indices(&one.accounts, &places)})).collect()
    };
    json!({
        "accounts": accounts(plan),
        "changes": changes,
        "texts": texts.all,
        "findings": finding::bundles(plan).iter().map(|bundle| finding(bundle, &places)).collect::<Vec<_>>(),
        "refusal": finding::refusal(plan),
        "unreadable": unread(unread::unreadable(plan, Accounts::Together)),
        "skipped": unread(unread::skipped(plan)),
        "trusts": trust_map(trusts),
    })
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

fn change(group: &Group<'_>, places: &Places, texts: &mut Texts) -> Value {
    let (kind, name) = group.resource();
    json!({
        "kind": kind,
        "name": name,
        "action": action(&group.change),
        "widens": group.widens(),
        "reason": human::reason(&group.change),
        "steps": group.steps,
        "operations": group::operations(&group.change),
        "text": texts.place(differences(&group.change)),
        "accounts": indices(&group.accounts, places),
    })
}

/// What is done, with a word of its own for what changes in spelling alone.
pub fn action(change: &Change) -> &'static str {
    match change.action {
        _ if change.cosmetic => "cosmetic",
        Action::Create => "create",
        Action::Update => "update",
        Action::Replace => "replace",
        Action::Delete => "delete",
        Action::Adopt => "adopt",
    }
}

fn differences(change: &Change) -> String {
    let style = Style { paint: Paint::Tagged, width: 110, verbosity: Verbosity::Verbose };
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

fn finding(bundle: &Bundle<'_>, places: &Places) -> Value {
    json!({
        "weight": bundle.weight.word(),
        "code": bundle.code,
        "kind": bundle.resource.map(|(kind, _)| kind),
        "name": bundle.resource.map(|(_, name)| name),
        "message": bundle.message,
        "accounts": indices(&bundle.accounts, places),
    })
}

fn indices(accounts: &[AccountName<'_>], places: &Places) -> Vec<usize> {
    accounts.iter().filter_map(|account| places.get(&account.id).copied()).collect()
}

fn trust_map(map: &TrustMap) -> Value {
    let places: BTreeMap<String, Value> = map
        .places
        .iter()
        .map(|(id, place)| {
            let place = match place {
                Place::Member { name, ou } => json!({"name": name, "ou": ou}),
                Place::Outsider { name } => json!({"name": name, "outsider": true}),
            };
            (id.to_string(), place)
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
            json!({"kind": kind, "caller": name, "principals": trust.principals, "conditions": trust.conditions,
                "role": trust.role, "accounts": trust.accounts})
        })
        .collect();
    json!({"places": places, "trusts": trusts})
}
