//! Trust policies and the unique ids in them.

use super::*;

fn trusting(principal: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}]}}"#
    )
}

fn aws(principal: &str) -> String {
    trusting(&format!(r#"{{"AWS":"{principal}"}}"#))
}

const INVALID_AWS: &str = "Invalid principal in policy: \"AWS\":";

#[test]
fn trust_policies_are_validated_on_create_and_update() {
    let statement =
        |members: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{{{members}}}]}}"#);
    let good = r#""Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole""#;
    for (document, message) in [
        ("{nope".to_owned(), "This policy contains invalid Json"),
        ("[]".to_owned(), "This policy contains invalid Json"),
        (
            "\"file.json\"".to_owned(),
            "This policy contains invalid Json",
        ),
        (
            statement(&format!(r#"{good},"Effect":"Allow""#)),
            "This policy contains invalid Json",
        ),
        (
            r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned(),
            "Could not parse the policy: Statement is empty!",
        ),
        (
            r#"{"Version":"2012-10-17"}"#.to_owned(),
            "Could not parse the policy: Statement is empty!",
        ),
        (
            EC2.replace("2012-10-17", "2012-10-18"),
            "The policy must contain a valid version string",
        ),
        (
            EC2.replace("\"Version\"", "\"version\""),
            "Unknown field version",
        ),
        (
            statement(&format!(r#"{good},"Resources":"*""#)),
            "Unknown field Resources",
        ),
        (
            statement(&format!(r#"{good},"Resource":"*""#)),
            "Has prohibited field Resource",
        ),
        (
            statement(&format!(r#"{good},"NotResource":"*""#)),
            "Has prohibited field NotResource",
        ),
        (
            EC2.replace("\"Allow\"", "\"allow\""),
            "Invalid effect: allow",
        ),
        (
            statement(r#""Principal":{"AWS":"*"},"Action":"sts:AssumeRole""#),
            "Missing required field Effect",
        ),
        (
            statement(r#""Effect":"Allow","Action":"sts:AssumeRole""#),
            "Missing required field Principal",
        ),
        (
            statement(r#""Effect":"Allow","NotPrincipal":{"AWS":"*"},"Action":"sts:AssumeRole""#),
            "AssumeRole policy must not contain NotPrincipal field.",
        ),
        (
            trusting("{}"),
            "Missing required field Principal cannot be empty!",
        ),
        (
            trusting(r#"{"AWS":[]}"#),
            "Missing required field Principal cannot be empty!",
        ),
        (trusting(r#"{"AWS":1}"#), "Syntax error in policy."),
        (
            trusting(r#""*""#),
            "AssumeRolepolicy contained an invalid principal: \"STAR\":\"*\".",
        ),
        (
            trusting(r#""111111111111""#),
            "Principal must be a JSON object.",
        ),
        (
            trusting(r#"{"aws":"*"}"#),
            "Invalid principal in policy: \"aws\"",
        ),
        (
            trusting(r#"{"Service":"EC2"}"#),
            "Invalid principal in policy: \"SERVICE\":\"EC2\"",
        ),
        (
            trusting(r#"{"Federated":"github"}"#),
            "Federated principals must be valid domain names or SAML metadata ARNs",
        ),
        (
            statement(r#""Effect":"Allow","Principal":{"AWS":"*"}"#),
            "Missing required field Action",
        ),
        (
            statement(&format!(r#"{good},"NotAction":"sts:AssumeRole""#)),
            "Syntax error in policy.",
        ),
        (
            EC2.replace("sts:AssumeRole", "s3:GetObject"),
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            EC2.replace("sts:AssumeRole", "*"),
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            statement(&format!(
                r#"{good},"Condition":{{"stringEquals":{{"a:b":"c"}}}}"#
            )),
            "Invalid Condition type : stringEquals",
        ),
        (
            statement(&format!(
                r#"{good},"Condition":{{"NullIfExists":{{"a:b":"true"}}}}"#
            )),
            "Invalid Condition type : NullIfExists",
        ),
        (
            statement(&format!(r#"{good},"Sid":1"#)),
            "Syntax error in policy.",
        ),
        (
            format!(r#"{{"Statement":[{{"Sid":"A",{good}}},{{"Sid":"A",{good}}}]}}"#),
            "The Statement Ids in the policy are not unique",
        ),
    ] {
        let mut test = test();
        let create = [
            ("RoleName", "r"),
            ("AssumeRolePolicyDocument", document.as_str()),
        ];
        test.refuses(
            "CreateRole",
            &create,
            400,
            "MalformedPolicyDocument",
            message,
        );
        test.role("r");
        let update = [("RoleName", "r"), ("PolicyDocument", document.as_str())];
        test.refuses(
            "UpdateAssumeRolePolicy",
            &update,
            400,
            "MalformedPolicyDocument",
            message,
        );
        assert_eq!(test.trust("r"), EC2);
    }
}

#[test]
fn characters_beyond_latin_1_are_refused() {
    let document = EC2.replace("\"Effect\"", "\"Sid\":\"—\",\"Effect\"");
    let message = format!(
        "1 validation error detected: Value '{document}' at 'assumeRolePolicyDocument' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"
    );
    let create = [
        ("RoleName", "r"),
        ("AssumeRolePolicyDocument", document.as_str()),
    ];
    test().refuses("CreateRole", &create, 400, "ValidationError", &message);
}

fn web_identity(provider: &str) -> String {
    trusting(&format!(r#"{{"Federated":"{provider}"}}"#))
        .replace("sts:AssumeRole", "sts:AssumeRoleWithWebIdentity")
}

#[test]
fn good_trust_policies_are_accepted() {
    let statement = r#"{"Sid":"","Effect":"Deny","Principal":{"AWS":"*"},"NotAction":["STS:AssumeRole","sts:TagSession"],"Condition":{"ForAnyValue:StringLikeIfExists":{"aws:PrincipalArn":["a","b"]},"Null":{"x:y":"true"}}}"#;
    for document in [
        format!(r#"{{"Version":"2008-10-17","Id":"x","Statement":{statement}}}"#),
        format!(r#"{{"Statement":[{statement},{statement}]}}"#),
        aws("*"),
        aws("arn:aws:iam::111111111111:root"),
        aws("arn:aws:iam::999999999999:root"),
        aws("arn:aws:iam::999999999999:role/path/elsewhere"),
        aws("arn:aws:iam::999999999999:user/elsewhere"),
        aws("arn:aws:sts::111111111111:assumed-role/any/session"),
        web_identity("arn:aws:iam::111111111111:oidc-provider/oidc.example.com"),
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"cognito-identity.amazonaws.com:aud":"us-east-1:1"}}}]}"#.to_owned(),
        trusting(
            r#"{"Service":["ec2.amazonaws.com","logs.eu-central-1.amazonaws.com"],"CanonicalUser":"79a5"}"#,
        ),
    ] {
        let mut test = test();
        test.ok(
            "CreateRole",
            &[("RoleName", "r"), ("AssumeRolePolicyDocument", &document)],
        );
        assert_eq!(test.trust("r"), document);
    }
}

/// Case 9: a shared issuer must be asked whose token it is, on create and on every later write.
#[test]
fn case_9_a_shared_issuer_without_its_claim_is_refused() {
    let web = |url: &str, condition: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Federated":"arn:aws:iam::111111111111:oidc-provider/{url}"}},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{{{condition}}}}}]}}"#
        )
    };
    let mut test = test();
    test.role("r");
    for (url, claims, condition) in [
        (
            "agent.buildkite.com",
            "agent.buildkite.com:sub",
            r#""StringEquals":{"agent.buildkite.com:aud":"x"}"#,
        ),
        (
            "api.pulumi.com/oidc",
            "api.pulumi.com/oidc:aud",
            r#""StringEquals":{"api.pulumi.com/oidc:sub":"x"}"#,
        ),
        (
            "gitlab.com",
            "gitlab.com:sub",
            r#""StringLike":{"gitlab.com:sub":"*"}"#,
        ),
        (
            "token.actions.githubusercontent.com",
            "token.actions.githubusercontent.com:sub or token.actions.githubusercontent.com:job_workflow_ref",
            "",
        ),
    ] {
        let message = format!(
            "Trust policy for the provider {url} must evaluate {claims} which is not scoped to all"
        );
        let document = web(url, condition);
        for (operation, parameter, name) in [
            ("CreateRole", "AssumeRolePolicyDocument", "new"),
            ("UpdateAssumeRolePolicy", "PolicyDocument", "r"),
        ] {
            let parameters = [("RoleName", name), (parameter, document.as_str())];
            test.refuses(
                operation,
                &parameters,
                400,
                "MalformedPolicyDocument",
                &message,
            );
        }
    }
    for (url, condition) in [
        (
            "gitlab.com",
            r#""StringLike":{"GitLab.com:sub":"project_path:acme/*"}"#,
        ),
        ("issuer.example.com", ""),
    ] {
        let document = web(url, condition);
        test.ok(
            "UpdateAssumeRolePolicy",
            &[("RoleName", "r"), ("PolicyDocument", &document)],
        );
    }
}

#[test]
fn principals_that_do_not_exist_are_invalid() {
    let mut test = test();
    test.role("Real");
    test.within(B).role("There");
    for principal in [
        "arn:aws:iam::111111111111:role/real",
        "arn:aws:iam::111111111111:role/path/Real",
        "arn:aws:iam::111111111111:role/Missing",
        "arn:aws:iam::111111111111:user/Real",
        "arn:aws:iam::222222222222:role/Real",
        "arn:aws:iam::222222222222:role/*",
        "arn:aws:iam::222222222222:role/Ther?",
        "arn:aws:iam::999999999999:role/*",
        "arn:aws:iam::222222222222:group/admins",
        "arn:aws-cn:iam::222222222222:root",
        "arn:aws:iam::2222:root",
        "arn:aws:iam::*:root",
        "arn:aws:s3:::bucket",
        "AROAAAAAAAAAAAAAAAAAA",
        "22222222222",
        "There",
        "",
    ] {
        let message = format!("{INVALID_AWS}\"{principal}\"");
        let document = aws(principal);
        let create = [
            ("RoleName", "r"),
            ("AssumeRolePolicyDocument", document.as_str()),
        ];
        test.refuses(
            "CreateRole",
            &create,
            400,
            "MalformedPolicyDocument",
            &message,
        );
    }
}

#[test]
fn account_ids_become_root_arns_and_single_entries_lose_their_list() {
    let mut test = test();
    let document = r#" { "Version" : "2012-10-17", "Statement" : [ { "Effect" : "Allow",
        "Principal" : { "AWS" : [ "333333333333" ] }, "Action" : [ "sts:AssumeRole" ],
        "Condition" : { "Bool" : { "aws:MultiFactorAuthPresent" : [ true ] } } } ] } "#;
    test.ok(
        "CreateRole",
        &[("RoleName", "r"), ("AssumeRolePolicyDocument", document)],
    );
    assert_eq!(
        test.trust("r"),
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::333333333333:root"},"Action":"sts:AssumeRole","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}]}"#
    );
    test.world.partition = Partition("aws-us-gov".to_owned());
    test.ok(
        "UpdateAssumeRolePolicy",
        &[("RoleName", "r"), ("PolicyDocument", &aws("333333333333"))],
    );
    assert!(
        test.trust("r")
            .contains("\"arn:aws-us-gov:iam::333333333333:root\"")
    );
}

#[test]
fn a_trusted_role_that_is_deleted_leaves_its_unique_id_and_a_namesake_does_not_heal_it() {
    let mut test = test();
    let arn = "arn:aws:iam::222222222222:role/Caller";
    test.within(B).role("Caller");
    let id = test.role_field("Caller", "RoleId");
    test.within(A).ok(
        "CreateRole",
        &[("RoleName", "r"), ("AssumeRolePolicyDocument", &aws(arn))],
    );
    assert_eq!(test.trust("r"), aws(arn));

    test.within(B).ok("DeleteRole", &[("RoleName", "Caller")]);
    assert_eq!(test.within(A).trust("r"), aws(&id));
    let listed = test.ok("ListRoles", &[]);
    assert_eq!(
        decoded(&at(&listed, "Roles.0.AssumeRolePolicyDocument").unwrap()),
        aws(&id)
    );

    test.within(B).role("Caller");
    assert_eq!(test.within(A).trust("r"), aws(&id));
    let stale = test.trust("r");
    let message = format!("{INVALID_AWS}\"{id}\"");
    let write_back = [("RoleName", "r"), ("PolicyDocument", stale.as_str())];
    test.refuses(
        "UpdateAssumeRolePolicy",
        &write_back,
        400,
        "MalformedPolicyDocument",
        &message,
    );

    test.ok(
        "UpdateAssumeRolePolicy",
        &[("RoleName", "r"), ("PolicyDocument", &aws(arn))],
    );
    assert_eq!(test.trust("r"), aws(arn));
    let new_id = test.within(B).role_field("Caller", "RoleId");
    assert_ne!(new_id, id);
    let role = test.world.accounts[&AccountId::parse(A).unwrap()].iam.roles["r"]
        .latest()
        .unwrap()
        .clone();
    assert_eq!(role.trust, aws(&new_id));
    let account = AccountId::parse(A).unwrap();
    assert_eq!(
        crate::iam::trust_policy(&test.world, account, &role),
        aws(arn)
    );
}

#[test]
fn the_unique_id_of_a_living_role_is_taken_and_shown_as_its_arn() {
    let mut test = test();
    test.role("Caller");
    let id = test.role_field("Caller", "RoleId");
    test.ok(
        "CreateRole",
        &[("RoleName", "r"), ("AssumeRolePolicyDocument", &aws(&id))],
    );
    assert_eq!(
        test.trust("r"),
        aws("arn:aws:iam::111111111111:role/Caller")
    );
}

#[test]
fn a_principal_is_invalid_until_it_is_visible() {
    let mut test = test();
    test.world.lag = Duration::from_secs(10);
    test.within(B).role("Caller");
    let arn = "arn:aws:iam::222222222222:role/Caller";
    let document = aws(arn);
    let create = [
        ("RoleName", "r"),
        ("AssumeRolePolicyDocument", document.as_str()),
    ];
    let message = format!("{INVALID_AWS}\"{arn}\"");
    test.within(A).refuses(
        "CreateRole",
        &create,
        400,
        "MalformedPolicyDocument",
        &message,
    );
    test.wait(10);
    test.ok("CreateRole", &create);
    // A namesake born within the lag is not yet the one that is seen.
    test.within(B).ok("DeleteRole", &[("RoleName", "Caller")]);
    test.role("Caller");
    let update = [("RoleName", "r"), ("PolicyDocument", document.as_str())];
    test.within(A).refuses(
        "UpdateAssumeRolePolicy",
        &update,
        400,
        "MalformedPolicyDocument",
        &message,
    );
    test.wait(10);
    test.ok("UpdateAssumeRolePolicy", &update);
}

#[test]
fn a_trust_policy_has_2048_characters_without_white_space() {
    let of_size = |size: usize| {
        let sized = |fill: usize| {
            EC2.replace(
                "\"Effect\"",
                &format!("\"Sid\":\"{}\",\"Effect\"", "x".repeat(fill)),
            )
        };
        sized(size - sized(0).len())
    };
    let mut test = test();
    let fits = format!("  {}\n", of_size(2048));
    test.ok(
        "CreateRole",
        &[("RoleName", "r"), ("AssumeRolePolicyDocument", &fits)],
    );
    let document = of_size(2049);
    let update = [("RoleName", "r"), ("PolicyDocument", document.as_str())];
    let message = "Cannot exceed quota for ACLSizePerRole: 2048";
    test.refuses(
        "UpdateAssumeRolePolicy",
        &update,
        409,
        "LimitExceeded",
        message,
    );
    test.set_quota("AssumeRolePolicySizeQuota", 4096);
    test.ok("UpdateAssumeRolePolicy", &update);
}
