//! From a survey to a verification: accounts are read side by side, their roles evaluated and entered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::callers::{self, Callers};
use super::{Observer, Survey, each_account};
use crate::aws::Probing;
use crate::aws::probe::Simulated;
use crate::diff::{Owner, owner};
use crate::evaluate::Identity;
use crate::live::LiveAccount;
use crate::org::{Account, AccountId, AwsError};
use crate::plan;
use crate::read::{Reader, Scope, Wanted};
use crate::resource::name::PolicyArn;
use crate::resource::policy::PolicyDocument;
use crate::resource::role::{Expectation, LiveRole, Role};
use crate::verify::expect;
use crate::verify::live::{self, Tries};
use crate::verify::{
    Check, Outcome, Probe, RoleResult, SessionName, Setting, Subject, Unreadable, Verification,
    Warning, trust,
};

/// Accounts that are verified at once, unless `--parallelism` says otherwise.
const AT_ONCE: usize = 32;

/// How long after the beginning of a run a refusal may be STS not having heard yet of what IAM already shows.
const LAG: Duration = Duration::from_secs(20);

/// Whether roles are entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sts {
    /// STS is asked to let the caller in.
    Asked,
    /// It is not.
    NotAsked,
}

/// Who judges what a role may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judges {
    /// It is not judged.
    None,
    /// Our own evaluation of the live policies.
    Evaluation,
    /// That and `iam:SimulatePrincipalPolicy`.
    EvaluationAndIam,
}

/// What was found in one account.
struct Verified {
    /// The checks of each role.
    checks: Vec<(String, Vec<Check>)>,
    warnings: Vec<Warning>,
}

/// Verifies roles, account by account.
pub(super) struct Verifier<'a, R> {
    /// The directory's name.
    pub name: &'a str,
    pub setting: Setting<'a>,
    pub sts: Sts,
    pub judges: Judges,
    pub session: Option<SessionName>,
    pub reader: R,
    pub probing: Probing,
    pub callers: Callers,
    /// When the run began.
    pub began: Instant,
}

impl<R: Reader> Verifier<'_, R> {
    /// Verifies every role in scope.
    pub async fn verify(
        &self,
        survey: &Survey,
        parallelism: Option<usize>,
        observer: &dyn Observer,
    ) -> Verification {
        let tasks: BTreeMap<AccountId, Vec<Arc<Role>>> = survey
            .to_read()
            .iter()
            .map(|account| (account.id, survey.roles_in(account.id).cloned().collect()))
            .filter(|(_, roles): &(_, Vec<_>)| !roles.is_empty())
            .collect();
        let phase = observer.phase("Verifying accounts", Some(tasks.len() as u64));
        let accounts = tasks
            .iter()
            .filter_map(|(id, roles)| Some((survey.organization.accounts.get(id)?, roles)));
        let at_once = parallelism.unwrap_or(AT_ONCE);
        let outcomes = each_account(accounts, at_once, async |account, roles| {
            let outcome = self.account(account, roles).await;
            match &outcome {
                Ok(found) => phase.account_done(&account.name, account.id, &words(&found.checks)),
                Err(error) => phase.failure(&format!("{} ({}): {error}", account.name, account.id)),
            }
            outcome
        })
        .await;
        phase.finish();
        let (mut results, mut findings, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
        for (account, outcome) in outcomes {
            let Verified { checks, warnings } = outcome.unwrap_or_else(|error| {
                unreadable.push(Unreadable {
                    id: account.id,
                    name: account.name.clone(),
                    error: error.to_string(),
                });
                let check = Check::new(
                    Probe::Exists,
                    Outcome::NotProvable,
                    "the account could not be read",
                );
                let roles = tasks.get(&account.id).into_iter().flatten();
                let checks = roles
                    .map(|role| (role.name.to_string(), vec![check.clone()]))
                    .collect();
                Verified {
                    checks,
                    warnings: Vec::new(),
                }
            });
            let secrets = &survey.settings.secrets;
            findings.extend(warnings.into_iter().map(|one| Warning {
                message: secrets.mask(&one.message),
                ..one
            }));
            for (role, checks) in checks {
                results.extend(checks.into_iter().map(
                    |Check {
                         probe,
                         outcome,
                         message,
                     }| RoleResult {
                        address: format!("{}/role/{role}", account.id),
                        probe,
                        outcome,
                        message: secrets.mask(&message),
                    },
                ));
            }
        }
        Verification::new(results, findings, unreadable)
    }

    /// The checks of each role of one account.
    async fn account(&self, account: &Account, roles: &[Arc<Role>]) -> Result<Verified, AwsError> {
        let live = self
            .reader
            .read(
                account,
                &Wanted {
                    scope: self.scope(roles),
                    details: false,
                    grants: None,
                },
            )
            .await?;
        let (mut checks, mut warnings) = (Vec::new(), Vec::new());
        for desired in roles {
            warnings.extend(
                live.roles
                    .get(&desired.name.key())
                    .and_then(|live| self.warning(account, desired, live)),
            );
            let found = match live.roles.get(&desired.name.key()) {
                Some(live_role) => {
                    self.role(
                        Subject {
                            account,
                            desired,
                            live: live_role,
                        },
                        &live,
                    )
                    .await?
                }
                None => vec![Check::new(
                    Probe::Exists,
                    Outcome::Failed,
                    "the role does not exist; apply first",
                )],
            };
            checks.push((desired.name.to_string(), found));
        }
        Ok(Verified { checks, warnings })
    }

    /// The warning on permissions of a role of this directory that it does not manage.
    fn warning(&self, account: &Account, desired: &Role, live: &LiveRole) -> Option<Warning> {
        if desired.external || owner(&live.tags, self.name) != Owner::Us {
            return None;
        }
        let message = plan::unmanaged_permissions(desired, live)?;
        let (code, severity) = ("unmanaged-permissions", "warn");
        let address = format!("{}/role/{}", account.id, live.name);
        Some(Warning {
            code,
            severity,
            address,
            message: format!("role `{}` {message}", live.name),
        })
    }

    /// What to read: where permissions are judged all, because only then the customer's policies come along.
    fn scope(&self, roles: &[Arc<Role>]) -> Scope {
        if self.judges != Judges::None && roles.iter().any(|role| !role.expect.is_empty()) {
            return Scope::All;
        }
        Scope::Only {
            roles: roles.iter().map(|role| role.name.clone()).collect(),
            policies: BTreeSet::new(),
        }
    }

    async fn role(
        &self,
        subject: Subject<'_>,
        account: &LiveAccount,
    ) -> Result<Vec<Check>, AwsError> {
        let mut checks = trust::check(self.setting, subject);
        checks.extend(self.callers.check(self.setting, subject).await);
        if self.sts == Sts::Asked {
            checks.extend(self.enter(subject).await);
        }
        if self.judges != Judges::None && !subject.desired.expect.is_empty() {
            let identity = self.identity(subject, account).await?;
            checks.extend(expect::check(self.setting, subject, &identity));
        }
        if self.judges == Judges::EvaluationAndIam {
            for expectation in &subject.desired.expect {
                checks.extend(self.simulate(subject, expectation).await);
            }
        }
        Ok(checks)
    }

    /// Enters the role in the right way, and where that works, tries the wrong ones.
    async fn enter(&self, subject: Subject<'_>) -> Vec<Check> {
        let Tries {
            right,
            wrong,
            let_in,
        } = match live::tries(self.setting, subject, self.session.as_ref()) {
            Ok(tries) => tries,
            Err(check) => return vec![check],
        };
        let Subject {
            account,
            live: LiveRole { arn, .. },
            ..
        } = subject;
        let assume = |call: &live::Try| {
            let call = call.clone();
            async move {
                self.probing
                    .assume(
                        account,
                        arn,
                        &call.session_name,
                        call.external_id.as_deref(),
                    )
                    .await
            }
        };
        let mut pause = Duration::from_millis(500);
        let answer = loop {
            match assume(&right).await {
                Ok(opened) => break self.probing.identity(account, opened).await,
                // Only this one is asked again: whoever is let in the wrong way is in.
                Err(error)
                    if let_in && error.is("AccessDenied") && self.began.elapsed() + pause < LAG =>
                {
                    tracing::debug!(
                        role = arn,
                        "refused although its trust allows the caller; trying again"
                    );
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(4));
                }
                Err(error) => break Err(error),
            }
        };
        let mut checks = vec![live::judge_right(subject, &answer)];
        for call in &wrong {
            checks.push(match answer {
                Ok(_) => live::judge_wrong(call.probe, &assume(call).await.map(drop)),
                Err(_) => live::moot(call),
            });
        }
        checks
    }

    /// What gives the role permissions, or takes them away.
    async fn identity(
        &self,
        subject: Subject<'_>,
        live: &LiveAccount,
    ) -> Result<Identity, AwsError> {
        let LiveRole {
            managed_policies,
            inline_policies,
            permissions_boundary,
            ..
        } = subject.live;
        let inline = inline_policies
            .iter()
            .map(|(name, document)| (name.to_string(), document.clone()))
            .collect();
        let document = async |arn: &PolicyArn| self.document(subject.account, live, arn).await;
        callers::identity(
            inline,
            managed_policies,
            permissions_boundary.as_ref(),
            document,
        )
        .await
    }

    async fn simulate(&self, subject: Subject<'_>, expectation: &Expectation) -> Vec<Check> {
        let context = expect::context(self.setting, subject, expectation);
        let allow = expectation.allow.iter().map(|pair| (pair, true));
        let pairs = allow.chain(expectation.deny.iter().map(|pair| (pair, false)));
        let mut checks = Vec::new();
        for ((action, resource), expected) in
            pairs.filter(|((action, _), _)| !action.contains(['*', '?']))
        {
            let pair = (action.as_str(), resource.as_str());
            let answer = self
                .probing
                .simulate(subject.account, &subject.live.arn, pair, &context)
                .await;
            let what = format!("`{action}` on `{resource}`");
            let (outcome, message) = match answer {
                Ok(Simulated::Allowed) if expected => {
                    (Outcome::Proven, format!("IAM allows {what}"))
                }
                Ok(Simulated::Allowed) => (Outcome::Failed, format!("IAM allows {what}")),
                Ok(Simulated::Denied(how)) if expected => {
                    (Outcome::Failed, format!("IAM refuses {what}: {how}"))
                }
                Ok(Simulated::Denied(how)) => {
                    (Outcome::Proven, format!("IAM refuses {what}: {how}"))
                }
                Ok(Simulated::Missing(keys)) => (
                    Outcome::NotProvable,
                    format!(
                        "for {what} IAM needs {}: set it in `context`",
                        keys.join(", ")
                    ),
                ),
                Err(error) => (
                    Outcome::NotProvable,
                    format!("IAM could not simulate {what}: {error}"),
                ),
            };
            checks.push(Check::new(Probe::Simulate, outcome, message));
        }
        checks
    }

    async fn document(
        &self,
        account: &Account,
        live: &LiveAccount,
        arn: &PolicyArn,
    ) -> Result<Option<PolicyDocument>, AwsError> {
        match live.policies.values().find(|policy| policy.arn == *arn) {
            Some(policy) => Ok(Some(policy.document.clone())),
            None => self.probing.policy_document(account, arn).await,
        }
    }
}

/// How an account ended, for the progress.
fn words(roles: &[(String, Vec<Check>)]) -> String {
    let count = |outcome| {
        roles
            .iter()
            .flat_map(|(_, checks)| checks)
            .filter(|check| check.outcome == outcome)
            .count()
    };
    match (count(Outcome::Proven), count(Outcome::Failed)) {
        (proven, 0) => format!("{proven} proven"),
        (proven, failed) => format!("{proven} proven, {failed} failed"),
    }
}
