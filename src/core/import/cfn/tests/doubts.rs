//! Templates whose defaults do not work, whose parts overwrite each other, and that name each other by expressions.

use super::*;

const TRUST: &str = "AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {AWS: '600000000031'}, Action: 'sts:AssumeRole'}]}";
const LISTS: &str = "PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Action: 's3:List*', Resource: '*'}]}";

fn names(done: &Done, vars: &[(&str, &str)]) -> Vec<String> {
    let mut vars: Vec<(String, String)> = vars
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    vars.push((
        "stack_accounts".to_owned(),
        r#"["600000000099"]"#.to_owned(),
    ));
    let held = done.expand(&vars, "600000000099", "aws").unwrap();
    held.roles
        .values()
        .map(|role| role.name.to_string())
        .collect()
}

#[test]
fn a_default_that_does_not_work_is_asked_for_and_the_role_is_kept() {
    // A resource, a principal, a duration, a name: each is refused with the template's default.
    for (parameters, part, name) in [
        (
            "Topic: {Type: String, Default: ''}",
            "Policies: [{PolicyName: p, PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Action: 'sns:Publish', Resource: !Ref Topic}]}}]",
            "topic",
        ),
        (
            "Seconds: {Type: Number, Default: 1}",
            "MaxSessionDuration: !Ref Seconds",
            "seconds",
        ),
        (
            "Where: {Type: String, Default: 'no path'}",
            "Path: !Ref Where",
            "where",
        ),
        (
            "Bound: {Type: String, Default: none}",
            "PermissionsBoundary: !Ref Bound",
            "bound",
        ),
    ] {
        let done = of(&format!(
            "Parameters:\n  Fine: {{Type: String, Default: miller}}\n  {parameters}\nResources:\n  R:\n    Type: AWS::IAM::Role\n    Properties:\n      RoleName: !Ref Fine\n      {TRUST}\n      {part}\n"
        ));
        assert_eq!(done.said(Class::Lost), Vec::<String>::new(), "{part}");
        assert!(
            done.said(Class::Ask)
                .contains(&"default 0.yaml:3:3".to_owned()),
            "{part}: {:?}",
            done.entries
        );
        let asked = done
            .draft
            .variables
            .iter()
            .find(|it| it.name.starts_with(name))
            .unwrap();
        assert!(!asked.has_value());
        // What is not to blame keeps its default.
        done.has(
            "rolecall.toml",
            &["fine = { type = \"string\", default = \"miller\""],
        );
    }
}

#[test]
fn many_defaults_that_do_not_work_are_asked_for_in_bounded_time() {
    let lines = |line: &dyn Fn(usize) -> String| (0..40).map(line).collect::<Vec<_>>();
    let parameters = lines(&|at| format!("  P{at}: {{Type: String, Default: ''}}")).join("\n");
    let statements =
        lines(&|at| format!("{{Effect: Allow, Action: 's3:Get*', Resource: !Ref P{at}}}"));
    let done = of(&format!(
        "Parameters:\n{parameters}\nResources:\n  R:\n    Type: AWS::IAM::Role\n    Properties:\n      RoleName: miller\n      {TRUST}\n      Policies: [{{PolicyName: p, PolicyDocument: {{Version: '2012-10-17', Statement: [{}]}}}}]\n",
        statements.join(", ")
    ));
    assert_eq!(done.said(Class::Lost), Vec::<String>::new());
    let asked = done.said(Class::Ask);
    let asked = asked.iter().filter(|it| it.starts_with("default "));
    assert_eq!(asked.count(), 40);
}

#[test]
fn a_role_that_no_value_makes_right_is_lost() {
    let done = of(&format!(
        "Parameters:\n  Fine: {{Type: String, Default: miller}}\nResources:\n  R:\n    Type: AWS::IAM::Role\n    Properties:\n      RoleName: !Sub '${{Fine}} of'\n      {TRUST}\n"
    ));
    assert_eq!(done.said(Class::Lost), ["refused 0.yaml:4:3"]);
    assert!(
        done.said(Class::Ask)
            .iter()
            .all(|it| !it.starts_with("default"))
    );
}

#[test]
fn the_first_item_of_an_empty_list_is_the_empty_text() {
    let done = of(&format!(
        "Parameters:\n  Units: {{Type: CommaDelimitedList, Default: ''}}\nConditions:\n  Has: !Not [!Equals [!Select [0, !Ref Units], '']]\nResources:\n  R:\n    Type: AWS::IAM::Role\n    Condition: Has\n    Properties:\n      RoleName: miller\n      {TRUST}\n"
    ));
    assert_eq!(done.said(Class::Lost), Vec::<String>::new());
    assert_eq!(names(&done, &[]), Vec::<String>::new());
    assert_eq!(names(&done, &[("units", r#"["ou-abcd-1"]"#)]), ["miller"]);
}

#[test]
fn a_policy_of_no_role_is_listed() {
    for of_nobody in [
        "",
        "\n      Roles: []",
        "\n      Roles: [!Ref AWS::NoValue]",
    ] {
        let done = of(&format!(
            "Resources:\n  P:\n    Type: AWS::IAM::Policy\n    Properties:\n      PolicyName: p\n      {LISTS}{of_nobody}\n"
        ));
        assert_eq!(
            done.said(Class::Left),
            ["iam-type 0.yaml:2:3"],
            "{of_nobody}"
        );
    }
    let odd = of(&format!(
        "Resources:\n  P:\n    Type: AWS::IAM::Policy\n    Properties:\n      PolicyName: p\n      Users: [u]\n      Rolls: [r]\n      {LISTS}\n"
    ));
    assert_eq!(odd.said(Class::Left), ["iam-type 0.yaml:6:7"]);
    assert_eq!(odd.said(Class::Lost), ["refused 0.yaml:7:7"]);
}

#[test]
fn a_policy_of_its_own_overwrites_the_inline_policy_of_its_name() {
    let template = |condition: &str| {
        format!(
            "Parameters:\n  More: {{Type: String, Default: 'no', AllowedValues: ['yes', 'no']}}\nConditions:\n  C: !Equals [!Ref More, 'yes']\nResources:\n  R:\n    Type: AWS::IAM::Role\n    Properties:\n      RoleName: miller\n      {TRUST}\n      Policies: [{{PolicyName: p, {LISTS}}}, {{PolicyName: q, {LISTS}}}]\n  P:\n    Type: AWS::IAM::Policy{condition}\n    Properties:\n      PolicyName: p\n      Roles: [!Ref R]\n      PolicyDocument: {{Version: '2012-10-17', Statement: [{{Effect: Allow, Action: 's3:Put*', Resource: '*'}}]}}\n"
        )
    };
    let done = of(&template(""));
    assert_eq!(done.said(Class::Lost), Vec::<String>::new());
    assert_eq!(done.said(Class::Weaker), ["conflict 0.yaml:12:3"]);
    let roles = &done.files["roles.toml"];
    assert_eq!(roles.matches("name = \"p\"").count(), 1, "{roles}");
    assert!(roles.contains("s3:Put*"), "{roles}");
    let done = of(&template("\n    Condition: C"));
    for (more, actions) in [("yes", "s3:Put*"), ("no", "s3:List*")] {
        let vars = [
            ("more".to_owned(), more.to_owned()),
            (
                "stack_accounts".to_owned(),
                r#"["600000000099"]"#.to_owned(),
            ),
        ];
        let held = done.expand(&vars, "600000000099", "aws").unwrap();
        let held = format!("{:?}", held.roles.values().next().unwrap().inline_policies);
        assert_eq!(
            held.contains("s3:Put*"),
            actions == "s3:Put*",
            "{more}: {held}"
        );
        assert!(held.contains("s3:List*"), "{held}");
    }
}

#[test]
fn what_another_template_exports_is_found_by_what_its_name_comes_to() {
    let options = Options {
        parameters: BTreeMap::from([("Env".to_owned(), "x".to_owned())]),
        ..Options::default()
    };
    let maker = format!(
        "Parameters: {{Env: {{Type: String}}}}\nResources:\n  R: {{Type: AWS::IAM::Role, Properties: {{RoleName: miller, {TRUST}}}}}\nOutputs: {{O: {{Value: !Ref R, Export: {{Name: !Sub '${{Env}}-role'}}}}}}\n"
    );
    let adder = |name: &str| {
        format!(
            "Parameters: {{Env: {{Type: String}}}}\nResources:\n  P: {{Type: AWS::IAM::Policy, Properties: {{PolicyName: p, Roles: [!ImportValue {name}], {LISTS}}}}}\n"
        )
    };
    for name in ["x-role", "{'Fn::Sub': '${Env}-role'}"] {
        let done = imported(&[&maker, &adder(name)], &options);
        assert_eq!(done.said(Class::Lost), Vec::<String>::new(), "{name}");
        done.has("roles.toml", &["name = \"p\""]);
    }
    let done = imported(&[&maker, &adder("y-role")], &options);
    assert_eq!(done.said(Class::Lost), ["fragment 1.yaml:3:3"]);
    let lost = done
        .entries
        .iter()
        .find(|it| it.class == Class::Lost)
        .unwrap();
    assert!(lost.why.contains("`{{ var.y_role }}`"), "{}", lost.why);
}

#[test]
fn a_stack_set_in_the_region_of_its_stack_asks_for_one_region() {
    let done = of(&format!(
        "Resources:\n  S:\n    Type: AWS::CloudFormation::StackSet\n    Properties:\n      PermissionModel: SERVICE_MANAGED\n      StackInstancesGroup: [{{DeploymentTargets: {{OrganizationalUnitIds: [ou-abcd-11111111]}}, Regions: [!Ref 'AWS::Region']}}]\n      TemplateBody: |\n        Resources:\n          R: {{Type: AWS::IAM::Role, Properties: {{RoleName: !Sub 'miller-${{AWS::Region}}', {TRUST}}}}}\n"
    ));
    assert_eq!(done.said(Class::Lost), Vec::<String>::new());
    let regions = done
        .draft
        .variables
        .iter()
        .filter(|it| it.name.starts_with("region"));
    assert_eq!(regions.count(), 1);
    done.has("roles.toml", &["name = \"miller-{{ var.region }}\""]);
}

#[test]
fn resolved_means_the_names_of_stack_and_region_too() {
    let text = format!(
        "Resources:\n  R: {{Type: AWS::IAM::Role, Properties: {{RoleName: !Sub '${{AWS::StackName}}-${{AWS::Region}}', {TRUST}}}}}\n"
    );
    let input = Input {
        file: "t".to_owned(),
        text,
        stack_name: Some("mill".to_owned()),
        region: Some("eu-north-1".to_owned()),
        ..Input::default()
    };
    let resolve = |resolve| Options {
        resolve,
        ..Options::default()
    };
    let (draft, _) = import(std::slice::from_ref(&input), &resolve(true)).unwrap();
    assert_eq!(draft.roles[0].name, "mill-eu-north-1");
    let (draft, _) = import(&[input], &resolve(false)).unwrap();
    assert_eq!(draft.roles[0].name, "{{ var.stack_name }}-{{ var.region }}");
}

#[test]
fn the_cdk_s_own_provider_has_its_arn() {
    let done = of(
        "Resources:\n  O: {Type: Custom::AWSCDKOpenIdConnectProvider, Properties: {Url: https://token.actions.githubusercontent.com}}\n  R:\n    Type: AWS::IAM::Role\n    Properties:\n      RoleName: miller\n      AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {Federated: !Ref O}, Action: 'sts:AssumeRoleWithWebIdentity', Condition: {StringEquals: {'token.actions.githubusercontent.com:sub': 'repo:mill/flour:ref:refs/heads/main', 'token.actions.githubusercontent.com:aud': sts.amazonaws.com}}}]}\n",
    );
    done.has(
        "roles.toml",
        &["oidc-provider/token.actions.githubusercontent.com\""],
    );
    assert!(
        done.said(Class::Ask)
            .iter()
            .all(|it| !it.starts_with("attribute"))
    );
}
