//! Reads the principals that should assume roles: each once, however many roles trust it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::Survey;
use crate::aws::Probing;
use crate::aws::principal::Holding;
use crate::evaluate::Identity;
use crate::org::{Account, AwsError, Partition};
use crate::resource::name::PolicyArn;
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::verify::caller::{self, Caller, Holder};
use crate::verify::{Check, Setting, Subject};

type Read = Arc<OnceCell<Result<Option<Holder>, AwsError>>>;

/// The principals that should assume roles, as far as they are in the organization.
pub(super) struct Callers {
    probing: Probing,
    /// To whom the role of an ARN's account and name is granted.
    granted: BTreeMap<String, BTreeSet<Caller>>,
    read: Mutex<BTreeMap<Caller, Read>>,
}

/// A role's ARN without its path: what a grant says of a role holds wherever in its account the role is.
fn pathless(arn: &str) -> String {
    match (arn.split_once(":role/"), arn.rsplit('/').next()) {
        (Some((account, _)), Some(name)) => format!("{account}:role/{}", name.to_ascii_lowercase()),
        _ => arn.to_owned(),
    }
}

impl Callers {
    pub fn new(survey: &Survey) -> Self {
        let mut granted: BTreeMap<String, BTreeSet<Caller>> = BTreeMap::new();
        for (id, account) in &survey.expansion.desired.accounts {
            for grant in account.grants.values() {
                let caller = Caller {
                    account: *id,
                    principal: grant.principal.clone(),
                };
                for role in &grant.roles {
                    granted
                        .entry(pathless(role))
                        .or_default()
                        .insert(caller.clone());
                }
            }
        }
        Self {
            probing: survey.accounts.probing(),
            granted,
            read: Mutex::default(),
        }
    }

    /// What the own side of each of them says about assuming the role.
    pub async fn check(&self, setting: Setting<'_>, subject: Subject<'_>) -> Vec<Check> {
        let mut callers = caller::named(setting, subject);
        callers.extend(
            self.granted
                .get(&pathless(&subject.live.arn))
                .into_iter()
                .flatten()
                .cloned(),
        );
        let mut checks = Vec::new();
        for caller in callers {
            let Some(account) = setting.organization.accounts.get(&caller.account) else {
                continue;
            };
            let cell = {
                let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
                Arc::clone(read.entry(caller.clone()).or_default())
            };
            let found = cell.get_or_init(|| self.holder(account, &caller)).await;
            checks.push(caller::check(
                setting,
                subject,
                &caller,
                found.as_ref().map(Option::as_ref),
            ));
        }
        checks
    }

    async fn holder(&self, account: &Account, caller: &Caller) -> Result<Option<Holder>, AwsError> {
        let Some(holding) = self.probing.principal(account, &caller.principal).await? else {
            return Ok(None);
        };
        let Holding {
            arn,
            inline,
            attached,
            boundary,
            tags,
        } = holding;
        let document = async |arn: &PolicyArn| self.probing.policy_document(account, arn).await;
        let identity = identity(inline, &attached, boundary.as_ref(), document).await?;
        Ok(Some(Holder {
            arn,
            identity,
            tags,
        }))
    }
}

/// Everything that gives permissions, or takes them away, with the documents of the managed policies among it.
pub(super) async fn identity<'a>(
    inline: Vec<(String, PolicyDocument)>,
    attached: impl IntoIterator<Item = &'a PolicyArn>,
    boundary: Option<&'a PolicyArn>,
    document: impl AsyncFn(&PolicyArn) -> Result<Option<PolicyDocument>, AwsError>,
) -> Result<Identity, AwsError> {
    let mut policies = inline;
    for arn in attached {
        // A policy that went between two reads gives nothing.
        if let Some(document) = document(arn).await? {
            policies.push((arn.to_string(), document));
        }
    }
    let boundary = match boundary {
        Some(arn) => Some(document(arn).await?.unwrap_or_else(nothing)),
        None => None,
    };
    Ok(Identity { policies, boundary })
}

/// A policy that allows nothing: what a boundary is whose policy is gone.
fn nothing() -> PolicyDocument {
    let text = r#"{"Version":"2012-10-17","Statement":[]}"#;
    PolicyDocument::live(text, PolicyKind::Identity, &Partition::default())
}
