//! `[[check]]`, `[lints]`, `without`, `when` and `[[role.expect]]`.

use serde_json::json;

use super::*;
use crate::config::{CheckFinding, Weight};

fn check(what: &str, when: &str, assert: &str, message: &str) -> String {
    let when = if when.is_empty() {
        String::new()
    } else {
        format!("when = \"{when}\"\n")
    };
    format!("[[check]]\nfor = \"{what}\"\n{when}assert = \"{assert}\"\nmessage = \"{message}\"\n")
}

fn named(name: &str, more: &str) -> String {
    ROLE.replace("\"R\"", &format!("\"{name}\"")) + more + "\n"
}

fn policy(name: &str, statements: &[&str]) -> String {
    let statements = statements.iter().fold(String::new(), |all, text| {
        all + "[[policy.statement]]\n" + text + "\n"
    });
    format!("[[policy]]\nname = \"{name}\"\ntargets = \"all\"\n{statements}")
}

#[track_caller]
fn found(body: &str) -> Vec<CheckFinding> {
    accepted(body).findings().to_vec()
}

/// What the only finding says; every expected text is in it.
#[track_caller]
fn says(body: &str, expect: &[&str]) -> CheckFinding {
    let findings = found(body);
    let [finding] = findings.as_slice() else {
        panic!("{findings:?}\nof\n{body}")
    };
    for text in expect {
        assert!(
            finding.message.contains(text),
            "`{text}` is missing in {finding:?}"
        );
    }
    finding.clone()
}

#[track_caller]
fn silent(body: &str) {
    let findings = found(body);
    assert!(findings.is_empty(), "{findings:?}\nof\n{body}");
}

#[test]
fn mfa_is_refused_where_a_machine_comes_in() {
    let house = check(
        "role",
        "role.name == 'CortexXDRRole'",
        "role.trust | selectattr('mfa') | list | length == 0",
        "MFA must not be required of {{ role.name }}",
    );
    let role = |more: &str| house.clone() + &named("CortexXDRRole", more);
    silent(&role(""));
    silent(&role("require_mfa = false"));
    says(
        &role("require_mfa = true"),
        &["MFA", "must not be required", "CortexXDRRole"],
    );
    says(
        &role("conditions.BoolIfExists.\"aws:multifactorauthpresent\" = true"),
        &["MFA must not be required"],
    );
    silent(&(house.clone() + &named("Other", "require_mfa = true")));
}

#[test]
fn one_of_two_accounts_is_trusted_not_both() {
    let house = check(
        "role",
        "",
        "role.trusted_accounts | select('in', ['006742885340', '685269782068']) | list | length <= 1",
        "trust one of 006742885340 and 685269782068, not both",
    );
    let role = |aws: &str| house.clone() + &ROLE.replace("\"111111111111\"", aws);
    silent(&role("[\"006742885340\", \"111111111111\"]"));
    says(
        &role("[\"006742885340\", \"arn:aws:iam::685269782068:root\"]"),
        &[
            "006742885340",
            "685269782068",
            "one",
            "role `R` at",
            "rolecall.toml:",
        ],
    );
}

#[test]
fn a_name_must_contain_a_word_in_its_case() {
    let house = check(
        "role",
        "",
        "'CadoResponse' in role.name",
        "the name `{{ role.name }}` must contain `CadoResponse` (case sensitive)",
    );
    silent(&(house.clone() + &named("CadoResponse-Forensics", "")));
    says(
        &(house.clone() + &named("cadoresponse-cross", "")),
        &["cadoresponse-cross", "CadoResponse", "case"],
    );
    says(
        &(house.clone() + &named("CrossAccountForensics", "")),
        &["must contain", "CadoResponse"],
    );
    let by_test = check(
        "role",
        "",
        "role.name is startingwith 'Cado' and role.name is matches('^[A-Z].*Role$')",
        "no",
    );
    silent(&(by_test.clone() + &named("CadoRole", "")));
    says(&(by_test + &named("CadoRoles", "")), &["no"]);
}

#[test]
fn an_input_may_require_another() {
    let body = |dspm: bool, discovery: bool| {
        format!("[vars]\ndspm = {dspm}\ndiscovery = {discovery}\n")
            + &check(
                "role",
                "role.name == 'R'",
                "var.discovery or not var.dspm",
                "`dspm` requires `discovery`",
            )
            + ROLE
    };
    silent(&body(true, true));
    silent(&body(false, false));
    says(&body(true, false), &["dspm", "requires", "discovery"]);
}

#[test]
fn writes_need_a_condition_on_a_tag() {
    let house = check(
        "policy",
        "policy.name is endingwith '-ADS'",
        "policy.statements | rejectattr('condition_keys', 'matches', '(Resource|Request)Tag/managed_by$') | list == []",
        "{{ (policy.statements | rejectattr('condition_keys', 'matches', 'managed_by') | first).actions | join(', ') }} \
         must be limited by the tag managed_by",
    );
    let statement = "actions = \"ec2:DeleteSnapshot\"\nresources = \"*\"\n";
    let tagged =
        format!("{statement}conditions.StringEquals.\"aws:ResourceTag/managed_by\" = \"x\"");
    silent(&(house.clone() + &policy("P-ADS", &[&tagged])));
    says(
        &(house.clone() + &policy("P-ADS", &[&tagged, statement])),
        &["managed_by", "ec2:DeleteSnapshot"],
    );
    silent(&(house + &policy("P", &[statement])));
}

#[test]
fn two_policies_are_compared() {
    let house = check(
        "policy",
        "policy.name == 'ADS'",
        "policies | selectattr('name', 'eq', 'Automation') | map(attribute='actions') | first | default([]) \
         | select('in', policy.actions) | list | length == 0",
        "{{ policies | selectattr('name', 'eq', 'Automation') | map(attribute='actions') | first | select('in', policy.actions) | list | length }} actions are also allowed on `*`",
    ) + "severity = \"warn\"\ncode = \"ads-star\"\n";
    let ads = policy(
        "ADS",
        &[
            "actions = [\"ec2:A\", \"ec2:B\", \"ec2:C\"]\nresources = \"arn:aws:ec2:*:{{ account.id }}:x/*\"",
        ],
    );
    let automation = policy(
        "Automation",
        &["actions = [\"ec2:B\", \"ec2:C\", \"ec2:D\"]\nresources = \"*\""],
    );
    silent(&(house.clone() + &ads));
    let finding = says(&(house + &ads + &automation), &["2 actions", "`*`"]);
    assert_eq!(
        (finding.code.as_str(), finding.severity),
        ("ads-star", Weight::Warn)
    );
}

#[test]
fn all_roles_are_seen_at_once() {
    let house = check(
        "role",
        "",
        "roles | map(attribute='description') | select('eq', role.description) | list | length == 1",
        "the description of {{ role.name }} must be unique",
    );
    let role = |name: &str, text: &str| {
        named(name, "").replace("targets", &format!("description = \"{text}\"\ntargets"))
    };
    silent(&format!("{house}{}{}", role("A", "x"), role("B", "y")));
    assert_eq!(
        found(&format!("{house}{}{}", role("A", "x"), role("B", "x"))).len(),
        2
    );
    // What depends on the account is judged account by account.
    let both = role("A", "{{ account.name }}") + &role("B", "{{ account.email }}");
    silent(&format!("{house}{both}"));
    assert!(expanded(&format!("{house}{both}")).findings.is_empty());
    let same = role("A", "{{ account.name }}") + &role("B", "{{ account.name }}");
    silent(&format!("{house}{same}"));
    assert_eq!(expanded(&format!("{house}{same}")).findings.len(), 6);
}

#[test]
fn what_a_role_shows() {
    let role = "
[[policy]]
name = \"P\"
[[policy.statement]]
actions = \"s3:Get*\"
resources = \"*\"
[[role]]
name = \"R\"
path = \"/x/\"
max_session_duration = \"2h\"
managed_policies = [\"aws:job-function/ViewOnlyAccess\", \"local:P\", \"arn:aws:iam::111111111111:policy/X\"]
permissions_boundary = \"local:P\"
tags = { team = \"a\" }
targets = \"all\"
[[role.inline_policy]]
name = \"I\"
[[role.inline_policy.statement]]
actions = \"s3:Get*\"
resources = \"*\"
[[role.trust]]
sid = \"S\"
aws = [\"111111111111\", \"arn:aws:iam::222222222222:role/X\"]
external_id = \"e-1\"
[[role.trust]]
service = \"ec2.amazonaws.com\"
";
    for assert in [
        "role.name == 'R' and role.path == '/x/' and role.max_session_duration == 7200 and role.description == ''",
        "role.managed_policies == ['arn:aws:iam::111111111111:policy/X', 'aws:job-function/ViewOnlyAccess', 'local:P']",
        "role.inline_policies == ['I'] and role.permissions_boundary == 'local:P' and role.tags.team == 'a'",
        "role.trust | map(attribute='sid') | list == ['S', '']",
        "role.trust[0].aws == ['arn:aws:iam::111111111111:root', 'arn:aws:iam::222222222222:role/X']",
        "role.trusted_accounts == ['111111111111', '222222222222'] and role.trust[0].accounts == role.trusted_accounts",
        "role.trust[0].external_id == 'e-1' and role.trust[1].external_id is none",
        "role.trust[0].conditions.StringEquals['sts:ExternalId'] == ['e-1']",
        "role.trust[0].actions == ['sts:AssumeRole'] and role.trust[0].effect == 'Allow'",
        "role.trust[1].service == ['ec2.amazonaws.com'] and role.trust[1].aws == [] and not role.external",
        "role.trust | map(attribute='external_id') | reject('none') | unique | list == ['e-1']",
        "role.file is endingwith 'rolecall.toml:8'",
    ] {
        let house = check("role", "", assert, "-");
        silent(&(format!("{role}{house}")));
        assert_eq!(
            found(&format!(
                "{role}{}",
                check("role", "", &format!("not ({assert})"), "-")
            ))
            .len(),
            1,
            "{assert}"
        );
    }
    for assert in [
        "policy.name == 'P' and policy.actions == ['s3:Get*'] and policy.statements[0].resources == ['*']",
        "policy.document.Statement[0].Action == 's3:Get*' and policy.path == '/' and policy.tags == {}",
    ] {
        silent(&(format!("{role}{}", check("policy", "", assert, "-"))));
        assert_eq!(
            found(&format!(
                "{role}{}",
                check("policy", "", &format!("not ({assert})"), "-")
            ))
            .len(),
            1
        );
    }
}

#[test]
fn checks_name_the_account_once_there_is_one() {
    let body = check(
        "role",
        "account.name != 'dev'",
        "role.name == 'X'",
        "{{ role.name }} in {{ account.name }}",
    ) + ROLE;
    silent(&body);
    let findings = expanded(&body).findings;
    let seen: Vec<(&str, &str)> = findings
        .iter()
        .map(|found| (found.address.as_deref().unwrap(), found.message.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ("000000000001/role/R", "R in management"),
            ("000000000002/role/R", "R in prod")
        ]
    );
    assert!(
        findings
            .iter()
            .all(|found| found.severity == Weight::Stop && found.code == "check")
    );
    let absent =
        check("role", "", "false", "no") + &ROLE.replace("targets", "ensure = \"absent\"\ntargets");
    silent(&absent);
    let hangs = check("role", "", "role.description == 'x'", "no")
        + &ROLE.replace(
            "targets",
            "description = \"{{ account.tags.env | default('x') }}\"\ntargets",
        );
    silent(&hangs);
    assert_eq!(expanded(&hangs).findings.len(), 2);
    let tags = accepted(&(check("role", "", "account.tags.env is defined", "-") + ROLE));
    assert_eq!(
        tags.tag_candidates(&organization(), &NarrowScope::default())
            .len(),
        4
    );
}

#[test]
fn wrong_checks_are_refused() {
    let house = |assert: &str| check("role", "", assert, "no") + ROLE;
    for (body, expect) in [
        (
            "[[check]]\n".to_owned(),
            &[
                "check has no `for`",
                "check has no `assert`",
                "check has no `message`",
            ][..],
        ),
        (
            check("rôle", "", "true", "x"),
            &["`for` cannot be `rôle`", "did you mean `role`?"],
        ),
        (
            house("role.nme == 'x'"),
            &[
                "`role.nme` is unknown",
                "did you mean `name`?",
                "rolecall.toml:4:",
            ],
        ),
        (house("policy.name == 'x'"), &["`policy` is unknown"]),
        (house("plan.summary.create == 0"), &["`plan` is unknown"]),
        (
            house("role.name"),
            &[
                "must evaluate to true or false",
                "the check at rolecall.toml:2",
            ],
        ),
        (
            house("role.name is matches('(')"),
            &["`(` is not a regular expression"],
        ),
        (house("1 +"), &["is not an expression"]),
        (house("var.x"), &["`x` is not a variable"]),
        (
            check("plan", "", "account.id == 'x'", "no"),
            &["`account` is unknown"],
        ),
        (
            format!("{}severity = \"error\"\n", check("role", "", "true", "x")),
            &["`severity` cannot be `error`"],
        ),
    ] {
        refused(&body, expect);
    }
}

#[test]
fn a_module_checks_what_is_its_own() {
    let kit = format!(
        "[vars]\nword = \"Kit\"\n{}{}",
        check("role", "", "var.word in role.name", "no {{ var.word }}"),
        named("Kit-1", "")
    );
    let main = |more: &str| {
        let main = format!(
            "name = \"root\"\n[[module]]\nsource = \"k\"\nvars.word = \"Kit\"\n{ROLE}{more}"
        );
        world(&[("rolecall.toml", &main), ("k/rolecall.toml", &kit)])
    };
    assert!(
        main("").load().unwrap().findings().is_empty(),
        "role `R` is the root's"
    );
    let own = main(&check("role", "", "'Kit' not in role.name", "root"));
    let findings = own.load().unwrap().findings().to_vec();
    assert!(
        findings.len() == 1 && findings[0].message.contains("role `Kit-1`"),
        "{findings:?}"
    );
    let mut wrong = main("");
    wrong.write("k/rolecall.toml", kit.replace("Kit-1", "Other"));
    let findings = wrong.load().unwrap().findings().to_vec();
    assert!(
        findings.len() == 1 && findings[0].message.starts_with("no Kit (role `Other` at "),
        "{findings:?}"
    );
}

#[test]
fn the_plan_is_checked() {
    let rules = check(
        "plan",
        "var.strict",
        "plan.summary.delete == 0",
        "{{ plan.summary.delete }} deletions",
    ) + &check(
        "plan",
        "",
        "plan.accounts | length < 2",
        "too many accounts",
    ) + &check("plan", "", "plan.nope.x == 1", "-");
    let config = accepted(&format!("[vars]\nstrict = true\n{rules}{ROLE}"));
    assert!(config.findings().is_empty());
    let plan = json!({"summary": {"delete": 2}, "accounts": [{}, {}]});
    let findings = config.plan_checks(|| plan, &organization());
    let texts: Vec<&str> = findings
        .iter()
        .map(|found| found.message.as_str())
        .collect();
    assert_eq!(texts[0], "2 deletions");
    assert!(texts[1].starts_with("cannot be evaluated: "), "{texts:?}");
    assert_eq!(texts[2], "too many accounts");
    assert!(
        accepted(ROLE)
            .plan_checks(|| panic!("nobody asks"), &organization())
            .is_empty()
    );
}

#[test]
fn lints_are_weighed() {
    let house = check("role", "", "false", "no") + "code = \"house\"\n";
    let weight = |severity: &str| found(&format!("[lints]\nhouse = \"{severity}\"\n{house}{ROLE}"));
    assert!(weight("off").is_empty());
    assert_eq!(weight("warn")[0].severity, Weight::Warn);
    assert_eq!(weight("stop")[0].severity, Weight::Stop);
    let config = accepted(
        "[lints]\nescalation = \"stop\"\nknown_accounts = { \"006742885340\" = \"Cortex\" }\n",
    );
    assert_eq!(config.lints().severities["escalation"], "stop");
    assert_eq!(
        config.lints().known_accounts[&AccountId::parse("006742885340").unwrap()],
        "Cortex"
    );
    for (body, expect) in [
        (
            "public-trusts = \"off\"",
            &[
                "`public-trusts` is not the code",
                "did you mean `public-trust`?",
            ][..],
        ),
        (
            "deletes = \"off\"",
            &["`deletes` is not the code", "--allow"],
        ),
        (
            "escalation = \"of\"",
            &[
                "must be \"off\", \"warn\" or \"stop\"",
                "did you mean `off`?",
            ],
        ),
        ("escalation = true", &["must be \"off\""]),
        (
            "known_accounts = [\"x\"]",
            &["`known_accounts` must be a table"],
        ),
        ("known_accounts = { 6742885340 = \"x\" }", &["12 digits"]),
        (
            "known_accounts = { \"006742885340\" = 1 }",
            &["must be a string"],
        ),
    ] {
        refused(&format!("[lints]\n{body}\n"), expect);
    }
}

#[test]
fn without_takes_actions_away() {
    let body = |without: &str, statements: &[&str]| {
        policy("P", statements).replace("targets", &format!("without = {without}\ntargets"))
    };
    let (mixed, only) = (
        "actions = [\"s3:GetObject\", \"ec2:Run*\"]\nresources = \"*\"",
        "actions = \"S3:List*\"\nresources = \"*\"",
    );
    let deny = "effect = \"Deny\"\nactions = \"s3:Put*\"\nresources = \"*\"";
    let left = |without: &str, statements: &[&str]| {
        let config = accepted(&body(without, statements));
        let policy = config.stand_in().policies["p"].document.text().to_owned();
        (
            policy,
            config
                .warnings()
                .iter()
                .map(|warning| warning.message.clone())
                .collect::<Vec<_>>(),
        )
    };
    let (text, warnings) = left("[\"s3:*\"]", &[mixed, only, deny]);
    assert!(
        text.contains("ec2:Run*")
            && !text.contains("Get")
            && !text.contains("List")
            && text.contains("s3:Put*"),
        "{text}"
    );
    assert!(warnings.is_empty(), "{warnings:?}");
    let (text, _) = left("\"s3:getobject\"", &[mixed]);
    assert!(text.contains("\"Action\":[\"ec2:Run*\"]"), "{text}");
    let (text, warnings) = left("[\"sqs:*\", \"ec2:RunInstances\"]", &[mixed]);
    assert!(text.contains("ec2:Run*"), "{text}");
    assert!(
        warnings[0].contains("`sqs:*`, which matches no action") && warnings.len() == 2,
        "{warnings:?}"
    );
    let (_, warnings) = left(
        "[\"s3:*\"]",
        &[mixed, "not_actions = \"iam:*\"\nresources = \"*\""],
    );
    assert!(warnings[0].contains("NotAction"), "{warnings:?}");
    refused(
        &body("[\"s3:*\", \"EC2:*\"]", &[mixed, only]),
        &["policy `P`", "no statement", "rolecall.toml:4:"],
    );
    let switched = format!(
        "[vars]\ns3 = true\n{}",
        body("[\"{{ [] if var.s3 else ['s3:*'] }}\"]", &[mixed, only])
    );
    accepted(&switched);
    accepted(&body("[]", &[mixed]));
}

#[test]
fn a_policy_that_is_left_out_cannot_be_attached() {
    let body = |when: &str, attached: &str| {
        let role = ROLE.replace(
            "targets",
            &format!("managed_policies = [{attached}]\ntargets"),
        );
        let policy = policy("P", &["actions = \"s3:*\"\nresources = \"*\""])
            .replace("targets = \"all\"", &format!("when = \"{when}\""));
        format!("[vars]\non = false\n{role}{policy}")
    };
    refused(
        &body("var.on", "\"local:p\""),
        &[
            "policy `P`",
            "its `when` is false",
            "role `R` at rolecall.toml:5",
        ],
    );
    accepted(&body("not var.on", "\"local:P\""));
    accepted(&body(
        "var.on",
        "{ policy = \"local:P\", when = \"var.on\" }",
    ));
    let per_account = body("account.name == 'prod'", "\"local:P\"");
    not_expanded(
        &per_account,
        &[
            "policy `P`",
            "role `R`",
            "(in accounts 000000000001, 000000000003)",
        ],
    );
    expanded(&body(
        "account.name == 'prod'",
        "{ policy = \"local:P\", when = \"account.name == 'prod'\" }",
    ));
    let boundary = body("var.on", "").replace(
        "managed_policies = []",
        "permissions_boundary = \"local:P\"",
    );
    refused(&boundary, &["policy `P`", "role `R`"]);
}

#[test]
fn a_when_leaves_out_what_it_stands_in() {
    let body = "
[vars]
on = false
[[role]]
name = \"Off\"
when = \"var.on\"
targets = \"all\"
[[role.trust]]
aws = \"{{ var.nothing }}\"
[[role]]
name = \"On\"
targets = \"all\"
managed_policies = [{ policy = \"aws:A\", when = \"var.on\" }, { policy = \"aws:B\", when = \"not var.on\" }]
[[role.trust]]
aws = \"111111111111\"
[[role.trust]]
when = \"var.on\"
aws = \"222222222222\"
[[role.inline_policy]]
name = \"off\"
when = \"var.on\"
[[role.inline_policy.statement]]
actions = \"s3:*\"
resources = \"*\"
[[role.inline_policy]]
name = \"on\"
[[role.inline_policy.statement]]
actions = \"s3:*\"
resources = \"*\"
[[role.inline_policy.statement]]
when = \"var.on\"
actions = \"ec2:*\"
resources = \"*\"
[[role.expect]]
when = \"var.on\"
allow = \"ec2:X on *\"
"
    .replace("on = false\n", "on = false\nnothing = { type = \"string\" }\n");
    let config = accepted(&body);
    let role = &config.stand_in().roles["on"];
    assert!(!config.stand_in().roles.contains_key("off"));
    assert_eq!(role.managed_policies.as_ref().unwrap().len(), 1);
    assert!(!role.trust.text().contains("222222222222") && role.expect.is_empty());
    let inline: Vec<&str> = role
        .inline_policies
        .iter()
        .flatten()
        .map(|(_, document)| document.text())
        .collect();
    assert!(
        inline.len() == 1 && !inline[0].contains("ec2"),
        "{inline:?}"
    );
}

#[test]
fn what_is_missing_under_a_condition_of_the_account_is_asked_for_there() {
    let body = "[vars]\nbucket = { type = \"string\" }\n".to_owned()
        + &policy(
            "P",
            &[
                "actions = \"s3:*\"\nresources = \"*\"",
                "when = \"account.name == 'prod'\"\nactions = \"s3:*\"\nresources = \"arn:aws:s3:::{{ var.bucket }}\"",
            ],
        );
    not_expanded(
        &body,
        &[
            "variable `bucket` is required and has no value",
            "(in account 000000000002)",
        ],
    );
}

#[test]
fn a_condition_without_a_value_is_the_only_news() {
    let body = format!("[vars]\non = {{ type = \"bool\" }}\n{ROLE}when = \"var.on\"\n");
    let problems = main_file(&body).load().unwrap_err();
    let said: Vec<&str> = problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    assert!(
        said.len() == 1 && said[0].contains("variable `on` is required and has no value"),
        "{said:?}"
    );
}

#[test]
fn expectations_are_read() {
    let role = |text: &str| format!("{ROLE}[[role.expect]]\n{text}\n");
    let config = accepted(&format!(
        "[vars]\nbucket = \"b\"\n{}",
        role(
            "allow = [\"s3:GetObject on arn:aws:s3:::{{ var.bucket }}/*\"]\ndeny = \"s3:PutObject on *\"\ncontext = { \"aws:SecureTransport\" = true, \"aws:TagKeys\" = [\"a\", \"b\"] }"
        )
    ));
    let expect = &config.stand_in().roles["r"].expect[0];
    assert_eq!(
        expect.allow,
        [("s3:GetObject".to_owned(), "arn:aws:s3:::b/*".to_owned())]
    );
    assert_eq!(expect.deny, [("s3:PutObject".to_owned(), "*".to_owned())]);
    assert_eq!(expect.context["aws:SecureTransport"], ["true"]);
    assert_eq!(expect.context["aws:TagKeys"], ["a", "b"]);
    accepted(&role("allow = \"kms:ReEncrypt* on *\""));
    refused(
        &role("deny = \"kms:ReEncrypt* on *\""),
        &["role `R` cannot expect `kms:ReEncrypt* on *`", "one action"],
    );
    for text in [
        "s3:GetObject",
        "s*:Get on *",
        "GetObject on *",
        "s3:GetObject on bucket",
        "s3: on *",
    ] {
        refused(
            &role(&format!("allow = \"{text}\"")),
            &[
                "role `R` cannot expect",
                text,
                "s3:GetObject on arn:aws:s3:::",
            ],
        );
    }
    refused(&role(""), &["neither `allow` nor `deny`"]);
    refused(&role("alow = \"x\""), &["did you mean `allow`?"]);
}
