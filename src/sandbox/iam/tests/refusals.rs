//! What IAM refuses in documents and principals, so that a test that only applies cannot stay green.

use rolecall_core::org::Partition;

use super::*;

/// A policy with one statement on a resource.
fn on(resource: &str) -> String {
    serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": resource}]})
    .to_string()
}

fn under(condition: &serde_json::Value) -> String {
    serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": condition}]})
    .to_string()
}

fn trust(principal: &serde_json::Value, action: &str) -> String {
    serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": principal, "Action": action}]})
    .to_string()
}

/// The message that a document is refused with, inline and as a managed policy.
#[track_caller]
fn refused(test: &mut Test, document: &str) -> String {
    let inline = [
        ("RoleName", "r"),
        ("PolicyName", "p"),
        ("PolicyDocument", document),
    ];
    let managed = [("PolicyName", "p"), ("PolicyDocument", document)];
    let [one, other] =
        [("PutRolePolicy", &inline[..]), ("CreatePolicy", &managed)].map(|(operation, params)| {
            let error = test.call(operation, params).expect_err(document);
            assert_eq!(
                (error.status, error.code.as_str()),
                (400, "MalformedPolicyDocument"),
                "{document}"
            );
            error.message
        });
    assert_eq!(one, other);
    one
}

#[test]
fn resources_are_arns_of_this_partition_and_of_kinds_that_iam_knows() {
    let mut test = test();
    test.role("r");
    for (resource, message) in [
        (
            "arn:aws-us-gov:s3:::b",
            "Partition \"aws-us-gov\" is not valid for resource \"arn:aws-us-gov:s3:::b\".",
        ),
        ("arn:aws:us-gov:s3:::b", ""),
        ("arn:awss:s3:::b", "Partition \"awss\" is not valid"),
        ("arn::s3:::x", "Partition \"\" is not valid"),
        ("arn:*", "Resource vendor must be fully qualified"),
        ("arn:aws::s3:*", "Resource vendor must be fully qualified"),
        ("arn:aws::::x", "Resource vendor must be fully qualified"),
        ("arn:aws:s3*:::x", "Resource vendor must be fully qualified"),
        ("arn:aws:*:::x", "Resource vendor must be fully qualified"),
        ("arn:aws:S3:::x", "Resource vendor must be fully qualified"),
        ("arn:aws:sqs::x", "The policy failed legacy parsing"),
        ("s3:b", "must be in ARN format or \"*\"."),
        (
            "arn:aws:iam:us-east-1:111122223333:role/*",
            "cannot contain region information.",
        ),
        (
            "arn:aws:s3:us-west-2:111122223333:bucket/x",
            "can not contain region information.",
        ),
        (
            "arn:aws:iam::111122223333:rolex/x",
            "IAM resource path must either be \"*\" or start with user/",
        ),
    ] {
        if message.is_empty() {
            continue;
        }
        let said = refused(&mut test, &on(resource));
        assert!(said.contains(message), "{resource}: {said}");
    }
    for resource in [
        "*",
        "arn:*:s3:::b",
        "arn:aws:sqs",
        "arn:aws:s3:us-east-1:111122223333:accesspoint/ap/object/*",
        "arn:aws:s3:*:*:job/*",
        "arn:aws:iam::111122223333:*",
        "arn:aws:iam::*:role/*",
    ] {
        let document = on(resource);
        test.ok(
            "PutRolePolicy",
            &[
                ("RoleName", "r"),
                ("PolicyName", "p"),
                ("PolicyDocument", &document),
            ],
        );
    }
    test.world.partition = Partition("aws-us-gov".to_owned());
    assert!(refused(&mut test, &on("arn:aws:s3:::b")).starts_with("Partition \"aws\""));
}

#[test]
fn conditions_have_keys_with_a_vendor_and_dates_that_are_some() {
    use serde_json::json;
    let mut test = test();
    test.role("r");
    for (condition, message) in [
        (
            json!({"StringEquals": {"https://oidc.eks.us-east-1.amazonaws.com/id/AB12:sub": "x"}}),
            "can contain only one colon.",
        ),
        (
            json!({"StringEquals": {"a:b:c": "x"}}),
            "can contain only one colon.",
        ),
        (
            json!({"StringEquals": {"sub": "x"}}),
            "must be prefaced by a vendor",
        ),
        (
            json!({"DateLessThan": {"aws:CurrentTime": "tomorrow"}}),
            "legacy parsing",
        ),
        (
            json!({"ForAnyValue:DateEquals": {"aws:x": ["2027-01-01", "2027-13-01"]}}),
            "legacy parsing",
        ),
    ] {
        let said = refused(&mut test, &under(&condition));
        assert!(said.contains(message), "{condition}: {said}");
    }
    for condition in [
        json!({"StringEquals": {"kms:EncryptionContext:aws:cloudtrail:arn": "x", "aws:RequestTag/a:b": "y"}}),
        json!({"DateLessThan": {"aws:CurrentTime": ["2027-01-01T00:00:00Z", "2027-01", 1_893_456_000]}}),
    ] {
        let document = under(&condition);
        test.ok(
            "PutRolePolicy",
            &[
                ("RoleName", "r"),
                ("PolicyName", "p"),
                ("PolicyDocument", &document),
            ],
        );
    }
}

#[test]
fn a_managed_policy_is_of_the_newer_version_and_an_inline_one_may_be_of_the_older() {
    let mut test = test();
    test.role("r");
    let message = "Policy document must be version 2012-10-17 or greater.";
    for version in ["", "\"Version\":\"2008-10-17\","] {
        let document = format!(
            "{{{version}\"Statement\":{{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}}}}"
        );
        let params = [("PolicyName", "p"), ("PolicyDocument", document.as_str())];
        test.refuses(
            "CreatePolicy",
            &params,
            400,
            "MalformedPolicyDocument",
            message,
        );
        test.ok("PutRolePolicy", &[("RoleName", "r"), params[0], params[1]]);
    }
}

#[test]
fn blanks_within_a_value_count_for_the_size_and_those_between_do_not() {
    let mut test = test();
    test.role("r");
    test.set_quota("RolePolicySizeQuota", 150);
    let of = |name: &str, between: &str| {
        let id = format!(
            "{{{between}\"Version\":\"2012-10-17\",\"Id\":\"{name}\",\"Statement\":{{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}}}}"
        );
        id
    };
    let fill = "x".repeat(150 - of("", "").len());
    let blank = format!("{}\\\" {}", " ".repeat(4), &fill[7..]);
    for (document, fits) in [
        (of(&fill, &" \n".repeat(99)), true),
        (of(&blank, ""), true),
        (of(&format!("{blank} "), ""), false),
    ] {
        let done = test.call(
            "PutRolePolicy",
            &[
                ("RoleName", "r"),
                ("PolicyName", "p"),
                ("PolicyDocument", &document),
            ],
        );
        assert_eq!(done.is_ok(), fits, "{document}: {done:?}");
    }
}

#[test]
fn principals_are_ones_that_can_be() {
    use serde_json::json;
    let mut test = test();
    let oidc = "arn:aws:iam::111111111111:oidc-provider/oidc.example.com";
    let web = "sts:AssumeRoleWithWebIdentity";
    let assume = "sts:AssumeRole";
    for (principal, action, message) in [
        (
            json!({"Federated": "https://example.com"}),
            web,
            "Federated principals must be valid domain names or SAML metadata ARNs",
        ),
        (
            json!({"Federated": "arn:aws:s3:::x"}),
            web,
            "Federated principals must be valid",
        ),
        (
            json!({"Federated": oidc.replace("arn:aws:", "arn:aws-cn:")}),
            web,
            "Federated principals must be valid",
        ),
        (
            json!({"Federated": "arn:aws:iam::111111111111:role/x"}),
            web,
            "Invalid principal in policy: \"FEDERATED\"",
        ),
        (
            json!({"Federated": oidc.replace("111111111111", "222222222222")}),
            web,
            "Invalid principal in policy: \"FEDERATED\"",
        ),
        (
            json!({"Federated": "arn:aws:iam::111111111111:oidc-provider/https://x.y"}),
            web,
            "Invalid principal in policy: \"FEDERATED\"",
        ),
        (
            json!({"Service": "ec2.amazon.com"}),
            assume,
            "Invalid principal in policy: \"SERVICE\":\"ec2.amazon.com\"",
        ),
        (
            json!({"Service": "nosuch.amazonaws.com"}),
            assume,
            "Invalid principal in policy: \"SERVICE\"",
        ),
        (
            json!({"AWS": "arn:aws:iam::999988887777:role/"}),
            assume,
            "Invalid principal in policy: \"AWS\"",
        ),
        (
            json!({"AWS": "arn:aws:iam::999988887777:user/a b"}),
            assume,
            "Invalid principal in policy: \"AWS\"",
        ),
        (
            json!({"AWS": "arn:aws:sts::999988887777:assumed-role/ops"}),
            assume,
            "Invalid principal in policy: \"AWS\"",
        ),
        (
            json!({"AWS": "arn:aws:iam::999988887777:assumed-role/ops/x"}),
            assume,
            "Invalid principal in policy: \"AWS\"",
        ),
        (
            json!({"AWS": "111111111111"}),
            "sts:AssumeRol",
            "may only specify STS AssumeRole actions.",
        ),
        (
            json!({"AWS": "111111111111"}),
            "sts:GetCallerIdentity",
            "may only specify STS AssumeRole actions.",
        ),
        (
            json!({"AWS": "111111111111"}),
            web,
            "not valid for the principal \"AWS\"",
        ),
        (
            json!({"Federated": oidc}),
            assume,
            "not valid for the principal \"Federated\"",
        ),
        (
            json!({"Federated": oidc}),
            "sts:AssumeRoleWithSAML",
            "not valid for the principal",
        ),
        (
            json!({"Federated": "arn:aws:iam::111111111111:saml-provider/X"}),
            web,
            "not valid for the principal",
        ),
    ] {
        let document = trust(&principal, action);
        let params = [
            ("RoleName", "r"),
            ("AssumeRolePolicyDocument", document.as_str()),
        ];
        let error = test.call("CreateRole", &params).expect_err(&document);
        assert_eq!(error.code, "MalformedPolicyDocument", "{document}");
        assert!(
            error.message.contains(message),
            "{document}: {}",
            error.message
        );
    }
    for (principal, action) in [
        (
            json!({"AWS": "arn:aws:sts::999988887777:assumed-role/ops/alice"}),
            assume,
        ),
        (
            json!({"AWS": "arn:aws:iam::999988887777:user/a/b+c"}),
            "sts:*",
        ),
        (json!({"AWS": "*"}), web),
        (
            json!({"Federated": "arn:aws:iam::111111111111:saml-provider/X"}),
            "sts:AssumeRoleWithSAML",
        ),
        (
            json!({"Service": "edgelambda.amazonaws.com"}),
            "sts:TagSession",
        ),
    ] {
        let document = trust(&principal, action);
        test.ok(
            "CreateRole",
            &[("RoleName", "r"), ("AssumeRolePolicyDocument", &document)],
        );
        test.ok("DeleteRole", &[("RoleName", "r")]);
    }
}

#[test]
fn paths_that_belong_to_aws_or_are_none_are_refused() {
    let mut test = test();
    for path in [
        "/aws-service-role/x.amazonaws.com/",
        "/aws-reserved/sso.amazonaws.com/",
    ] {
        let params = [
            ("RoleName", "r"),
            ("Path", path),
            ("AssumeRolePolicyDocument", EC2),
        ];
        test.refuses(
            "CreateRole",
            &params,
            400,
            "InvalidInput",
            &format!("The path {path} is reserved for AWS."),
        );
    }
    let params = [
        ("RoleName", "r"),
        ("Path", "//"),
        ("AssumeRolePolicyDocument", EC2),
    ];
    assert_eq!(
        test.call("CreateRole", &params).unwrap_err().code,
        "ValidationError"
    );
    test.ok(
        "CreateServiceLinkedRole",
        &[("AWSServiceName", "elasticbeanstalk.amazonaws.com")],
    );
}

#[test]
fn policies_of_service_linked_roles_are_not_attachable() {
    let mut test = test();
    test.role("r");
    let arn = "arn:aws:iam::aws:policy/aws-service-role/AWSSupportServiceRolePolicy";
    let message = "Cannot attach a Service Role Policy to a Customer Role.";
    for (operation, member) in [
        ("AttachRolePolicy", "PolicyArn"),
        ("PutRolePermissionsBoundary", "PermissionsBoundary"),
    ] {
        test.refuses(
            operation,
            &[("RoleName", "r"), (member, arn)],
            400,
            "PolicyNotAttachable",
            message,
        );
    }
    test.ok("GetPolicy", &[("PolicyArn", arn)]);
}

#[test]
fn access_keys_are_made_listed_and_deleted() {
    let mut test = test();
    test.ok("CreateUser", &[("UserName", "ann")]);
    let made = test.ok("CreateAccessKey", &[("UserName", "Ann")]);
    let key = at(&made, "AccessKey.AccessKeyId").unwrap();
    assert!(key.starts_with("AKIA") && at(&made, "AccessKey.SecretAccessKey").is_some());
    assert_eq!(
        test.world.keys[&key].arn,
        "arn:aws:iam::111111111111:user/ann"
    );
    test.ok("CreateAccessKey", &[("UserName", "ann")]);
    test.refuses(
        "CreateAccessKey",
        &[("UserName", "ann")],
        409,
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
    );
    let listed = test.ok("ListAccessKeys", &[("UserName", "ann")]);
    let keys = each(&listed, "AccessKeyMetadata", "AccessKeyId");
    assert!(keys.len() == 2 && keys.contains(&key));
    test.refuses(
        "DeleteUser",
        &[("UserName", "ann")],
        409,
        "DeleteConflict",
        "Cannot delete entity, must delete access keys first.",
    );
    for key in keys {
        test.ok(
            "DeleteAccessKey",
            &[("UserName", "ann"), ("AccessKeyId", &key)],
        );
        assert!(!test.world.keys.contains_key(&key));
    }
    test.ok("DeleteUser", &[("UserName", "ann")]);
    test.refuses(
        "CreateAccessKey",
        &[("UserName", "ann")],
        404,
        "NoSuchEntity",
        "The user with name ann cannot be found.",
    );
}
