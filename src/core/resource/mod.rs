//! What rolecall manages: policy documents, roles, managed policies, grants, attachments, and the writes that change them.

pub mod attachment;
pub mod event;
pub mod grant;
pub mod issuer;
pub mod managed_policy;
pub mod name;
pub mod operation;
pub mod policy;
pub mod protected;
pub mod role;
pub mod secret;
pub mod step;

/// The tag that says which directory owns a role or policy; its value is the directory's `name`.
pub const OWNER_TAG: &str = "rolecall:managed-by";

/// Tags by key.
pub type Tags = std::collections::BTreeMap<String, String>;

/// Where in the desired state a resource is written, for messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The file, as the user named it.
    pub file: String,
    /// One-based line of its table.
    pub line: usize,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
