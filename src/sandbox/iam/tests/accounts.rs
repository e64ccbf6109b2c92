//! Users, groups, instance profiles, and the account as a whole.

use super::*;

#[test]
fn users_are_created_read_and_deleted() {
    let mut test = test();
    let tags = [("Tags.member.1.Key", "k"), ("Tags.member.1.Value", "v")];
    test.ok(
        "CreateUser",
        &[&[("UserName", "Ann"), ("Path", "/ops/")][..], &tags].concat(),
    );
    let user = test.ok("GetUser", &[("UserName", "Ann")]);
    assert_eq!(
        at(&user, "User.Arn").as_deref(),
        Some("arn:aws:iam::111111111111:user/ops/Ann")
    );
    assert!(at(&user, "User.UserId").unwrap().starts_with("AIDA"));
    assert_eq!(each(&user, "User.Tags", "Key"), ["k"]);
    test.refuses(
        "CreateUser",
        &[("UserName", "ANN")],
        409,
        "EntityAlreadyExists",
        "User with name ANN already exists.",
    );
    test.ok("CreateUser", &[("UserName", "bob")]);
    let first = test.ok("ListUsers", &[("MaxItems", "1")]);
    assert_eq!(each(&first, "Users", "UserName"), ["Ann"]);
    let marker = at(&first, "Marker").unwrap();
    assert_eq!(
        each(
            &test.ok("ListUsers", &[("Marker", &marker)]),
            "Users",
            "UserName"
        ),
        ["bob"]
    );
    test.ok("DeleteUser", &[("UserName", "bob")]);
    test.refuses(
        "GetUser",
        &[("UserName", "bob")],
        404,
        "NoSuchEntity",
        "The user with name bob cannot be found.",
    );
    let message = "Must specify userName when calling with non-User credentials";
    test.refuses("GetUser", &[], 400, "ValidationError", message);
    test.set_quota("UsersQuota", 1);
    let message = "Cannot exceed quota for UsersPerAccount: 1";
    test.refuses(
        "CreateUser",
        &[("UserName", "cy")],
        409,
        "LimitExceeded",
        message,
    );
}

#[test]
fn groups_hold_users_and_neither_goes_while_they_do() {
    let mut test = test();
    test.ok("CreateUser", &[("UserName", "ann")]);
    test.ok("CreateUser", &[("UserName", "bob")]);
    test.ok("CreateGroup", &[("GroupName", "Ops"), ("Path", "/x/")]);
    let message = "Group with name ops already exists.";
    test.refuses(
        "CreateGroup",
        &[("GroupName", "ops")],
        409,
        "EntityAlreadyExists",
        message,
    );
    let both = [("GroupName", "ops"), ("UserName", "ann")];
    test.ok("AddUserToGroup", &both);
    test.ok("AddUserToGroup", &both);
    test.ok(
        "AddUserToGroup",
        &[("GroupName", "ops"), ("UserName", "bob")],
    );
    let group = test.ok("GetGroup", &[("GroupName", "Ops"), ("MaxItems", "1")]);
    assert_eq!(
        at(&group, "Group.Arn").as_deref(),
        Some("arn:aws:iam::111111111111:group/x/Ops")
    );
    assert_eq!(each(&group, "Users", "UserName"), ["ann"]);
    let marker = at(&group, "Marker").unwrap();
    let group = test.ok("GetGroup", &[("GroupName", "Ops"), ("Marker", &marker)]);
    assert_eq!(each(&group, "Users", "UserName"), ["bob"]);
    assert_eq!(
        each(
            &test.ok("ListGroupsForUser", &[("UserName", "ann")]),
            "Groups",
            "GroupName"
        ),
        ["Ops"]
    );
    assert_eq!(
        each(
            &test.ok("ListGroups", &[("PathPrefix", "/x/")]),
            "Groups",
            "GroupName"
        ),
        ["Ops"]
    );
    let message = "Cannot delete entity, must remove users from group first.";
    test.refuses(
        "DeleteUser",
        &[("UserName", "ann")],
        409,
        "DeleteConflict",
        message,
    );
    test.refuses(
        "DeleteGroup",
        &[("GroupName", "Ops")],
        409,
        "DeleteConflict",
        message,
    );
    test.ok("RemoveUserFromGroup", &both);
    test.refuses(
        "RemoveUserFromGroup",
        &both,
        404,
        "NoSuchEntity",
        "User ann not in group Ops",
    );
    test.ok(
        "RemoveUserFromGroup",
        &[("GroupName", "ops"), ("UserName", "bob")],
    );
    test.ok("DeleteGroup", &[("GroupName", "Ops")]);
    test.refuses(
        "GetGroup",
        &[("GroupName", "Ops")],
        404,
        "NoSuchEntity",
        "The group with name Ops cannot be found.",
    );
    test.set_quota("GroupsQuota", 0);
    let message = "Cannot exceed quota for GroupsPerAccount: 0";
    test.refuses(
        "CreateGroup",
        &[("GroupName", "g")],
        409,
        "LimitExceeded",
        message,
    );
}

#[test]
fn a_user_is_in_ten_groups_at_most() {
    let mut test = test();
    test.ok("CreateUser", &[("UserName", "ann")]);
    test.ok("CreateGroup", &[("GroupName", "g")]);
    test.set_quota("GroupsPerUserQuota", 0);
    let message = "Cannot exceed quota for GroupsPerUser: 0";
    test.refuses(
        "AddUserToGroup",
        &[("GroupName", "g"), ("UserName", "ann")],
        409,
        "LimitExceeded",
        message,
    );
}

#[test]
fn a_deleted_user_leaves_its_unique_id_in_trust_policies() {
    let mut test = test();
    test.ok("CreateUser", &[("UserName", "ann")]);
    let id = at(&test.ok("GetUser", &[("UserName", "ann")]), "User.UserId").unwrap();
    let document = EC2.replace(
        "\"Service\":\"ec2.amazonaws.com\"",
        "\"AWS\":\"arn:aws:iam::111111111111:user/ann\"",
    );
    test.ok(
        "CreateRole",
        &[("RoleName", "r"), ("AssumeRolePolicyDocument", &document)],
    );
    assert_eq!(test.trust("r"), document);
    test.ok("DeleteUser", &[("UserName", "ann")]);
    test.ok("CreateUser", &[("UserName", "ann")]);
    assert_eq!(
        test.trust("r"),
        document.replace("arn:aws:iam::111111111111:user/ann", &id)
    );
}

#[test]
fn an_instance_profile_holds_one_role_and_neither_goes_before_it_is_removed() {
    let mut test = test();
    test.role("R");
    test.role("other");
    test.ok(
        "CreateInstanceProfile",
        &[("InstanceProfileName", "p"), ("Path", "/x/")],
    );
    let message = "Instance Profile P already exists.";
    test.refuses(
        "CreateInstanceProfile",
        &[("InstanceProfileName", "P")],
        409,
        "EntityAlreadyExists",
        message,
    );
    let add = |role| [("InstanceProfileName", "p"), ("RoleName", role)];
    test.ok("AddRoleToInstanceProfile", &add("r"));
    let message = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1";
    test.refuses(
        "AddRoleToInstanceProfile",
        &add("other"),
        409,
        "LimitExceeded",
        message,
    );
    let profile = test.ok("GetInstanceProfile", &[("InstanceProfileName", "p")]);
    assert_eq!(
        at(&profile, "InstanceProfile.Arn").as_deref(),
        Some("arn:aws:iam::111111111111:instance-profile/x/p")
    );
    assert_eq!(each(&profile, "InstanceProfile.Roles", "RoleName"), ["R"]);
    assert_eq!(
        each(
            &test.ok("ListInstanceProfiles", &[]),
            "InstanceProfiles",
            "InstanceProfileName"
        ),
        ["p"]
    );
    let of_role = |test: &mut Test, role| {
        each(
            &test.ok("ListInstanceProfilesForRole", &[("RoleName", role)]),
            "InstanceProfiles",
            "InstanceProfileName",
        )
    };
    assert_eq!(of_role(&mut test, "R"), ["p"]);
    assert_eq!(of_role(&mut test, "other"), [""; 0]);
    let message = "Cannot delete entity, must remove roles from instance profile first.";
    test.refuses(
        "DeleteRole",
        &[("RoleName", "R")],
        409,
        "DeleteConflict",
        message,
    );
    test.refuses(
        "DeleteInstanceProfile",
        &[("InstanceProfileName", "p")],
        409,
        "DeleteConflict",
        message,
    );
    let message = "The role with name other cannot be found.";
    test.refuses(
        "RemoveRoleFromInstanceProfile",
        &add("other"),
        404,
        "NoSuchEntity",
        message,
    );
    test.ok("RemoveRoleFromInstanceProfile", &add("R"));
    test.ok("DeleteRole", &[("RoleName", "R")]);
    test.ok("DeleteInstanceProfile", &[("InstanceProfileName", "p")]);
    let message = "Instance Profile p cannot be found.";
    test.refuses(
        "GetInstanceProfile",
        &[("InstanceProfileName", "p")],
        404,
        "NoSuchEntity",
        message,
    );
    test.set_quota("InstanceProfilesQuota", 0);
    let message = "Cannot exceed quota for InstanceProfilesPerAccount: 0";
    test.refuses(
        "CreateInstanceProfile",
        &[("InstanceProfileName", "p")],
        409,
        "LimitExceeded",
        message,
    );
}

#[test]
fn a_service_linked_role_belongs_to_its_service() {
    let mut test = test();
    let create = [
        ("AWSServiceName", "application-autoscaling.amazonaws.com"),
        ("CustomSuffix", "x"),
    ];
    let answer = test.ok("CreateServiceLinkedRole", &create);
    let arn = "arn:aws:iam::111111111111:role/aws-service-role/application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoscaling_x";
    assert_eq!(at(&answer, "Role.Arn").as_deref(), Some(arn));
    let name = "AWSServiceRoleForApplicationAutoscaling_x";
    assert_eq!(
        test.trust(name),
        EC2.replace("ec2.", "application-autoscaling.")
    );
    let message = format!(
        "Service role name {name} has been taken in this account, please try a different suffix."
    );
    test.refuses(
        "CreateServiceLinkedRole",
        &create,
        400,
        "InvalidInput",
        &message,
    );
    let message = format!(
        "Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
    );
    test.refuses(
        "DeleteRole",
        &[("RoleName", name)],
        400,
        "UnmodifiableEntity",
        &message,
    );
    let message = "Service ec2 is not a valid AWS service name.";
    test.refuses(
        "CreateServiceLinkedRole",
        &[("AWSServiceName", "ec2")],
        400,
        "InvalidInput",
        message,
    );
}

/// One of everything: two roles, a user in a group, a customer policy, a profile.
pub fn furnished() -> Test {
    let mut test = test();
    let ours = "arn:aws:iam::111111111111:policy/P";
    test.ok(
        "CreatePolicy",
        &[("PolicyName", "P"), ("PolicyDocument", READ)],
    );
    test.ok(
        "CreatePolicyVersion",
        &[
            ("PolicyArn", ours),
            ("PolicyDocument", READ),
            ("SetAsDefault", "true"),
        ],
    );
    test.ok(
        "CreateRole",
        &[
            ("RoleName", "r"),
            ("Description", "d"),
            ("MaxSessionDuration", "7200"),
            ("AssumeRolePolicyDocument", EC2),
            ("PermissionsBoundary", ours),
            ("Tags.member.1.Key", "k"),
            ("Tags.member.1.Value", ""),
        ],
    );
    test.ok(
        "PutRolePolicy",
        &[
            ("RoleName", "r"),
            ("PolicyName", "i"),
            ("PolicyDocument", READ),
        ],
    );
    test.ok(
        "AttachRolePolicy",
        &[("RoleName", "r"), ("PolicyArn", ADMIN)],
    );
    test.role("bare");
    test.ok("CreateUser", &[("UserName", "u")]);
    test.ok(
        "PutUserPolicy",
        &[
            ("UserName", "u"),
            ("PolicyName", "i"),
            ("PolicyDocument", READ),
        ],
    );
    test.ok("CreateGroup", &[("GroupName", "G")]);
    test.ok(
        "AttachGroupPolicy",
        &[("GroupName", "G"), ("PolicyArn", ours)],
    );
    test.ok("AddUserToGroup", &[("GroupName", "g"), ("UserName", "u")]);
    test.ok("CreateInstanceProfile", &[("InstanceProfileName", "p")]);
    test.ok(
        "AddRoleToInstanceProfile",
        &[("InstanceProfileName", "p"), ("RoleName", "r")],
    );
    test
}

#[test]
fn authorization_details_tell_all_but_description_and_duration() {
    let answer = furnished().ok("GetAccountAuthorizationDetails", &[]);
    assert_eq!(each(&answer, "RoleDetailList", "RoleName"), ["bare", "r"]);
    let expected = [
        ("RoleDetailList.1.Arn", "arn:aws:iam::111111111111:role/r"),
        (
            "RoleDetailList.1.InstanceProfileList.0.InstanceProfileName",
            "p",
        ),
        (
            "RoleDetailList.1.InstanceProfileList.0.Roles.0.RoleName",
            "r",
        ),
        ("RoleDetailList.1.RolePolicyList.0.PolicyName", "i"),
        (
            "RoleDetailList.1.AttachedManagedPolicies.0.PolicyArn",
            ADMIN,
        ),
        (
            "RoleDetailList.1.PermissionsBoundary.PermissionsBoundaryArn",
            "arn:aws:iam::111111111111:policy/P",
        ),
        (
            "RoleDetailList.1.PermissionsBoundary.PermissionsBoundaryType",
            "Policy",
        ),
        ("RoleDetailList.1.Tags.0.Key", "k"),
        ("UserDetailList.0.UserName", "u"),
        ("UserDetailList.0.GroupList.0", "G"),
        ("UserDetailList.0.UserPolicyList.0.PolicyName", "i"),
        (
            "GroupDetailList.0.AttachedManagedPolicies.0.PolicyName",
            "P",
        ),
        ("Policies.0.PolicyName", "P"),
        ("Policies.0.AttachmentCount", "1"),
        ("Policies.0.PermissionsBoundaryUsageCount", "1"),
        ("Policies.0.DefaultVersionId", "v2"),
        ("Policies.0.PolicyVersionList.0.VersionId", "v2"),
        ("Policies.0.PolicyVersionList.0.IsDefaultVersion", "true"),
        ("Policies.0.PolicyVersionList.1.IsDefaultVersion", "false"),
        ("Policies.1.Arn", ADMIN),
        ("IsTruncated", "false"),
    ];
    for (path, expect) in expected {
        assert_eq!(at(&answer, path).as_deref(), Some(expect), "{path}");
    }
    for (path, expect) in [
        ("RoleDetailList.1.AssumeRolePolicyDocument", EC2),
        ("RoleDetailList.1.RolePolicyList.0.PolicyDocument", READ),
        ("UserDetailList.0.UserPolicyList.0.PolicyDocument", READ),
        ("Policies.0.PolicyVersionList.0.Document", READ),
    ] {
        let encoded = at(&answer, path).unwrap();
        assert!(encoded.starts_with("%7B%22"), "{encoded}");
        assert_eq!(decoded(&encoded), expect, "{path}");
    }
    for absent in ["Description", "MaxSessionDuration"] {
        assert_eq!(node(&answer, &format!("RoleDetailList.1.{absent}")), None);
    }
    assert_eq!(
        each(&answer, "Policies", "PolicyName"),
        ["P", "AdministratorAccess"]
    );
}

#[test]
fn authorization_details_are_filtered() {
    for (filter, roles, users, groups, policies) in [
        (vec!["Role"], 2, 0, 0, 0),
        (vec!["User", "Group"], 0, 1, 1, 0),
        (vec!["Role", "LocalManagedPolicy"], 2, 0, 0, 1),
        (vec!["AWSManagedPolicy"], 0, 0, 0, 1),
    ] {
        let names: Vec<String> = (1..=filter.len())
            .map(|n| format!("Filter.member.{n}"))
            .collect();
        let params: Vec<_> = names
            .iter()
            .map(String::as_str)
            .zip(filter.clone())
            .collect();
        let answer = furnished().ok("GetAccountAuthorizationDetails", &params);
        let lists = [
            "RoleDetailList",
            "UserDetailList",
            "GroupDetailList",
            "Policies",
        ];
        let counts = lists.map(|list| each(&answer, list, "Arn").len());
        assert_eq!(counts, [roles, users, groups, policies], "{filter:?}");
    }
    let message = "1 validation error detected: Value '[Rolle]' at 'filter' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [User, Role, Group, LocalManagedPolicy, AWSManagedPolicy]]";
    let params = [("Filter.member.1", "Rolle")];
    test().refuses(
        "GetAccountAuthorizationDetails",
        &params,
        400,
        "ValidationError",
        message,
    );
}

#[test]
fn pages_of_authorization_details_cross_the_kinds() {
    let mut test = furnished();
    let (mut seen, mut pages, mut marker) = (Vec::new(), 0, None::<String>);
    loop {
        let mut params = vec![("MaxItems", "2")];
        params.extend(marker.iter().map(|marker| ("Marker", marker.as_str())));
        let answer = test.ok("GetAccountAuthorizationDetails", &params);
        let mut entries = 0;
        for list in [
            "UserDetailList",
            "GroupDetailList",
            "RoleDetailList",
            "Policies",
        ] {
            let arns = each(&answer, list, "Arn");
            entries += arns.len();
            seen.extend(arns);
        }
        assert!(entries <= 2);
        pages += 1;
        marker = at(&answer, "Marker");
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(pages, 3);
    let names: Vec<_> = seen
        .iter()
        .map(|arn| arn.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(names, ["u", "G", "bare", "r", "P", "AdministratorAccess"]);
}

#[test]
fn the_summary_counts_and_tells_quotas() {
    let mut test = furnished();
    test.set_quota("RolesQuota", 5000);
    let answer = test.ok("GetAccountSummary", &[]);
    let Some(Xml::Fields(entries)) = node(&answer, "SummaryMap") else {
        panic!("{answer:?}")
    };
    let map: BTreeMap<String, String> = entries
        .iter()
        .map(|(name, entry)| {
            assert_eq!(*name, "entry");
            let entry = entry.as_ref().unwrap();
            (at(entry, "key").unwrap(), at(entry, "value").unwrap())
        })
        .collect();
    for (key, expect) in [
        ("Roles", "2"),
        ("Users", "1"),
        ("Groups", "1"),
        ("Policies", "1"),
        ("PolicyVersionsInUse", "2"),
        ("InstanceProfiles", "1"),
        ("RolesQuota", "5000"),
        ("PolicySizeQuota", "6144"),
        ("RolePolicySizeQuota", "10240"),
        ("AssumeRolePolicySizeQuota", "2048"),
        ("AttachedPoliciesPerRoleQuota", "10"),
        ("VersionsPerPolicyQuota", "5"),
    ] {
        assert_eq!(map.get(key).map(String::as_str), Some(expect), "{key}");
    }
}
