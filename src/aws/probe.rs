//! Asking AWS what `verify` cannot work out by itself: STS whether it lets the caller in, IAM for the documents of AWS's
//! managed policies and for a simulation.
//!
//! A session that a probe opens is used for one `GetCallerIdentity` and dropped: nothing here is kept or shared, so no
//! probe is answered from a session that another one opened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};
use tokio::sync::OnceCell;

use super::accounts::{Accounts, Iam};
use super::body::WholeBody;
use super::error::Call;
use super::read::{absent_is_none, version_document};
use super::retry::Lost;
use super::retry::Retries;
use super::trace::Trace;
use crate::org::{Account, AwsError};
use crate::permissions::Trial;
use crate::resource::name::PolicyArn;
use crate::resource::operation::Operation;
use crate::resource::policy::PolicyDocument;

/// Someone who can try roles and has no way to write.
#[derive(Debug, Clone)]
pub struct Probing {
    accounts: Accounts,
    documents: Arc<Documents>,
}

/// The documents of AWS's managed policies: the same in every account, so each is read once.
type Documents = Mutex<BTreeMap<PolicyArn, Arc<OnceCell<Option<PolicyDocument>>>>>;

/// A session that STS opened. It shows nothing of its credentials.
pub struct Opened {
    credentials: Credentials,
    role_arn: String,
}

/// How an account was entered.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The role.
    pub role_arn: String,
    /// When AWS ends the session.
    pub expiry: Option<SystemTime>,
}

/// What a simulation said of one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Simulated {
    /// It is allowed.
    Allowed,
    /// It is not: `implicitDeny`, `explicitDeny`.
    Denied(String),
    /// It depends on condition keys that were not given.
    Missing(Vec<String>),
}

impl Accounts {
    /// Someone who can try roles.
    pub fn probing(&self) -> Probing {
        Probing {
            accounts: self.clone(),
            documents: Arc::default(),
        }
    }
}

impl Probing {
    /// The accounts that are asked.
    pub(super) fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Enters an account as the run does; `None` for the caller's own, which is not entered.
    pub async fn enter(&self, account: &Account) -> Result<Option<Entry>, AwsError> {
        let session = self
            .accounts
            .within(account, async |iam| Ok(iam.session()))
            .await?;
        if account.id == self.accounts.aws().caller().account {
            return Ok(None);
        }
        let (role, _) = self.accounts.role_and_session(account);
        Ok(Some(Entry {
            role_arn: format!(
                "arn:{}:iam::{}:role/{}",
                self.accounts.aws().partition(),
                account.id,
                role.trim_start_matches('/')
            ),
            expiry: session.enter().await?.expiry(),
        }))
    }

    /// The actions of a trial that `iam:SimulatePrincipalPolicy` does not allow a role.
    pub async fn denied(
        &self,
        account: &Account,
        role_arn: &str,
        trial: &Trial,
    ) -> Result<Vec<String>, AwsError> {
        self.accounts
            .within(account, |iam| denied(iam, role_arn, trial))
            .await
    }

    /// Assumes a role as the caller of the run.
    pub async fn assume(
        &self,
        account: &Account,
        role_arn: &str,
        session_name: &str,
        external_id: Option<&str>,
    ) -> Result<Opened, AwsError> {
        let call = Call {
            account: Some(account.id),
            operation: Operation::AssumeRole,
            resource: Some(role_arn),
        };
        let request = self
            .accounts
            .aws()
            .sts
            .assume_role()
            .role_arn(role_arn)
            .role_session_name(session_name);
        let answer = request
            .set_external_id(external_id.map(str::to_owned))
            .send()
            .await;
        let given = call.required(
            "Credentials",
            answer.map_err(|error| call.failed(&error))?.credentials,
        )?;
        let token = Some(given.session_token);
        let credentials = Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            token,
            None,
            "probe",
        );
        Ok(Opened {
            credentials,
            role_arn: role_arn.to_owned(),
        })
    }

    /// The ARN that STS knows a session by.
    pub async fn identity(&self, account: &Account, session: Opened) -> Result<String, AwsError> {
        let Opened {
            credentials,
            role_arn,
        } = session;
        let call = Call {
            account: Some(account.id),
            operation: Operation::GetCallerIdentity,
            resource: Some(&role_arn),
        };
        let retries = Retries::unbounded("probe");
        let config = aws_sdk_sts::config::Builder::from(&self.accounts.aws().base)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_partition(retries.partition.clone())
            .retry_classifier(retries.classifier(Lost::default()))
            .interceptor(WholeBody)
            .interceptor(Trace {
                account: Some(account.id),
            })
            .build();
        let client = aws_sdk_sts::Client::from_conf(config);
        let answer = client
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| call.failed(&error))?;
        call.required("Arn", answer.arn)
    }

    /// The document in force of a managed policy; `None` where there is no such policy.
    pub async fn policy_document(
        &self,
        account: &Account,
        arn: &PolicyArn,
    ) -> Result<Option<PolicyDocument>, AwsError> {
        let read = || self.accounts.within(account, |iam| document(iam, arn));
        if !arn.is_aws_managed() {
            return read().await;
        }
        let cell = {
            let mut documents = self
                .documents
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(documents.entry(arn.clone()).or_default())
        };
        cell.get_or_try_init(read).await.cloned()
    }

    /// What `iam:SimulatePrincipalPolicy` says of one action of a role on one resource.
    pub async fn simulate(
        &self,
        account: &Account,
        role_arn: &str,
        (action, resource): (&str, &str),
        context: &BTreeMap<String, Vec<String>>,
    ) -> Result<Simulated, AwsError> {
        self.accounts
            .within(account, |iam| {
                simulated(iam, role_arn, (action, resource), context)
            })
            .await
    }
}

async fn denied(iam: Iam, role_arn: &str, trial: &Trial) -> Result<Vec<String>, AwsError> {
    let call = iam.call(Operation::SimulatePrincipalPolicy, Some(role_arn));
    let entries: Vec<_> = trial
        .context
        .iter()
        .map(|(key, values)| entry(key, values))
        .collect();
    let asked = iam
        .client
        .simulate_principal_policy()
        .policy_source_arn(role_arn)
        .set_action_names(Some(
            trial.actions.iter().map(ToString::to_string).collect(),
        ))
        .resource_arns(&trial.resource)
        .set_context_entries(Some(entries));
    let (mut denied, mut marker, mut seen) = (Vec::new(), None, BTreeSet::new());
    loop {
        let page = asked.clone().set_marker(marker).send().await;
        let page = page.map_err(|error| call.failed(&error))?;
        let results = page.evaluation_results.unwrap_or_default().into_iter();
        denied.extend(
            results
                .filter(|result| result.eval_decision != PolicyEvaluationDecisionType::Allowed)
                .map(|result| result.eval_action_name),
        );
        marker = page.marker.filter(|_| page.is_truncated);
        match &marker {
            None => return Ok(denied),
            Some(next) if seen.insert(next.clone()) => {}
            Some(_) => return Err(call.because("the listing does not end")),
        }
    }
}

async fn document(iam: Iam, arn: &PolicyArn) -> Result<Option<PolicyDocument>, AwsError> {
    let call = iam.call(Operation::GetPolicy, Some(arn.as_str()));
    let answer = iam
        .client
        .get_policy()
        .policy_arn(arn.as_str())
        .send()
        .await;
    let Some(answer) = absent_is_none(answer.map_err(|error| call.failed(&error)))? else {
        return Ok(None);
    };
    let version = answer.policy.and_then(|policy| policy.default_version_id);
    absent_is_none(version_document(&iam, arn, &call.required("DefaultVersionId", version)?).await)
}

async fn simulated(
    iam: Iam,
    role_arn: &str,
    (action, resource): (&str, &str),
    context: &BTreeMap<String, Vec<String>>,
) -> Result<Simulated, AwsError> {
    let call = iam.call(Operation::SimulatePrincipalPolicy, Some(role_arn));
    let entries = context
        .iter()
        .map(|(key, values)| entry(key, values))
        .collect();
    let answer = iam
        .client
        .simulate_principal_policy()
        .policy_source_arn(role_arn)
        .action_names(action)
        .resource_arns(resource)
        .set_context_entries(Some(entries))
        .send()
        .await
        .map_err(|error| call.failed(&error))?;
    // One action on one resource has one result, so there is no second page.
    let result = answer
        .evaluation_results
        .unwrap_or_default()
        .into_iter()
        .next();
    let result = call.required("EvaluationResults", result)?;
    // For a named resource the keys stand with the resource (IAM API Reference, `EvaluationResult`).
    let of_resources = result
        .resource_specific_results
        .unwrap_or_default()
        .into_iter();
    let mut missing = result.missing_context_values.unwrap_or_default();
    missing
        .extend(of_resources.flat_map(|result| result.missing_context_values.unwrap_or_default()));
    Ok(match result.eval_decision {
        PolicyEvaluationDecisionType::Allowed => Simulated::Allowed,
        _ if !missing.is_empty() => Simulated::Missing(missing),
        decision => Simulated::Denied(decision.as_str().to_owned()),
    })
}

fn entry(key: &str, values: &[String]) -> ContextEntry {
    let kind = match values {
        [value] if value == "true" || value == "false" => ContextKeyTypeEnum::Boolean,
        [_] => ContextKeyTypeEnum::String,
        _ => ContextKeyTypeEnum::StringList,
    };
    let entry = ContextEntry::builder()
        .context_key_name(key)
        .context_key_type(kind);
    entry.set_context_key_values(Some(values.to_vec())).build()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fake, account, default, refusal, xml};
    use super::*;

    fn session(account: &str) -> String {
        format!("<Account>{account}</Account><Arn>arn:aws:sts::{account}:assumed-role/X/s</Arn>")
    }

    #[tokio::test]
    async fn each_probe_asks_sts_anew_and_is_itself_afterwards() {
        let fake = Fake::new(
            |asked| match (asked.operation.as_str(), asked.key.as_str()) {
                ("AssumeRole", _) if asked.get("ExternalId") != "right" => {
                    refusal(403, "AccessDenied", "no")
                }
                ("GetCallerIdentity", "222222222222") => {
                    xml("GetCallerIdentity", &session("222222222222"))
                }
                _ => default(),
            },
        );
        let probing = fake.accounts().await.probing();
        let account = account("222222222222");
        let arn = "arn:aws:iam::222222222222:role/X";
        for _ in 0..2 {
            let opened = probing
                .assume(&account, arn, "log-reader", Some("right"))
                .await
                .unwrap();
            let identity = probing.identity(&account, opened).await.unwrap();
            assert_eq!(identity, "arn:aws:sts::222222222222:assumed-role/X/s");
        }
        for external_id in [None, Some("wrong")] {
            let error = probing
                .assume(&account, arn, "log-reader", external_id)
                .await
                .err()
                .unwrap();
            assert!(
                error.is("AccessDenied") && error.to_string().contains(arn),
                "{error}"
            );
        }
        assert_eq!(fake.count("AssumeRole"), 4);
        assert!(
            fake.log()
                .iter()
                .all(|asked| asked.operation != "AssumeRole"
                    || asked.get("RoleSessionName") == "log-reader")
        );
    }

    #[tokio::test]
    async fn an_aws_managed_policy_is_read_once_for_all_accounts() {
        let fake = Fake::new(|asked| match asked.operation.as_str() {
            "GetPolicy" if asked.get("PolicyArn").ends_with("Gone") => {
                refusal(404, "NoSuchEntity", "gone")
            }
            "GetPolicy" => xml(
                "GetPolicy",
                "<Policy><DefaultVersionId>v7</DefaultVersionId></Policy>",
            ),
            "GetPolicyVersion" => {
                assert_eq!(asked.get("VersionId"), "v7");
                let document = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D";
                xml(
                    "GetPolicyVersion",
                    &format!("<PolicyVersion><Document>{document}</Document></PolicyVersion>"),
                )
            }
            _ => default(),
        });
        let probing = fake.accounts().await.probing();
        let arn =
            |name: &str| PolicyArn::parse(&format!("arn:aws:iam::aws:policy/{name}")).unwrap();
        for id in ["222222222222", "333333333333"] {
            assert!(
                probing
                    .policy_document(&account(id), &arn("ReadOnlyAccess"))
                    .await
                    .unwrap()
                    .is_some()
            );
            assert_eq!(
                probing.policy_document(&account(id), &arn("Gone")).await,
                Ok(None)
            );
        }
        assert_eq!(
            (fake.count("GetPolicy"), fake.count("GetPolicyVersion")),
            (2, 1)
        );
    }

    #[tokio::test]
    async fn a_simulation_says_allowed_denied_or_what_it_lacks() {
        let fake = Fake::new(|asked| match asked.operation.as_str() {
            "SimulatePrincipalPolicy" => {
                let (decision, missing) = match asked.get("ActionNames.member.1") {
                    "s3:GetObject" => ("allowed", ""),
                    "s3:PutObject" => ("implicitDeny", ""),
                    _ => (
                        "implicitDeny",
                        "<MissingContextValues><member>aws:SourceIp</member></MissingContextValues>",
                    ),
                };
                let missing = match asked.get("ResourceArns.member.1") {
                    "*" => missing.to_owned(),
                    arn => format!(
                        "<ResourceSpecificResults><member><EvalResourceName>{arn}</EvalResourceName><EvalResourceDecision>{decision}\
                         </EvalResourceDecision>{missing}</member></ResourceSpecificResults>"
                    ),
                };
                let result = format!(
                    "<EvaluationResults><member><EvalActionName>a</EvalActionName><EvalDecision>{decision}</EvalDecision>\
                     {missing}</member></EvaluationResults>"
                );
                xml("SimulatePrincipalPolicy", &result)
            }
            _ => default(),
        });
        let probing = fake.accounts().await.probing();
        for (action, expect) in [
            ("s3:GetObject", Simulated::Allowed),
            ("s3:PutObject", Simulated::Denied("implicitDeny".to_owned())),
            (
                "s3:ListBucket",
                Simulated::Missing(vec!["aws:SourceIp".to_owned()]),
            ),
        ] {
            let context =
                BTreeMap::from([("aws:SecureTransport".to_owned(), vec!["true".to_owned()])]);
            let account = account("222222222222");
            let arn = "arn:aws:iam::222222222222:role/X";
            for resource in ["*", "arn:aws:s3:::b/x"] {
                assert_eq!(
                    probing
                        .simulate(&account, arn, (action, resource), &context)
                        .await,
                    Ok(expect.clone())
                );
            }
        }
        assert!(
            fake.log()
                .iter()
                .any(|asked| asked.get("ContextEntries.member.1.ContextKeyType") == "boolean")
        );
    }
}
