//! The name of a session, as STS takes it.
//!
//! Source: STS API Reference, `AssumeRole`, `RoleSessionName`: 2 to 64 characters of `[\w+=,.@-]`.

use crate::resource::name::shown;

/// The name of a role's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionName(String);

/// Text that STS takes for no session name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid session name: it {rule}")]
pub struct InvalidSessionName {
    text: String,
    rule: String,
}

impl SessionName {
    /// Checks the characters and the length.
    pub fn parse(text: &str) -> Result<Self, InvalidSessionName> {
        let fail = |rule: String| {
            Err(InvalidSessionName {
                text: text.to_owned(),
                rule,
            })
        };
        let allowed = |c: &char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(*c);
        let bad: std::collections::BTreeSet<char> = text.chars().filter(|c| !allowed(c)).collect();
        if !bad.is_empty() {
            let bad: Vec<String> = bad.into_iter().map(shown).collect();
            return fail(format!(
                "must not contain {}; letters, digits and _+=,.@- are allowed",
                bad.join(" or ")
            ));
        }
        match text.len() {
            2..=64 => Ok(Self(text.to_owned())),
            length => fail(format!("has {length} characters, 2 to 64 are allowed")),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for SessionName {
    fn default() -> Self {
        Self("rolecall-verify".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_name_is_what_sts_takes() {
        for (text, problem) in [
            ("log-reader", ""),
            ("a@b.c,d=e+f_g", ""),
            ("ab", ""),
            (&"x".repeat(64), ""),
            (&"x".repeat(65), "has 65 characters, 2 to 64"),
            ("a", "has 1 characters"),
            ("", "has 0 characters"),
            ("a b/c", "must not contain a space or `/`"),
            ("né", "`é`"),
        ] {
            match SessionName::parse(text) {
                Ok(name) => assert_eq!((name.as_str(), problem), (text, "")),
                Err(error) => assert!(
                    !problem.is_empty() && error.to_string().contains(problem),
                    "{error}"
                ),
            }
        }
        assert_eq!(
            SessionName::parse(SessionName::default().as_str()),
            Ok(SessionName::default())
        );
    }
}
