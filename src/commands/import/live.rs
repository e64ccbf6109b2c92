//! `rolecall import live`: the roles of every account of the organization.

use std::collections::{BTreeMap, BTreeSet};

use super::output::finish;
use crate::aws::{self, Access, Aws};
use crate::cli::{Include, LiveArgs};
use crate::commands::{Console, Error};
use crate::config::check::is_directory_name;
use crate::config::{NarrowScope, Problems};
use crate::exit::Exit;
use crate::import::check::check;
use crate::import::live::fold::{Folding, Units, fold};
use crate::import::live::{Options, Policies, Services, Stacks, select};
use crate::import::report::Report;
use crate::live::AccountLive;
use crate::ops::{Observer as _, each_account, wait};
use crate::org::{Account, AccountId, Organization};
use crate::plan::RoleKey;
use crate::read::{Reader, Wanted};

/// How whoever manages the roles now lets go of them.
const HAND_OVER: &[&str] = &[
    "Whatever writes these roles besides rolecall has to stop before it undoes a change. In Terraform, `removed` blocks with \
     `lifecycle { destroy = false }` forget a resource without deleting it. In CloudFormation, `DeletionPolicy: Retain` on each \
     resource and then deleting the stack leaves them, and `--retain-stacks` does so for the instances of a StackSet.",
    "CloudFormation's own tags stay on what a deleted stack left, because only AWS can remove tags that begin with \
     `aws:`. `former_stack = \"NAME\"` on a role says that its stack no longer manages it, and `stack-owned` stops no change then.",
    "A target that is an organizational unit, or `all`, takes in the accounts that join it later: `--targets ids` names \
     accounts only.",
];

/// Reads the organization, and writes what it holds as desired state.
pub async fn run(args: &LiveArgs, aws: aws::Settings, console: &Console) -> Result<Exit, Error> {
    if let Some(name) = args.name.as_deref().filter(|name| !is_directory_name(name)) {
        let message =
            format!("`{name}` cannot be the name of a directory: 1 to 64 of a-z, 0-9 and `-`");
        return Err(Error::because(message));
    }
    let connecting = Box::pin(Aws::connect(aws));
    let aws = wait(
        "STS to say whose credentials these are",
        console,
        connecting,
    )
    .await?;
    let organization = walk(&aws, args, console).await?;
    let narrow = NarrowScope::parse(&args.account, &[]);
    let accounts: Vec<Account> = organization
        .accounts
        .values()
        .filter(|account| account.status.is_active())
        .filter(|account| narrow.has_account(account, &organization))
        .cloned()
        .collect();
    let role = args.access_role.clone();
    let reader = aws
        .accounts(Access {
            role_for: Box::new(move |_| role.clone()),
            session_name: args.session_name.clone(),
            external_id: args.external_id.clone(),
        })
        .reading();
    let mut live = read(&reader, &accounts, args.parallelism, console).await;
    if !live
        .values()
        .any(|live| matches!(live, AccountLive::Read(_)))
    {
        return Err(unreadable(live));
    }
    let name = args.name.clone().unwrap_or_else(|| organization.id.clone());
    let options = options(args, &name, &organization);
    let selection = select(&organization, &live, &options);
    tags(
        &reader,
        &organization,
        selection.asks(&live),
        args.parallelism,
        &mut live,
    )
    .await?;
    let (observed, mut entries) = selection.observe(&organization, &live, &options);
    let folding = Folding {
        organization: Some(&organization),
        units: if args.targets == crate::cli::TargetStyle::Ids {
            Units::Never
        } else {
            Units::Fold
        },
        partition: &organization.partition,
    };
    let mut draft = fold(&name, &observed, folding);
    let (emitted, lost) = check(&mut draft, Some(&organization));
    entries.extend(lost);
    let from = format!("live IAM of organization {}", organization.id);
    let mut report = Report::new(from, &draft, entries);
    report.hand_over = HAND_OVER.iter().map(|text| (*text).to_owned()).collect();
    finish(emitted.files, report, &args.out, args.format, console)
}

async fn walk(aws: &Aws, args: &LiveArgs, console: &Console) -> Result<Organization, Error> {
    let phase = console.phase("Reading the organization", None);
    let walking = aws.organization(|_| phase.tick());
    let walked = wait("Organizations to list the accounts", console, walking).await;
    phase.finish();
    let mut organization = walked?;
    let narrow = NarrowScope::parse(&args.account, &[]);
    if narrow.uses_tags() {
        let all = organization.accounts.keys().copied().collect();
        for (id, tags) in aws.account_tags(&all).await? {
            if let Some(account) = organization.accounts.get_mut(&id) {
                account.tags = Some(tags);
            }
        }
    }
    let mut problems = Problems::default();
    narrow.check(&organization, &mut problems);
    problems.into_result()?;
    Ok(organization)
}

async fn read(
    reader: &impl Reader,
    accounts: &[Account],
    parallelism: usize,
    console: &Console,
) -> BTreeMap<AccountId, AccountLive> {
    let wanted = Wanted {
        details: true,
        ..Wanted::everything()
    };
    let phase = console.phase("Reading accounts", u64::try_from(accounts.len()).ok());
    let questions = accounts.iter().map(|account| (account, ()));
    let answers = each_account(questions, parallelism, async |account, ()| {
        let read = reader.read(account, &wanted).await;
        let (id, name) = (account.id, &account.name);
        match &read {
            Ok(_) => phase.account_done(name, id, ""),
            Err(error) => phase.failure(&format!("{name} ({id}): {error}")),
        }
        read
    })
    .await;
    phase.finish();
    let live = answers.into_iter().map(|(account, read)| {
        let read = match read {
            Ok(read) => AccountLive::Read(read),
            Err(error) => AccountLive::Unreadable(error),
        };
        (account.id, read)
    });
    live.collect()
}

/// Nothing could be read: what AWS said of the first account.
fn unreadable(live: BTreeMap<AccountId, AccountLive>) -> Error {
    let error = live.into_values().find_map(|live| match live {
        AccountLive::Unreadable(error) => Some(error),
        AccountLive::Read(_) => None,
    });
    match error {
        Some(error) => Error::Aws(error),
        None => Error::because("the organization has no active account to read"),
    }
}

/// Reads the tags of these policies.
async fn tags(
    reader: &impl Reader,
    organization: &Organization,
    asks: Vec<(AccountId, crate::resource::name::PolicyArn)>,
    parallelism: usize,
    live: &mut BTreeMap<AccountId, AccountLive>,
) -> Result<(), Error> {
    let asked = asks
        .into_iter()
        .filter_map(|(id, arn)| Some((organization.accounts.get(&id)?, arn)));
    let answers = each_account(asked, parallelism, async |account, arn| {
        let tags = reader.policy_tags(account, &arn).await?;
        Ok((arn, tags))
    })
    .await;
    for (account, answer) in answers {
        let (id, (arn, tags)) = (account.id, answer?);
        if let Some(AccountLive::Read(account)) = live.get_mut(&id)
            && let Some(policy) = account
                .policies
                .values_mut()
                .find(|policy| policy.arn == arn)
        {
            policy.tags = Some(tags);
        }
    }
    Ok(())
}

fn options(args: &LiveArgs, name: &str, organization: &Organization) -> Options {
    Options {
        name: name.to_owned(),
        roles: args.role.clone(),
        services: if args.include.contains(&Include::Services) {
            Services::Include
        } else {
            Services::Leave
        },
        stacks: match args.stacks {
            crate::cli::StackStyle::Leave => Stacks::Leave,
            crate::cli::StackStyle::External => Stacks::External,
            crate::cli::StackStyle::Adopt => Stacks::Adopt,
        },
        policies: match args.policies {
            crate::cli::PolicyStyle::Attached => Policies::Attached,
            crate::cli::PolicyStyle::All => Policies::All,
        },
        protected: protected(args, organization),
    }
}

/// The roles that the import itself goes through.
fn protected(args: &LiveArgs, organization: &Organization) -> BTreeSet<(AccountId, RoleKey)> {
    let role = args.access_role.rsplit('/').next().unwrap_or_default();
    organization
        .accounts
        .keys()
        .map(|id| (*id, role.to_ascii_lowercase()))
        .collect()
}
