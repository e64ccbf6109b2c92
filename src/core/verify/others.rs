//! Whether a live trust policy lets anyone else in than the desired one means.
//!
//! Strangers come with all that they may bring: they know every external id and have MFA, and lack what they may lack.
//! Whom the desired trust lets in is meant, with one exception: an outsider of the organization, or another customer of
//! a shared issuer, that no condition refuses. No trust can mean those, so they fail even where they are desired.

use std::collections::BTreeSet;

use super::request::{
    CURRENT_TIME, PRINCIPAL_ACCOUNT, account_of, accounts_of, entrant, keys, principals,
    principals_of,
};
use super::{Check, Outcome, Probe, Setting, Subject};
use crate::evaluate::{Answer, Decision, Entrant, Key, evaluate, federated, stranger};
use crate::org::AccountId;
use crate::resource::policy::{Effect, PolicyDocument};
use crate::resource::role::Mode;

/// An account that no organization has.
const OUTSIDE: &str = "000000000000";

/// How many principals a message names before it counts the rest.
const NAMED: usize = 5;

/// Those whom the desired trust refuses and the live one does not, and outsiders whom no trust can mean.
#[derive(Default)]
struct Strangers {
    let_in: Vec<String>,
    undecided: Vec<String>,
    /// Outsiders whom the desired trust lets in as well, in words.
    meant: Vec<String>,
}

/// No other principal gets in: those that the live trust names and the desired one does not, whom other roles of the
/// directory trust, every other account of the organization, and the world outside.
pub(super) fn check(setting: Setting<'_>, subject: Subject<'_>) -> Check {
    let mut met = Strangers::default();
    for (kind, name) in strangers(setting, subject) {
        meet(setting, subject, &kind, &name, &mut met);
    }
    for (whom, outsider) in outsiders(setting, subject) {
        meet_outsider(subject, whom, &outsider, &mut met);
    }
    let Strangers {
        let_in,
        undecided,
        meant,
    } = met;
    if !meant.is_empty() {
        let message = format!(
            "{} can assume the role, also by the desired trust: no condition refuses them",
            meant.join(" and ")
        );
        return Check::new(Probe::NobodyElse, Outcome::Failed, message);
    }
    if !let_in.is_empty() {
        return match subject.desired.manage.trust {
            Mode::Exclusive => {
                let message = format!(
                    "{} allowed by the live trust but not by the desired trust",
                    listed(&let_in)
                );
                Check::new(Probe::NobodyElse, Outcome::Failed, message)
            }
            Mode::Additive => {
                let message = format!(
                    "{} allowed by statements that this directory does not manage; `manage.trust` keeps them",
                    listed(&let_in)
                );
                Check::new(Probe::NobodyElse, Outcome::NotProvable, message)
            }
        };
    }
    if !undecided.is_empty() {
        let message = format!("cannot determine whether {} refused", listed(&undecided));
        return Check::new(Probe::NobodyElse, Outcome::NotProvable, message);
    }
    Check::new(
        Probe::NobodyElse,
        Outcome::Proven,
        everyone(setting, subject),
    )
}

/// Who is refused, counted.
fn everyone(setting: Setting<'_>, subject: Subject<'_>) -> String {
    let desired = &subject.desired.trust;
    let (named, within) = (principals_of(desired), accounts_of(desired));
    let others = setting.principals.difference(&named).count();
    let organization = &setting.organization.accounts;
    let accounts = organization.len()
        - within
            .iter()
            .filter(|account| organization.contains_key(account))
            .count();
    let accounts = match accounts {
        // Whom a condition lets in cannot be counted.
        _ if is_wild(desired) => "each account that its conditions do not name".to_owned(),
        1 => "1 other account of the organization".to_owned(),
        accounts => format!("{accounts} other accounts of the organization"),
    };
    let others = match others {
        0 => String::new(),
        1 => ", 1 principal that other roles trust".to_owned(),
        others => format!(", {others} principals that other roles trust"),
    };
    format!("everyone else is refused: {accounts}{others}, and accounts outside")
}

/// Whom to try: no caller whose answer follows from another's, or a run over thousands of accounts would not end.
///
/// A live trust without wildcards lets in whom it names and whoever is in an account that it names, so only those are
/// worth a try. For one with wildcards, accounts that neither trust mentions differ by their place alone, so one of each
/// place represents all, unless a condition asks for the account itself.
pub(super) fn strangers(setting: Setting<'_>, subject: Subject<'_>) -> BTreeSet<(String, String)> {
    let (desired, live) = (&subject.desired.trust, &subject.live.trust);
    let named = principals_of(desired);
    let accounts = &setting.organization.accounts;
    let within = accounts_of(live);
    let wild = is_wild(live);
    let mut strangers = principals_of(live);
    strangers.extend(
        setting
            .principals
            .iter()
            .filter(|(_, name)| match account_of(name) {
                Some(account) if wild => !accounts.contains_key(&account),
                Some(account) => within.contains(&account),
                None => wild,
            })
            .cloned(),
    );
    let mut roots = vec![OUTSIDE];
    if wild {
        let each = [desired, live]
            .iter()
            .any(|trust| keys(trust).contains(PRINCIPAL_ACCOUNT));
        let is_mentioned = |id: &AccountId| {
            [desired, live]
                .iter()
                .any(|trust| trust.text().contains(id.as_str()))
        };
        let mut places: BTreeSet<&[String]> = BTreeSet::new();
        let differ = accounts
            .values()
            .filter(|account| each || is_mentioned(&account.id) || places.insert(&account.parents));
        roots.extend(differ.map(|account| account.id.as_str()));
    }
    let root = |account| format!("arn:{}:iam::{account}:root", setting.organization.partition);
    strangers.extend(
        roots
            .into_iter()
            .map(|account| ("AWS".to_owned(), root(account))),
    );
    // A unique id shows where its principal is gone, and no caller can have that id any more.
    let gone = live.dead_principals();
    strangers.retain(|stranger| {
        stranger.1 != "*" && !named.contains(stranger) && !gone.contains(&stranger.1)
    });
    strangers
}

/// Whether the trust lets in someone whom it does not name.
fn is_wild(trust: &PolicyDocument) -> bool {
    let allows = trust
        .statements()
        .iter()
        .filter(|statement| statement.effect == Effect::Allow);
    allows
        .filter_map(|statement| statement.principals.as_ref())
        .any(|principals| {
            principals.negated
                || principals
                    .kinds
                    .get("AWS")
                    .is_some_and(|names| names.contains("*"))
        })
}

/// Tries a stranger with all that it may bring.
fn meet(setting: Setting<'_>, subject: Subject<'_>, kind: &str, name: &str, met: &mut Strangers) {
    let (desired, live) = (&subject.desired.trust, &subject.live.trust);
    let Some(entrant) = entrant(setting, subject, live, (kind, name)) else {
        return;
    };
    match refused_by_desired(desired, live, &entrant) {
        Answer::LetIn => met.let_in.push(name.to_owned()),
        Answer::Unsure => met.undecided.push(name.to_owned()),
        Answer::Refused => {}
    }
}

/// What the live trust says to those of the requests that the desired one refuses.
fn refused_by_desired(
    desired: &PolicyDocument,
    live: &PolicyDocument,
    entrant: &Entrant,
) -> Answer {
    let requests = entrant.requests(&[desired, live]);
    let refused = requests.iter().filter(|request| {
        matches!(
            evaluate(&[desired], request),
            Decision::ImplicitDeny | Decision::ExplicitDeny
        )
    });
    let answers = refused.map(|request| match evaluate(&[live], request) {
        Decision::Allow => Answer::LetIn,
        Decision::Undecided => Answer::Unsure,
        Decision::ImplicitDeny | Decision::ExplicitDeny => Answer::Refused,
    });
    answers.max().unwrap_or(Answer::Refused)
}

/// Those outside whom a trust for everyone, or for the customers of a shared issuer, may let in, in words.
fn outsiders(setting: Setting<'_>, subject: Subject<'_>) -> Vec<(String, Entrant)> {
    let live = &subject.live.trust;
    let mut outsiders = Vec::new();
    if is_wild(live) {
        let now = Key::OneOf(vec![setting.now.to_owned()]);
        let anybody = stranger(live).to(&subject.live.arn).with(CURRENT_TIME, now);
        outsiders.push(("accounts outside of the organization".to_owned(), anybody));
    }
    let providers: BTreeSet<&str> = principals(live)
        .filter(|(_, kind, _)| *kind == "Federated")
        .map(|(_, _, name)| name)
        .collect();
    for provider in providers {
        if let Some(others) = federated::outsiders(live, provider) {
            let whom = format!("others with a token of `{provider}`");
            outsiders.push((whom, others.to(&subject.live.arn)));
        }
    }
    outsiders
}

fn meet_outsider(subject: Subject<'_>, whom: String, outsider: &Entrant, met: &mut Strangers) {
    let (desired, live) = (&subject.desired.trust, &subject.live.trust);
    match (
        outsider.ask(live),
        refused_by_desired(desired, live, outsider),
    ) {
        (Answer::LetIn, Answer::LetIn) => met.let_in.push(whom),
        (Answer::LetIn, _) => met.meant.push(whom),
        (Answer::Unsure, _) => met.undecided.push(whom),
        (Answer::Refused, _) => {}
    }
}

/// `a`, `b` and 3 more are
fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(NAMED)
        .map(|name| format!("`{name}`"))
        .collect();
    match (names.len(), names.len().saturating_sub(NAMED)) {
        (1, _) => format!("{} is", shown.join("")),
        (_, 0) => format!("{} are", shown.join(", ")),
        (_, more) => format!("{} and {more} more are", shown.join(", ")),
    }
}
