//! Tags: on roles their keys are one whatever the case, on policies they are not.

use super::stage::{POLICY, Stage, TRUST, code, tag, tags};
use super::{Probe, probe};

const GUIDE: &str = "IAM User Guide, Tags for AWS Identity and Access Management resources";
const TAG_ROLE: &str = "IAM API Reference, TagRole";

impl Stage {
    async fn tag_role(&self, key: &str, value: &str) -> String {
        code(
            &self
                .iam
                .tag_role()
                .role_name("probe")
                .tags(tag(key, value))
                .send()
                .await,
        )
    }

    /// The values of the tags of the role `probe`, joined.
    async fn role_tag_values(&self) -> String {
        let tags = self
            .iam
            .list_role_tags()
            .role_name("probe")
            .send()
            .await
            .unwrap()
            .tags;
        let mut values: Vec<String> = tags.into_iter().map(|tag| tag.value).collect();
        values.sort();
        values.join(" ")
    }
}

pub fn probes() -> Vec<Probe> {
    vec![
        probe(
            "tag_keys_of_roles_differing_by_case_are_one",
            "hr",
            GUIDE,
            |s| async move {
                s.role("probe").await;
                s.tag_role("Department", "finance").await;
                s.tag_role("department", "hr").await;
                s.role_tag_values().await
            },
        ),
        probe(
            "a_role_is_untagged_whatever_the_case",
            "none",
            GUIDE,
            |s| async move {
                s.role("probe").await;
                s.tag_role("Department", "finance").await;
                s.iam
                    .untag_role()
                    .role_name("probe")
                    .tag_keys("DEPARTMENT")
                    .send()
                    .await
                    .unwrap();
                let left = s.role_tag_values().await;
                if left.is_empty() {
                    "none".to_owned()
                } else {
                    left
                }
            },
        ),
        probe(
            "tag_keys_of_policies_differ_by_case",
            "finance hr",
            GUIDE,
            |s| async move {
                let arn = s.policy("probe").await;
                for (key, value) in [("Department", "finance"), ("department", "hr")] {
                    s.iam
                        .tag_policy()
                        .policy_arn(&arn)
                        .tags(tag(key, value))
                        .send()
                        .await
                        .unwrap();
                }
                let tags = s
                    .iam
                    .list_policy_tags()
                    .policy_arn(arn)
                    .send()
                    .await
                    .unwrap()
                    .tags;
                let mut values: Vec<String> = tags.into_iter().map(|tag| tag.value).collect();
                values.sort();
                values.join(" ")
            },
        ),
        probe(
            "a_role_is_not_tagged_twice_with_one_key",
            "InvalidInput",
            TAG_ROLE,
            |s| async move {
                s.role("probe").await;
                let tagged = s
                    .iam
                    .tag_role()
                    .role_name("probe")
                    .tags(tag("key", "1"))
                    .tags(tag("KEY", "2"));
                code(&tagged.send().await)
            },
        ),
        probe(
            "a_policy_is_not_tagged_twice_with_one_key",
            "InvalidInput",
            "IAM API Reference, CreatePolicy",
            |s| async move {
                let create = s
                    .iam
                    .create_policy()
                    .policy_name("probe")
                    .policy_document(POLICY);
                code(
                    &create
                        .tags(tag("key", "1"))
                        .tags(tag("key", "2"))
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "a_role_has_50_tags",
            "ok",
            "IAM User Guide, IAM and AWS STS quotas",
            |s| async move {
                let create = s
                    .iam
                    .create_role()
                    .role_name("probe")
                    .assume_role_policy_document(TRUST);
                code(&create.set_tags(Some(tags(50))).send().await)
            },
        ),
        probe(
            "51_tags_are_no_valid_parameter",
            "ValidationError",
            "IAM API Reference, CreateRole",
            |s| async move {
                let create = s
                    .iam
                    .create_role()
                    .role_name("probe")
                    .assume_role_policy_document(TRUST);
                code(&create.set_tags(Some(tags(51))).send().await)
            },
        ),
        probe(
            "a_51st_tag_exceeds_the_quota",
            "LimitExceeded",
            TAG_ROLE,
            |s| async move {
                s.role("probe").await;
                s.iam
                    .tag_role()
                    .role_name("probe")
                    .set_tags(Some(tags(50)))
                    .send()
                    .await
                    .unwrap();
                s.tag_role("one-more", "value").await
            },
        ),
        probe(
            "a_tag_value_has_256_characters",
            "ValidationError",
            "IAM API Reference, Tag",
            |s| async move {
                s.role("probe").await;
                s.tag_role("key", &"v".repeat(257)).await
            },
        ),
        probe(
            "a_tag_value_may_be_empty",
            "ok",
            "IAM API Reference, Tag",
            |s| async move {
                s.role("probe").await;
                s.tag_role("key", "").await
            },
        ),
        probe(
            "a_tag_that_is_not_there_can_be_taken_away",
            "ok",
            "IAM API Reference, UntagRole",
            |s| async move {
                s.role("probe").await;
                code(
                    &s.iam
                        .untag_role()
                        .role_name("probe")
                        .tag_keys("missing")
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "a_role_that_is_not_there_cannot_be_tagged",
            "NoSuchEntity",
            TAG_ROLE,
            |s| async move { s.tag_role("key", "value").await },
        ),
    ]
}
