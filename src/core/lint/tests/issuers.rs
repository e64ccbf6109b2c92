//! Trusts in each issuer of the table: an open, a narrow and a dead one.

use super::*;

fn provider(url: &str) -> String {
    if [
        "accounts.google.com",
        "cognito-identity.amazonaws.com",
        "www.amazon.com",
        "graph.facebook.com",
    ]
    .contains(&url)
    {
        return url.to_owned();
    }
    format!("arn:aws:iam::111111111111:oidc-provider/{url}")
}

/// A trust in an issuer whose conditions are `operator claim value`, a claim behind the issuer's key.
fn trusting(url: &str, conditions: &[(&str, &str, &str)]) -> Value {
    let mut blocks = serde_json::Map::new();
    for (operator, claim, value) in conditions {
        let key = if claim.contains(':') && !claim.starts_with("oidc.circleci") {
            (*claim).to_owned()
        } else {
            format!("{url}:{claim}")
        };
        let block = blocks
            .entry((*operator).to_owned())
            .or_insert_with(|| json!({}));
        block[key] = json!(value);
    }
    federated(&provider(url), &Value::Object(blocks))
}

#[track_caller]
fn says(code: &str, url: &str, conditions: &[(&str, &str, &str)], expect: bool) {
    let found = of(code, role("X", &trusting(url, conditions)));
    assert_eq!(
        found.is_some(),
        expect,
        "{code} {url} {conditions:?}: {found:?}"
    );
}

const EQUALS: &str = "StringEquals";
const LIKE: &str = "StringLike";

#[test]
fn each_issuer_has_an_open_a_narrow_and_a_dead_trust() {
    // Issuer, claim that an open trust asks for and its value, narrow claim and value.
    let rows = [
        (
            "token.actions.githubusercontent.com",
            ("sub", "repo:*"),
            ("sub", "repo:acme/api:ref:refs/heads/main"),
        ),
        (
            "token.actions.githubusercontent.com/acme",
            ("sub", "repo:*"),
            ("sub", "repo:acme/api:environment:prod"),
        ),
        (
            "token.actions.acme.ghe.com",
            ("sub", "repo:acme/*"),
            ("sub", "repo:acme@1/api@2:ref:refs/heads/main"),
        ),
        (
            "git.example.com/_services/token",
            ("sub", "environment:prod"),
            ("sub", "repo:acme/api:ref:refs/heads/main"),
        ),
        (
            "oidc-configuration.audit-log.githubusercontent.com",
            ("sub", "https://github.com/*"),
            ("sub", "https://github.com/acme"),
        ),
        (
            "gitlab.com",
            ("sub", "project_path:acme*"),
            ("sub", "project_path:acme/api:ref_type:branch:ref:main"),
        ),
        (
            "api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc",
            ("aud", "ari:cloud:bitbucket::workspace/1"),
            ("sub", "{11111111-2222-3333-4444-555555555555}:*"),
        ),
        (
            "oidc.circleci.com/org/aaaa",
            ("sub", "org/aaaa/*"),
            ("sub", "org/aaaa/project/bbbb/user/*"),
        ),
        (
            "agent.buildkite.com",
            ("sub", "organization:*:pipeline:api:*"),
            (
                "sub",
                "organization:acme:pipeline:api:ref:refs/heads/main:*",
            ),
        ),
        (
            "app.terraform.io",
            ("sub", "organization:ac*"),
            ("sub", "organization:acme:project:p:workspace:w:run_phase:*"),
        ),
        ("api.pulumi.com/oidc", ("aud", "*"), ("aud", "aws:acme")),
        (
            "oidc.vercel.com",
            ("aud", "https://vercel.com/*"),
            ("aud", "https://vercel.com/acme"),
        ),
        (
            "oidc.vercel.com/acme",
            ("aud", "https://vercel.com/acme"),
            ("sub", "owner:acme:project:web:environment:production"),
        ),
        (
            "oidc.eks.eu-west-1.amazonaws.com/id/ABCDEF",
            ("sub", "system:serviceaccount:*"),
            ("sub", "system:serviceaccount:ns:name"),
        ),
        (
            "accounts.google.com",
            ("oaud", "acme-xsiam"),
            ("sub", "104512345678901234567"),
        ),
        (
            "cognito-identity.amazonaws.com",
            ("amr", "authenticated"),
            ("aud", "eu-west-1:11111111-2222-3333-4444-555555555555"),
        ),
        (
            "www.amazon.com",
            ("app_id", "*"),
            ("app_id", "amzn1.application.x"),
        ),
        ("graph.facebook.com", ("app_id", "*"), ("app_id", "123456")),
        (
            "sts.windows.net/11111111-2222-3333-4444-555555555555",
            ("aud", "api://acme"),
            ("sub", "66666666-7777-8888-9999-000000000000"),
        ),
        (
            "login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
            ("aud", "api://acme"),
            ("sub", "66666666-7777-8888-9999-000000000000"),
        ),
        (
            "sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d",
            ("aud", "api://1462b192-27f7-4cb9-8523-0f4ecb54b47e"),
            ("sts:RoleSessionName", "MicrosoftSentinel_11111111"),
        ),
        (
            "acme.okta.com/oauth2/default",
            ("aud", "api://default"),
            ("sub", "0oa1234567890"),
        ),
        (
            "idcs-1234.identity.oraclecloud.com",
            ("aud", "https://acme"),
            ("rpst_id", "ocid1.instance.x"),
        ),
        (
            "oidc.codefresh.io",
            ("sub", "account:*"),
            ("sub", "account:1:pipeline:2:*"),
        ),
        (
            "studio.datachain.ai/api",
            ("sub", "credentials:*"),
            ("sub", "credentials:acme/x"),
        ),
        (
            "scalr.io",
            ("sub", "account:*"),
            ("sub", "account:acme:environment:e:workspace:w"),
        ),
        (
            "tokens.cloud.shisho.dev",
            ("sub", "*"),
            ("sub", "job:acme:x"),
        ),
        (
            "proidc.upbound.io",
            ("sub", "mcp:*"),
            ("sub", "mcp:acme/x:provider:aws"),
        ),
        ("sandboxes.cloud", ("aud", "*"), ("aud", "acme")),
        (
            "rh-oidc.s3.us-east-1.amazonaws.com/22ejnvnnturfmt6km08idd0nt4hekbn7",
            ("sub", "system:serviceaccount:*:t8c-operator"),
            ("sub", "system:serviceaccount:acme:t8c-operator"),
        ),
        (
            "issuer.example.com",
            ("sub", "team*"),
            ("sub", "team:acme/x"),
        ),
    ];
    for (url, (open, open_value), (claim, value)) in rows {
        says("oidc-open", url, &[], true);
        says("oidc-open", url, &[(LIKE, open, open_value)], true);
        says("oidc-open", url, &[(LIKE, claim, value)], false);
        says("dead-trust", url, &[(LIKE, claim, value)], false);
        says(
            "dead-trust",
            url,
            &[(EQUALS, claim, &format!("{value}*"))],
            true,
        );
        says(
            "dead-trust",
            url,
            &[(EQUALS, "other.example.com:sub", value)],
            true,
        );
        // One key more keeps nobody out that chooses its value, be it known or not.
        says(
            "oidc-open",
            url,
            &[
                (LIKE, open, open_value),
                ("StringLikeIfExists", "something-new", "x"),
            ],
            true,
        );
    }
}

/// Case 1: whoever owns a repository names its environments, branches and workflows; an id is somebody's own.
#[test]
fn case_1_only_claims_that_say_who_it_is_keep_others_out() {
    let github = "token.actions.githubusercontent.com";
    let any = (LIKE, "sub", "repo:*");
    for chosen in ["environment", "actor", "ref", "workflow", "aud"] {
        says("oidc-open", github, &[any, (EQUALS, chosen, "prod")], true);
        says("oidc-open", github, &[(EQUALS, chosen, "prod")], true);
    }
    for (own, value) in [
        ("repository_id", "456"),
        ("repository", "acme/api"),
        ("enterprise_id", "7"),
        (
            "job_workflow_ref",
            "acme/ci/.github/workflows/deploy.yml@refs/heads/main",
        ),
        ("actor_id", "42"),
        ("repository_owner_id", "9"),
    ] {
        says("oidc-open", github, &[any, (EQUALS, own, value)], false);
        says(
            "oidc-open",
            github,
            &[any, ("StringEqualsIfExists", own, value)],
            own == "enterprise_id" || own == "repository_owner_id",
        );
    }
    says(
        "oidc-open",
        github,
        &[any, (LIKE, "repository", "acme*")],
        true,
    );
    says(
        "oidc-open",
        github,
        &[any, (LIKE, "repository_id", "4*")],
        true,
    );
    // IAM makes no keys of these, so nobody gets in.
    for unread in ["enterprise", "repository_owner", "run_id", "iss"] {
        says("dead-trust", github, &[(EQUALS, unread, "x")], true);
        says(
            "dead-trust",
            github,
            &[(EQUALS, "repository_id", "4")],
            false,
        );
        says(
            "oidc-open",
            github,
            &[any, ("ForAllValues:StringEquals", unread, "x")],
            true,
        );
    }
    let gitlab = "gitlab.com";
    says(
        "oidc-open",
        gitlab,
        &[(LIKE, "sub", "project_path:*"), (EQUALS, "project_id", "1")],
        false,
    );
    says(
        "oidc-open",
        gitlab,
        &[
            (LIKE, "sub", "project_path:*"),
            (EQUALS, "ref_protected", "true"),
        ],
        true,
    );
    let buildkite = "agent.buildkite.com";
    says(
        "oidc-open",
        buildkite,
        &[
            (LIKE, "sub", "organization:*"),
            (EQUALS, "pipeline_slug", "api"),
        ],
        true,
    );
    says(
        "oidc-open",
        buildkite,
        &[
            (LIKE, "sub", "organization:*"),
            (EQUALS, "organization_id", "1"),
        ],
        false,
    );
}

/// Case 3: a token brings the keys of its own issuer alone.
#[test]
fn case_3_the_key_of_another_provider_lets_nobody_in() {
    let enterprise = "token.actions.githubusercontent.com/acme";
    let sub = "repo:acme/api:ref:refs/heads/main";
    for key in [
        "token.actions.githubusercontent.com:sub",
        "token.actions.githubusercontent.com/acme/acme:sub",
    ] {
        let found = of(
            "dead-trust",
            role("X", &trusting(enterprise, &[(EQUALS, key, sub)])),
        );
        assert!(
            found
                .as_ref()
                .is_some_and(|words| words.contains("a key of another provider")),
            "{key}: {found:?}"
        );
    }
    says("dead-trust", enterprise, &[(EQUALS, "sub", sub)], false);
    says(
        "dead-trust",
        "oidc.eks.eu-west-1.amazonaws.com/id/ABCDEF",
        &[(
            EQUALS,
            "oidc.eks.us-east-1.amazonaws.com/id/ABCDEF:sub",
            "system:serviceaccount:a:b",
        )],
        true,
    );
    says(
        "dead-trust",
        "oidc.circleci.com/org/aaaa",
        &[(
            EQUALS,
            "oidc.circleci.com/org/bbbb:sub",
            "org/bbbb/project/c/user/d",
        )],
        true,
    );
}

/// Case 4: one set of rules for GitHub wherever it runs.
#[test]
fn case_4_github_is_github_in_every_place() {
    for url in [
        "token.actions.githubusercontent.com",
        "token.actions.githubusercontent.com/acme",
        "token.actions.acme.ghe.com",
        "git.example.com/_services/token",
    ] {
        for wide in [
            "*",
            "repo:*",
            "repo:acme*/api:*",
            "repo:acme/*",
            "repo:acme/api*",
            "repo:acme/api:*",
            "repo:acme@1*/api@2:ref:refs/heads/main",
            "repo:acme@*/api@*:ref:refs/heads/main",
            "repo:acme@1/*@2:ref:refs/heads/main",
            "environment:prod",
            "workflow:deploy",
        ] {
            says("oidc-open", url, &[(LIKE, "sub", wide)], true);
        }
        for narrow in [
            "repo:acme/api:environment:prod",
            "repo:acme/api:ref:refs/heads/*",
            "repo:acme@1/api@2:ref:refs/heads/main",
            "repository_id:2:ref:refs/heads/main",
        ] {
            says("oidc-open", url, &[(LIKE, "sub", narrow)], false);
        }
    }
}

/// Case 7: conditions of one statement must hold together, and only some operators know wildcards.
#[test]
fn case_7_subjects_that_nobody_has_are_told() {
    let github = "token.actions.githubusercontent.com";
    let exact = "repo:acme/a:ref:refs/heads/main";
    says(
        "dead-trust",
        github,
        &[(EQUALS, "sub", exact), (LIKE, "sub", "repo:acme/b:*")],
        true,
    );
    says(
        "dead-trust",
        github,
        &[(EQUALS, "sub", "repo:acme/*")],
        true,
    );
    says(
        "dead-trust",
        github,
        &[(EQUALS, "sub", "repo:Acme/api:ref:refs/heads/main")],
        false,
    );
    says(
        "dead-trust",
        github,
        &[(EQUALS, "sub", exact), (LIKE, "sub", "repo:acme/a:*")],
        false,
    );
    says(
        "dead-trust",
        github,
        &[
            (LIKE, "sub", "repo:acme/*"),
            ("StringLikeIfExists", "sub", "*:ref:refs/heads/main"),
        ],
        false,
    );
    says(
        "dead-trust",
        github,
        &[("StringEqualsIgnoreCase", "aud", "sts.amazonaws.*")],
        true,
    );
}

/// Case 10: the audience that a Google service account chooses says nothing.
#[test]
fn case_10_what_a_service_account_chooses_pins_nobody() {
    let google = "accounts.google.com";
    says("oidc-open", google, &[(EQUALS, "oaud", "acme-xsiam")], true);
    says(
        "oidc-open",
        google,
        &[
            (EQUALS, "sub", "104512345678901234567"),
            (EQUALS, "oaud", "x"),
        ],
        false,
    );
    says(
        "oidc-open",
        google,
        &[(EQUALS, "aud", "1234.apps.googleusercontent.com")],
        false,
    );
    says(
        "oidc-open",
        "cognito-identity.amazonaws.com",
        &[("ForAnyValue:StringLike", "amr", "authenticated")],
        true,
    );
}

/// Case 11: the audience of an assertion is the sign-in of the partition.
#[test]
fn case_11_the_audience_of_another_partition_lets_nobody_in() {
    let saml = |partition: &str, key: &str, audience: &str| {
        json!([{"Effect": "Allow", "Principal": {"Federated": format!("arn:{partition}:iam::111111111111:saml-provider/idp")},
            "Action": "sts:AssumeRoleWithSAML", "Condition": {"StringEquals": {key: audience}}}])
    };
    let (aws, china, gov) = (
        "https://signin.aws.amazon.com/saml",
        "https://signin.amazonaws.cn/saml",
        "https://signin.amazonaws-us-gov.com/saml",
    );
    check(
        "dead-trust",
        &[
            ("at home", saml("aws", "SAML:aud", aws), false),
            (
                "in a region",
                saml(
                    "aws",
                    "SAML:aud",
                    "https://eu-west-1.signin.aws.amazon.com/saml",
                ),
                false,
            ),
            (
                "commercial in GovCloud",
                saml("aws-us-gov", "SAML:aud", aws),
                true,
            ),
            ("GovCloud", saml("aws-us-gov", "SAML:aud", gov), false),
            ("commercial in China", saml("aws-cn", "SAML:aud", aws), true),
            ("China", saml("aws-cn", "saml:aud", china), false),
            (
                "China in the commercial one",
                saml("aws", "SAML:aud", china),
                true,
            ),
            ("no such key", saml("aws", "SAML:audience", aws), true),
        ],
    );
}
