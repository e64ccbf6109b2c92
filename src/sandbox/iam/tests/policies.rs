use super::*;

const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const OURS: &str = "arn:aws:iam::111111111111:policy/P";

fn with_policy() -> Test {
    let mut test = test();
    test.role("r");
    test.ok("CreatePolicy", &[("PolicyName", "P"), ("PolicyDocument", READ)]);
    test
}

fn policy_of_size(size: usize) -> String {
    let sized = |fill: usize| READ.replace("\"Effect\"", &format!("\"Sid\":\"{}\",\"Effect\"", "x".repeat(fill)));
    sized(size - sized(0).len())
}

#[test]
fn identity_policies_are_validated_wherever_they_are_written() {
    let statement = |members: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{{{members}}}]}}"#);
    let good = r#""Effect":"Allow","Action":"s3:GetObject","Resource":"*""#;
    let resource = |resource: &str| READ.replace("\"*\"", &format!("\"{resource}\""));
    let action = |action: &str| READ.replace("s3:GetObject", action);
    let syntax = "Syntax errors in policy.";
    for (document, message) in [
        ("{nope".to_owned(), syntax),
        ("[{}]".to_owned(), syntax),
        (r#"{"Version":"2012-10-17"}"#.to_owned(), syntax),
        (r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned(), syntax),
        (READ.replace("2012-10-17", "2012-10-18"), syntax),
        (READ.replace("\"Allow\"", "\"Permit\""), syntax),
        (READ.replace("\"Allow\"", "\"allow\""), "The policy failed legacy parsing"),
        (statement(r#""Action":"s3:GetObject","Resource":"*""#), syntax),
        (statement(&format!(r#"{good},"NotAction":"s3:*""#)), syntax),
        (statement(&format!(r#"{good},"Sid":1"#)), syntax),
        (statement(&format!(r#"{good},"Condition":{{"StringEquals":{{"a:b":null}}}}"#)), syntax),
        (READ.replace("\"Version\"", "\"version\""), "Unknown field version"),
        (statement(&format!(r#"{good},"Conditions":{{}}"#)), "Unknown field Conditions"),
        (
            statement(&format!(r#"{good},"Condition":{{"stringEquals":{{"a:b":"c"}}}}"#)),
            "Invalid Condition type : stringEquals",
        ),
        (statement(&format!(r#"{good},"Principal":{{"AWS":"*"}}"#)), "Policy document should not specify a principal."),
        (
            statement(&format!(r#"{good},"NotPrincipal":{{"AWS":"*"}}"#)),
            "Policy document should not specify a principal.",
        ),
        (
            statement(&format!(r#"{good},"Sid":"a b""#)),
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
        ),
        (
            format!(r#"{{"Statement":[{{"Sid":"A",{good}}},{{"Sid":"A",{good}}}]}}"#),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
        (statement(r#""Effect":"Allow","Resource":"*""#), "Policy statement must contain actions."),
        (statement(r#""Effect":"Allow","Action":[],"Resource":"*""#), "Policy statement must contain actions."),
        (statement(r#""Effect":"Allow","Action":"s3:GetObject""#), "Policy statement must contain resources."),
        (action("GetObject"), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
        (action("s3:a:b"), "Actions/Condition can contain only one colon."),
        (action("s 3:GetObject"), "Vendor s 3 is not valid"),
        (resource("bucket"), "Resource bucket must be in ARN format or \"*\"."),
        (resource("urn:aws:s3:::b"), "Resource urn:aws:s3:::b must be in ARN format or \"*\"."),
        (resource("arn:amazon:s3:::b"), "Partition \"amazon\" is not valid for resource \"arn:amazon:s3:*:*:*\"."),
        (resource("arn:aws:s3"), "The policy failed legacy parsing"),
    ] {
        let mut test = with_policy();
        let malformed = |test: &mut Test, operation: &str, params: &[(&str, &str)]| {
            test.refuses(operation, params, 400, "MalformedPolicyDocument", message);
        };
        let document = document.as_str();
        malformed(&mut test, "PutRolePolicy", &[("RoleName", "r"), ("PolicyName", "i"), ("PolicyDocument", document)]);
        malformed(&mut test, "CreatePolicy", &[("PolicyName", "Q"), ("PolicyDocument", document)]);
        malformed(&mut test, "CreatePolicyVersion", &[("PolicyArn", OURS), ("PolicyDocument", document)]);
    }
}

#[test]
fn good_identity_policies_come_back_as_they_were_put() {
    let odd = r#" {"Version":"2008-10-17","Id":"x","Statement":{"Sid":"","Effect":"Deny","NotAction":["*","S3:get*","*:*"],"NotResource":["arn:*:s3:::a+b/${aws:username}","arn:aws:ec2:eu-west-1:111111111111:instance/*","arn:aws:s3*"],"Condition":{"Bool":{"aws:SecureTransport":false},"NumericLessThan":{"s3:max-keys":[10]}}}}"#;
    let mut test = test();
    test.role("r");
    test.ok("PutRolePolicy", &[("RoleName", "r"), ("PolicyName", "i+1"), ("PolicyDocument", odd)]);
    let answer = test.ok("GetRolePolicy", &[("RoleName", "R"), ("PolicyName", "i+1")]);
    assert_eq!(at(&answer, "RoleName").as_deref(), Some("r"));
    let encoded = at(&answer, "PolicyDocument").unwrap();
    assert!(encoded.starts_with("%20%7B%22Version"), "{encoded}");
    assert!(encoded.contains("a%2Bb%2F%24%7Baws%3Ausername%7D"), "{encoded}");
    assert_eq!(decoded(&encoded), odd);
}

#[test]
fn an_inline_policy_begins_with_its_version() {
    let mut test = with_policy();
    let late = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"},"Version":"2012-10-17"}"#;
    let put = [("RoleName", "r"), ("PolicyName", "i"), ("PolicyDocument", late)];
    test.refuses("PutRolePolicy", &put, 400, "MalformedPolicyDocument", "The policy failed legacy parsing");
    test.ok("CreatePolicy", &[("PolicyName", "Q"), ("PolicyDocument", late)]);
}

#[test]
fn inline_policies_are_put_listed_and_deleted() {
    for (word, name, create) in
        [("Role", "RoleName", "role"), ("User", "UserName", "user"), ("Group", "GroupName", "group")]
    {
        let mut test = test();
        let make = [(name, "x"), ("AssumeRolePolicyDocument", EC2)];
        test.ok(&format!("Create{word}"), &make);
        for policy in ["b", "a"] {
            let put = [(name, "x"), ("PolicyName", policy), ("PolicyDocument", READ)];
            test.ok(&format!("Put{word}Policy"), &put);
        }
        let list = format!("List{word}Policies");
        let first = test.ok(&list, &[(name, "x"), ("MaxItems", "1")]);
        assert_eq!(each(&first, "PolicyNames", ""), ["a"]);
        let marker = at(&first, "Marker").unwrap();
        assert_eq!(each(&test.ok(&list, &[(name, "x"), ("Marker", &marker)]), "PolicyNames", ""), ["b"]);
        let named = [(name, "x"), ("PolicyName", "a")];
        let got = test.ok(&format!("Get{word}Policy"), &named);
        assert_eq!(decoded(&at(&got, "PolicyDocument").unwrap()), READ);
        let conflict = "Cannot delete entity, must delete policies first.";
        test.refuses(&format!("Delete{word}"), &[(name, "x")], 409, "DeleteConflict", conflict);
        test.ok(&format!("Delete{word}Policy"), &named);
        let missing = format!("The {create} policy with name a cannot be found.");
        for operation in ["Get", "Delete"] {
            test.refuses(&format!("{operation}{word}Policy"), &named, 404, "NoSuchEntity", &missing);
        }
        test.ok(&format!("Delete{word}Policy"), &[(name, "x"), ("PolicyName", "b")]);
        test.ok(&format!("Delete{word}"), &[(name, "x")]);
        let missing = format!("The {create} with name x cannot be found.");
        let put = [(name, "x"), ("PolicyName", "a"), ("PolicyDocument", READ)];
        test.refuses(&format!("Put{word}Policy"), &put, 404, "NoSuchEntity", &missing);
    }
}

#[test]
fn inline_policies_have_quotas_for_one_and_for_all() {
    let mut test = with_policy();
    let put = |name, document| [("RoleName", "r"), ("PolicyName", name), ("PolicyDocument", document)];
    let (full, over, small) = (policy_of_size(10240), policy_of_size(10241), policy_of_size(200));
    let message = "Cannot exceed quota for PolicySize: 10240";
    test.refuses("PutRolePolicy", &put("a", &over), 409, "LimitExceeded", message);
    test.ok("PutRolePolicy", &put("a", &full));
    let message = "Maximum policy size of 10240 bytes exceeded for role r";
    test.refuses("PutRolePolicy", &put("b", &small), 409, "LimitExceeded", message);
    test.ok("PutRolePolicy", &put("a", &small));
    test.ok("PutRolePolicy", &put("b", &small));

    test.ok("CreateUser", &[("UserName", "u")]);
    let document = policy_of_size(1025);
    let put = |name| [("UserName", "u"), ("PolicyName", name), ("PolicyDocument", document.as_str())];
    test.ok("PutUserPolicy", &put("a"));
    let message = "Maximum policy size of 2048 bytes exceeded for user u";
    test.refuses("PutUserPolicy", &put("b"), 409, "LimitExceeded", message);
}

#[test]
fn policies_are_attached_once_and_detached_once() {
    for (word, name) in [("Role", "RoleName"), ("User", "UserName"), ("Group", "GroupName")] {
        let mut test = with_policy();
        test.ok(&format!("Create{word}"), &[(name, "x"), ("AssumeRolePolicyDocument", EC2)]);
        let attach = format!("Attach{word}Policy");
        for arn in [OURS, ADMIN, OURS, "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess"] {
            test.ok(&attach, &[(name, "x"), ("PolicyArn", arn)]);
        }
        let list = format!("ListAttached{word}Policies");
        let attached = test.ok(&list, &[(name, "x")]);
        assert_eq!(each(&attached, "AttachedPolicies", "PolicyName"), ["AdministratorAccess", "P", "ViewOnlyAccess"]);
        assert_eq!(each(&attached, "AttachedPolicies", "PolicyArn")[1], OURS);
        let functions = test.ok(&list, &[(name, "x"), ("PathPrefix", "/job-function/")]);
        assert_eq!(each(&functions, "AttachedPolicies", "PolicyName"), ["ViewOnlyAccess"]);
        let first = test.ok(&list, &[(name, "x"), ("MaxItems", "2")]);
        let marker = at(&first, "Marker").unwrap();
        let second = test.ok(&list, &[(name, "x"), ("Marker", &marker)]);
        assert_eq!(each(&second, "AttachedPolicies", "PolicyName"), ["ViewOnlyAccess"]);
        assert_eq!(at(&test.ok("GetPolicy", &[("PolicyArn", OURS)]), "Policy.AttachmentCount").unwrap(), "1");

        let conflict = "Cannot delete entity, must detach all policies first.";
        test.refuses(&format!("Delete{word}"), &[(name, "x")], 409, "DeleteConflict", conflict);
        let detach = format!("Detach{word}Policy");
        test.ok(&detach, &[(name, "x"), ("PolicyArn", OURS)]);
        let missing = format!("Policy {OURS} was not found.");
        test.refuses(&detach, &[(name, "x"), ("PolicyArn", OURS)], 404, "NoSuchEntity", &missing);
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
        test.refuses("AttachRolePolicy", &[("RoleName", "r"), ("PolicyArn", arn)], 404, "NoSuchEntity", &message);
        let message = format!("Scope ARN: {arn} does not exist or is not attachable.");
        let put = [("RoleName", "r"), ("PermissionsBoundary", arn)];
        test.refuses("PutRolePermissionsBoundary", &put, 404, "NoSuchEntity", &message);
        let create = [("RoleName", "new"), ("AssumeRolePolicyDocument", EC2), ("PermissionsBoundary", arn)];
        test.refuses("CreateRole", &create, 404, "NoSuchEntity", &message);
    }
    let wrong = "arn:aws:iam::111111111111:role/r";
    let attach = [("RoleName", "r"), ("PolicyArn", wrong)];
    test.refuses("AttachRolePolicy", &attach, 400, "InvalidInput", &format!("ARN {wrong} is not valid."));
    let message = "1 validation error detected: Value 'P' at 'policyArn' failed to satisfy constraint: Member must have length greater than or equal to 20";
    test.refuses("AttachRolePolicy", &[("RoleName", "r"), ("PolicyArn", "P")], 400, "ValidationError", message);
}

#[test]
fn a_role_has_ten_attachments_unless_its_account_has_more() {
    let mut test = test();
    test.role("r");
    let arn = |n: usize| format!("arn:aws:iam::111111111111:policy/p{n}");
    for n in 0..11 {
        test.ok("CreatePolicy", &[("PolicyName", &format!("p{n}")), ("PolicyDocument", READ)]);
    }
    for n in 0..10 {
        test.ok("AttachRolePolicy", &[("RoleName", "r"), ("PolicyArn", &arn(n))]);
    }
    let (first, eleventh) = (arn(0), arn(10));
    test.ok("AttachRolePolicy", &[("RoleName", "r"), ("PolicyArn", &first)]);
    let one_more = [("RoleName", "r"), ("PolicyArn", eleventh.as_str())];
    let message = "Cannot exceed quota for PoliciesPerRole: 10";
    test.refuses("AttachRolePolicy", &one_more, 409, "LimitExceeded", message);
    test.set_quota("AttachedPoliciesPerRoleQuota", 20);
    test.ok("AttachRolePolicy", &one_more);
}

#[test]
fn a_boundary_is_set_shown_and_removed() {
    let mut test = with_policy();
    let create = [("RoleName", "b"), ("AssumeRolePolicyDocument", EC2), ("PermissionsBoundary", ADMIN)];
    test.ok("CreateRole", &create);
    assert_eq!(test.role_field("b", "PermissionsBoundary.PermissionsBoundaryArn"), ADMIN);
    test.ok("PutRolePermissionsBoundary", &[("RoleName", "b"), ("PermissionsBoundary", OURS)]);
    assert_eq!(test.role_field("b", "PermissionsBoundary.PermissionsBoundaryArn"), OURS);
    assert_eq!(test.role_field("b", "PermissionsBoundary.PermissionsBoundaryType"), "Policy");
    let policy = test.ok("GetPolicy", &[("PolicyArn", OURS)]);
    assert_eq!(at(&policy, "Policy.PermissionsBoundaryUsageCount").as_deref(), Some("1"));
    assert_eq!(at(&policy, "Policy.AttachmentCount").as_deref(), Some("0"));
    let conflict = "Cannot delete a policy attached to entities.";
    test.refuses("DeletePolicy", &[("PolicyArn", OURS)], 409, "DeleteConflict", conflict);
    test.ok("DeleteRolePermissionsBoundary", &[("RoleName", "b")]);
    assert_eq!(node(&test.ok("GetRole", &[("RoleName", "b")]), "Role.PermissionsBoundary"), None);
    test.ok("DeletePolicy", &[("PolicyArn", OURS)]);
}

#[test]
fn protected_roles_take_no_policies() {
    let mut test = with_policy();
    let path = "/aws-reserved/sso.amazonaws.com/";
    test.ok("CreateRole", &[("RoleName", "P"), ("Path", path), ("AssumeRolePolicyDocument", EC2)]);
    for (operation, parameter, value) in [
        ("PutRolePolicy", "PolicyName", "i"),
        ("DeleteRolePolicy", "PolicyName", "i"),
        ("AttachRolePolicy", "PolicyArn", OURS),
        ("DetachRolePolicy", "PolicyArn", OURS),
        ("PutRolePermissionsBoundary", "PermissionsBoundary", OURS),
        ("DeleteRolePermissionsBoundary", "X", ""),
    ] {
        let params = [("RoleName", "P"), (parameter, value), ("PolicyDocument", READ)];
        let message = "Cannot perform the operation on the protected role 'P' - this role is only modifiable by AWS";
        test.refuses(operation, &params, 400, "UnmodifiableEntity", message);
    }
}

#[test]
fn a_policy_comes_back_as_it_was_created() {
    let mut test = test();
    test.wait(3600);
    let create = [
        ("PolicyName", "P"),
        ("Path", "/team/"),
        ("Description", "reads"),
        ("PolicyDocument", READ),
        ("Tags.member.1.Key", "Team"),
        ("Tags.member.1.Value", "a"),
        ("Tags.member.2.Key", "team"),
        ("Tags.member.2.Value", "b"),
    ];
    test.ok("CreatePolicy", &create);
    let arn = "arn:aws:iam::111111111111:policy/team/P";
    test.wait(60);
    test.ok("CreatePolicyVersion", &[("PolicyArn", arn), ("PolicyDocument", READ)]);
    let answer = test.ok("GetPolicy", &[("PolicyArn", arn)]);
    for (field, expect) in [
        ("PolicyName", "P"),
        ("Arn", arn),
        ("Path", "/team/"),
        ("DefaultVersionId", "v1"),
        ("AttachmentCount", "0"),
        ("IsAttachable", "true"),
        ("Description", "reads"),
        ("CreateDate", "2026-01-01T01:00:00Z"),
        ("UpdateDate", "2026-01-01T01:01:00Z"),
    ] {
        assert_eq!(at(&answer, &format!("Policy.{field}")).as_deref(), Some(expect), "{field}");
    }
    assert!(at(&answer, "Policy.PolicyId").unwrap().starts_with("ANPA"));
    // Tag keys of policies differ by case, unlike a role's.
    assert_eq!(each(&answer, "Policy.Tags", "Key"), ["Team", "team"]);
    test.ok("UntagPolicy", &[("PolicyArn", arn), ("TagKeys.member.1", "team"), ("TagKeys.member.2", "TEAM")]);
    assert_eq!(each(&test.ok("ListPolicyTags", &[("PolicyArn", arn)]), "Tags", "Key"), ["Team"]);
    test.ok("TagPolicy", &[("PolicyArn", arn), ("Tags.member.1.Key", "Team"), ("Tags.member.1.Value", "c")]);
    assert_eq!(each(&test.ok("ListPolicyTags", &[("PolicyArn", arn)]), "Tags", "Value"), ["c"]);
    let again = [("PolicyName", "p"), ("PolicyDocument", READ)];
    let message = "A policy called p already exists. Duplicate names are not allowed.";
    test.refuses("CreatePolicy", &again, 409, "EntityAlreadyExists", message);
}

#[test]
fn paths_of_policies_are_narrower_than_those_of_roles() {
    for path in ["/a!/", "//", "/a//b/"] {
        let message = format!(
            r"1 validation error detected: Value '{path}' at 'path' failed to satisfy constraint: Member must satisfy regular expression pattern: ((/[A-Za-z0-9\.,\+@=_-]+)*)/"
        );
        let create = [("PolicyName", "P"), ("Path", path), ("PolicyDocument", READ)];
        test().refuses("CreatePolicy", &create, 400, "ValidationError", &message);
    }
    let create = [("PolicyName", "P"), ("Path", "/a/b+c/"), ("PolicyDocument", READ)];
    test().ok("CreatePolicy", &create);
}

#[test]
fn a_policy_has_five_versions_whose_numbers_are_never_used_again() {
    let mut test = with_policy();
    let create = [("PolicyArn", OURS), ("PolicyDocument", READ)];
    let version = |id| [("PolicyArn", OURS), ("VersionId", id)];
    for expect in ["v2", "v3", "v4", "v5"] {
        let answer = test.ok("CreatePolicyVersion", &create);
        assert_eq!(at(&answer, "PolicyVersion.VersionId").as_deref(), Some(expect));
        assert_eq!(at(&answer, "PolicyVersion.IsDefaultVersion").as_deref(), Some("false"));
        assert_eq!(node(&answer, "PolicyVersion.Document"), None);
    }
    let message = "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.";
    test.refuses("CreatePolicyVersion", &create, 409, "LimitExceeded", message);
    test.ok("DeletePolicyVersion", &version("v5"));
    let document = READ.replace("GetObject", "PutObject");
    let default = [("PolicyArn", OURS), ("PolicyDocument", document.as_str()), ("SetAsDefault", "true")];
    assert_eq!(at(&test.ok("CreatePolicyVersion", &default), "PolicyVersion.VersionId").as_deref(), Some("v6"));
    let listed = test.ok("ListPolicyVersions", &[("PolicyArn", OURS), ("MaxItems", "2")]);
    assert_eq!(each(&listed, "Versions", "VersionId"), ["v6", "v4"]);
    assert_eq!(each(&listed, "Versions", "IsDefaultVersion"), ["true", "false"]);
    let marker = at(&listed, "Marker").unwrap();
    let rest = test.ok("ListPolicyVersions", &[("PolicyArn", OURS), ("Marker", &marker)]);
    assert_eq!(each(&rest, "Versions", "VersionId"), ["v3", "v2", "v1"]);
    let got = test.ok("GetPolicyVersion", &version("v6"));
    assert_eq!(decoded(&at(&got, "PolicyVersion.Document").unwrap()), document);

    let conflict = "Cannot delete the default version of a policy.";
    test.refuses("DeletePolicyVersion", &version("v6"), 409, "DeleteConflict", conflict);
    test.ok("SetDefaultPolicyVersion", &version("v1"));
    test.ok("DeletePolicyVersion", &version("v6"));
    let missing = format!("Policy {OURS} version v6 does not exist or is not attachable.");
    for operation in ["GetPolicyVersion", "SetDefaultPolicyVersion", "DeletePolicyVersion"] {
        test.refuses(operation, &version("v6"), 404, "NoSuchEntity", &missing);
        let message = r"1 validation error detected: Value 'v0' at 'versionId' failed to satisfy constraint: Member must satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?";
        test.refuses(operation, &version("v0"), 400, "ValidationError", message);
    }
}

#[test]
fn a_managed_policy_has_6144_characters_and_an_account_its_number_of_them() {
    let mut test = with_policy();
    let (fits, over) = (policy_of_size(6144), policy_of_size(6145));
    let message = "Cannot exceed quota for PolicySize: 6144";
    let create = [("PolicyName", "Q"), ("PolicyDocument", over.as_str())];
    test.refuses("CreatePolicy", &create, 409, "LimitExceeded", message);
    let version = [("PolicyArn", OURS), ("PolicyDocument", over.as_str())];
    test.refuses("CreatePolicyVersion", &version, 409, "LimitExceeded", message);
    test.set_quota("PoliciesQuota", 1);
    let create = [("PolicyName", "Q"), ("PolicyDocument", fits.as_str())];
    let message = "Cannot exceed quota for PoliciesPerAccount: 1";
    test.refuses("CreatePolicy", &create, 409, "LimitExceeded", message);
    test.set_quota("PoliciesQuota", 2);
    test.ok("CreatePolicy", &create);
}

#[test]
fn a_policy_in_use_or_with_versions_is_not_deleted() {
    let mut test = with_policy();
    test.ok("AttachRolePolicy", &[("RoleName", "r"), ("PolicyArn", OURS)]);
    test.ok("CreatePolicyVersion", &[("PolicyArn", OURS), ("PolicyDocument", READ)]);
    let delete = [("PolicyArn", OURS)];
    let message = "Cannot delete a policy attached to entities.";
    test.refuses("DeletePolicy", &delete, 409, "DeleteConflict", message);
    test.ok("DetachRolePolicy", &[("RoleName", "r"), ("PolicyArn", OURS)]);
    let message = "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.";
    test.refuses("DeletePolicy", &delete, 409, "DeleteConflict", message);
    test.ok("DeletePolicyVersion", &[("PolicyArn", OURS), ("VersionId", "v2")]);
    test.ok("DeletePolicy", &delete);
    let missing = format!("Policy {OURS} was not found.");
    for operation in [
        "GetPolicy",
        "DeletePolicy",
        "ListPolicyVersions",
        "GetPolicyVersion",
        "ListPolicyTags",
        "TagPolicy",
        "UntagPolicy",
        "ListEntitiesForPolicy",
        "CreatePolicyVersion",
    ] {
        test.refuses(operation, &delete, 404, "NoSuchEntity", &missing);
    }
}

#[test]
fn policies_of_aws_are_read_only() {
    let mut test = test();
    test.role("r");
    test.ok("AttachRolePolicy", &[("RoleName", "r"), ("PolicyArn", ADMIN)]);
    let answer = test.ok("GetPolicy", &[("PolicyArn", ADMIN)]);
    assert_eq!(at(&answer, "Policy.Arn").as_deref(), Some(ADMIN));
    assert_eq!(at(&answer, "Policy.AttachmentCount").as_deref(), Some("1"));
    let version = test.ok("GetPolicyVersion", &[("PolicyArn", ADMIN), ("VersionId", "v1")]);
    assert!(decoded(&at(&version, "PolicyVersion.Document").unwrap()).contains("\"Action\":\"*\""));
    for (operation, parameter, value) in [
        ("DeletePolicy", "X", ""),
        ("CreatePolicyVersion", "PolicyDocument", READ),
        ("DeletePolicyVersion", "VersionId", "v1"),
        ("TagPolicy", "X", ""),
    ] {
        let params = [("PolicyArn", ADMIN), (parameter, value)];
        test.refuses(operation, &params, 403, "AccessDenied", "Policy is outside your own account.");
    }
}

#[test]
fn policies_are_listed_by_scope_use_and_path() {
    let mut test = with_policy();
    test.ok("CreatePolicy", &[("PolicyName", "q"), ("Path", "/x/"), ("PolicyDocument", READ), ("Description", "d")]);
    test.ok("CreatePolicy", &[("PolicyName", "O"), ("PolicyDocument", READ)]);
    test.ok("AttachRolePolicy", &[("RoleName", "r"), ("PolicyArn", OURS)]);
    test.ok("AttachRolePolicy", &[("RoleName", "r"), ("PolicyArn", ADMIN)]);
    test.ok(
        "PutRolePermissionsBoundary",
        &[("RoleName", "r"), ("PermissionsBoundary", "arn:aws:iam::111111111111:policy/O")],
    );
    for (params, expect) in [
        (vec![("Scope", "Local")], vec!["O", "P", "q"]),
        (vec![("Scope", "Local"), ("PathPrefix", "/x/")], vec!["q"]),
        (vec![("OnlyAttached", "true")], vec!["AdministratorAccess", "P"]),
        (vec![("Scope", "AWS"), ("OnlyAttached", "true")], vec!["AdministratorAccess"]),
        (vec![("PolicyUsageFilter", "PermissionsBoundary")], vec!["O"]),
        (vec![("Scope", "Local"), ("PolicyUsageFilter", "PermissionsPolicy")], vec!["P"]),
        (vec![("Scope", "AWS"), ("PathPrefix", "/job-function/")], vec!["Billing", "ViewOnlyAccess"]),
    ] {
        let answer = test.ok("ListPolicies", &params);
        assert_eq!(each(&answer, "Policies", "PolicyName"), expect, "{params:?}");
        assert_eq!(node(&answer, "Policies.0.Description"), None);
    }
    let first = test.ok("ListPolicies", &[("Scope", "Local"), ("MaxItems", "2")]);
    let marker = at(&first, "Marker").unwrap();
    let second = test.ok("ListPolicies", &[("Scope", "Local"), ("Marker", &marker)]);
    assert_eq!(each(&second, "Policies", "PolicyName"), ["q"]);
    assert!(each(&test.ok("ListPolicies", &[]), "Policies", "Arn").len() > 10);
    let message = "1 validation error detected: Value 'Mine' at 'scope' failed to satisfy constraint: Member must satisfy enum value set: [All, AWS, Local]";
    test.refuses("ListPolicies", &[("Scope", "Mine")], 400, "ValidationError", message);
}

#[test]
fn the_entities_of_a_policy_are_told_by_kind_and_use() {
    let mut test = with_policy();
    test.role("edge");
    test.ok("CreateUser", &[("UserName", "u"), ("Path", "/x/"), ("PermissionsBoundary", OURS)]);
    test.ok("CreateGroup", &[("GroupName", "g")]);
    test.ok("AttachRolePolicy", &[("RoleName", "r"), ("PolicyArn", OURS)]);
    test.ok("AttachGroupPolicy", &[("GroupName", "g"), ("PolicyArn", OURS)]);
    test.ok("PutRolePermissionsBoundary", &[("RoleName", "edge"), ("PermissionsBoundary", OURS)]);
    for (params, groups, roles, users) in [
        (vec![], vec!["g"], vec!["edge", "r"], vec!["u"]),
        (vec![("PolicyUsageFilter", "PermissionsPolicy")], vec!["g"], vec!["r"], vec![]),
        (vec![("PolicyUsageFilter", "PermissionsBoundary")], vec![], vec!["edge"], vec!["u"]),
        (vec![("EntityFilter", "Role")], vec![], vec!["edge", "r"], vec![]),
        (vec![("PathPrefix", "/x/")], vec![], vec![], vec!["u"]),
        (vec![("MaxItems", "2")], vec!["g"], vec!["edge"], vec![]),
    ] {
        let answer = test.ok("ListEntitiesForPolicy", &[vec![("PolicyArn", OURS)], params.clone()].concat());
        assert_eq!(each(&answer, "PolicyGroups", "GroupName"), groups, "{params:?}");
        assert_eq!(each(&answer, "PolicyRoles", "RoleName"), roles, "{params:?}");
        assert_eq!(each(&answer, "PolicyUsers", "UserName"), users, "{params:?}");
    }
    let first = test.ok("ListEntitiesForPolicy", &[("PolicyArn", OURS), ("MaxItems", "2")]);
    let marker = at(&first, "Marker").unwrap();
    let rest = test.ok("ListEntitiesForPolicy", &[("PolicyArn", OURS), ("Marker", &marker)]);
    assert_eq!(each(&rest, "PolicyRoles", "RoleName"), ["r"]);
    assert_eq!(each(&rest, "PolicyUsers", "UserName"), ["u"]);
}

#[test]
fn policies_lag_as_roles_do() {
    let mut test = with_policy();
    test.world.lag = Duration::from_secs(5);
    let replaced = READ.replace("GetObject", "PutObject");
    test.ok("CreatePolicyVersion", &[("PolicyArn", OURS), ("PolicyDocument", &replaced), ("SetAsDefault", "true")]);
    test.ok("AttachRolePolicy", &[("RoleName", "r"), ("PolicyArn", OURS)]);
    let default =
        |test: &mut Test| at(&test.ok("GetPolicy", &[("PolicyArn", OURS)]), "Policy.DefaultVersionId").unwrap();
    assert_eq!(default(&mut test), "v1");
    let attached = |test: &mut Test| {
        each(&test.ok("ListAttachedRolePolicies", &[("RoleName", "r")]), "AttachedPolicies", "PolicyName")
    };
    assert_eq!(attached(&mut test), [""; 0]);
    let message = "Cannot delete a policy attached to entities.";
    test.refuses("DeletePolicy", &[("PolicyArn", OURS)], 409, "DeleteConflict", message);
    test.wait(5);
    assert_eq!(default(&mut test), "v2");
    assert_eq!(attached(&mut test), ["P"]);
    test.ok("DetachRolePolicy", &[("RoleName", "r"), ("PolicyArn", OURS)]);
    test.ok("DeletePolicyVersion", &[("PolicyArn", OURS), ("VersionId", "v1")]);
    test.ok("DeletePolicy", &[("PolicyArn", OURS)]);
    assert_eq!(default(&mut test), "v2");
    test.wait(5);
    let missing = format!("Policy {OURS} was not found.");
    test.refuses("GetPolicy", &[("PolicyArn", OURS)], 404, "NoSuchEntity", &missing);
}
