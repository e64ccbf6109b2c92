//! What differs in meaning: the state that a resource is to be brought to, given what is desired and what was seen.
//!
//! A comparison never lists differences one by one. It says what the resource looks like afterwards ([`role::target`],
//! [`policy::target`]); steps, diffs and the expected fingerprint all follow from that one value, so they cannot
//! disagree. An attribute that is not written keeps what is there, and so does one that differs only in spelling.

pub mod policy;
pub mod role;

use crate::resource::{OWNER_TAG, Tags};

/// The shell a resource is, by its tag [`OWNER_TAG`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// It has no ownership tag.
    None,
    /// It is tagged with this directory's name.
    Us,
    /// It is tagged with another directory's name.
    Other(String),
}

/// Tells whose the resource with these tags is, seen from the directory `name`.
///
/// The mark's key is matched without regard to case, because IAM keeps the case a role's tag was first written in.
pub fn owner(tags: &Tags, name: &str) -> Owner {
    match tags
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(OWNER_TAG))
    {
        None => Owner::None,
        Some((_, value)) if value == name => Owner::Us,
        Some((_, value)) => Owner::Other(value.clone()),
    }
}

/// Whether AWS itself sets this tag: such tags are seen, but never compared and never written.
///
/// Source: IAM User Guide, "Tags for IAM resources": keys cannot begin with `aws:`, in any case.
pub fn is_system_tag(key: &str) -> bool {
    key.get(..4)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_tells_whose_a_resource_is() {
        let tags = |key: &str, value: &str| Tags::from([(key.to_owned(), value.to_owned())]);
        for (tags, expect) in [
            (Tags::new(), Owner::None),
            (tags("team", "us"), Owner::None),
            (tags(OWNER_TAG, "us"), Owner::Us),
            (tags("Rolecall:Managed-By", "us"), Owner::Us),
            (tags(OWNER_TAG, "US"), Owner::Other("US".to_owned())),
        ] {
            assert_eq!(owner(&tags, "us"), expect, "{tags:?}");
        }
    }

    #[test]
    fn system_tags_begin_with_aws() {
        assert!(is_system_tag("aws:cloudformation:stack-name") && is_system_tag("AWS:x"));
        assert!(!is_system_tag("awsome") && !is_system_tag("é:x") && !is_system_tag(""));
    }
}
