//! The table by its own rules.

use super::table::ISSUERS;
use super::*;
use crate::resource::policy::{PolicyDocument, PolicyKind};

#[test]
fn an_issuer_is_known_by_its_url() {
    for (url, name) in [
        ("token.actions.githubusercontent.com", "GitHub Actions"),
        ("Token.Actions.GitHubUserContent.com/acme", "GitHub Actions"),
        ("token.actions.acme.ghe.com", "GitHub Actions"),
        ("oidc.eks.us-east-1.amazonaws.com/id/AB12", "Amazon EKS"),
        ("oidc.eks.cn-north-1.amazonaws.com.cn/id/AB12", "Amazon EKS"),
        (
            "sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d/",
            "Microsoft Sentinel",
        ),
        (
            "sts.windows.net/11111111-2222-3333-4444-555555555555/",
            "Microsoft Entra ID",
        ),
        ("gitlab.com", "GitLab"),
        ("gitlab.example.com", ""),
        ("evil-token.actions.githubusercontent.com", ""),
    ] {
        assert_eq!(issuer(url).name, name, "{url}");
    }
}

#[test]
fn every_entry_pins_its_customers_by_a_claim_that_says_who_it_is() {
    for issuer in ISSUERS {
        assert_eq!(issuer.says(issuer.tenancy), Says::Who, "{}", issuer.name);
        for claim in issuer.demanded() {
            assert_eq!(issuer.says(claim), Says::Who, "{} {claim}", issuer.name);
        }
        assert!(!issuer.urls.is_empty() && !issuer.name.is_empty());
    }
}

#[test]
fn what_iam_reads_depends_on_issuer_and_partition() {
    let (aws, gov) = (Partition::default(), Partition("aws-us-gov".to_owned()));
    let github = issuer("token.actions.githubusercontent.com");
    for (claim, here, there) in [
        ("sub", Read::Yes, Read::Yes),
        ("AUD", Read::Yes, Read::Yes),
        ("repository_id", Read::Yes, Read::Unsure),
        ("repository_owner_id", Read::Unsure, Read::Unsure),
        ("enterprise", Read::No, Read::No),
    ] {
        assert_eq!(
            (github.reads(claim, &aws), github.reads(claim, &gov)),
            (here, there),
            "{claim}"
        );
    }
    assert_eq!(
        issuer("issuer.example.com").reads("groups", &aws),
        Read::Unsure
    );
}

/// Case 9: each shared issuer by its own claim, judged on the document that is written.
#[test]
fn case_9_iam_demands_the_claim_of_each_shared_issuer() {
    let missing = |url: &str, conditions: &str| {
        let provider = match url {
            "cognito-identity.amazonaws.com" => url.to_owned(),
            url => format!("arn:aws:iam::111111111111:oidc-provider/{url}"),
        };
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Federated":"{provider}"}},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{{{conditions}}}}}]}}"#
        );
        let trust = PolicyDocument::live(&text, PolicyKind::Trust, &Partition::default());
        demand::missing(&trust)
            .iter()
            .flat_map(Missing::keys)
            .collect::<Vec<_>>()
    };
    let like = |key: &str, value: &str| format!(r#""StringLike":{{"{key}":"{value}"}}"#);
    for (url, claim) in [
        ("token.actions.githubusercontent.com", "sub"),
        ("token.actions.githubusercontent.com", "job_workflow_ref"),
        ("token.actions.githubusercontent.com/acme", "sub"),
        ("vstoken.actions.githubusercontent.com", "sub"),
        ("oidc-configuration.audit-log.githubusercontent.com", "sub"),
        ("gitlab.com", "sub"),
        ("agent.buildkite.com", "sub"),
        ("app.terraform.io", "sub"),
        ("oidc.codefresh.io", "sub"),
        ("studio.datachain.ai/api", "sub"),
        ("scalr.io", "sub"),
        ("tokens.cloud.shisho.dev", "sub"),
        ("proidc.upbound.io", "sub"),
        (
            "oidc.op1.openshiftapps.com/2c51blsaqa9gkjt0o9rt11mle8mmropu",
            "sub",
        ),
        ("api.pulumi.com/oidc", "aud"),
        ("oidc.vercel.com", "aud"),
        ("sandboxes.cloud", "aud"),
        ("cognito-identity.amazonaws.com", "aud"),
    ] {
        let key = format!("{url}:{claim}");
        assert!(!missing(url, "").is_empty(), "{url}");
        assert!(!missing(url, &like(&key, "*")).is_empty(), "{url}");
        assert!(
            missing(url, &like(&key.to_uppercase(), "x*")).is_empty(),
            "{url} {claim}"
        );
        let other = if claim == "aud" { "sub" } else { "aud" };
        assert!(
            !missing(url, &like(&format!("{url}:{other}"), "x")).is_empty(),
            "{url}"
        );
    }
    let sentinel = "sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d";
    assert_eq!(missing(sentinel, ""), ["sts:RoleSessionName"]);
    assert!(
        missing(
            sentinel,
            &like("sts:RoleSessionName", "MicrosoftSentinel_1")
        )
        .is_empty()
    );
    assert_eq!(
        missing("token.actions.githubusercontent.com", ""),
        [
            "token.actions.githubusercontent.com:sub",
            "token.actions.githubusercontent.com:job_workflow_ref"
        ]
    );
    for private in [
        "oidc.eks.us-east-1.amazonaws.com/id/AB12",
        "token.actions.acme.ghe.com",
        "issuer.example.com",
        "oidc.circleci.com/org/a",
    ] {
        assert!(missing(private, "").is_empty(), "{private}");
    }
}
