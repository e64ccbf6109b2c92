//! Who may be named in a trust, and which policies a role may bear: judged before any write. Each case is named after the
//! public report that it stands for.

use rolecall::org::Partition;
use rolecall::sandbox::build::OrgSpec;
use rolecall::sandbox::world::World;

use crate::support::served::Served;
use crate::support::{Directory, Run, rolecall, run};

const GITHUB: &str = "token.actions.githubusercontent.com";

fn role(targets: &str, trust: &str) -> String {
    format!(
        "name = \"cases\"\n[[role]]\nname = \"R\"\ntargets = {targets}\n[[role.trust]]\n{trust}\n"
    )
}

fn network(trust: &str) -> String {
    role("[{ account = \"network\" }]", trust)
}

fn bearing(policies: &str) -> String {
    format!(
        "name = \"cases\"\n[[role]]\nname = \"R\"\ntargets = [{{ account = \"network\" }}]\n{policies}\n[[role.trust]]\naws = \"{{{{ account.id }}}}\"\n"
    )
}

#[track_caller]
fn validate(desired: &str) -> Run {
    let desired = Directory::new(desired);
    run(rolecall().arg("validate").arg("-c").arg(desired.path()))
}

async fn government() -> Served {
    let partition = Partition("aws-us-gov".to_owned());
    let spec = OrgSpec {
        partition,
        ..OrgSpec::demo()
    };
    Served::new(World::new(&spec).unwrap()).await
}

/// The codes of a plan's findings, each with its address.
fn findings(run: &Run) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let json = run.json();
    let each = json["findings"].as_array().unwrap().iter();
    each.map(|finding| (text(&finding["code"]), text(&finding["address"])))
        .collect()
}

#[test]
fn case_06_a_federated_principal_is_a_known_domain_or_a_provider() {
    let action = "actions = [\"sts:AssumeRoleWithWebIdentity\"]\n";
    for (federated, hint) in [
        ("arn:aws:iam::111111111111:role/x", "`oidc-provider/HOST`"),
        ("arn:aws:iam::111111111111:root", "`oidc-provider/HOST`"),
        ("arn:aws:s3:::x", "an OIDC or SAML provider"),
        (
            "['arn:aws:iam::111111111111:oidc-provider/x.y']",
            "an OIDC or SAML provider",
        ),
        ("https://example.com", "leave out the scheme"),
        ("example.com", "an OIDC or SAML provider"),
        (
            "arn:aws:iam::11111111111:oidc-provider/example.com",
            "12 digits",
        ),
        (
            "arn:aws:iam::111111111111:oidc-provider/https://example.com",
            "leave out the scheme",
        ),
        (
            "arn:awss:iam::111111111111:oidc-provider/example.com",
            "not a partition",
        ),
        (
            "arn:aws:iam::111111111111:saml-provider/",
            "`saml-provider/NAME`",
        ),
    ] {
        validate(&network(&format!("{action}federated = \"{federated}\"")))
            .exits(1)
            .says(&[
                federated,
                "is not a federated principal",
                hint,
                "rolecall.toml:7:",
            ]);
    }
    let aud = format!(
        "[role.trust.conditions.StringEquals]\n\"{GITHUB}:sub\" = \"repo:acme/api:ref:refs/heads/main\""
    );
    for federated in [
        format!("arn:aws:iam::{{{{ account.id }}}}:oidc-provider/{GITHUB}"),
        "arn:{{ partition }}:iam::{{ account.id }}:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/AB12".to_owned(),
        "arn:aws:iam::{{ account.id }}:saml-provider/Okta.x".to_owned(),
        "accounts.google.com".to_owned(),
    ] {
        validate(&network(&format!("federated = \"{federated}\"\n{aud}"))).exits(0);
    }
}

#[test]
fn case_06_the_action_must_fit_the_principal() {
    let oidc = format!("federated = \"arn:aws:iam::{{{{ account.id }}}}:oidc-provider/{GITHUB}\"");
    let saml = "federated = \"arn:aws:iam::{{ account.id }}:saml-provider/X\"";
    let aws = "aws = \"111111111111\"";
    let service = "service = \"ec2.amazonaws.com\"";
    for (principal, actions, meant) in [
        (
            oidc.as_str(),
            "sts:AssumeRoleWithSAML",
            "sts:AssumeRoleWithWebIdentity",
        ),
        (&oidc, "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"),
        (
            saml,
            "sts:AssumeRoleWithWebIdentity",
            "sts:AssumeRoleWithSAML",
        ),
        (aws, "sts:AssumeRoleWithSAML", "sts:AssumeRole"),
        (service, "sts:AssumeRoleWithWebIdentity", "sts:AssumeRole"),
    ] {
        validate(&network(&format!(
            "{principal}\nactions = [\"{actions}\", \"sts:TagSession\"]"
        )))
        .exits(1)
        .says(&[
            "no action of the statement lets",
            &format!("it comes by `{meant}`"),
            "rolecall.toml:7:",
        ]);
    }
    for (principal, actions) in [
        (oidc.as_str(), "\"sts:AssumeRole*\""),
        (aws, "\"sts:*\""),
        (saml, "\"sts:AssumeRoleWithSAML\", \"sts:TagSession\""),
        (aws, "\"sts:TagSession\""),
    ] {
        validate(&network(&format!("{principal}\nactions = [{actions}]"))).exits(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_06_a_provider_of_another_account_stops_where_it_is_another() {
    let served = Served::demo().await;
    let trust = format!(
        "federated = \"arn:aws:iam::333333333331:oidc-provider/{GITHUB}\"\n[role.trust.conditions.StringEquals]\n\"{GITHUB}:aud\" = \"sts.amazonaws.com\"\n\"{GITHUB}:sub\" = \"repo:acme/api:ref:refs/heads/main\""
    );
    let desired = Directory::new(&role("\"all\"", &trust));
    let run = served
        .rolecall(&desired, &["plan", "--format", "json"])
        .exits(0);
    let wrong: Vec<String> = findings(&run)
        .into_iter()
        .filter(|(code, _)| code == "invalid-principal")
        .map(|(_, address)| address)
        .collect();
    assert_eq!(wrong.len(), 10, "{wrong:?}");
    assert!(!wrong.contains(&"333333333331/role/R".to_owned()));
    served
        .rolecall(&desired, &["plan"])
        .exits(0)
        .says(&["{{ account.id }}", "providers of its own account alone"]);
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(4);
    assert_eq!(served.writes(), [""; 0]);
    // The sandbox agrees.
    served
        .rolecall(
            &desired,
            &["apply", "--auto-approve", "--allow", "invalid-principal"],
        )
        .exits(3)
        .says(&["Invalid principal in policy"]);
}

#[test]
fn case_16_aws_principals_are_judged_by_kind_account_and_name() {
    for (principal, hint) in [
        ("arn:aws::iam::111122223333:root", "write the ARN"),
        (
            "arn:aws:iam:us-east-1:111122223333:root",
            "leave out `us-east-1`",
        ),
        ("11112222333", "this one has 11"),
        ("arn:aws:iam::11112222333:root", "12 digits"),
        ("arn:aws:sts::111122223333:assumed-role/ops/*", "wildcard"),
        (
            "arn:aws:iam::111122223333:assumed-role/ops/alice",
            "arn:aws:sts::111122223333:assumed-role/ops/alice",
        ),
        (
            "arn:aws:sts::111122223333:role/ops",
            "arn:aws:iam::111122223333:role/ops",
        ),
        (
            "arn:aws:sts::111122223333:root",
            "arn:aws:iam::111122223333:root",
        ),
        (
            "arn:awss:iam::111122223333:root",
            "`awss` is not a partition",
        ),
        (
            "arn:aws:sts::111122223333:assumed-role/ops",
            "`assumed-role/ROLE/SESSION`",
        ),
        (
            "arn:aws:sts::111122223333:assumed-role/path/ops/x",
            "`assumed-role/ROLE/SESSION`",
        ),
        (
            "arn:aws:iam::111122223333:user/a b",
            "path and name of a user",
        ),
        ("arn:aws:iam::111122223333:role/", "path and name of a role"),
        (
            "arn:aws:iam::111122223333:role//x",
            "path and name of a role",
        ),
        (
            "arn:aws:iam::111122223333:group/x",
            "a group cannot be a principal",
        ),
        ("ec2.amazonaws.com", "belongs under `Service`"),
    ] {
        validate(&network(&format!("aws = [\"{principal}\"]")))
            .exits(1)
            .says(&[principal, hint, "rolecall.toml:6:"]);
    }
    for principal in [
        "arn:aws:sts::111122223333:assumed-role/ops/alice@example.com",
        "arn:aws:sts::111122223333:federated-user/bob",
        "arn:aws:iam::111122223333:role/a/b/with+plus",
        "111122223333",
    ] {
        validate(&network(&format!("aws = [\"{principal}\"]"))).exits(0);
    }
}

#[test]
fn case_16_service_principals_are_lower_case_names_of_services() {
    for (service, hint) in [
        ("EC2.amazonaws.com", "write `ec2.amazonaws.com`"),
        ("ec2.amazon.com", "did you mean `ec2.amazonaws.com`"),
        ("ec2", "such as `ec2.amazonaws.com`"),
        ("ec2..amazonaws.com", "such as `ec2.amazonaws.com`"),
        ("https://ec2.amazonaws.com", "such as `ec2.amazonaws.com`"),
    ] {
        validate(&network(&format!("service = \"{service}\"")))
            .exits(1)
            .says(&[service, "is not a service principal", hint]);
    }
    validate(&network("service = \"nosuch.amazonaws.com\""))
        .exits(0)
        .says(&["no service is known by the name `nosuch.amazonaws.com`"]);
    validate(&network("service = \"lamda.amazonaws.com\""))
        .exits(0)
        .says(&["did you mean `lambda.amazonaws.com`"]);
    for service in [
        "ec2.amazonaws.com.cn",
        "logs.eu-central-1.amazonaws.com",
        "edgelambda.amazonaws.com",
    ] {
        let run = validate(&network(&format!("service = \"{service}\""))).exits(0);
        assert!(
            !run.text().contains("no service is known"),
            "{}",
            run.text()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_21_principals_of_another_partition_stop_the_plan() {
    let served = government().await;
    for trust in [
        "aws = \"arn:aws:iam::999988887777:root\"".to_owned(),
        "aws = \"arn:aws:iam::111111111111:root\"".to_owned(),
        "aws = \"arn:aws:sts::999988887777:assumed-role/x/y\"".to_owned(),
        format!("federated = \"arn:aws:iam::{{{{ account.id }}}}:oidc-provider/{GITHUB}\""),
    ] {
        let desired = Directory::new(&network(&trust));
        for command in [&["plan"][..], &["apply", "--auto-approve"]] {
            served.rolecall(&desired, command).exits(1).says(&[
                "is in partition `aws`, and this organization is in `aws-us-gov`",
                "rolecall.toml:6:",
                "arn:{{ partition }}:",
            ]);
        }
    }
    assert_eq!(served.writes(), [""; 0]);
    let bare = Directory::new(&network(
        "aws = \"999988887777\"\nexternal_id = \"some-id\"",
    ));
    served
        .rolecall(&bare, &["apply", "--auto-approve"])
        .exits(0);
    let mirrored = Directory::new(&network("aws = \"arn:aws-us-gov:iam::999988887777:root\""));
    Served::demo()
        .await
        .rolecall(&mirrored, &["plan"])
        .exits(1)
        .says(&["this organization is in `aws`"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_36_a_principal_of_another_case_or_path_is_told_as_it_is() {
    let served = Served::demo().await;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"333333333331"},"Action":"sts:AssumeRole"}]}"#;
    for (name, path) in [("ReadOnly", "/"), ("Runner", "/ci/")] {
        served.by_hand(
            "333333333331",
            "CreateRole",
            &[
                ("RoleName", name),
                ("Path", path),
                ("AssumeRolePolicyDocument", trust),
            ],
        );
    }
    for (named, there) in [
        ("role/readonly", "role/ReadOnly"),
        ("role/Runner", "role/ci/Runner"),
        ("role/CI/runner", "role/ci/Runner"),
    ] {
        let desired = Directory::new(&network(&format!(
            "aws = \"arn:aws:iam::333333333331:{named}\""
        )));
        served.rolecall(&desired, &["plan"]).exits(0).says(&[
            named,
            "which does not exist",
            &format!("it is there as `arn:aws:iam::333333333331:{there}`"),
        ]);
        served
            .rolecall(&desired, &["apply", "--auto-approve"])
            .exits(4);
    }
    let gone = Directory::new(&network("aws = \"arn:aws:iam::333333333331:role/Nobody\""));
    served
        .rolecall(&gone, &["plan"])
        .exits(0)
        .says(&["create that role first"]);
    // One that the same plan makes under another path.
    let planned = network("aws = \"arn:aws:iam::333333333331:role/new\"")
        + "[[role]]\nname = \"New\"\npath = \"/x/\"\ntargets = [{ account = \"network\" }]\n[[role.trust]]\naws = \"{{ account.id }}\"\n";
    served
        .rolecall(&Directory::new(&planned), &["plan"])
        .exits(0)
        .says(&["this plan makes it as `arn:aws:iam::333333333331:role/x/New`"]);
    let there = Directory::new(&network(
        "aws = \"arn:aws:iam::333333333331:role/ci/Runner\"",
    ));
    served
        .rolecall(&there, &["apply", "--auto-approve"])
        .exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_44_a_unique_id_of_nobody_stops_before_the_write() {
    let served = Served::demo().await;
    for id in ["AROAUAPUG3R5CGUVWGHXL", "AIDAUAPUG3R5CGUVWGHXL"] {
        let desired = Directory::new(&network(&format!("aws = \"{id}\"")));
        let run = served
            .rolecall(&desired, &["plan", "--format", "json"])
            .exits(0);
        let stops = findings(&run);
        assert!(
            stops.contains(&(
                "invalid-principal".to_owned(),
                "333333333331/role/R".to_owned()
            )),
            "{stops:?}"
        );
        served
            .rolecall(&desired, &["apply", "--auto-approve"])
            .exits(4)
            .says(&[id, "write the ARN"]);
    }
    assert_eq!(served.writes(), [""; 0]);
    // The id of a role that lives is one that IAM takes.
    let id = served.sandbox.with(|world| {
        let account = world
            .accounts
            .get(&rolecall::org::AccountId::parse("333333333331").unwrap())
            .unwrap();
        account.iam.roles["organizationaccountaccessrole"]
            .latest()
            .unwrap()
            .id
            .clone()
    });
    let desired = Directory::new(&network(&format!("aws = \"{id}\"")));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    served
        .rolecall(&desired, &["plan"])
        .exits(0)
        .says(&["No changes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_13_and_14_services_get_the_actions_that_they_need() {
    let served = Served::demo().await;
    for (service, actions) in [
        (
            "pods.eks.amazonaws.com",
            &["sts:AssumeRole", "sts:TagSession"][..],
        ),
        (
            "rolesanywhere.amazonaws.com",
            &["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        ),
        ("ec2.amazonaws.com", &["sts:AssumeRole"]),
    ] {
        let desired = Directory::new(&network(&format!("service = \"{service}\"")));
        let run = served
            .rolecall(&desired, &["plan", "--format", "json"])
            .exits(0);
        let statement = run.json()["accounts"][0]["changes"][0]["diffs"]
            .as_array()
            .unwrap()
            .iter()
            .find(|diff| diff["attribute"] == "trust")
            .unwrap()["after"]["Statement"][0]
            .clone();
        let written = match &statement["Action"] {
            serde_json::Value::String(one) => vec![one.clone()],
            many => many
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one.as_str().unwrap().to_owned())
                .collect(),
        };
        assert_eq!(written, actions, "{service}");
        assert!(!run.text().contains("locked-out"), "{service}");
    }
    let warned = |trust: &str| validate(&network(trust)).exits(0);
    warned("service = \"pods.eks.amazonaws.com\"\nactions = [\"sts:AssumeRole\"]")
        .says(&["locked-out", "without `sts:TagSession`"]);
    warned("service = \"rolesanywhere.amazonaws.com\"\nactions = [\"sts:AssumeRole\", \"sts:TagSession\"]").says(&["locked-out", "without `sts:SetSourceIdentity`"]);
    let run = warned("service = \"pods.eks.amazonaws.com\"\nactions = [\"sts:*\"]");
    assert!(!run.text().contains("locked-out"), "{}", run.text());
    // Two kinds in one statement are written out.
    validate(&network(
        "service = [\"ec2.amazonaws.com\", \"pods.eks.amazonaws.com\"]",
    ))
    .exits(1)
    .says(&["needs `actions`", "sts:TagSession"]);
}

#[test]
fn case_13_a_role_that_pods_go_on_to_must_take_their_tags() {
    let pods = "name = \"cases\"\n[[role]]\nname = \"Runner\"\npath = \"/ci/\"\ntargets = \"all\"\n[[role.trust]]\nservice = \"pods.eks.amazonaws.com\"\n[[role]]\nname = \"Deployer\"\ntargets = \"all\"\n[[role.trust]]\naws = \"arn:aws:iam::{{ account.id }}:role/ci/Runner\"\n";
    validate(pods).exits(0).says(&[
        "role `Deployer` trusts",
        "without `sts:TagSession`",
        "its tags go along",
    ]);
    let run = validate(&format!(
        "{pods}actions = [\"sts:AssumeRole\", \"sts:TagSession\"]\n"
    ))
    .exits(0);
    assert!(!run.text().contains("locked-out"), "{}", run.text());
    let off = validate(&format!("{pods}[lints]\nlocked-out = \"off\"\n")).exits(0);
    assert!(!off.text().contains("locked-out"), "{}", off.text());
}

#[test]
fn case_15_a_source_arn_locks_pods_out() {
    let with = |condition: &str| {
        validate(&network(&format!(
            "service = \"pods.eks.amazonaws.com\"\n[role.trust.conditions]\n{condition}"
        )))
        .exits(0)
    };
    with("ArnLike = { \"aws:SourceArn\" = \"arn:aws:eks:*:*:podidentityassociation/*\" }")
        .says(&["locked-out", "does not send it"]);
    for quiet in [
        "StringEquals = { \"aws:SourceAccount\" = \"{{ account.id }}\" }",
        "StringEquals = { \"aws:SourceOrgId\" = \"${aws:ResourceOrgId}\" }",
        "ArnLikeIfExists = { \"aws:SourceArn\" = \"arn:aws:eks:*:*:cluster/x\" }",
    ] {
        let run = with(quiet);
        assert!(!run.text().contains("locked-out"), "{}", run.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_30_policies_of_service_linked_roles_are_refused_without_aws() {
    for policies in [
        "managed_policies = [\"aws:aws-service-role/AWSSupportServiceRolePolicy\"]",
        "managed_policies = [\"arn:aws:iam::aws:policy/aws-service-role/AmazonElasticsearchServiceRolePolicy\"]",
        "permissions_boundary = \"aws:aws-service-role/AWSSupportServiceRolePolicy\"",
    ] {
        validate(&bearing(policies)).exits(1).says(&[
            "service-linked roles alone",
            "neither attached nor a boundary",
            "rolecall.toml:5:",
        ]);
    }
    // So does the sandbox.
    let served = Served::demo().await;
    served
        .rolecall(&Directory::new(&bearing("")), &["apply", "--auto-approve"])
        .exits(0);
    let arn = "arn:aws:iam::aws:policy/aws-service-role/AWSSupportServiceRolePolicy";
    for (operation, member) in [
        ("AttachRolePolicy", "PolicyArn"),
        ("PutRolePermissionsBoundary", "PermissionsBoundary"),
    ] {
        let account = rolecall::org::AccountId::parse("333333333331").unwrap();
        let error = served
            .sandbox
            .by_hand(account, operation, &[("RoleName", "R"), (member, arn)])
            .unwrap_err();
        assert_eq!(error.code, "PolicyNotAttachable", "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_31_a_policy_of_another_path_or_case_is_named() {
    let served = Served::demo().await;
    for (written, meant) in [
        (
            "aws:AWSLambdaBasicExecutionRole",
            "aws:service-role/AWSLambdaBasicExecutionRole",
        ),
        (
            "aws:AmazonDMSVPCManagementRole",
            "aws:service-role/AmazonDMSVPCManagementRole",
        ),
        ("aws:Billing", "aws:job-function/Billing"),
        (
            "aws:service-role/AmazonSSMManagedInstanceCore",
            "aws:AmazonSSMManagedInstanceCore",
        ),
        ("aws:ReadonlyAccess", "aws:ReadOnlyAccess"),
        ("aws:SecurtyAudit", "aws:SecurityAudit"),
    ] {
        let desired = Directory::new(&bearing(&format!("managed_policies = [\"{written}\"]")));
        served.rolecall(&desired, &["plan"]).exits(0).says(&[
            "missing-policy",
            "does not exist",
            &format!("did you mean `{meant}`?"),
        ]);
        served
            .rolecall(&desired, &["apply", "--auto-approve"])
            .exits(4);
    }
    let desired = Directory::new(&bearing("managed_policies = [\"aws:NothingLikeIt\"]"));
    let run = served
        .rolecall(&desired, &["plan"])
        .exits(0)
        .says(&["missing-policy", "correct the name"]);
    assert!(!run.text().contains("did you mean"), "{}", run.text());
    // A customer managed one of another path.
    let document =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
    served.by_hand(
        "333333333331",
        "CreatePolicy",
        &[
            ("PolicyName", "Own"),
            ("Path", "/team/"),
            ("PolicyDocument", document),
        ],
    );
    let desired = Directory::new(&bearing(
        "managed_policies = [\"arn:aws:iam::333333333331:policy/own\"]",
    ));
    served
        .rolecall(&desired, &["plan"])
        .exits(0)
        .says(&["did you mean `arn:aws:iam::333333333331:policy/team/Own`?"]);
}
