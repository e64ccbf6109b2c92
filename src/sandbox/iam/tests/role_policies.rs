//! Inline policies, attachments and boundaries.

use super::*;

#[test]
fn identity_policies_are_validated_wherever_they_are_written() {
    let statement =
        |members: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{{{members}}}]}}"#);
    let good = r#""Effect":"Allow","Action":"s3:GetObject","Resource":"*""#;
    let resource = |resource: &str| READ.replace("\"*\"", &format!("\"{resource}\""));
    let action = |action: &str| READ.replace("s3:GetObject", action);
    let syntax = "Syntax errors in policy.";
    for (document, message) in [
        ("{nope".to_owned(), syntax),
        ("[{}]".to_owned(), syntax),
        (r#"{"Version":"2012-10-17"}"#.to_owned(), syntax),
        (
            r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned(),
            syntax,
        ),
        (READ.replace("2012-10-17", "2012-10-18"), syntax),
        (READ.replace("\"Allow\"", "\"Permit\""), syntax),
        (
            READ.replace("\"Allow\"", "\"allow\""),
            "The policy failed legacy parsing",
        ),
        (
            statement(r#""Action":"s3:GetObject","Resource":"*""#),
            syntax,
        ),
        (statement(&format!(r#"{good},"NotAction":"s3:*""#)), syntax),
        (statement(&format!(r#"{good},"Sid":1"#)), syntax),
        (
            statement(&format!(
                r#"{good},"Condition":{{"StringEquals":{{"a:b":null}}}}"#
            )),
            syntax,
        ),
        (
            READ.replace("\"Version\"", "\"version\""),
            "Unknown field version",
        ),
        (
            statement(&format!(r#"{good},"Conditions":{{}}"#)),
            "Unknown field Conditions",
        ),
        (
            statement(&format!(
                r#"{good},"Condition":{{"stringEquals":{{"a:b":"c"}}}}"#
            )),
            "Invalid Condition type : stringEquals",
        ),
        (
            statement(&format!(r#"{good},"Principal":{{"AWS":"*"}}"#)),
            "Policy document should not specify a principal.",
        ),
        (
            statement(&format!(r#"{good},"NotPrincipal":{{"AWS":"*"}}"#)),
            "Policy document should not specify a principal.",
        ),
        (
            statement(&format!(r#"{good},"Sid":"a b""#)),
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
        ),
        (
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"A",{good}}},{{"Sid":"A",{good}}}]}}"#
            ),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
        (
            statement(r#""Effect":"Allow","Resource":"*""#),
            "Policy statement must contain actions.",
        ),
        (
            statement(r#""Effect":"Allow","Action":[],"Resource":"*""#),
            "Policy statement must contain actions.",
        ),
        (
            statement(r#""Effect":"Allow","Action":"s3:GetObject""#),
            "Policy statement must contain resources.",
        ),
        (
            action("GetObject"),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (
            action("s3:a:b"),
            "Actions/Condition can contain only one colon.",
        ),
        (action("s 3:GetObject"), "Vendor s 3 is not valid"),
        (
            resource("bucket"),
            "Resource bucket must be in ARN format or \"*\".",
        ),
        (
            resource("urn:aws:s3:::b"),
            "Resource urn:aws:s3:::b must be in ARN format or \"*\".",
        ),
        (
            resource("arn:amazon:s3:::b"),
            "Partition \"amazon\" is not valid for resource \"arn:amazon:s3:::b\".",
        ),
        (
            resource("arn:aws:s3::b"),
            "The policy failed legacy parsing",
        ),
    ] {
        let mut test = with_policy();
        let malformed = |test: &mut Test, operation: &str, params: &[(&str, &str)]| {
            test.refuses(operation, params, 400, "MalformedPolicyDocument", message);
        };
        let document = document.as_str();
        malformed(
            &mut test,
            "PutRolePolicy",
            &[
                ("RoleName", "r"),
                ("PolicyName", "i"),
                ("PolicyDocument", document),
            ],
        );
        malformed(
            &mut test,
            "CreatePolicy",
            &[("PolicyName", "Q"), ("PolicyDocument", document)],
        );
        malformed(
            &mut test,
            "CreatePolicyVersion",
            &[("PolicyArn", OURS), ("PolicyDocument", document)],
        );
    }
}

#[test]
fn good_identity_policies_come_back_as_they_were_put() {
    let odd = r#" {"Version":"2008-10-17","Id":"x","Statement":{"Sid":"","Effect":"Deny","NotAction":["*","S3:get*","*:*"],"NotResource":["arn:*:s3:::a+b/${aws:username}","arn:aws:ec2:eu-west-1:111111111111:instance/*","arn:aws:s3:*"],"Condition":{"Bool":{"aws:SecureTransport":false},"NumericLessThan":{"s3:max-keys":[10]}}}}"#;
    let mut test = test();
    test.role("r");
    test.ok(
        "PutRolePolicy",
        &[
            ("RoleName", "r"),
            ("PolicyName", "i+1"),
            ("PolicyDocument", odd),
        ],
    );
    let answer = test.ok("GetRolePolicy", &[("RoleName", "R"), ("PolicyName", "i+1")]);
    assert_eq!(at(&answer, "RoleName").as_deref(), Some("r"));
    let encoded = at(&answer, "PolicyDocument").unwrap();
    assert!(encoded.starts_with("%20%7B%22Version"), "{encoded}");
    assert!(
        encoded.contains("a%2Bb%2F%24%7Baws%3Ausername%7D"),
        "{encoded}"
    );
    assert_eq!(decoded(&encoded), odd);
}

#[test]
fn an_inline_policy_begins_with_its_version() {
    let mut test = with_policy();
    let late =
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"},"Version":"2012-10-17"}"#;
    let put = [
        ("RoleName", "r"),
        ("PolicyName", "i"),
        ("PolicyDocument", late),
    ];
    test.refuses(
        "PutRolePolicy",
        &put,
        400,
        "MalformedPolicyDocument",
        "The policy failed legacy parsing",
    );
    test.ok(
        "CreatePolicy",
        &[("PolicyName", "Q"), ("PolicyDocument", late)],
    );
}

#[test]
fn inline_policies_are_put_listed_and_deleted() {
    for (word, name, create) in [
        ("Role", "RoleName", "role"),
        ("User", "UserName", "user"),
        ("Group", "GroupName", "group"),
    ] {
        let mut test = test();
        let make = [(name, "x"), ("AssumeRolePolicyDocument", EC2)];
        test.ok(&format!("Create{word}"), &make);
        for policy in ["b", "a"] {
            let put = [
                (name, "x"),
                ("PolicyName", policy),
                ("PolicyDocument", READ),
            ];
            test.ok(&format!("Put{word}Policy"), &put);
        }
        let list = format!("List{word}Policies");
        let first = test.ok(&list, &[(name, "x"), ("MaxItems", "1")]);
        assert_eq!(each(&first, "PolicyNames", ""), ["a"]);
        let marker = at(&first, "Marker").unwrap();
        assert_eq!(
            each(
                &test.ok(&list, &[(name, "x"), ("Marker", &marker)]),
                "PolicyNames",
                ""
            ),
            ["b"]
        );
        let named = [(name, "x"), ("PolicyName", "a")];
        let got = test.ok(&format!("Get{word}Policy"), &named);
        assert_eq!(decoded(&at(&got, "PolicyDocument").unwrap()), READ);
        let conflict = "Cannot delete entity, must delete policies first.";
        test.refuses(
            &format!("Delete{word}"),
            &[(name, "x")],
            409,
            "DeleteConflict",
            conflict,
        );
        test.ok(&format!("Delete{word}Policy"), &named);
        let missing = format!("The {create} policy with name a cannot be found.");
        for operation in ["Get", "Delete"] {
            test.refuses(
                &format!("{operation}{word}Policy"),
                &named,
                404,
                "NoSuchEntity",
                &missing,
            );
        }
        test.ok(
            &format!("Delete{word}Policy"),
            &[(name, "x"), ("PolicyName", "b")],
        );
        test.ok(&format!("Delete{word}"), &[(name, "x")]);
        let missing = format!("The {create} with name x cannot be found.");
        let put = [(name, "x"), ("PolicyName", "a"), ("PolicyDocument", READ)];
        test.refuses(
            &format!("Put{word}Policy"),
            &put,
            404,
            "NoSuchEntity",
            &missing,
        );
    }
}

#[test]
fn inline_policies_have_quotas_for_one_and_for_all() {
    let mut test = with_policy();
    let put = |name, document| {
        [
            ("RoleName", "r"),
            ("PolicyName", name),
            ("PolicyDocument", document),
        ]
    };
    let (full, over, small) = (
        policy_of_size(10240),
        policy_of_size(10241),
        policy_of_size(200),
    );
    let message = "Cannot exceed quota for PolicySize: 10240";
    test.refuses(
        "PutRolePolicy",
        &put("a", &over),
        409,
        "LimitExceeded",
        message,
    );
    test.ok("PutRolePolicy", &put("a", &full));
    let message = "Maximum policy size of 10240 bytes exceeded for role r";
    test.refuses(
        "PutRolePolicy",
        &put("b", &small),
        409,
        "LimitExceeded",
        message,
    );
    test.ok("PutRolePolicy", &put("a", &small));
    test.ok("PutRolePolicy", &put("b", &small));

    test.ok("CreateUser", &[("UserName", "u")]);
    let document = policy_of_size(1025);
    let put = |name| {
        [
            ("UserName", "u"),
            ("PolicyName", name),
            ("PolicyDocument", document.as_str()),
        ]
    };
    test.ok("PutUserPolicy", &put("a"));
    let message = "Maximum policy size of 2048 bytes exceeded for user u";
    test.refuses("PutUserPolicy", &put("b"), 409, "LimitExceeded", message);
}

#[test]
fn policies_are_attached_once_and_detached_once() {
    for (word, name) in [
        ("Role", "RoleName"),
        ("User", "UserName"),
        ("Group", "GroupName"),
    ] {
        let mut test = with_policy();
        test.ok(
            &format!("Create{word}"),
            &[(name, "x"), ("AssumeRolePolicyDocument", EC2)],
        );
        let attach = format!("Attach{word}Policy");
        for arn in [
            OURS,
            ADMIN,
            OURS,
            "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess",
        ] {
            test.ok(&attach, &[(name, "x"), ("PolicyArn", arn)]);
        }
        let list = format!("ListAttached{word}Policies");
        let attached = test.ok(&list, &[(name, "x")]);
        assert_eq!(
            each(&attached, "AttachedPolicies", "PolicyName"),
            ["AdministratorAccess", "P", "ViewOnlyAccess"]
        );
        assert_eq!(each(&attached, "AttachedPolicies", "PolicyArn")[1], OURS);
        let functions = test.ok(&list, &[(name, "x"), ("PathPrefix", "/job-function/")]);
        assert_eq!(
            each(&functions, "AttachedPolicies", "PolicyName"),
            ["ViewOnlyAccess"]
        );
        let first = test.ok(&list, &[(name, "x"), ("MaxItems", "2")]);
        let marker = at(&first, "Marker").unwrap();
        let second = test.ok(&list, &[(name, "x"), ("Marker", &marker)]);
        assert_eq!(
            each(&second, "AttachedPolicies", "PolicyName"),
            ["ViewOnlyAccess"]
        );
        assert_eq!(
            at(
                &test.ok("GetPolicy", &[("PolicyArn", OURS)]),
                "Policy.AttachmentCount"
            )
            .unwrap(),
            "1"
        );

        let conflict = "Cannot delete entity, must detach all policies first.";
        test.refuses(
            &format!("Delete{word}"),
            &[(name, "x")],
            409,
            "DeleteConflict",
            conflict,
        );
        let detach = format!("Detach{word}Policy");
        test.ok(&detach, &[(name, "x"), ("PolicyArn", OURS)]);
        let missing = format!("Policy {OURS} was not found.");
        test.refuses(
            &detach,
            &[(name, "x"), ("PolicyArn", OURS)],
            404,
            "NoSuchEntity",
            &missing,
        );
    }
}

#[test]
fn what_does_not_exist_cannot_be_attached() {
    let mut test = with_policy();
    for arn in [
        "arn:aws:iam::aws:policy/NoSuchPolicy",
        "arn:aws-cn:iam::aws:policy/AdministratorAccess",
        "arn:aws:iam::111111111111:policy/path/P",
        "arn:aws:iam::111111111111:policy/p",
        "arn:aws:iam::222222222222:policy/P",
    ] {
        let message = format!("Policy {arn} does not exist or is not attachable.");
        test.refuses(
            "AttachRolePolicy",
            &[("RoleName", "r"), ("PolicyArn", arn)],
            404,
            "NoSuchEntity",
            &message,
        );
        let message = format!("Scope ARN: {arn} does not exist or is not attachable.");
        let put = [("RoleName", "r"), ("PermissionsBoundary", arn)];
        test.refuses(
            "PutRolePermissionsBoundary",
            &put,
            404,
            "NoSuchEntity",
            &message,
        );
        let create = [
            ("RoleName", "new"),
            ("AssumeRolePolicyDocument", EC2),
            ("PermissionsBoundary", arn),
        ];
        test.refuses("CreateRole", &create, 404, "NoSuchEntity", &message);
    }
    let wrong = "arn:aws:iam::111111111111:role/r";
    let attach = [("RoleName", "r"), ("PolicyArn", wrong)];
    test.refuses(
        "AttachRolePolicy",
        &attach,
        400,
        "InvalidInput",
        &format!("ARN {wrong} is not valid."),
    );
    let message = "1 validation error detected: Value 'P' at 'policyArn' failed to satisfy constraint: Member must have length greater than or equal to 20";
    test.refuses(
        "AttachRolePolicy",
        &[("RoleName", "r"), ("PolicyArn", "P")],
        400,
        "ValidationError",
        message,
    );
}

#[test]
fn a_role_has_ten_attachments_unless_its_account_has_more() {
    let mut test = test();
    test.role("r");
    let arn = |n: usize| format!("arn:aws:iam::111111111111:policy/p{n}");
    for n in 0..11 {
        test.ok(
            "CreatePolicy",
            &[("PolicyName", &format!("p{n}")), ("PolicyDocument", READ)],
        );
    }
    for n in 0..10 {
        test.ok(
            "AttachRolePolicy",
            &[("RoleName", "r"), ("PolicyArn", &arn(n))],
        );
    }
    let (first, eleventh) = (arn(0), arn(10));
    test.ok(
        "AttachRolePolicy",
        &[("RoleName", "r"), ("PolicyArn", &first)],
    );
    let one_more = [("RoleName", "r"), ("PolicyArn", eleventh.as_str())];
    let message = "Cannot exceed quota for PoliciesPerRole: 10";
    test.refuses("AttachRolePolicy", &one_more, 409, "LimitExceeded", message);
    test.set_quota("AttachedPoliciesPerRoleQuota", 20);
    test.ok("AttachRolePolicy", &one_more);
}

#[test]
fn a_boundary_is_set_shown_and_removed() {
    let mut test = with_policy();
    let create = [
        ("RoleName", "b"),
        ("AssumeRolePolicyDocument", EC2),
        ("PermissionsBoundary", ADMIN),
    ];
    test.ok("CreateRole", &create);
    assert_eq!(
        test.role_field("b", "PermissionsBoundary.PermissionsBoundaryArn"),
        ADMIN
    );
    test.ok(
        "PutRolePermissionsBoundary",
        &[("RoleName", "b"), ("PermissionsBoundary", OURS)],
    );
    assert_eq!(
        test.role_field("b", "PermissionsBoundary.PermissionsBoundaryArn"),
        OURS
    );
    assert_eq!(
        test.role_field("b", "PermissionsBoundary.PermissionsBoundaryType"),
        "Policy"
    );
    let policy = test.ok("GetPolicy", &[("PolicyArn", OURS)]);
    assert_eq!(
        at(&policy, "Policy.PermissionsBoundaryUsageCount").as_deref(),
        Some("1")
    );
    assert_eq!(at(&policy, "Policy.AttachmentCount").as_deref(), Some("0"));
    let conflict = "Cannot delete a policy attached to entities.";
    test.refuses(
        "DeletePolicy",
        &[("PolicyArn", OURS)],
        409,
        "DeleteConflict",
        conflict,
    );
    test.ok("DeleteRolePermissionsBoundary", &[("RoleName", "b")]);
    assert_eq!(
        node(
            &test.ok("GetRole", &[("RoleName", "b")]),
            "Role.PermissionsBoundary"
        ),
        None
    );
    test.ok("DeletePolicy", &[("PolicyArn", OURS)]);
}

#[test]
fn protected_roles_take_no_policies() {
    let mut test = with_policy();
    let path = "/aws-reserved/sso.amazonaws.com/";
    test.role_of_aws("P", path);
    for (operation, parameter, value) in [
        ("PutRolePolicy", "PolicyName", "i"),
        ("DeleteRolePolicy", "PolicyName", "i"),
        ("AttachRolePolicy", "PolicyArn", OURS),
        ("DetachRolePolicy", "PolicyArn", OURS),
        ("PutRolePermissionsBoundary", "PermissionsBoundary", OURS),
        ("DeleteRolePermissionsBoundary", "X", ""),
    ] {
        let params = [
            ("RoleName", "P"),
            (parameter, value),
            ("PolicyDocument", READ),
        ];
        let message = "Cannot perform the operation on the protected role 'P' - this role is only modifiable by AWS";
        test.refuses(operation, &params, 400, "UnmodifiableEntity", message);
    }
}
