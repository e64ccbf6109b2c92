//! Policies: inline ones and managed ones, their documents, versions, attachments and sizes.

use super::stage::{POLICY, Stage, TRUST, code, policy_of};
use super::{Probe, probe};

const PUT: &str = "IAM API Reference, PutRolePolicy";
const CREATE: &str = "IAM API Reference, CreatePolicy";
const DELETE: &str = "IAM API Reference, DeletePolicy";
const ATTACH: &str = "IAM API Reference, AttachRolePolicy";
const VERSIONS: &str = "IAM User Guide, Versioning IAM policies";
const QUOTAS: &str = "IAM User Guide, IAM and AWS STS quotas";
const GRAMMAR: &str = "IAM User Guide, Grammar of the IAM JSON policy language";

impl Stage {
    async fn try_policy(&self, name: &str, document: &str) -> String {
        code(
            &self
                .iam
                .create_policy()
                .policy_name(name)
                .policy_document(document)
                .send()
                .await,
        )
    }

    async fn delete_policy(&self, arn: &str) -> String {
        code(&self.iam.delete_policy().policy_arn(arn).send().await)
    }

    async fn default_version(&self, arn: &str) -> String {
        self.iam
            .get_policy()
            .policy_arn(arn)
            .send()
            .await
            .unwrap()
            .policy
            .unwrap()
            .default_version_id
            .unwrap()
    }
}

/// An inline policy that `PutRolePolicy` calls malformed.
fn malformed(name: &'static str, page: &'static str, document: fn() -> String) -> Probe {
    probe(name, "MalformedPolicyDocument", page, move |s| async move {
        s.role("probe").await;
        s.put("probe", "inline", &document()).await
    })
}

pub fn probes() -> Vec<Probe> {
    let mut probes = inline();
    probes.extend(managed());
    probes.extend(versions());
    probes.extend(attachments());
    probes.extend(deletions());
    probes
}

fn inline() -> Vec<Probe> {
    vec![
        malformed("an_inline_policy_is_json", PUT, || "{nope".to_owned()),
        malformed(
            "an_inline_policy_has_no_principal",
            "IAM User Guide, AWS JSON policy elements: Principal",
            || POLICY.replace(r#""Action""#, r#""Principal":{"AWS":"*"},"Action""#),
        ),
        malformed("an_inline_policy_has_a_resource", GRAMMAR, || {
            POLICY.replace(r#","Resource":"*""#, "")
        }),
        malformed("an_inline_policy_has_an_action", GRAMMAR, || {
            POLICY.replace(r#""Action":"s3:GetObject","#, "")
        }),
        malformed(
            "a_condition_operator_is_known",
            "IAM User Guide, Condition operators",
            || {
                POLICY.replace(
                    r#""Action""#,
                    r#""Condition":{"stringEquals":{"aws:username":"ann"}},"Action""#,
                )
            },
        ),
        malformed(
            "statement_ids_are_unique",
            "IAM User Guide, AWS JSON policy elements: Sid",
            || {
                let statement =
                    r#"{"Sid":"One","Effect":"Allow","Action":"s3:GetObject","Resource":"*"}"#;
                format!(r#"{{"Version":"2012-10-17","Statement":[{statement},{statement}]}}"#)
            },
        ),
        probe(
            "a_role_that_is_not_there_gets_no_inline_policy",
            "NoSuchEntity",
            PUT,
            |s| async move { s.put("missing", "inline", POLICY).await },
        ),
        probe(
            "an_inline_policy_put_again_is_replaced",
            "inline",
            PUT,
            |s| async move {
                s.role("probe").await;
                s.put("probe", "inline", POLICY).await;
                s.put("probe", "inline", &policy_of(200)).await;
                s.iam
                    .list_role_policies()
                    .role_name("probe")
                    .send()
                    .await
                    .unwrap()
                    .policy_names
                    .join(" ")
            },
        ),
        probe(
            "an_inline_policy_that_is_not_there_cannot_be_read",
            "NoSuchEntity",
            "IAM API Reference, GetRolePolicy",
            |s| async move {
                s.role("probe").await;
                code(
                    &s.iam
                        .get_role_policy()
                        .role_name("probe")
                        .policy_name("missing")
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "an_inline_policy_that_is_not_there_cannot_be_deleted",
            "NoSuchEntity",
            "IAM API Reference, DeleteRolePolicy",
            |s| async move {
                s.role("probe").await;
                code(
                    &s.iam
                        .delete_role_policy()
                        .role_name("probe")
                        .policy_name("missing")
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "an_inline_policy_of_10240_characters_is_allowed",
            "ok",
            QUOTAS,
            |s| async move {
                s.role("probe").await;
                s.put("probe", "inline", &policy_of(10240)).await
            },
        ),
        probe(
            "an_inline_policy_of_10241_characters_is_refused",
            "LimitExceeded",
            QUOTAS,
            |s| async move {
                s.role("probe").await;
                s.put("probe", "inline", &policy_of(10241)).await
            },
        ),
        probe(
            "two_inline_policies_of_10240_characters_are_allowed",
            "ok",
            QUOTAS,
            |s| async move {
                s.role("probe").await;
                s.put("probe", "one", &policy_of(5120)).await;
                s.put("probe", "two", &policy_of(5120)).await
            },
        ),
        probe(
            "two_inline_policies_of_10241_characters_are_refused",
            "LimitExceeded",
            QUOTAS,
            |s| async move {
                s.role("probe").await;
                s.put("probe", "one", &policy_of(5120)).await;
                s.put("probe", "two", &policy_of(5121)).await
            },
        ),
        probe(
            "white_space_does_not_count_in_an_inline_policy",
            "ok",
            QUOTAS,
            |s| async move {
                s.role("probe").await;
                s.put("probe", "inline", &policy_of(10240).replace(',', ", "))
                    .await
            },
        ),
    ]
}

fn managed() -> Vec<Probe> {
    vec![
        probe(
            "a_managed_policy_is_json",
            "MalformedPolicyDocument",
            CREATE,
            |s| async move { s.try_policy("probe", "{nope").await },
        ),
        probe(
            "a_managed_policy_has_a_resource",
            "MalformedPolicyDocument",
            GRAMMAR,
            |s| async move {
                s.try_policy("probe", &POLICY.replace(r#","Resource":"*""#, ""))
                    .await
            },
        ),
        probe(
            "policy_names_differing_by_case_are_one",
            "EntityAlreadyExists",
            CREATE,
            |s| async move {
                s.policy("Reader").await;
                s.try_policy("reader", POLICY).await
            },
        ),
        probe(
            "one_policy_name_stands_in_one_path",
            "EntityAlreadyExists",
            CREATE,
            |s| async move {
                s.policy("probe").await;
                let create = s
                    .iam
                    .create_policy()
                    .policy_name("probe")
                    .path("/other/")
                    .policy_document(POLICY);
                code(&create.send().await)
            },
        ),
        probe(
            "a_policy_name_has_128_characters",
            "ValidationError",
            CREATE,
            |s| async move { s.try_policy(&"p".repeat(129), POLICY).await },
        ),
        probe(
            "a_policy_path_ends_with_a_slash",
            "ValidationError",
            CREATE,
            |s| async move {
                let create = s
                    .iam
                    .create_policy()
                    .policy_name("probe")
                    .path("/nope")
                    .policy_document(POLICY);
                code(&create.send().await)
            },
        ),
        probe(
            "a_managed_policy_of_6144_characters_is_allowed",
            "ok",
            QUOTAS,
            |s| async move { s.try_policy("probe", &policy_of(6144)).await },
        ),
        probe(
            "a_managed_policy_of_6145_characters_is_refused",
            "LimitExceeded",
            QUOTAS,
            |s| async move { s.try_policy("probe", &policy_of(6145)).await },
        ),
        probe(
            "a_policy_that_is_not_there_cannot_be_read",
            "NoSuchEntity",
            "IAM API Reference, GetPolicy",
            |s| async move {
                code(
                    &s.iam
                        .get_policy()
                        .policy_arn(s.arn("policy/missing"))
                        .send()
                        .await,
                )
            },
        ),
    ]
}

fn versions() -> Vec<Probe> {
    const CREATE_VERSION: &str = "IAM API Reference, CreatePolicyVersion";
    const DELETE_VERSION: &str = "IAM API Reference, DeletePolicyVersion";
    vec![
        probe(
            "a_policy_has_five_versions",
            "v5",
            CREATE_VERSION,
            |s| async move {
                let arn = s.policy("probe").await;
                for _ in 2..5 {
                    s.version(&arn).await;
                }
                s.version(&arn).await
            },
        ),
        probe(
            "a_sixth_version_is_refused",
            "LimitExceeded",
            CREATE_VERSION,
            |s| async move {
                let arn = s.policy("probe").await;
                for _ in 2..=5 {
                    s.version(&arn).await;
                }
                s.version(&arn).await
            },
        ),
        probe(
            "a_new_version_is_not_in_force_by_itself",
            "v1",
            CREATE_VERSION,
            |s| async move {
                let arn = s.policy("probe").await;
                s.version(&arn).await;
                s.default_version(&arn).await
            },
        ),
        probe(
            "a_new_version_is_in_force_when_asked_for",
            "v2",
            CREATE_VERSION,
            |s| async move {
                let arn = s.policy("probe").await;
                let create = s
                    .iam
                    .create_policy_version()
                    .policy_arn(&arn)
                    .policy_document(POLICY);
                create.set_as_default(true).send().await.unwrap();
                s.default_version(&arn).await
            },
        ),
        probe(
            "a_version_id_is_never_used_again",
            "v3",
            VERSIONS,
            |s| async move {
                let arn = s.policy("probe").await;
                s.version(&arn).await;
                s.iam
                    .delete_policy_version()
                    .policy_arn(&arn)
                    .version_id("v2")
                    .send()
                    .await
                    .unwrap();
                s.version(&arn).await
            },
        ),
        probe(
            "the_version_in_force_stays",
            "DeleteConflict",
            DELETE_VERSION,
            |s| async move {
                let arn = s.policy("probe").await;
                code(
                    &s.iam
                        .delete_policy_version()
                        .policy_arn(arn)
                        .version_id("v1")
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "a_version_that_is_not_there_cannot_be_deleted",
            "NoSuchEntity",
            DELETE_VERSION,
            |s| async move {
                let arn = s.policy("probe").await;
                code(
                    &s.iam
                        .delete_policy_version()
                        .policy_arn(arn)
                        .version_id("v9")
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "a_version_that_is_not_there_does_not_come_into_force",
            "NoSuchEntity",
            "IAM API Reference, SetDefaultPolicyVersion",
            |s| async move {
                let arn = s.policy("probe").await;
                code(
                    &s.iam
                        .set_default_policy_version()
                        .policy_arn(arn)
                        .version_id("v9")
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "a_new_version_is_json",
            "MalformedPolicyDocument",
            CREATE_VERSION,
            |s| async move {
                let arn = s.policy("probe").await;
                code(
                    &s.iam
                        .create_policy_version()
                        .policy_arn(arn)
                        .policy_document("{nope")
                        .send()
                        .await,
                )
            },
        ),
    ]
}

fn attachments() -> Vec<Probe> {
    const LIST: &str = "IAM API Reference, ListEntitiesForPolicy";
    vec![
        probe(
            "a_policy_that_is_not_there_is_not_attached",
            "NoSuchEntity",
            ATTACH,
            |s| async move {
                s.role("probe").await;
                s.attach("probe", &s.arn("policy/missing")).await
            },
        ),
        probe(
            "a_policy_that_aws_does_not_have_is_not_attached",
            "NoSuchEntity",
            ATTACH,
            |s| async move {
                s.role("probe").await;
                s.attach("probe", "arn:aws:iam::aws:policy/NoSuchAccess")
                    .await
            },
        ),
        probe(
            "a_policy_of_aws_is_attached",
            "ok",
            ATTACH,
            |s| async move {
                s.role("probe").await;
                s.attach("probe", "arn:aws:iam::aws:policy/ReadOnlyAccess")
                    .await
            },
        ),
        probe("ten_policies_are_attached", "ok", QUOTAS, |s| async move {
            s.role("probe").await;
            for number in 1..10 {
                s.attach("probe", &s.policy(&format!("policy{number}")).await)
                    .await;
            }
            s.attach("probe", &s.policy("policy10").await).await
        }),
        probe(
            "an_eleventh_policy_is_not_attached",
            "LimitExceeded",
            QUOTAS,
            |s| async move {
                s.role("probe").await;
                for number in 1..=10 {
                    assert_eq!(
                        s.attach("probe", &s.policy(&format!("policy{number}")).await)
                            .await,
                        "ok"
                    );
                }
                s.attach("probe", &s.policy("policy11").await).await
            },
        ),
        probe(
            "a_policy_attached_twice_is_attached_once",
            "ok 1",
            "IAM API Reference, Policy",
            |s| async move {
                s.role("probe").await;
                let arn = s.policy("held").await;
                s.attach("probe", &arn).await;
                let again = s.attach("probe", &arn).await;
                let policy = s
                    .iam
                    .get_policy()
                    .policy_arn(arn)
                    .send()
                    .await
                    .unwrap()
                    .policy
                    .unwrap();
                format!("{again} {}", policy.attachment_count.unwrap())
            },
        ),
        probe(
            "a_policy_that_is_not_attached_is_not_detached",
            "NoSuchEntity",
            "IAM API Reference, DetachRolePolicy",
            |s| async move {
                s.role("probe").await;
                let arn = s.policy("held").await;
                code(
                    &s.iam
                        .detach_role_policy()
                        .role_name("probe")
                        .policy_arn(arn)
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "the_uses_of_a_policy_are_told_apart",
            "bounded; holding",
            LIST,
            |s| async move {
                let arn = s.policy("used").await;
                s.role("holding").await;
                s.attach("holding", &arn).await;
                let create = s
                    .iam
                    .create_role()
                    .role_name("bounded")
                    .assume_role_policy_document(TRUST);
                create.permissions_boundary(&arn).send().await.unwrap();
                let mut uses = Vec::new();
                for usage in ["PermissionsBoundary", "PermissionsPolicy"] {
                    let list = s
                        .iam
                        .list_entities_for_policy()
                        .policy_arn(&arn)
                        .policy_usage_filter(usage.into());
                    let roles = list.send().await.unwrap().policy_roles.unwrap_or_default();
                    uses.push(
                        roles
                            .into_iter()
                            .filter_map(|role| role.role_name)
                            .collect::<Vec<_>>()
                            .join(" "),
                    );
                }
                uses.join("; ")
            },
        ),
        probe(
            "all_uses_of_a_policy_are_told_without_a_filter",
            "bounded holding",
            LIST,
            |s| async move {
                let arn = s.policy("used").await;
                s.role("holding").await;
                s.attach("holding", &arn).await;
                let create = s
                    .iam
                    .create_role()
                    .role_name("bounded")
                    .assume_role_policy_document(TRUST);
                create.permissions_boundary(&arn).send().await.unwrap();
                let roles = s
                    .iam
                    .list_entities_for_policy()
                    .policy_arn(&arn)
                    .send()
                    .await
                    .unwrap()
                    .policy_roles;
                let mut names: Vec<String> = roles
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|role| role.role_name)
                    .collect();
                names.sort();
                names.join(" ")
            },
        ),
        probe(
            "a_boundary_is_counted_apart",
            "0 attached, 1 boundary",
            "IAM API Reference, Policy",
            |s| async move {
                let arn = s.policy("edge").await;
                let create = s
                    .iam
                    .create_role()
                    .role_name("probe")
                    .assume_role_policy_document(TRUST);
                create.permissions_boundary(&arn).send().await.unwrap();
                let policy = s
                    .iam
                    .get_policy()
                    .policy_arn(arn)
                    .send()
                    .await
                    .unwrap()
                    .policy
                    .unwrap();
                let count = |count: Option<i32>| {
                    count.map_or("absent".to_owned(), |count| count.to_string())
                };
                let boundary = count(policy.permissions_boundary_usage_count);
                format!(
                    "{} attached, {boundary} boundary",
                    count(policy.attachment_count)
                )
            },
        ),
    ]
}

fn deletions() -> Vec<Probe> {
    vec![
        probe(
            "a_policy_that_is_not_there_cannot_be_deleted",
            "NoSuchEntity",
            DELETE,
            |s| async move { s.delete_policy(&s.arn("policy/missing")).await },
        ),
        probe(
            "an_attached_policy_stays",
            "DeleteConflict",
            DELETE,
            |s| async move {
                s.role("probe").await;
                let arn = s.policy("held").await;
                s.attach("probe", &arn).await;
                s.delete_policy(&arn).await
            },
        ),
        probe(
            "a_policy_that_is_a_boundary_stays",
            "DeleteConflict",
            DELETE,
            |s| async move {
                let arn = s.policy("edge").await;
                let create = s
                    .iam
                    .create_role()
                    .role_name("probe")
                    .assume_role_policy_document(TRUST);
                create.permissions_boundary(&arn).send().await.unwrap();
                s.delete_policy(&arn).await
            },
        ),
        probe(
            "a_policy_with_two_versions_stays",
            "DeleteConflict",
            DELETE,
            |s| async move {
                let arn = s.policy("probe").await;
                s.version(&arn).await;
                s.delete_policy(&arn).await
            },
        ),
        probe(
            "an_unused_policy_goes_with_its_version_in_force",
            "ok",
            DELETE,
            |s| async move {
                let arn = s.policy("probe").await;
                s.delete_policy(&arn).await
            },
        ),
    ]
}
