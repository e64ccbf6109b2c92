//! Each shape of template by itself.

use std::fmt::Write as _;

use super::*;

const TRUST: &str = "AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {AWS: '600000000001'}, Action: 'sts:AssumeRole'}]}";

fn role(properties: &str) -> String {
    format!(
        "Resources:\n  Baker:\n    Type: AWS::IAM::Role\n    Properties:\n      {TRUST}\n      RoleName: baker\n{properties}"
    )
}

#[test]
fn scalars_stay_as_they_are_written() {
    let done = of("
Parameters:
  Oven: {Type: String, Default: 004512345678, MinLength: 12, MaxLength: 12, AllowedPattern: '[0-9]{12}'}
  Open: {Type: String, Default: yes, AllowedValues: [yes, no]}
Conditions:
  Opens: !Equals [!Ref Open, yes]
Resources:
  Baker:
    Type: AWS::IAM::Role
    Properties:
      RoleName: baker
      Path: /
      MaxSessionDuration: 7200
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement: {Effect: Allow, Principal: {AWS: !Ref Oven}, Action: sts:AssumeRole, Condition: {Bool: {aws:MultiFactorAuthPresent: True}, NumericLessThan: {aws:MultiFactorAuthAge: 3600}}}
      Policies:
        - !If [Opens, {PolicyName: loaves, PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: 's3:Get*', Resource: '*'}]}}, !Ref AWS::NoValue]
");
    done.has(
        "rolecall.toml",
        &[
            r#"oven = { type = "account_id", default = "004512345678" }"#,
            r#"open = { type = "string", default = "yes", one_of = ["yes", "no"] }"#,
        ],
    )
    .has(
        "roles.toml",
        &[
            "max_session_duration = 7200",
            "managed_policies = []",
            "require_mfa = true",
            r#"conditions = { NumericLessThan = { "aws:MultiFactorAuthAge" = "3600" } }"#,
            "name = \"loaves\"\nwhen = \"var.open == 'yes'\"",
        ],
    );
    assert!(!done.files["roles.toml"].contains("path ="));
    assert_eq!(done.said(Class::Lost), Vec::<String>::new());
    assert_eq!(done.said(Class::Weaker), Vec::<String>::new());
}

#[test]
fn what_a_macro_makes_is_lost_and_never_managed_exclusively() {
    let done = of(&role("      Policies:
        - PolicyName: known
          PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: 's3:Get*', Resource: '*'}]}
        - PolicyName: partly
          PolicyDocument:
            Version: 2012-10-17
            Statement:
              - {Effect: Allow, Action: 's3:List*', Resource: '*'}
              - Fn::Transform: {Name: AWS::Include, Parameters: {Location: s3://x/y}}
      ManagedPolicyArns:
        - Fn::GetAZs: ''
"));
    assert_eq!(
        done.said(Class::Lost),
        ["intrinsic 0.yaml:17:11", "transform 0.yaml:15:17"]
    );
    done.has(
        "roles.toml",
        &["manage.inline_policies = \"additive\"", "name = \"known\""],
    );
    let text = &done.files["roles.toml"];
    assert!(
        !text.contains("s3:List*") && !text.contains("managed_policies ="),
        "{text}"
    );
}

#[test]
fn a_literal_external_id_is_a_secret_in_any_spelling() {
    for key in ["sts:ExternalId", "sts:ExternalID", "STS:externalid"] {
        let done = of(&format!("
Resources:
  Baker:
    Type: AWS::IAM::Role
    Properties:
      RoleName: baker
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{{Effect: Allow, Principal: {{AWS: '600000000001'}}, Action: 'sts:AssumeRole', Condition: {{StringEquals: {{'{key}': sour-dough}}}}}}]
"));
        done.has(
            "roles.toml",
            &["external_id = \"{{ var.baker_external_id }}\""],
        );
        done.has("secrets.vars", &["baker_external_id = \"sour-dough\""]);
        for (file, text) in &done.files {
            assert!(
                file == "secrets.vars" || !text.contains("sour-dough"),
                "{file}"
            );
        }
        assert!(!format!("{:?}", done.entries).contains("sour-dough"));
    }
}

#[test]
fn iam_variables_and_braces_survive() {
    let done = of(&role("      Description: 'Braces {{ stay }} and $'
      Policies:
        - PolicyName: p
          PolicyDocument:
            Version: 2012-10-17
            Statement:
              - {Effect: Allow, Action: 's3:Get*', Resource: ['arn:aws:s3:::a${*}', !Sub 'arn:aws:s3:::x/${!aws:username}/${AWS::AccountId}', !Sub 'arn:aws:s3:::$${AWS::Partition}', !Join ['', ['arn:aws:s3:::{', !Ref AWS::Partition]], !Sub 'arn:aws:s3:::${!Team}-$-${AWS::Partition}']}
"));
    done.has(
        "roles.toml",
        &[
            "description = \"Braces {{ '{{' }} stay }} and $\"",
            "\"arn:aws:s3:::a${*}\"",
            "\"arn:aws:s3:::x/${aws:username}/{{ account.id }}\"",
            "\"arn:aws:s3:::{{ '$' }}{{ partition }}\"",
            "\"arn:aws:s3:::{{ '{' }}{{ partition }}\"",
            "\"arn:aws:s3:::${Team}-$-{{ partition }}\"",
        ],
    );
    assert_eq!(done.said(Class::Lost), Vec::<String>::new());
    let inside = of(&role("      Policies: [{PolicyName: p, PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: 's3:Get*', Resource: !Join ['', ['${aws:PrincipalTag/', !Ref AWS::Partition, '}']]}]}}]
"));
    assert_eq!(inside.said(Class::Lost).len(), 1, "{:?}", inside.entries);
    assert!(inside.draft.roles[0].inline_policies.is_none());
}

#[test]
fn roles_of_the_stacks_own_resources_are_left_and_policies_with_them() {
    let text = "
Resources:
  Mixer: {Type: AWS::Lambda::Function, Properties: {Role: !GetAtt MixerRole.Arn}}
  MixerRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: 'sts:AssumeRole'}]}
      ManagedPolicyArns: [!Ref Dough]
  Dough: {Type: AWS::IAM::ManagedPolicy, Properties: {PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: 's3:Get*', Resource: '*'}]}}}
  Bag: {Type: AWS::IAM::User}
";
    let done = of(text);
    assert!(done.draft.roles.is_empty() && done.draft.policies.is_empty());
    assert_eq!(
        done.said(Class::Left),
        [
            "iam-type 0.yaml:10:3",
            "not-iam 0.yaml:3:3",
            "stack-role 0.yaml:4:3",
            "stack-role 0.yaml:9:3"
        ]
    );
    let options = Options {
        include: std::iter::once("services".to_owned()).collect(),
        ..Options::default()
    };
    let all = imported(&[text], &options);
    assert_eq!((all.draft.roles.len(), all.draft.policies.len()), (1, 1));
    all.has(
        "roles.toml",
        &[
            "name = \"{{ var.mixer_role_name }}\"",
            "local:{{ var.dough_name }}",
        ],
    );
}

#[test]
fn stack_sets_speak_of_two_accounts() {
    let done = of("
Parameters:
  Units: {Type: CommaDelimitedList}
Resources:
  Hub: {Type: AWS::IAM::Role, Properties: {RoleName: hub, AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {AWS: '600000000001'}, Action: 'sts:AssumeRole'}]}}}
  Set:
    Type: AWS::CloudFormation::StackSet
    Properties:
      PermissionModel: SERVICE_MANAGED
      Parameters:
        - {ParameterKey: Hub, ParameterValue: !GetAtt Hub.Arn}
      StackInstancesGroup: [{DeploymentTargets: {OrganizationalUnitIds: !Ref Units}, Regions: [eu-north-1]}]
      TemplateBody: |
        Parameters:
          Hub: {Type: String}
        Resources:
          Spoke:
            Type: AWS::IAM::Role
            Properties:
              RoleName: !Sub spoke-${AWS::AccountId}
              Path: !ImportValue nothing
              AssumeRolePolicyDocument:
                Version: '2012-10-17'
                Statement: [{Effect: Allow, Principal: {AWS: !Ref Hub}, Action: 'sts:AssumeRole'}]
");
    done.has(
        "roles.toml",
        &[
            "targets = [{ account = \"management\" }]",
            "name = \"spoke-{{ account.id }}\"",
            "targets = [{ ou = \"{{ var.units }}\" }]",
            "exclude = [{ account = \"management\" }]",
            "aws = \"arn:{{ partition }}:iam::{{ organization.management_account }}:role/hub\"",
        ],
    );
    // A place in the body is one of the file around it.
    assert_eq!(done.said(Class::Ask), ["export 0.yaml:21:21"]);
}

#[test]
fn policies_attach_themselves_also_across_templates() {
    let baker = role("");
    let addition = "
Parameters: {Name: {Type: String, Default: baker}}
Resources:
  Salt: {Type: AWS::IAM::Policy, Properties: {PolicyName: salt, Roles: [baker], PolicyDocument: '{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:Get*\",\"Resource\":\"*\"}}'}}
  Other: {Type: AWS::IAM::RolePolicy, Properties: {PolicyName: other, RoleName: !Ref Name, PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: 's3:Get*', Resource: '*'}]}}}
  Flour: {Type: AWS::IAM::ManagedPolicy, Properties: {ManagedPolicyName: flour, Roles: [baker], PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: 's3:Get*', Resource: '*'}]}}}
";
    let done = imported(&[&baker, addition], &Options::default());
    done.has(
        "roles.toml",
        &["managed_policies = [\"local:flour\"]", "name = \"salt\""],
    );
    assert_eq!(done.said(Class::Lost), ["fragment 1.yaml:5:3"]);
    assert!(done.draft.policies[0].targets.is_none());
}

#[test]
fn every_property_is_imported_or_said() {
    for (property, said) in [
        ("Colour: red", true),
        ("Fn::Transform: {Name: X}", true),
        ("Description: red", false),
    ] {
        let done = of(&role(&format!("      {property}\n")));
        assert_eq!(
            !done.said(Class::Lost).is_empty(),
            said,
            "{property}: {:?}",
            done.entries
        );
    }
}

#[test]
fn what_refers_to_itself_ends() {
    for text in [
        "Conditions: {A: !Condition B, B: !Not [!Condition A]}\nResources: {R: {Type: AWS::IAM::Role, Condition: A}}",
        "Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: !Sub 'x${R}'}}}",
        "Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: !GetAtt R.Arn}}}",
    ] {
        let done = of(text);
        assert!(
            !done.said(Class::Lost).is_empty(),
            "{text}: {:?}",
            done.entries
        );
    }
    // Each condition doubles the one before.
    let mut text =
        "Parameters: {P: {Type: String}}\nConditions:\n  C0: !Equals [!Ref P, x]\n".to_owned();
    for at in 1..60 {
        writeln!(
            text,
            "  C{at}: !Or [!And [!Condition C{}, !Equals [!Ref P, a{at}]], !And [!Condition C{}, !Equals [!Ref P, b{at}]]]",
            at - 1,
            at - 1
        )
        .unwrap();
    }
    text += "Resources: {R: {Type: AWS::IAM::Role, Condition: C59, Properties: {RoleName: r}}}";
    assert!(!of(&text).said(Class::Lost).is_empty());
}
