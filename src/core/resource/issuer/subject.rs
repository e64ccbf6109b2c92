//! Subjects: what a pattern of one lets in besides one identity.
//!
//! A `*` of a condition stands for any run of characters, `/`, `:` and `@` among them, so only what stands before the
//! first wildcard counts: `repo:acme*/api` is about `acme-evil/api` too.

/// Whom a subject lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wide {
    /// Whether identities of other customers are among them.
    pub outsiders: bool,
    /// In words, as the end of a sentence about the subject.
    pub why: &'static str,
}

#[expect(clippy::unnecessary_wraps, reason = "what every rule returns")]
const fn outsiders(why: &'static str) -> Option<Wide> {
    Some(Wide {
        outsiders: true,
        why,
    })
}

#[expect(clippy::unnecessary_wraps, reason = "what every rule returns")]
const fn colleagues(why: &'static str) -> Option<Wide> {
    Some(Wide {
        outsiders: false,
        why,
    })
}

/// What stands before the first wildcard.
pub fn fixed(pattern: &str) -> &str {
    pattern.split(['*', '?']).next().unwrap_or_default()
}

fn is_wild(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

/// First claims of a GitHub subject that whoever runs a workflow anywhere can choose.
///
/// Source: GitHub Docs, "`OpenID` Connect reference", customizing the subject claims.
const CHOSEN: &[&str] = &[
    "workflow",
    "environment",
    "ref",
    "context",
    "head_ref",
    "base_ref",
    "event_name",
    "actor",
    "ref_type",
    "runner_environment",
    "repository_visibility",
];

/// GitHub: `repo:OWNER/REPOSITORY:…`, and with immutable ids `repo:OWNER@ID/REPOSITORY@ID:…`.
///
/// Source: GitHub Docs, "`OpenID` Connect" (immutable subject claims) and "`OpenID` Connect reference".
pub(super) fn github(subject: &str) -> Option<Wide> {
    let fixed = fixed(subject);
    let (claim, value) = fixed.split_once(':').unwrap_or(("", fixed));
    if CHOSEN.contains(&claim) {
        return outsiders("begins with a claim that any repository of GitHub can choose");
    }
    if !is_wild(subject) {
        return None;
    }
    if claim.is_empty() {
        return outsiders("matches repositories of other organizations");
    }
    match value.split_once('/') {
        // Another claim first, such as `repository_owner_id:1:…`.
        None if value.contains(':') => None,
        None => outsiders("matches repositories of other organizations"),
        Some((_, repository)) => match repository.split_once(':') {
            None => colleagues("matches every repository of the organization"),
            Some((_, "")) => {
                colleagues("matches every branch, tag and pull request of the repository")
            }
            Some(_) => None,
        },
    }
}

/// GitHub's audit log: `https://github.com/ENTERPRISE`.
///
/// Source: GitHub Docs, "Streaming the audit log for your enterprise".
pub(super) fn audit_log(subject: &str) -> Option<Wide> {
    if is_wild(subject) {
        return outsiders("matches other enterprises");
    }
    None
}

/// GitLab: `project_path:GROUP/PROJECT:ref_type:TYPE:ref:REF`.
///
/// Source: GitLab Docs, "`OpenID` Connect (OIDC) Authentication Using ID Tokens", token payload.
pub(super) fn gitlab(subject: &str) -> Option<Wide> {
    if !is_wild(subject) {
        return None;
    }
    let Some(path) = fixed(subject).strip_prefix("project_path:") else {
        return outsiders("matches projects of other groups");
    };
    match path.split_once(':') {
        Some((_, "")) => colleagues("matches every branch and tag of the project"),
        Some(_) => None,
        None if path.contains('/') => colleagues("matches other projects of the group"),
        None => outsiders("matches projects of other groups"),
    }
}

/// Kubernetes: `system:serviceaccount:NAMESPACE:NAME`.
///
/// Source: Amazon EKS User Guide, "Assign IAM roles to Kubernetes service accounts".
pub(super) fn kubernetes(subject: &str) -> Option<Wide> {
    if !is_wild(subject) {
        return None;
    }
    match fixed(subject).strip_prefix("system:serviceaccount:") {
        Some(account) if account.contains(':') => None,
        _ => colleagues("matches service accounts of other namespaces"),
    }
}

/// Kubernetes, where a namespace is a customer's.
pub(super) fn namespace(subject: &str) -> Option<Wide> {
    kubernetes(subject).and_then(|_| outsiders("matches other customers"))
}

/// `org/ORGANIZATION/project/PROJECT/…`
///
/// Source: `CircleCI` Docs, "Using `OpenID` Connect tokens in jobs".
pub(super) fn circleci(subject: &str) -> Option<Wide> {
    let mut parts = fixed(subject).split('/').skip(3);
    let named = parts.next().is_some() && parts.next().is_some();
    if is_wild(subject) && !named {
        return colleagues("matches every project of the organization");
    }
    None
}

/// `{REPOSITORY}:{STEP}`, and `{REPOSITORY}:{ENVIRONMENT}:{STEP}` in a deployment.
///
/// Source: Bitbucket Cloud Docs, "Integrate Pipelines with resource servers using OIDC".
pub(super) fn bitbucket(subject: &str) -> Option<Wide> {
    if is_wild(subject) && !fixed(subject).contains("}:") {
        return colleagues("matches every repository of the workspace");
    }
    None
}

/// `LEAD:CUSTOMER:…`, each lead with its colon.
fn led(subject: &str, leads: &[&str]) -> Option<Wide> {
    let fixed = fixed(subject);
    let customer = leads.iter().find_map(|lead| fixed.strip_prefix(lead));
    let named = customer.is_some_and(|rest| rest.contains([':', '/']));
    if is_wild(subject) && !named {
        return outsiders("ends in a wildcard before the first name is complete");
    }
    None
}

/// Source: Buildkite Docs, "OIDC in Buildkite Pipelines"; HCP Terraform Docs, "Workload Identity Tokens".
pub(super) fn organization(subject: &str) -> Option<Wide> {
    led(subject, &["organization:"])
}

/// Source: Pulumi Docs, "`OpenID` Connect", token claims.
pub(super) fn pulumi(subject: &str) -> Option<Wide> {
    led(
        subject,
        &[
            "pulumi:deploy:org:",
            "pulumi:environments:org:",
            "pulumi:environments:pulumi.organization.login:",
            "pulumi:insights:org:",
        ],
    )
}

/// Source: Vercel Docs, "OIDC Federation Reference".
pub(super) fn vercel(subject: &str) -> Option<Wide> {
    led(subject, &["owner:"])
}

/// Source: Scalr Docs, "AWS"; Codefresh Docs, "OIDC".
pub(super) fn account(subject: &str) -> Option<Wide> {
    led(subject, &["account:"])
}

/// A subject of which no more is known than that it should be written out to its first name.
pub(super) fn named(subject: &str) -> Option<Wide> {
    if !is_wild(subject) {
        return None;
    }
    let fixed = fixed(subject);
    // Kubernetes outside of EKS has subjects of the same form.
    if fixed.starts_with("system:serviceaccount:") {
        return kubernetes(subject);
    }
    let (_, value) = fixed.split_once(':').unwrap_or(("", fixed));
    if value.contains([':', '/', '|']) {
        return None;
    }
    outsiders("ends in a wildcard before the first name is complete")
}

/// A subject that says nothing of the customer.
pub(super) fn anybody(_: &str) -> Option<Wide> {
    outsiders("is the same for all customers")
}
