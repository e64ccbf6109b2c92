//! Managed policies and their versions.

use super::*;

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
    test.ok(
        "CreatePolicyVersion",
        &[("PolicyArn", arn), ("PolicyDocument", READ)],
    );
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
        assert_eq!(
            at(&answer, &format!("Policy.{field}")).as_deref(),
            Some(expect),
            "{field}"
        );
    }
    assert!(at(&answer, "Policy.PolicyId").unwrap().starts_with("ANPA"));
    // Tag keys of policies differ by case, unlike a role's.
    assert_eq!(each(&answer, "Policy.Tags", "Key"), ["Team", "team"]);
    test.ok(
        "UntagPolicy",
        &[
            ("PolicyArn", arn),
            ("TagKeys.member.1", "team"),
            ("TagKeys.member.2", "TEAM"),
        ],
    );
    assert_eq!(
        each(
            &test.ok("ListPolicyTags", &[("PolicyArn", arn)]),
            "Tags",
            "Key"
        ),
        ["Team"]
    );
    test.ok(
        "TagPolicy",
        &[
            ("PolicyArn", arn),
            ("Tags.member.1.Key", "Team"),
            ("Tags.member.1.Value", "c"),
        ],
    );
    assert_eq!(
        each(
            &test.ok("ListPolicyTags", &[("PolicyArn", arn)]),
            "Tags",
            "Value"
        ),
        ["c"]
    );
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
        let create = [
            ("PolicyName", "P"),
            ("Path", path),
            ("PolicyDocument", READ),
        ];
        test().refuses("CreatePolicy", &create, 400, "ValidationError", &message);
    }
    let create = [
        ("PolicyName", "P"),
        ("Path", "/a/b+c/"),
        ("PolicyDocument", READ),
    ];
    test().ok("CreatePolicy", &create);
}

#[test]
fn a_policy_has_five_versions_whose_numbers_are_never_used_again() {
    let mut test = with_policy();
    let create = [("PolicyArn", OURS), ("PolicyDocument", READ)];
    let version = |id| [("PolicyArn", OURS), ("VersionId", id)];
    for expect in ["v2", "v3", "v4", "v5"] {
        let answer = test.ok("CreatePolicyVersion", &create);
        assert_eq!(
            at(&answer, "PolicyVersion.VersionId").as_deref(),
            Some(expect)
        );
        assert_eq!(
            at(&answer, "PolicyVersion.IsDefaultVersion").as_deref(),
            Some("false")
        );
        assert_eq!(node(&answer, "PolicyVersion.Document"), None);
    }
    let message = "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.";
    test.refuses(
        "CreatePolicyVersion",
        &create,
        409,
        "LimitExceeded",
        message,
    );
    test.ok("DeletePolicyVersion", &version("v5"));
    let document = READ.replace("GetObject", "PutObject");
    let default = [
        ("PolicyArn", OURS),
        ("PolicyDocument", document.as_str()),
        ("SetAsDefault", "true"),
    ];
    assert_eq!(
        at(
            &test.ok("CreatePolicyVersion", &default),
            "PolicyVersion.VersionId"
        )
        .as_deref(),
        Some("v6")
    );
    let listed = test.ok(
        "ListPolicyVersions",
        &[("PolicyArn", OURS), ("MaxItems", "2")],
    );
    assert_eq!(each(&listed, "Versions", "VersionId"), ["v6", "v4"]);
    assert_eq!(
        each(&listed, "Versions", "IsDefaultVersion"),
        ["true", "false"]
    );
    let marker = at(&listed, "Marker").unwrap();
    let rest = test.ok(
        "ListPolicyVersions",
        &[("PolicyArn", OURS), ("Marker", &marker)],
    );
    assert_eq!(each(&rest, "Versions", "VersionId"), ["v3", "v2", "v1"]);
    let got = test.ok("GetPolicyVersion", &version("v6"));
    assert_eq!(
        decoded(&at(&got, "PolicyVersion.Document").unwrap()),
        document
    );

    let conflict = "Cannot delete the default version of a policy.";
    test.refuses(
        "DeletePolicyVersion",
        &version("v6"),
        409,
        "DeleteConflict",
        conflict,
    );
    test.ok("SetDefaultPolicyVersion", &version("v1"));
    test.ok("DeletePolicyVersion", &version("v6"));
    let missing = format!("Policy {OURS} version v6 does not exist or is not attachable.");
    for operation in [
        "GetPolicyVersion",
        "SetDefaultPolicyVersion",
        "DeletePolicyVersion",
    ] {
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
    test.refuses(
        "CreatePolicyVersion",
        &version,
        409,
        "LimitExceeded",
        message,
    );
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
    test.ok(
        "AttachRolePolicy",
        &[("RoleName", "r"), ("PolicyArn", OURS)],
    );
    test.ok(
        "CreatePolicyVersion",
        &[("PolicyArn", OURS), ("PolicyDocument", READ)],
    );
    let delete = [("PolicyArn", OURS)];
    let message = "Cannot delete a policy attached to entities.";
    test.refuses("DeletePolicy", &delete, 409, "DeleteConflict", message);
    test.ok(
        "DetachRolePolicy",
        &[("RoleName", "r"), ("PolicyArn", OURS)],
    );
    let message = "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.";
    test.refuses("DeletePolicy", &delete, 409, "DeleteConflict", message);
    test.ok(
        "DeletePolicyVersion",
        &[("PolicyArn", OURS), ("VersionId", "v2")],
    );
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
    test.ok(
        "AttachRolePolicy",
        &[("RoleName", "r"), ("PolicyArn", ADMIN)],
    );
    let answer = test.ok("GetPolicy", &[("PolicyArn", ADMIN)]);
    assert_eq!(at(&answer, "Policy.Arn").as_deref(), Some(ADMIN));
    assert_eq!(at(&answer, "Policy.AttachmentCount").as_deref(), Some("1"));
    let version = test.ok(
        "GetPolicyVersion",
        &[("PolicyArn", ADMIN), ("VersionId", "v1")],
    );
    assert!(decoded(&at(&version, "PolicyVersion.Document").unwrap()).contains("\"Action\":\"*\""));
    for (operation, parameter, value) in [
        ("DeletePolicy", "X", ""),
        ("CreatePolicyVersion", "PolicyDocument", READ),
        ("DeletePolicyVersion", "VersionId", "v1"),
        ("TagPolicy", "X", ""),
    ] {
        let params = [("PolicyArn", ADMIN), (parameter, value)];
        test.refuses(
            operation,
            &params,
            403,
            "AccessDenied",
            "Policy is outside your own account.",
        );
    }
}

#[test]
fn policies_are_listed_by_scope_use_and_path() {
    let mut test = with_policy();
    test.ok(
        "CreatePolicy",
        &[
            ("PolicyName", "q"),
            ("Path", "/x/"),
            ("PolicyDocument", READ),
            ("Description", "d"),
        ],
    );
    test.ok(
        "CreatePolicy",
        &[("PolicyName", "O"), ("PolicyDocument", READ)],
    );
    test.ok(
        "AttachRolePolicy",
        &[("RoleName", "r"), ("PolicyArn", OURS)],
    );
    test.ok(
        "AttachRolePolicy",
        &[("RoleName", "r"), ("PolicyArn", ADMIN)],
    );
    test.ok(
        "PutRolePermissionsBoundary",
        &[
            ("RoleName", "r"),
            ("PermissionsBoundary", "arn:aws:iam::111111111111:policy/O"),
        ],
    );
    for (params, expect) in [
        (vec![("Scope", "Local")], vec!["O", "P", "q"]),
        (vec![("Scope", "Local"), ("PathPrefix", "/x/")], vec!["q"]),
        (
            vec![("OnlyAttached", "true")],
            vec!["AdministratorAccess", "P"],
        ),
        (
            vec![("Scope", "AWS"), ("OnlyAttached", "true")],
            vec!["AdministratorAccess"],
        ),
        (
            vec![("PolicyUsageFilter", "PermissionsBoundary")],
            vec!["O"],
        ),
        (
            vec![
                ("Scope", "Local"),
                ("PolicyUsageFilter", "PermissionsPolicy"),
            ],
            vec!["P"],
        ),
        (
            vec![("Scope", "AWS"), ("PathPrefix", "/job-function/")],
            vec![
                "Billing",
                "DatabaseAdministrator",
                "NetworkAdministrator",
                "SupportUser",
                "SystemAdministrator",
                "ViewOnlyAccess",
            ],
        ),
    ] {
        let answer = test.ok("ListPolicies", &params);
        assert_eq!(
            each(&answer, "Policies", "PolicyName"),
            expect,
            "{params:?}"
        );
        assert_eq!(node(&answer, "Policies.0.Description"), None);
    }
    let first = test.ok("ListPolicies", &[("Scope", "Local"), ("MaxItems", "2")]);
    let marker = at(&first, "Marker").unwrap();
    let second = test.ok("ListPolicies", &[("Scope", "Local"), ("Marker", &marker)]);
    assert_eq!(each(&second, "Policies", "PolicyName"), ["q"]);
    assert!(each(&test.ok("ListPolicies", &[]), "Policies", "Arn").len() > 10);
    let message = "1 validation error detected: Value 'Mine' at 'scope' failed to satisfy constraint: Member must satisfy enum value set: [All, AWS, Local]";
    test.refuses(
        "ListPolicies",
        &[("Scope", "Mine")],
        400,
        "ValidationError",
        message,
    );
}

#[test]
fn the_entities_of_a_policy_are_told_by_kind_and_use() {
    let mut test = with_policy();
    test.role("edge");
    test.ok(
        "CreateUser",
        &[
            ("UserName", "u"),
            ("Path", "/x/"),
            ("PermissionsBoundary", OURS),
        ],
    );
    test.ok("CreateGroup", &[("GroupName", "g")]);
    test.ok(
        "AttachRolePolicy",
        &[("RoleName", "r"), ("PolicyArn", OURS)],
    );
    test.ok(
        "AttachGroupPolicy",
        &[("GroupName", "g"), ("PolicyArn", OURS)],
    );
    test.ok(
        "PutRolePermissionsBoundary",
        &[("RoleName", "edge"), ("PermissionsBoundary", OURS)],
    );
    for (params, groups, roles, users) in [
        (vec![], vec!["g"], vec!["edge", "r"], vec!["u"]),
        (
            vec![("PolicyUsageFilter", "PermissionsPolicy")],
            vec!["g"],
            vec!["r"],
            vec![],
        ),
        (
            vec![("PolicyUsageFilter", "PermissionsBoundary")],
            vec![],
            vec!["edge"],
            vec!["u"],
        ),
        (
            vec![("EntityFilter", "Role")],
            vec![],
            vec!["edge", "r"],
            vec![],
        ),
        (vec![("PathPrefix", "/x/")], vec![], vec![], vec!["u"]),
        (vec![("MaxItems", "2")], vec!["g"], vec!["edge"], vec![]),
    ] {
        let answer = test.ok(
            "ListEntitiesForPolicy",
            &[vec![("PolicyArn", OURS)], params.clone()].concat(),
        );
        assert_eq!(
            each(&answer, "PolicyGroups", "GroupName"),
            groups,
            "{params:?}"
        );
        assert_eq!(
            each(&answer, "PolicyRoles", "RoleName"),
            roles,
            "{params:?}"
        );
        assert_eq!(
            each(&answer, "PolicyUsers", "UserName"),
            users,
            "{params:?}"
        );
    }
    let first = test.ok(
        "ListEntitiesForPolicy",
        &[("PolicyArn", OURS), ("MaxItems", "2")],
    );
    let marker = at(&first, "Marker").unwrap();
    let rest = test.ok(
        "ListEntitiesForPolicy",
        &[("PolicyArn", OURS), ("Marker", &marker)],
    );
    assert_eq!(each(&rest, "PolicyRoles", "RoleName"), ["r"]);
    assert_eq!(each(&rest, "PolicyUsers", "UserName"), ["u"]);
}

#[test]
fn policies_lag_as_roles_do() {
    let mut test = with_policy();
    test.world.lag = Duration::from_secs(5);
    let replaced = READ.replace("GetObject", "PutObject");
    test.ok(
        "CreatePolicyVersion",
        &[
            ("PolicyArn", OURS),
            ("PolicyDocument", &replaced),
            ("SetAsDefault", "true"),
        ],
    );
    test.ok(
        "AttachRolePolicy",
        &[("RoleName", "r"), ("PolicyArn", OURS)],
    );
    let default = |test: &mut Test| {
        at(
            &test.ok("GetPolicy", &[("PolicyArn", OURS)]),
            "Policy.DefaultVersionId",
        )
        .unwrap()
    };
    assert_eq!(default(&mut test), "v1");
    let attached = |test: &mut Test| {
        each(
            &test.ok("ListAttachedRolePolicies", &[("RoleName", "r")]),
            "AttachedPolicies",
            "PolicyName",
        )
    };
    assert_eq!(attached(&mut test), [""; 0]);
    let message = "Cannot delete a policy attached to entities.";
    test.refuses(
        "DeletePolicy",
        &[("PolicyArn", OURS)],
        409,
        "DeleteConflict",
        message,
    );
    test.wait(5);
    assert_eq!(default(&mut test), "v2");
    assert_eq!(attached(&mut test), ["P"]);
    test.ok(
        "DetachRolePolicy",
        &[("RoleName", "r"), ("PolicyArn", OURS)],
    );
    test.ok(
        "DeletePolicyVersion",
        &[("PolicyArn", OURS), ("VersionId", "v1")],
    );
    test.ok("DeletePolicy", &[("PolicyArn", OURS)]);
    assert_eq!(default(&mut test), "v2");
    test.wait(5);
    let missing = format!("Policy {OURS} was not found.");
    test.refuses(
        "GetPolicy",
        &[("PolicyArn", OURS)],
        404,
        "NoSuchEntity",
        &missing,
    );
}
