//! Roles whose live trust is, or is not, as desired.

use super::super::others::strangers;
use super::super::testing::{Bench, trust};
use super::*;
use crate::org::Partition;
use crate::resource::policy::PolicyKind;
use crate::resource::role::Mode;
use Outcome::{Failed, NotProvable, Proven};

const B: &str = r#""AWS":"222222222222""#;
const OUTPOST: &str = r#""AWS":"arn:aws:iam::650000000001:role/outpost_role""#;
const ID: &str = r#""StringEquals":{"sts:ExternalId":"right-id"}"#;
const FEDERATED: &str =
    r#""Federated":"arn:aws:iam::111111111111:oidc-provider/token.example.com""#;

/// The outcomes of all probes of a role whose trust is as desired, in order.
#[track_caller]
fn outcomes(desired: &str, live: &str) -> Vec<(Probe, Outcome)> {
    let bench = Bench::new(desired, live);
    check(bench.setting(), bench.subject())
        .into_iter()
        .map(|check| (check.probe, check.outcome))
        .collect()
}

#[test]
fn a_trust_that_is_as_desired_is_proven_from_both_sides() {
    use Probe::{Allowed, Condition, NoExternalId, NoMfa, NobodyElse, WrongExternalId};
    let mfa = r#""Bool":{"aws:MultiFactorAuthPresent":"true"}"#;
    let session = r#""StringEquals":{"sts:RoleSessionName":"log-reader"}"#;
    let audience = r#""StringEquals":{"token.example.com:aud":"sts.amazonaws.com"}"#;
    let org = r#""StringEquals":{"aws:PrincipalOrgID":"o-test"}"#;
    let source = r#""StringEquals":{"aws:SourceAccount":"222222222222"}"#;
    for (principal, condition, expect) in [
        (B, "", vec![Allowed]),
        (OUTPOST, ID, vec![Allowed, NoExternalId, WrongExternalId]),
        (B, mfa, vec![Allowed, NoMfa, NoMfa]),
        (B, session, vec![Allowed, Condition]),
        (FEDERATED, audience, vec![Allowed, Condition]),
        (r#""AWS":"*""#, org, vec![Allowed, Condition]),
        (
            r#""Service":"ec2.amazonaws.com""#,
            source,
            vec![Allowed, Condition],
        ),
    ] {
        let document = trust(principal, condition);
        let mut expect: Vec<(Probe, Outcome)> =
            expect.into_iter().map(|probe| (probe, Proven)).collect();
        expect.push((NobodyElse, Proven));
        assert_eq!(outcomes(&document, &document), expect, "{document}");
    }
}

#[test]
fn what_is_not_as_desired_fails_the_probe_it_is_about() {
    let two = |a: &str, b: &str| trust(&format!(r#""AWS":[{a},{b}]"#), "");
    let like = |value: &str| format!(r#""StringLike":{{"sts:ExternalId":"{value}"}}"#);
    for (desired, live, expect) in [
        (
            trust(OUTPOST, ID),
            trust(OUTPOST, ""),
            vec![Probe::NoExternalId, Probe::WrongExternalId],
        ),
        (
            trust(OUTPOST, ID),
            trust(OUTPOST, &ID.replace("right", "drifted")),
            vec![Probe::Allowed],
        ),
        (
            trust(OUTPOST, ID),
            trust(OUTPOST, &like("*")),
            vec![Probe::WrongExternalId],
        ),
        (
            trust(OUTPOST, &like("*")),
            trust(OUTPOST, &like("*")),
            vec![Probe::WrongExternalId],
        ),
        (
            trust(B, ""),
            two("\"222222222222\"", "\"333333333333\""),
            vec![Probe::NobodyElse],
        ),
        (
            trust(B, ""),
            trust(r#""AWS":"*""#, ""),
            vec![Probe::NobodyElse],
        ),
        (
            trust(B, ""),
            trust(r#""AWS":"333333333333""#, ""),
            vec![Probe::Allowed, Probe::NobodyElse],
        ),
        (
            trust(B, ""),
            trust(r#""AWS":"AROAABCDEFGHIJKLMNOPQ""#, ""),
            vec![Probe::Allowed],
        ),
    ] {
        let failed: Vec<Probe> = outcomes(&desired, &live)
            .into_iter()
            .filter(|(_, outcome)| *outcome != Proven)
            .map(|(probe, _)| probe)
            .collect();
        assert_eq!(failed, expect, "{live}");
    }
}

#[test]
fn what_hangs_on_an_unknown_key_is_not_provable() {
    let document = trust(B, r#""NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}"#);
    let bench = Bench::new(&document, &document);
    let checks = check(bench.setting(), bench.subject());
    assert_eq!(checks[0].outcome, NotProvable);
    assert!(
        checks[0].message.contains("depends on `aws:SourceIp`"),
        "{}",
        checks[0].message
    );
    assert_eq!(
        outcomes(&trust(B, ""), "not json")[0],
        (Probe::Allowed, NotProvable)
    );
}

#[test]
fn strangers_of_an_additive_trust_are_told_and_fail_nothing() {
    let (desired, live) = (
        trust(B, ""),
        trust(r#""AWS":["222222222222","333333333333"]"#, ""),
    );
    let mut bench = Bench::new(&desired, &live);
    bench.desired.manage.trust = Mode::Additive;
    let last = check(bench.setting(), bench.subject()).pop().unwrap();
    assert_eq!((last.probe, last.outcome), (Probe::NobodyElse, NotProvable));
    assert!(last.message.contains("333333333333"), "{}", last.message);
}

#[test]
fn of_many_accounts_those_are_tried_that_differ() {
    let org = |id: &str| format!(r#""StringEquals":{{"aws:PrincipalOrgID":"{id}"}}"#);
    let everybody = r#""AWS":"*""#;
    let account = r#""StringEquals":{"aws:PrincipalAccount":"222222222222"}"#;
    for (desired, live, expect) in [
        (trust(B, ""), trust(B, ""), 1),
        (
            trust(everybody, &org("o-test")),
            trust(everybody, &org("o-test")),
            2,
        ),
        (trust(B, ""), trust(everybody, &org("o-test")), 2),
        (trust(everybody, account), trust(everybody, account), 5),
    ] {
        let bench = Bench::new(&desired, &live);
        assert_eq!(
            strangers(bench.setting(), bench.subject()).len(),
            expect,
            "{live}"
        );
    }
    assert_eq!(
        outcomes(&trust(everybody, account), &trust(everybody, "")).pop(),
        Some((Probe::NobodyElse, Failed))
    );
    let paths = r#""ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-test/r-root/ou-a/*"}"#;
    let mut bench = Bench::new(&trust(everybody, paths), &trust(everybody, &org("o-test")));
    let inside = bench
        .organization
        .accounts
        .values_mut()
        .skip(2)
        .map(|account| account.parents.push("ou-a".to_owned()));
    assert_eq!(inside.count(), 2);
    let last = check(bench.setting(), bench.subject()).pop().unwrap();
    assert_eq!(last.outcome, Failed);
    assert!(
        last.message.contains("111111111111") && !last.message.contains("444444444444"),
        "{}",
        last.message
    );
}

#[test]
fn whom_other_roles_trust_is_a_stranger_here() {
    let mut bench = Bench::new(
        &trust(B, ""),
        &trust(
            r#""AWS":["222222222222","arn:aws:iam::650000000001:role/outpost_role"]"#,
            "",
        ),
    );
    bench.principals.insert((
        "AWS".to_owned(),
        "arn:aws:iam::650000000001:role/outpost_role".to_owned(),
    ));
    let last = check(bench.setting(), bench.subject()).pop().unwrap();
    assert_eq!(last.outcome, Failed);
    assert!(
        last.message
            .contains("outpost_role` is allowed by the live trust"),
        "{}",
        last.message
    );
}

/// A trust policy of some statements.
fn statements(statements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
}

fn in_provider(provider: &str, condition: &str) -> String {
    trust(
        &format!(r#""Federated":"arn:aws:iam::111111111111:oidc-provider/{provider}""#),
        condition,
    )
}

/// The checks of a role whose live trust is as desired.
fn checks(document: &str) -> Vec<Check> {
    let bench = Bench::new(document, document);
    check(bench.setting(), bench.subject())
}

#[track_caller]
fn assert_others(document: &str, expect: Outcome, words: &str) {
    let last = checks(document).pop().unwrap();
    assert_eq!(
        (last.probe, last.outcome),
        (Probe::NobodyElse, expect),
        "{document}: {last:?}"
    );
    assert!(last.message.contains(words), "{last:?}");
}

#[track_caller]
fn assert_way(document: &str, expect: Outcome, words: &str) {
    let first = checks(document).remove(0);
    assert_eq!(
        (first.probe, first.outcome),
        (Probe::Allowed, expect),
        "{document}: {first:?}"
    );
    assert!(first.message.contains(words), "{first:?}");
}

/// Case S1: no proof where an outsider may lack the key.
#[test]
fn case_s1_an_outsider_that_lacks_the_key_disproves_it() {
    let anyone = r#""AWS":"*""#;
    for condition in [
        r#""StringEqualsIfExists":{"aws:PrincipalOrgID":"o-test"}"#,
        r#""ForAllValues:StringEquals":{"aws:PrincipalOrgID":"o-test"}"#,
        r#""Null":{"aws:PrincipalOrgID":"true"}"#,
        r#""StringEqualsIfExists":{"aws:SourceVpc":"vpc-1"}"#,
        r#""StringEqualsIfExists":{"aws:SourceVpce":"vpce-1"}"#,
        r#""ForAllValues:StringLike":{"aws:PrincipalOrgPaths":"o-test/*"}"#,
        r#""IpAddressIfExists":{"aws:SourceIp":"203.0.113.0/24"}"#,
        r#""IpAddress":{"aws:SourceIp":"2000::/3"}"#,
        r#""StringNotEquals":{"aws:PrincipalOrgID":"o-other"}"#,
        r#""StringEquals":{"aws:PrincipalTag/team":"x"}"#,
        r#""StringEquals":{"sts:ExternalId":"id-1"}"#,
    ] {
        assert_others(&trust(anyone, condition), Failed, "accounts outside");
    }
    let new = r#""StringEquals":{"aws:SomethingNew":"x"}"#;
    assert_others(&trust(anyone, new), NotProvable, "cannot determine");
    for condition in [
        r#""StringEquals":{"aws:PrincipalOrgID":"o-test"}"#,
        r#""ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-test/*"}"#,
        r#""IpAddress":{"aws:SourceIp":"203.0.113.0/24"}"#,
        r#""StringEquals":{"aws:PrincipalOrgID":"o-test","aws:SomethingNew":"x"}"#,
        r#""StringEquals":{"aws:PrincipalAccount":"222222222222"}"#,
    ] {
        assert_others(&trust(anyone, condition), Proven, "");
    }
}

#[test]
fn a_live_trust_that_is_met_without_the_key_fails_where_the_desired_is_not() {
    let condition = r#""StringEquals":{"aws:SourceVpc":"vpc-1"}"#;
    let loose = condition.replace("StringEquals", "StringEqualsIfExists");
    let bench = Bench::new(&trust(B, condition), &trust(B, &loose));
    let found = check(bench.setting(), bench.subject());
    assert!(
        found
            .iter()
            .any(|check| check.outcome == Failed
                && check.message.contains("without `aws:SourceVpc`")),
        "{found:?}"
    );
}

/// Cases 1 and 3: a claim that IAM does not read, or a key of another provider, lets no token in.
#[test]
fn case_3_a_key_that_no_token_has_fails() {
    let sub =
        |key: &str| format!(r#""StringEquals":{{"{key}":"repo:acme/api:ref:refs/heads/main"}}"#);
    let enterprise = "token.actions.githubusercontent.com/acme";
    assert_way(
        &in_provider(enterprise, &sub("token.actions.githubusercontent.com:sub")),
        Failed,
        "a key of another provider",
    );
    assert_way(
        &in_provider(
            enterprise,
            &sub("token.actions.githubusercontent.com/acme:sub"),
        ),
        Proven,
        "",
    );
    let github = "token.actions.githubusercontent.com";
    let claim = |claim: &str| {
        in_provider(
            github,
            &format!(r#""StringEquals":{{"{github}:{claim}":"7"}}"#),
        )
    };
    assert_way(
        &claim("enterprise"),
        Failed,
        "does not read the claim `enterprise`",
    );
    assert_way(&claim("repository_id"), Proven, "");
    assert_way(&claim("repository_owner_id"), NotProvable, "");
    assert_others(&claim("repository_id"), Proven, "");
    assert_way(
        &in_provider(
            "issuer.example.com",
            r#""StringEquals":{"issuer.example.com:groups":"x"}"#,
        ),
        NotProvable,
        "",
    );
    assert_way(
        &trust(
            r#""Service":"ec2.amazonaws.com""#,
            &sub("token.actions.githubusercontent.com:sub"),
        ),
        Failed,
        "never have",
    );
}

#[test]
fn case_1_other_customers_of_a_shared_issuer_disprove_it() {
    let github = "token.actions.githubusercontent.com";
    let like = |value: &str, more: &str| {
        in_provider(
            github,
            &format!(r#""StringLike":{{"{github}:sub":"{value}"{more}}}"#),
        )
    };
    let environment = format!(r#","{github}:environment":"prod""#);
    let id = format!(r#","{github}:repository_id":"456""#);
    assert_others(&like("repo:*", ""), Failed, "others with a token of");
    assert_others(
        &like("repo:*", &environment),
        Failed,
        "others with a token of",
    );
    assert_others(&like("repo:acme*", ""), Failed, "others with a token of");
    assert_others(&like("repo:*", &id), Proven, "");
    assert_others(&like("repo:acme/*", ""), Proven, "");
    assert_others(&in_provider(&format!("{github}/acme"), ""), Proven, "");
    assert_others(
        &trust(
            r#""Federated":"accounts.google.com""#,
            r#""StringEquals":{"accounts.google.com:oaud":"x"}"#,
        ),
        Failed,
        "others",
    );
}

/// Case 7: a `*` under `StringEquals` is a character that no value has, and conditions must hold together.
#[test]
fn case_7_a_wildcard_that_is_none_is_no_proof() {
    let github = "token.actions.githubusercontent.com";
    assert_way(
        &in_provider(
            github,
            &format!(r#""StringEquals":{{"{github}:sub":"repo:acme/*"}}"#),
        ),
        Failed,
        "does not support wildcards",
    );
    assert_way(
        &in_provider(
            github,
            &format!(
                r#""StringEquals":{{"{github}:sub":"repo:acme/a:ref:x"}},"StringLike":{{"{github}:sub":"repo:acme/b:*"}}"#
            ),
        ),
        Failed,
        "passes all conditions",
    );
    assert_way(
        &trust(
            B,
            r#""StringEquals":{"aws:PrincipalArn":"arn:aws:iam::222222222222:role/ops-*"}"#,
        ),
        Failed,
        "does not support wildcards",
    );
    assert_way(
        &trust(
            B,
            r#""ArnLike":{"aws:PrincipalArn":"arn:aws:iam::222222222222:role/ops-*"}"#,
        ),
        Proven,
        "",
    );
}

/// Case 12: a trust that its own Deny closes fails, and the statement is named.
#[test]
fn case_12_a_trust_closed_by_its_own_denial_fails_with_the_statement() {
    let saml = "arn:aws:iam::111111111111:saml-provider/idp";
    let allow = format!(
        r#"{{"Effect":"Allow","Principal":{{"Federated":"{saml}"}},"Action":"sts:AssumeRoleWithSAML","Condition":{{"StringEquals":{{"SAML:aud":"https://signin.aws.amazon.com/saml"}}}}}}"#
    );
    let deny = r#"{"Sid":"OrgOnly","Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:*","Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-test"},"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}}"#;
    assert_way(
        &statements(&format!("{allow},{deny}")),
        Failed,
        "statement 2 (`OrgOnly`) denies it",
    );
    assert_way(&statements(&allow), Proven, "");
    let members = trust(B, "").replace("]}", &format!(",{deny}]}}"));
    assert_way(&members, Proven, "");
}

/// Case 15: what the role is in is known.
#[test]
fn case_15_variables_of_the_resource_stand_for_what_is_known() {
    let service = r#""Service":"cloudtrail.amazonaws.com""#;
    for (key, variable) in [
        ("aws:SourceOrgID", "${aws:ResourceOrgID}"),
        ("aws:SourceOrgId", "${aws:resourceorgid}"),
        ("aws:SourceAccount", "${aws:ResourceAccount}"),
        ("aws:SourceOrgPaths", "${aws:ResourceOrgPaths}"),
    ] {
        let document = trust(
            service,
            &format!(r#""StringEquals":{{"{key}":"{variable}"}}"#),
        );
        assert_way(&document, Proven, "");
        assert_others(&document, Proven, "");
    }
    assert_way(
        &trust(
            r#""Service":"pods.eks.amazonaws.com""#,
            r#""ArnLike":{"aws:SourceArn":"arn:aws:eks:*:111111111111:podidentityassociation/*"}"#,
        ),
        Failed,
        "never have `aws:SourceArn`",
    );
}

/// Case 45: each external id and each subject is tried.
#[test]
fn case_45_each_value_of_a_list_is_tried() {
    let ids = |values: &str| {
        trust(
            OUTPOST,
            &format!(r#""StringEquals":{{"sts:ExternalId":[{values}]}}"#),
        )
    };
    let both = ids(r#""a-1","b-2""#);
    for live in [ids(r#""a-1""#), ids(r#""b-2""#)] {
        let failed: Vec<Check> = {
            let bench = Bench::new(&both, &live);
            check(bench.setting(), bench.subject())
        };
        let failed: Vec<&Check> = failed
            .iter()
            .filter(|check| check.outcome != Proven)
            .collect();
        assert!(
            !failed.is_empty() && failed.iter().all(|check| check.probe == Probe::Allowed),
            "{live}: {failed:?}"
        );
    }
    assert!(checks(&both).iter().all(|check| check.outcome == Proven));
    let github = "token.actions.githubusercontent.com";
    let subjects = |values: &str| {
        in_provider(
            github,
            &format!(r#""StringEquals":{{"{github}:sub":[{values}]}}"#),
        )
    };
    let bench = Bench::new(
        &subjects(r#""repo:a/b:ref:x","repo:a/c:ref:x""#),
        &subjects(r#""repo:a/b:ref:x""#),
    );
    let found = check(bench.setting(), bench.subject());
    assert!(
        found
            .iter()
            .any(|check| check.outcome == Failed && check.message.contains("repo:a/c:ref:x")),
        "{found:?}"
    );
}

#[test]
fn a_principal_without_its_action_fails() {
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111111111111:oidc-provider/issuer.example.com"},"Action":"sts:AssumeRole"}]}"#;
    let live = PolicyDocument::live(document, PolicyKind::Trust, &Partition::default());
    assert!(live.is_understood());
    assert_way(document, Failed, "`sts:AssumeRoleWithWebIdentity`");
}
