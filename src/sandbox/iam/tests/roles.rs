//! Roles, their tags, and pages of them.

use super::*;

#[test]
fn a_role_comes_back_as_it_was_created() {
    let mut test = test();
    test.wait(61);
    test.ok(
        "CreateRole",
        &[
            ("RoleName", "Reader"),
            ("Path", "/team/x/"),
            ("Description", "reads"),
            ("MaxSessionDuration", "7200"),
            ("AssumeRolePolicyDocument", EC2),
            ("Tags.member.1.Key", "team"),
            ("Tags.member.1.Value", "a+b"),
        ],
    );
    let answer = test.ok("GetRole", &[("RoleName", "Reader")]);
    for (path, expect) in [
        ("Role.RoleName", "Reader"),
        ("Role.Path", "/team/x/"),
        ("Role.Arn", "arn:aws:iam::111111111111:role/team/x/Reader"),
        ("Role.CreateDate", "2026-01-01T00:01:01Z"),
        ("Role.Description", "reads"),
        ("Role.MaxSessionDuration", "7200"),
        ("Role.Tags.0.Key", "team"),
        ("Role.Tags.0.Value", "a+b"),
    ] {
        assert_eq!(at(&answer, path).as_deref(), Some(expect), "{path}");
    }
    let id = at(&answer, "Role.RoleId").unwrap();
    assert!(id.starts_with("AROA") && id.len() == 21, "{id}");
    assert_eq!(node(&answer, "Role.RoleLastUsed"), Some(&Xml::empty()));
    assert_eq!(node(&answer, "Role.PermissionsBoundary"), None);
}

#[test]
fn a_role_without_options_has_the_documented_defaults() {
    let mut test = test();
    test.role("r");
    let answer = test.ok("GetRole", &[("RoleName", "r")]);
    assert_eq!(at(&answer, "Role.Path").as_deref(), Some("/"));
    assert_eq!(
        at(&answer, "Role.MaxSessionDuration").as_deref(),
        Some("3600")
    );
    assert_eq!(node(&answer, "Role.Description"), None);
    assert_eq!(node(&answer, "Role.Tags"), None);
}

#[test]
fn documents_are_percent_encoded_as_rfc_3986_says() {
    let mut test = test();
    let trust = EC2
        .replace("\"Effect\"", "\"Sid\":\"\",\"Effect\"")
        .replace(
            "\"Action\"",
            "\"Condition\":{\"StringEquals\":{\"sts:ExternalId\":\"a+b c%3A~\"}},\"Action\"",
        );
    test.ok(
        "CreateRole",
        &[("RoleName", "r"), ("AssumeRolePolicyDocument", &trust)],
    );
    let encoded = test.role_field("r", "AssumeRolePolicyDocument");
    assert!(encoded.contains("a%2Bb%20c%253A~"), "{encoded}");
    assert!(
        !encoded.contains(['+', ' ', '{', '"', '/', ':']),
        "{encoded}"
    );
    assert_eq!(decoded(&encoded), trust);
}

#[test]
fn parameters_are_validated() {
    let long = "x".repeat(65);
    let text = "x".repeat(1001);
    let too_long = |value: &str, at: &str, most: usize| {
        format!(
            "1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint: Member must have length less than or equal to {most}"
        )
    };
    let path = "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.";
    let duration = |value: &str, rule: &str| {
        format!(
            "1 validation error detected: Value '{value}' at 'maxSessionDuration' failed to satisfy constraint: Member must have value {rule}"
        )
    };
    for (parameter, value, message) in [
        ("RoleName", "a b", "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-".to_owned()),
        ("RoleName", "é", "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-".to_owned()),
        ("RoleName", "", "1 validation error detected: Value '' at 'roleName' failed to satisfy constraint: Member must have length greater than or equal to 1".to_owned()),
        ("RoleName", &long, too_long(&long, "roleName", 64)),
        ("Path", "team", path.to_owned()),
        ("Path", "/team", path.to_owned()),
        ("Path", "/te am/", path.to_owned()),
        ("Description", &text, too_long(&text, "description", 1000)),
        ("Description", "a—b", r"1 validation error detected: Value 'a—b' at 'description' failed to satisfy constraint: Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*".to_owned()),
        ("MaxSessionDuration", "3599", duration("3599", "greater than or equal to 3600")),
        ("MaxSessionDuration", "43201", duration("43201", "less than or equal to 43200")),
    ] {
        let mut params = vec![("RoleName", "r"), ("AssumeRolePolicyDocument", EC2)];
        params.retain(|(name, _)| *name != parameter);
        params.push((parameter, value));
        test().refuses("CreateRole", &params, 400, "ValidationError", &message);
    }
    let message = "1 validation error detected: Value null at 'AssumeRolePolicyDocument' failed to satisfy constraint: Member must not be null";
    test().refuses(
        "CreateRole",
        &[("RoleName", "r")],
        400,
        "ValidationError",
        message,
    );
}

#[test]
fn names_are_unique_without_regard_to_case_and_path() {
    let mut test = test();
    test.role("Admin");
    let again = [
        ("RoleName", "ADMIN"),
        ("Path", "/other/"),
        ("AssumeRolePolicyDocument", EC2),
    ];
    test.refuses(
        "CreateRole",
        &again,
        409,
        "EntityAlreadyExists",
        "Role with name ADMIN already exists.",
    );
    test.within(B).role("ADMIN");
}

#[test]
fn an_account_holds_as_many_roles_as_its_quota_says() {
    let mut test = test();
    test.set_quota("RolesQuota", 1);
    test.role("one");
    let two = [("RoleName", "two"), ("AssumeRolePolicyDocument", EC2)];
    test.refuses(
        "CreateRole",
        &two,
        409,
        "LimitExceeded",
        "Cannot exceed quota for RolesPerAccount: 1",
    );
    test.ok("DeleteRole", &[("RoleName", "one")]);
    test.role("two");
}

#[test]
fn a_missing_role_is_no_such_entity() {
    for (operation, more) in [
        ("GetRole", vec![]),
        ("DeleteRole", vec![]),
        ("UpdateRole", vec![]),
        ("UpdateRoleDescription", vec![("Description", "x")]),
        ("UpdateAssumeRolePolicy", vec![("PolicyDocument", EC2)]),
        ("TagRole", vec![]),
        ("UntagRole", vec![]),
        ("ListRoleTags", vec![]),
    ] {
        let params = [vec![("RoleName", "Nobody")], more].concat();
        test().refuses(
            operation,
            &params,
            404,
            "NoSuchEntity",
            "The role with name Nobody cannot be found.",
        );
    }
}

#[test]
fn update_role_without_a_duration_resets_it_and_without_a_description_keeps_it() {
    let mut test = test();
    let create = [
        ("RoleName", "r"),
        ("AssumeRolePolicyDocument", EC2),
        ("MaxSessionDuration", "7200"),
    ];
    test.ok("CreateRole", &create);
    test.ok(
        "UpdateRole",
        &[
            ("RoleName", "r"),
            ("Description", "first"),
            ("MaxSessionDuration", "7200"),
        ],
    );
    test.ok("UpdateRole", &[("RoleName", "r")]);
    assert_eq!(test.role_field("r", "MaxSessionDuration"), "3600");
    assert_eq!(test.role_field("r", "Description"), "first");
    let answer = test.ok(
        "UpdateRoleDescription",
        &[("RoleName", "r"), ("Description", "")],
    );
    assert_eq!(at(&answer, "Role.Description").as_deref(), Some(""));
    assert_eq!(test.role_field("r", "Description"), "");
}

#[test]
fn list_roles_has_pages_and_leaves_out_tags_and_last_use() {
    let mut test = test();
    for name in ["b", "A", "c", "d+e"] {
        let params = [
            ("RoleName", name),
            ("Path", if name == "c" { "/x/" } else { "/" }),
            ("Description", "d"),
            ("AssumeRolePolicyDocument", EC2),
            ("Tags.member.1.Key", "k"),
            ("Tags.member.1.Value", ""),
        ];
        test.ok("CreateRole", &params);
    }
    let first = test.ok("ListRoles", &[("MaxItems", "3")]);
    assert_eq!(each(&first, "Roles", "RoleName"), ["A", "b", "c"]);
    assert_eq!(each(&first, "Roles", "Description").len(), 3);
    assert_eq!(each(&first, "Roles", "MaxSessionDuration").len(), 3);
    for absent in ["Tags", "RoleLastUsed", "PermissionsBoundary"] {
        assert_eq!(node(&first, &format!("Roles.0.{absent}")), None);
    }
    assert_eq!(at(&first, "IsTruncated").as_deref(), Some("true"));
    let marker = at(&first, "Marker").unwrap();
    // A role that appears or goes between two pages moves nothing.
    test.ok("DeleteRole", &[("RoleName", "c")]);
    let second = test.ok("ListRoles", &[("MaxItems", "3"), ("Marker", &marker)]);
    assert_eq!(each(&second, "Roles", "RoleName"), ["d+e"]);
    assert_eq!(at(&second, "IsTruncated").as_deref(), Some("false"));
    assert_eq!(node(&second, "Marker"), None);
    assert_eq!(
        each(
            &test.ok("ListRoles", &[("PathPrefix", "/x/")]),
            "Roles",
            "RoleName"
        ),
        [""; 0]
    );
}

#[test]
fn a_page_has_a_hundred_entries_unless_asked() {
    let mut test = test();
    for n in 0..101 {
        test.role(&format!("r{n:03}"));
    }
    let first = test.ok("ListRoles", &[]);
    assert_eq!(each(&first, "Roles", "RoleName").len(), 100);
    assert_eq!(at(&first, "IsTruncated").as_deref(), Some("true"));
    assert_eq!(
        at(&test.ok("ListRoles", &[("MaxItems", "101")]), "IsTruncated").as_deref(),
        Some("false")
    );
}

#[test]
fn pages_may_be_short_or_empty_while_more_follow() {
    let mut test = test();
    test.set_quota("PageSize", 1);
    test.set_quota("EmptyFirstPage", 1);
    test.role("a");
    test.role("b");
    let (mut pages, mut marker) = (Vec::new(), None::<String>);
    loop {
        let params: Vec<_> = marker
            .iter()
            .map(|marker| ("Marker", marker.as_str()))
            .collect();
        let answer = test.ok("ListRoles", &params);
        pages.push(each(&answer, "Roles", "RoleName").join(","));
        marker = at(&answer, "Marker");
        assert_eq!(
            at(&answer, "IsTruncated").unwrap(),
            marker.is_some().to_string()
        );
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(pages, ["", "a", "b"]);
}

#[test]
fn paging_parameters_are_validated() {
    for (parameter, value, code, message) in [
        (
            "MaxItems",
            "0",
            "ValidationError",
            "1 validation error detected: Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            "MaxItems",
            "1001",
            "ValidationError",
            "1 validation error detected: Value '1001' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 1000",
        ),
        (
            "MaxItems",
            "ten",
            "MalformedInput",
            "Could not parse 'ten' as a number for MaxItems",
        ),
        ("Marker", "a", "ValidationError", "Invalid Marker: a"),
        ("Marker", "mzz", "ValidationError", "Invalid Marker: mzz"),
        ("Marker", "mé", "ValidationError", "Invalid Marker: mé"),
        (
            "PathPrefix",
            "x",
            "ValidationError",
            "The specified value for pathPrefix is invalid. It must begin with / and contain only alphanumeric characters and/or / characters.",
        ),
    ] {
        test().refuses("ListRoles", &[(parameter, value)], 400, code, message);
    }
}

#[test]
fn role_tag_keys_differ_without_regard_to_case() {
    let mut test = test();
    test.role("r");
    let tag = |key, value| {
        [
            ("RoleName", "r"),
            ("Tags.member.1.Key", key),
            ("Tags.member.1.Value", value),
        ]
    };
    test.ok("TagRole", &tag("Department", "finance"));
    test.ok("TagRole", &tag("department", "hr"));
    let tags = test.ok("ListRoleTags", &[("RoleName", "r")]);
    assert_eq!(each(&tags, "Tags", "Key"), ["department"]);
    assert_eq!(each(&tags, "Tags", "Value"), ["hr"]);
    test.ok(
        "UntagRole",
        &[
            ("RoleName", "r"),
            ("TagKeys.member.1", "nothing"),
            ("TagKeys.member.2", "DEPARTMENT"),
        ],
    );
    assert_eq!(
        each(
            &test.ok("ListRoleTags", &[("RoleName", "r")]),
            "Tags",
            "Key"
        ),
        [""; 0]
    );
}

#[test]
fn tags_are_validated() {
    let long_key = "k".repeat(129);
    let long_value = "v".repeat(257);
    for (key, value, code, message) in [
        ("", "v", "ValidationError", "1 validation error detected: Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1".to_owned()),
        (&long_key, "v", "ValidationError", format!("1 validation error detected: Value '{long_key}' at 'tags.1.member.key' failed to satisfy constraint: Member must have length less than or equal to 128")),
        ("k", &long_value, "ValidationError", format!("1 validation error detected: Value '{long_value}' at 'tags.1.member.value' failed to satisfy constraint: Member must have length less than or equal to 256")),
        ("k#", "v", "ValidationError", r"1 validation error detected: Value 'k#' at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+".to_owned()),
        ("AWS:x", "v", "InvalidInput", "aws: prefixed tag key names are not allowed for external use.".to_owned()),
    ] {
        let mut test = test();
        test.role("r");
        let params = [("RoleName", "r"), ("Tags.member.1.Key", key), ("Tags.member.1.Value", value)];
        test.refuses("TagRole", &params, 400, code, &message);
    }
    let twice = [
        ("RoleName", "r"),
        ("AssumeRolePolicyDocument", EC2),
        ("Tags.member.1.Key", "a"),
        ("Tags.member.1.Value", "1"),
        ("Tags.member.2.Key", "A"),
        ("Tags.member.2.Value", "2"),
    ];
    let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
    test().refuses("CreateRole", &twice, 400, "InvalidInput", message);
}

#[test]
fn a_role_has_fifty_tags() {
    let mut test = test();
    test.role("r");
    for n in 0..50 {
        let key = format!("k{n}");
        test.ok(
            "TagRole",
            &[
                ("RoleName", "r"),
                ("Tags.member.1.Key", &key),
                ("Tags.member.1.Value", ""),
            ],
        );
    }
    let tag = |key| {
        [
            ("RoleName", "r"),
            ("Tags.member.1.Key", key),
            ("Tags.member.1.Value", "new"),
        ]
    };
    let message = "The number of tags has reached the maximum limit.";
    test.refuses("TagRole", &tag("k50"), 409, "LimitExceeded", message);
    test.ok("TagRole", &tag("K49"));
}

#[test]
fn protected_roles_take_tags_alone() {
    for path in [
        "/aws-service-role/x.amazonaws.com/",
        "/aws-reserved/sso.amazonaws.com/",
    ] {
        let mut test = test();
        test.role_of_aws("P", path);
        for (operation, more) in [
            ("DeleteRole", vec![]),
            ("UpdateRole", vec![]),
            ("UpdateRoleDescription", vec![("Description", "x")]),
            ("UpdateAssumeRolePolicy", vec![("PolicyDocument", EC2)]),
        ] {
            let params = [vec![("RoleName", "P")], more].concat();
            let message = "Cannot perform the operation on the protected role 'P' - this role is only modifiable by AWS";
            test.refuses(operation, &params, 400, "UnmodifiableEntity", message);
        }
        test.ok(
            "TagRole",
            &[
                ("RoleName", "P"),
                ("Tags.member.1.Key", "k"),
                ("Tags.member.1.Value", "v"),
            ],
        );
    }
}

#[test]
fn writes_are_seen_after_the_lag_and_act_on_the_truth() {
    let mut test = test();
    test.world.lag = Duration::from_secs(10);
    test.role("r");
    let missing = "The role with name r cannot be found.";
    test.refuses(
        "GetRole",
        &[("RoleName", "r")],
        404,
        "NoSuchEntity",
        missing,
    );
    assert_eq!(
        each(&test.ok("ListRoles", &[]), "Roles", "RoleName"),
        [""; 0]
    );
    test.ok("UpdateRole", &[("RoleName", "r"), ("Description", "new")]);
    let create = [("RoleName", "R"), ("AssumeRolePolicyDocument", EC2)];
    test.refuses(
        "CreateRole",
        &create,
        409,
        "EntityAlreadyExists",
        "Role with name R already exists.",
    );
    test.wait(10);
    assert_eq!(test.role_field("r", "Description"), "new");
    test.ok("DeleteRole", &[("RoleName", "r")]);
    assert_eq!(test.role_field("r", "Description"), "new");
    test.refuses(
        "DeleteRole",
        &[("RoleName", "r")],
        404,
        "NoSuchEntity",
        missing,
    );
    test.wait(10);
    test.refuses(
        "GetRole",
        &[("RoleName", "r")],
        404,
        "NoSuchEntity",
        missing,
    );
}

#[test]
fn what_is_not_modelled_says_so() {
    let message = "Could not find operation LaunchRocket for version 2010-05-08";
    test().refuses("LaunchRocket", &[], 400, "InvalidAction", message);
    let message = "The security token included in the request is invalid.";
    test()
        .within("999999999999")
        .refuses("ListRoles", &[], 403, "InvalidClientTokenId", message);
}
