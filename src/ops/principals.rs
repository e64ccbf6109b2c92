//! Checks that the roles named in planned trust policies exist: IAM refuses a trust that names a missing one.
//!
//! Only trusts that are about to be written are looked at: in one that is there already a role that is gone shows as its
//! unique id. Roles of other organizations cannot be seen, nor can those of an account that cannot be read.

use std::collections::{BTreeMap, BTreeSet};

use super::each_account;
use crate::org::{Account, AccountId, AwsError, Organization};
use crate::plan::{AccountPlan, Finding, Severity};
use crate::read::{Reader, Wanted};
use crate::resource::name::RoleName;
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::step::Step;

/// Says of each planned trust which roles it names that are neither there nor planned. Gives the accounts as well that
/// could not be read for it.
pub async fn missing(
    reader: &impl Reader,
    organization: &Organization,
    parts: &[AccountPlan],
    parallelism: usize,
) -> (Vec<Finding>, Vec<AwsError>) {
    let named = named(parts, organization);
    let planned = planned(parts, organization);
    let mut wanted: BTreeMap<AccountId, BTreeMap<&str, RoleName>> = BTreeMap::new();
    for (_, arn) in named.iter().filter(|(_, arn)| !planned.contains(arn)) {
        if let Some((account, role)) = role_of(arn) {
            wanted.entry(account).or_default().insert(arn, role);
        }
    }
    let active = |id: &AccountId| {
        organization
            .accounts
            .get(id)
            .filter(|account| account.status.is_active())
    };
    let accounts = wanted
        .iter()
        .filter_map(|(id, roles)| Some((active(id)?, roles)));
    let answers = each_account(accounts, parallelism, async |account, roles| {
        gone(reader, account, roles).await
    })
    .await;
    let (mut gone, mut unread) = (BTreeMap::new(), Vec::new());
    for (_, answer) in answers {
        match answer {
            Ok(found) => gone.extend(found),
            Err(error) => unread.push(error),
        }
    }
    let missing = named
        .iter()
        .filter_map(|(address, arn)| Some((address, arn, gone.get(arn.as_str())?)));
    let findings = missing.map(|(address, arn, there): (_, _, &Option<String>)| {
        let similar = |other: &&String| role_key(other) == role_key(arn);
        let hint = match (there, planned.iter().find(similar)) {
            (_, Some(other)) => format!("this plan makes it as `{other}`: write that"),
            (Some(other), None) => format!("it is there as `{other}`: write that"),
            (None, None) => "create that role first, or fix the name".to_owned(),
        };
        Finding {
            code: "missing-principal".to_owned(),
            severity: Severity::Stop,
            address: Some(address.clone()),
            message: format!(
                "the trust policy names `{arn}`, which does not exist: IAM refuses it; {hint}"
            ),
        }
    });
    (findings.collect(), unread)
}

/// Two ARNs with one key differ in the path or the case of the name alone.
fn role_key(arn: &str) -> Option<(AccountId, String)> {
    role_of(arn).map(|(account, role)| (account, role.key()))
}

/// The roles among `roles` that are not in `account`, each with the ARN of the role that has its
/// name there: names are unique whatever their case and path, ARNs are not.
async fn gone<'a>(
    reader: &impl Reader,
    account: &Account,
    roles: &BTreeMap<&'a str, RoleName>,
) -> Result<BTreeMap<&'a str, Option<String>>, AwsError> {
    let live = reader
        .read(account, &Wanted::roles(roles.values().cloned()))
        .await?;
    let there = |name: &RoleName| live.roles.get(&name.key()).map(|role| role.arn.clone());
    let each = roles.iter().map(|(arn, name)| (*arn, there(name)));
    Ok(each
        .filter(|(arn, there)| there.as_deref() != Some(*arn))
        .collect())
}

/// Address and role ARN for each role that a planned trust names.
fn named(parts: &[AccountPlan], organization: &Organization) -> BTreeSet<(String, String)> {
    let changes = parts.iter().flat_map(|part| &part.changes);
    let written =
        changes.flat_map(|change| change.steps.iter().map(|step| (&change.address, step)));
    written
        .filter_map(|(address, step)| match step {
            Step::CreateRole { trust: text, .. }
            | Step::UpdateAssumeRolePolicy { document: text, .. } => Some((
                address,
                PolicyDocument::live(text, PolicyKind::Trust, &organization.partition),
            )),
            _ => None,
        })
        .flat_map(|(address, trust)| {
            trust
                .aws_principals()
                .into_iter()
                .map(|arn| (address.clone(), arn))
        })
        .filter(|(_, arn)| role_of(arn).is_some())
        .collect()
}

fn planned(parts: &[AccountPlan], organization: &Organization) -> BTreeSet<String> {
    let steps = parts.iter().flat_map(|part| {
        part.changes
            .iter()
            .flat_map(|change| &change.steps)
            .map(|step| (part.id, step))
    });
    steps
        .filter_map(|(account, step)| match step {
            Step::CreateRole { role, path, .. } => Some(format!(
                "arn:{}:iam::{account}:role{path}{role}",
                organization.partition
            )),
            _ => None,
        })
        .collect()
}

/// The account and name in a role's ARN.
pub(super) fn role_of(arn: &str) -> Option<(AccountId, RoleName)> {
    let mut parts = arn.splitn(6, ':').skip(4);
    let account = AccountId::parse(parts.next()?).ok()?;
    let name = parts.next()?.strip_prefix("role/")?.rsplit('/').next()?;
    Some((account, RoleName::parse(name).ok()?))
}
