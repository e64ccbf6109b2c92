//! Roles: their names and attributes, and what keeps them from being deleted or changed.

use aws_sdk_iam::operation::create_role::builders::CreateRoleFluentBuilder;

use super::stage::{POLICY, Stage, TRUST, code, tags};
use super::{Probe, probe};

const CREATE_ROLE: &str = "IAM API Reference, CreateRole";
const UPDATE_ROLE: &str = "IAM API Reference, UpdateRole";
const DELETE_ROLE: &str = "IAM API Reference, DeleteRole";
const SERVICE_LINKED: &str = "IAM User Guide, Service-linked roles";

impl Stage {
    fn create(&self) -> CreateRoleFluentBuilder {
        self.iam
            .create_role()
            .role_name("probe")
            .assume_role_policy_document(TRUST)
    }

    async fn delete(&self, name: &str) -> String {
        code(&self.iam.delete_role().role_name(name).send().await)
    }

    async fn duration(&self, name: &str) -> String {
        let role = self
            .iam
            .get_role()
            .role_name(name)
            .send()
            .await
            .unwrap()
            .role
            .unwrap();
        role.max_session_duration
            .map_or("absent".to_owned(), |seconds| seconds.to_string())
    }

    async fn description(&self, name: &str) -> String {
        let role = self
            .iam
            .get_role()
            .role_name(name)
            .send()
            .await
            .unwrap()
            .role
            .unwrap();
        role.description.unwrap_or_else(|| "absent".to_owned())
    }

    /// A service-linked role; its name.
    async fn linked(&self) -> String {
        let create = self
            .iam
            .create_service_linked_role()
            .aws_service_name("autoscaling.amazonaws.com");
        create.send().await.unwrap().role.unwrap().role_name
    }

    /// An instance profile with the role in it.
    async fn profile(&self, name: &str, role: &str) {
        self.iam
            .create_instance_profile()
            .instance_profile_name(name)
            .send()
            .await
            .unwrap();
        let add = self
            .iam
            .add_role_to_instance_profile()
            .instance_profile_name(name)
            .role_name(role);
        add.send().await.unwrap();
    }
}

pub fn probes() -> Vec<Probe> {
    let mut probes = parameters();
    probes.extend(attributes());
    probes.extend(deletions());
    probes.extend(service_linked());
    probes
}

fn parameters() -> Vec<Probe> {
    let refused = |name, change: fn(CreateRoleFluentBuilder) -> CreateRoleFluentBuilder| {
        probe(name, "ValidationError", CREATE_ROLE, move |s| async move {
            code(&change(s.create()).send().await)
        })
    };
    vec![
        probe("a_role_is_created", "ok", CREATE_ROLE, |s| async move {
            code(&s.create().send().await)
        }),
        probe(
            "role_names_differing_by_case_are_one",
            "EntityAlreadyExists",
            CREATE_ROLE,
            |s| async move {
                s.role("Deploy").await;
                code(&s.try_role("deploy", TRUST).await)
            },
        ),
        probe(
            "one_role_name_stands_in_one_path",
            "EntityAlreadyExists",
            CREATE_ROLE,
            |s| async move {
                s.role("probe").await;
                code(&s.create().path("/other/").send().await)
            },
        ),
        refused("a_role_name_has_64_characters", |create| {
            create.role_name("r".repeat(65))
        }),
        refused("a_role_name_has_no_space", |create| {
            create.role_name("a role")
        }),
        refused("a_role_path_ends_with_a_slash", |create| {
            create.path("/nope")
        }),
        refused("a_role_path_has_512_characters", |create| {
            create.path(format!("/{}/", "p".repeat(511)))
        }),
        refused("a_role_description_has_1000_characters", |create| {
            create.description("d".repeat(1001))
        }),
        refused("a_role_description_is_latin_1", |create| {
            create.description("an em dash \u{2014}")
        }),
        refused("a_session_lasts_an_hour_or_more", |create| {
            create.max_session_duration(3599)
        }),
        refused("a_session_lasts_twelve_hours_at_most", |create| {
            create.max_session_duration(43201)
        }),
        probe(
            "a_role_name_of_64_characters_is_allowed",
            "ok",
            CREATE_ROLE,
            |s| async move { code(&s.try_role(&"r".repeat(64), TRUST).await) },
        ),
    ]
}

fn attributes() -> Vec<Probe> {
    const GET_ROLE: &str = "IAM API Reference, GetRole";
    const BOUNDARY: &str = "IAM API Reference, PutRolePermissionsBoundary";
    vec![
        probe(
            "a_role_that_is_not_there_cannot_be_read",
            "NoSuchEntity",
            GET_ROLE,
            |s| async move { code(&s.iam.get_role().role_name("missing").send().await) },
        ),
        probe(
            "a_session_lasts_an_hour_unless_said_otherwise",
            "3600",
            CREATE_ROLE,
            |s| async move {
                s.role("probe").await;
                s.duration("probe").await
            },
        ),
        probe(
            "a_role_without_description_has_none",
            "absent",
            GET_ROLE,
            |s| async move {
                s.role("probe").await;
                s.description("probe").await
            },
        ),
        probe(
            "update_role_without_a_duration_resets_it",
            "3600",
            UPDATE_ROLE,
            |s| async move {
                s.create().max_session_duration(7200).send().await.unwrap();
                s.iam
                    .update_role()
                    .role_name("probe")
                    .description("new")
                    .send()
                    .await
                    .unwrap();
                s.duration("probe").await
            },
        ),
        probe(
            "update_role_without_a_description_keeps_it",
            "old",
            UPDATE_ROLE,
            |s| async move {
                s.create().description("old").send().await.unwrap();
                s.iam
                    .update_role()
                    .role_name("probe")
                    .max_session_duration(7200)
                    .send()
                    .await
                    .unwrap();
                s.description("probe").await
            },
        ),
        probe(
            "update_role_description_keeps_the_duration",
            "7200",
            "IAM API Reference, UpdateRoleDescription",
            |s| async move {
                s.create().max_session_duration(7200).send().await.unwrap();
                s.iam
                    .update_role_description()
                    .role_name("probe")
                    .description("new")
                    .send()
                    .await
                    .unwrap();
                s.duration("probe").await
            },
        ),
        probe(
            "a_session_of_3599_seconds_is_no_update",
            "ValidationError",
            UPDATE_ROLE,
            |s| async move {
                s.role("probe").await;
                code(
                    &s.iam
                        .update_role()
                        .role_name("probe")
                        .max_session_duration(3599)
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "a_boundary_must_exist",
            "NoSuchEntity",
            BOUNDARY,
            |s| async move {
                s.role("probe").await;
                let put = s.iam.put_role_permissions_boundary().role_name("probe");
                code(
                    &put.permissions_boundary(s.arn("policy/missing"))
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "a_boundary_is_told_with_its_role",
            "the policy",
            GET_ROLE,
            |s| async move {
                let arn = s.policy("edge").await;
                s.create().permissions_boundary(&arn).send().await.unwrap();
                let role = s
                    .iam
                    .get_role()
                    .role_name("probe")
                    .send()
                    .await
                    .unwrap()
                    .role
                    .unwrap();
                let boundary = role
                    .permissions_boundary
                    .and_then(|boundary| boundary.permissions_boundary_arn);
                boundary.map_or("absent".to_owned(), |boundary| {
                    boundary.replace(&arn, "the policy")
                })
            },
        ),
        probe(
            "a_boundary_goes_when_it_is_taken_away",
            "absent",
            GET_ROLE,
            |s| async move {
                let arn = s.policy("edge").await;
                s.create().permissions_boundary(&arn).send().await.unwrap();
                s.iam
                    .delete_role_permissions_boundary()
                    .role_name("probe")
                    .send()
                    .await
                    .unwrap();
                let role = s
                    .iam
                    .get_role()
                    .role_name("probe")
                    .send()
                    .await
                    .unwrap()
                    .role
                    .unwrap();
                role.permissions_boundary
                    .map_or("absent", |_| "present")
                    .to_owned()
            },
        ),
    ]
}

fn deletions() -> Vec<Probe> {
    vec![
        probe(
            "a_role_that_is_not_there_cannot_be_deleted",
            "NoSuchEntity",
            DELETE_ROLE,
            |s| async move { s.delete("missing").await },
        ),
        probe(
            "a_role_with_an_inline_policy_stays",
            "DeleteConflict",
            DELETE_ROLE,
            |s| async move {
                s.role("probe").await;
                s.put("probe", "inline", POLICY).await;
                s.delete("probe").await
            },
        ),
        probe(
            "a_role_with_an_attached_policy_stays",
            "DeleteConflict",
            DELETE_ROLE,
            |s| async move {
                s.role("probe").await;
                s.attach("probe", &s.policy("held").await).await;
                s.delete("probe").await
            },
        ),
        probe(
            "a_role_in_an_instance_profile_stays",
            "DeleteConflict",
            DELETE_ROLE,
            |s| async move {
                s.role("probe").await;
                s.profile("profile", "probe").await;
                s.delete("probe").await
            },
        ),
        probe(
            "a_role_goes_with_its_boundary_and_tags",
            "ok",
            DELETE_ROLE,
            |s| async move {
                let arn = s.policy("edge").await;
                s.create()
                    .permissions_boundary(arn)
                    .set_tags(Some(tags(1)))
                    .send()
                    .await
                    .unwrap();
                s.delete("probe").await
            },
        ),
        probe(
            "an_instance_profile_with_a_role_stays",
            "DeleteConflict",
            "IAM API Reference, DeleteInstanceProfile",
            |s| async move {
                s.role("probe").await;
                s.profile("profile", "probe").await;
                code(
                    &s.iam
                        .delete_instance_profile()
                        .instance_profile_name("profile")
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "an_instance_profile_holds_one_role",
            "LimitExceeded",
            "IAM API Reference, AddRoleToInstanceProfile",
            |s| async move {
                s.role("one").await;
                s.role("two").await;
                s.profile("profile", "one").await;
                let add = s
                    .iam
                    .add_role_to_instance_profile()
                    .instance_profile_name("profile")
                    .role_name("two");
                code(&add.send().await)
            },
        ),
    ]
}

fn service_linked() -> Vec<Probe> {
    vec![
        probe(
            "a_service_linked_role_gets_no_inline_policy",
            "UnmodifiableEntity",
            SERVICE_LINKED,
            |s| async move {
                let name = s.linked().await;
                s.put(&name, "inline", POLICY).await
            },
        ),
        probe(
            "a_service_linked_role_gets_no_attached_policy",
            "UnmodifiableEntity",
            SERVICE_LINKED,
            |s| async move {
                let name = s.linked().await;
                s.attach(&name, &s.policy("held").await).await
            },
        ),
        probe(
            "a_service_linked_role_keeps_its_trust",
            "UnmodifiableEntity",
            SERVICE_LINKED,
            |s| async move {
                let update = s
                    .iam
                    .update_assume_role_policy()
                    .role_name(s.linked().await);
                code(&update.policy_document(TRUST).send().await)
            },
        ),
        probe(
            "a_service_linked_role_is_not_deleted_as_others",
            "UnmodifiableEntity",
            DELETE_ROLE,
            |s| async move {
                let name = s.linked().await;
                s.delete(&name).await
            },
        ),
        probe(
            "a_service_linked_role_may_be_tagged",
            "ok",
            "IAM API Reference, TagRole",
            |s| async move {
                let name = s.linked().await;
                code(
                    &s.iam
                        .tag_role()
                        .role_name(name)
                        .set_tags(Some(tags(1)))
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "a_service_has_one_linked_role",
            "InvalidInput",
            "IAM API Reference, CreateServiceLinkedRole",
            |s| async move {
                s.linked().await;
                let create = s
                    .iam
                    .create_service_linked_role()
                    .aws_service_name("autoscaling.amazonaws.com");
                code(&create.send().await)
            },
        ),
    ]
}
