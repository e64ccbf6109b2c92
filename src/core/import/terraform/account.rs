//! Which account a resource is in. Its ARN says it; where it has none, what is beside it does.

use std::collections::{BTreeMap, BTreeSet};

use super::read::Instance;
use crate::org::AccountId;

/// The accounts that were seen, by what tells of them.
#[derive(Debug, Default)]
pub struct Accounts {
    given: BTreeMap<String, AccountId>,
    providers: BTreeMap<String, BTreeSet<AccountId>>,
    modules: BTreeMap<String, BTreeSet<AccountId>>,
    addresses: BTreeMap<String, BTreeSet<AccountId>>,
    roles: BTreeMap<String, BTreeSet<AccountId>>,
    all: BTreeSet<AccountId>,
}

/// The account in an ARN.
pub fn in_arn(arn: &str) -> Option<AccountId> {
    arn.strip_prefix("arn:")?;
    AccountId::parse(arn.split(':').nth(4)?).ok()
}

/// The account that a resource itself tells.
fn told(instance: &Instance) -> Option<AccountId> {
    let arn = instance.text("arn").and_then(in_arn);
    let is_identity = instance.kind == "aws_caller_identity";
    let id = instance.text("account_id").filter(|_| is_identity);
    arn.or_else(|| AccountId::parse(id?).ok())
}

/// The alias of a provider's configuration: `east` of `module.m.provider["…"].east`, `default` where it has none.
fn alias(provider: &str) -> &str {
    provider
        .rsplit_once("].")
        .map_or("default", |(_, alias)| alias)
}

impl Accounts {
    /// Looks at all resources. `given`: accounts by the alias of a provider.
    ///
    /// # Errors
    /// A given account is none.
    pub fn of(instances: &[Instance], given: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut accounts = Self::default();
        for (alias, id) in given {
            let parsed = AccountId::parse(id);
            let id = parsed
                .map_err(|_| format!("--account {alias}={id}: an account id is 12 digits"))?;
            accounts.given.insert(alias.clone(), id);
            accounts.all.insert(id);
        }
        for instance in instances {
            let Some(account) = told(instance) else {
                continue;
            };
            let note = |map: &mut BTreeMap<String, BTreeSet<AccountId>>, key: &str| {
                map.entry(key.to_owned()).or_default().insert(account);
            };
            if let Some(provider) = &instance.provider {
                note(&mut accounts.providers, provider);
            }
            note(&mut accounts.modules, &instance.module);
            note(&mut accounts.addresses, &instance.whole);
            note(&mut accounts.addresses, &instance.address);
            if let Some(name) = instance
                .text("name")
                .filter(|_| instance.kind == "aws_iam_role")
            {
                note(&mut accounts.roles, &name.to_ascii_lowercase());
            }
            accounts.all.insert(account);
        }
        Ok(accounts)
    }

    /// The account of a resource that names `role`.
    ///
    /// # Errors
    /// The accounts that it may be in.
    pub fn find(
        &self,
        instance: &Instance,
        role: Option<&str>,
    ) -> Result<AccountId, Vec<AccountId>> {
        if let Some(account) = told(instance) {
            return Ok(account);
        }
        let provider = instance.provider.as_deref();
        if let Some(given) = provider.and_then(|provider| self.given.get(alias(provider))) {
            return Ok(*given);
        }
        let policy = instance.text("policy_arn").and_then(in_arn);
        let policies = instance.texts("policy_arns").unwrap_or_default();
        let policies: BTreeSet<AccountId> = policies
            .iter()
            .filter_map(|arn| in_arn(arn))
            .chain(policy)
            .collect();
        let of = |map: &BTreeMap<String, BTreeSet<AccountId>>, key: Option<&str>| {
            key.and_then(|key| map.get(key))
                .cloned()
                .unwrap_or_default()
        };
        let depends = instance.depends_on.iter();
        let depends: BTreeSet<AccountId> = depends
            .flat_map(|address| of(&self.addresses, Some(address)))
            .collect();
        let role = role.map(str::to_ascii_lowercase);
        let mut possible: BTreeSet<AccountId> = BTreeSet::new();
        let hints = [
            of(&self.providers, provider),
            policies,
            of(&self.modules, Some(&instance.module)),
            depends,
            of(&self.roles, role.as_deref()),
            self.all.clone(),
        ];
        for hint in hints {
            // Each hint narrows what those before it left open.
            let narrowed: BTreeSet<AccountId> = if possible.is_empty() {
                hint
            } else {
                possible.intersection(&hint).copied().collect()
            };
            if let (Some(only), 1) = (narrowed.first(), narrowed.len()) {
                return Ok(*only);
            }
            if !narrowed.is_empty() {
                possible = narrowed;
            }
        }
        Err(possible.into_iter().collect())
    }
}
