//! Pages: `MaxItems`, `Marker`, `IsTruncated`.
//!
//! AWS may return fewer entries than `MaxItems`, even none, while more follow (IAM API Reference, `ListRoles`). Two
//! entries of `IamState.quotas` ask for that: `PageSize` shortens every page, `EmptyFirstPage` puts an empty page
//! before the first.

use std::fmt::Write as _;

use super::super::wire::{ApiError, Params, Xml};
use super::entity::Iam;
use super::rules;
use super::xml::{Field, text};

/// One page of a list.
pub(super) struct Page<T> {
    /// Its entries.
    pub items: Vec<T>,
    marker: Option<String>,
}

/// Cuts the page that `params` ask for out of all entries, which are in the order of their keys.
pub(super) fn page<T>(
    iam: &Iam<'_>,
    params: &Params,
    entries: impl IntoIterator<Item = (String, T)>,
) -> Result<Page<T>, ApiError> {
    let quotas = &iam.state.quotas;
    let size =
        rules::max_items(params)?.min(quotas.get("PageSize").copied().unwrap_or(usize::MAX).max(1));
    let after = params.get("Marker").map(decode).transpose()?;
    if after.is_none() && quotas.contains_key("EmptyFirstPage") {
        return Ok(Page {
            items: Vec::new(),
            marker: Some(encode("")),
        });
    }
    let after = after.unwrap_or_default();
    let mut rest = entries
        .into_iter()
        .skip_while(|(key, _)| *key <= after && !after.is_empty());
    let mut items = Vec::new();
    let mut last = String::new();
    for (key, item) in rest.by_ref().take(size) {
        last = key;
        items.push(item);
    }
    let marker = rest.next().map(|_| encode(&last));
    Ok(Page { items, marker })
}

impl<T> Page<T> {
    /// The answer of a list operation whose member `name` holds the entries.
    pub fn answer(self, name: &'static str, render: impl FnMut(T) -> Xml) -> Xml {
        let [truncated, marker] = self.tail();
        let list = Xml::List(self.items.into_iter().map(render).collect());
        Xml::Fields(vec![(name, Some(list)), truncated, marker])
    }

    /// The members that say whether and where the list continues.
    pub fn tail(&self) -> [Field; 2] {
        [
            text("IsTruncated", self.marker.is_some()),
            ("Marker", self.marker.as_ref().map(Xml::text)),
        ]
    }
}

/// A marker is the last key of a page; hexadecimal, so that it is not taken for a name.
fn encode(key: &str) -> String {
    key.bytes().fold(String::from("m"), |mut marker, byte| {
        // Writing to a string cannot fail.
        let _ = write!(marker, "{byte:02x}");
        marker
    })
}

fn decode(marker: &str) -> Result<String, ApiError> {
    let invalid = || ApiError::validation(format!("Invalid Marker: {marker}"));
    let digits = marker
        .strip_prefix('m')
        .filter(|digits| digits.is_ascii())
        .ok_or_else(invalid)?;
    let bytes: Option<Vec<u8>> = digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(invalid)
}
