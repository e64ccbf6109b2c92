//! The issuers, one entry each.

use super::{Claim, Customers, Issuer, Says, Sent, subject};
use crate::resource::policy::pattern::{Variables, matches, tokens};

/// The issuer with this host and path, as the ARN of a provider has it.
pub fn issuer(url: &str) -> &'static Issuer {
    let url = url.trim_end_matches('/').to_lowercase();
    let is_meant = |pattern: &&str| matches(&tokens(pattern, Variables::Literal), &url);
    ISSUERS
        .iter()
        .find(|issuer| issuer.urls.iter().any(is_meant))
        .unwrap_or(&PRIVATE)
}

const fn who(name: &'static str) -> Claim {
    Claim {
        name,
        says: Says::Who,
        sent: Sent::Always,
    }
}

const fn what(name: &'static str) -> Claim {
    Claim {
        name,
        says: Says::What,
        sent: Sent::Always,
    }
}

/// The same claim where some tokens lack it.
const fn sometimes(claim: Claim) -> Claim {
    Claim {
        sent: Sent::Sometimes,
        ..claim
    }
}

/// The claims that IAM reads of every issuer without rules of its own.
const COMMON: &[Claim] = &[
    who("sub"),
    what("aud"),
    what("oaud"),
    sometimes(what("amr")),
    sometimes(what("email")),
];

/// GitHub's claims, beside the common ones. A reusable workflow that is named by its repository tells as much as that
/// repository. `repository_owner` and `enterprise` are not read.
const GITHUB: &[Claim] = &[
    who("sub"),
    what("aud"),
    what("oaud"),
    sometimes(what("amr")),
    sometimes(what("email")),
    who("repository"),
    who("repository_id"),
    who("repository_owner_id"),
    who("job_workflow_ref"),
    who("actor_id"),
    sometimes(who("enterprise_id")),
    what("actor"),
    what("workflow"),
    what("ref"),
    sometimes(what("environment")),
];

const SUBJECT: &[&str] = &["sub"];
const GITHUB_DEMANDS: &[&str] = &["sub", "job_workflow_ref"];

const fn entry(
    name: &'static str,
    urls: &'static [&'static str],
    customers: Customers,
    wide: fn(&str) -> Option<subject::Wide>,
) -> Issuer {
    Issuer {
        name,
        customers,
        urls,
        claims: COMMON,
        demanded: &[],
        tenancy: "sub",
        wide,
        is_known: true,
    }
}

/// An issuer of all customers whose subject tells them apart, which IAM demands to be asked for.
const fn shared(
    name: &'static str,
    urls: &'static [&'static str],
    wide: fn(&str) -> Option<subject::Wide>,
) -> Issuer {
    Issuer {
        demanded: SUBJECT,
        ..entry(name, urls, Customers::All, wide)
    }
}

/// An issuer that is not in the table.
pub(super) static PRIVATE: Issuer = Issuer {
    is_known: false,
    ..entry("", &[], Customers::One, subject::named)
};

/// The more special URL first.
pub(super) static ISSUERS: &[Issuer] = &[
    Issuer {
        claims: GITHUB,
        demanded: GITHUB_DEMANDS,
        ..entry(
            "GitHub Actions",
            &["token.actions.githubusercontent.com"],
            Customers::All,
            subject::github,
        )
    },
    // An enterprise on github.com with a URL of its own.
    Issuer {
        claims: GITHUB,
        demanded: GITHUB_DEMANDS,
        ..entry(
            "GitHub Actions",
            &["token.actions.githubusercontent.com/*"],
            Customers::One,
            subject::github,
        )
    },
    // GitHub Enterprise Cloud with data residency, and GitHub Enterprise Server.
    Issuer {
        claims: GITHUB,
        ..entry(
            "GitHub Actions",
            &["token.actions.*.ghe.com", "*/_services/token"],
            Customers::One,
            subject::github,
        )
    },
    shared(
        "GitHub Actions",
        &["vstoken.actions.githubusercontent.com"],
        subject::github,
    ),
    shared(
        "GitHub's audit log",
        &["oidc-configuration.audit-log.githubusercontent.com"],
        subject::audit_log,
    ),
    Issuer {
        claims: &[
            who("sub"),
            what("aud"),
            what("oaud"),
            sometimes(what("amr")),
            sometimes(what("email")),
            who("namespace_id"),
            who("project_id"),
            who("user_id"),
            who("user_login"),
            who("user_email"),
            sometimes(what("user_access_level")),
            what("ref_protected"),
            what("pipeline_source"),
            what("runner_environment"),
        ],
        ..shared("GitLab", &["gitlab.com"], subject::gitlab)
    },
    // A pipeline's slug is unique within its organization alone.
    Issuer {
        claims: &[
            who("sub"),
            what("aud"),
            what("oaud"),
            sometimes(what("amr")),
            sometimes(what("email")),
            who("organization_id"),
            who("organization_slug"),
            who("pipeline_id"),
            what("pipeline_slug"),
            sometimes(who("cluster_id")),
            sometimes(what("cluster_name")),
            what("build_branch"),
        ],
        ..shared("Buildkite", &["agent.buildkite.com"], subject::organization)
    },
    Issuer {
        claims: &[
            who("sub"),
            what("aud"),
            what("oaud"),
            sometimes(what("amr")),
            sometimes(what("email")),
            who("oidc.circleci.com/project-id"),
        ],
        ..entry(
            "CircleCI",
            &["oidc.circleci.com/org/*"],
            Customers::One,
            subject::circleci,
        )
    },
    shared(
        "HCP Terraform",
        &["app.terraform.io"],
        subject::organization,
    ),
    entry(
        "HCP Terraform",
        &["app.eu.terraform.io"],
        Customers::All,
        subject::organization,
    ),
    // The audience is the organization, `ORGANIZATION` or `aws:ORGANIZATION`.
    Issuer {
        claims: &[who("sub"), who("aud"), what("oaud"), sometimes(what("amr"))],
        demanded: &["aud"],
        tenancy: "aud",
        ..entry(
            "Pulumi Cloud",
            &["api.pulumi.com/oidc"],
            Customers::All,
            subject::pulumi,
        )
    },
    // The audience is `https://vercel.com/TEAM`.
    Issuer {
        claims: &[who("sub"), who("aud"), what("oaud"), sometimes(what("amr"))],
        demanded: &["aud"],
        tenancy: "aud",
        ..entry(
            "Vercel",
            &["oidc.vercel.com"],
            Customers::All,
            subject::vercel,
        )
    },
    entry(
        "Vercel",
        &["oidc.vercel.com/*"],
        Customers::One,
        subject::vercel,
    ),
    entry(
        "Amazon EKS",
        &[
            "oidc.eks.*.amazonaws.com/id/*",
            "oidc.eks.*.amazonaws.com.cn/id/*",
            "oidc-eks.*.api.aws/id/*",
        ],
        Customers::One,
        subject::kubernetes,
    ),
    entry(
        "Bitbucket Pipelines",
        &["api.bitbucket.org/2.0/workspaces/*/pipelines-config/identity/oidc"],
        Customers::One,
        subject::bitbucket,
    ),
    // `aud` is who the token was issued to (`azp`): an application, or the service account itself. What a service
    // account asked for as its audience is `oaud`, so anybody's service account can have any.
    // Source: Google Identity, "OpenID Connect", the claims of an ID token.
    Issuer {
        claims: &[
            who("sub"),
            who("aud"),
            what("oaud"),
            sometimes(what("amr")),
            sometimes(who("email")),
            sometimes(who("google/organization_number")),
        ],
        tenancy: "aud",
        ..entry(
            "Google",
            &["accounts.google.com"],
            Customers::All,
            subject::named,
        )
    },
    // `aud` is the identity pool, `amr` how someone signed in.
    // Source: Amazon Cognito Developer Guide, "Role trust and permissions".
    Issuer {
        claims: &[who("sub"), who("aud"), what("oaud"), what("amr")],
        demanded: &["aud"],
        tenancy: "aud",
        ..entry(
            "Amazon Cognito",
            &[
                "cognito-identity.amazonaws.com",
                "cognito-identity-us-gov.amazonaws.com",
                "cognito-identity.cn-north-1.amazonaws.com.cn",
            ],
            Customers::All,
            subject::named,
        )
    },
    Issuer {
        claims: &[who("app_id"), who("user_id"), who("sub")],
        tenancy: "app_id",
        ..entry(
            "Login with Amazon",
            &["www.amazon.com"],
            Customers::All,
            subject::named,
        )
    },
    Issuer {
        claims: &[who("app_id"), who("id"), who("sub")],
        tenancy: "app_id",
        ..entry(
            "Facebook",
            &["graph.facebook.com"],
            Customers::All,
            subject::named,
        )
    },
    // Sentinel signs with one tenant for all of its customers; its session name is the customer's workspace.
    // Source: Microsoft Learn, "Connect Microsoft Sentinel to Amazon Web Services".
    Issuer {
        claims: &[
            who("sts:RoleSessionName"),
            what("sub"),
            what("aud"),
            what("oaud"),
            sometimes(what("amr")),
            sometimes(what("email")),
        ],
        demanded: &["sts:RoleSessionName"],
        tenancy: "sts:RoleSessionName",
        ..entry(
            "Microsoft Sentinel",
            &["sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d"],
            Customers::All,
            subject::anybody,
        )
    },
    // The tenant of personal accounts: anybody can have one.
    entry(
        "Microsoft personal accounts",
        &[
            "sts.windows.net/9188040d-6c67-4c5b-b112-36a304b66dad",
            "login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        ],
        Customers::All,
        subject::named,
    ),
    // Any identity of the tenant can ask for a token of an application's audience.
    entry(
        "Microsoft Entra ID",
        &["sts.windows.net/*", "login.microsoftonline.com/*"],
        Customers::One,
        subject::named,
    ),
    entry(
        "Okta",
        &[
            "*.okta.com",
            "*.okta.com/*",
            "*.oktapreview.com",
            "*.oktapreview.com/*",
            "*.okta-emea.com",
            "*.okta-emea.com/*",
        ],
        Customers::One,
        subject::named,
    ),
    Issuer {
        claims: &[
            who("sub"),
            what("aud"),
            what("oaud"),
            sometimes(what("amr")),
            sometimes(what("email")),
            sometimes(who("rpst_id")),
        ],
        ..entry(
            "Oracle Cloud",
            &["idcs-*.identity.oraclecloud.com"],
            Customers::One,
            subject::named,
        )
    },
    shared("Codefresh", &["oidc.codefresh.io"], subject::account),
    shared("DVC Studio", &["studio.datachain.ai/api"], subject::named),
    shared("Scalr", &["scalr.io"], subject::account),
    shared("Shisho Cloud", &["tokens.cloud.shisho.dev"], subject::named),
    shared("Upbound", &["proidc.upbound.io"], subject::named),
    Issuer {
        claims: &[
            what("sub"),
            who("aud"),
            what("oaud"),
            sometimes(what("amr")),
        ],
        demanded: &["aud"],
        tenancy: "aud",
        ..entry(
            "sandboxes.cloud",
            &["sandboxes.cloud"],
            Customers::All,
            subject::anybody,
        )
    },
    shared(
        "IBM Turbonomic",
        &[
            "rh-oidc.s3.us-east-1.amazonaws.com/22ejnvnnturfmt6km08idd0nt4hekbn7",
            "rh-oidc.s3.us-east-1.amazonaws.com/23e3sd27sju1hoou6ohfs68vbno607tr",
            "rh-oidc.s3.us-east-1.amazonaws.com/23ne21h005qjl3n33d8dui5dlrmv2tmg",
            "rh-oidc.s3.us-east-1.amazonaws.com/24jrf12m5dj7ljlfb4ta2frhrcoadm26",
            "oidc.op1.openshiftapps.com/2f785sojlpb85i7402pk3qogugim5nfb",
            "oidc.op1.openshiftapps.com/2c51blsaqa9gkjt0o9rt11mle8mmropu",
        ],
        subject::namespace,
    ),
];
