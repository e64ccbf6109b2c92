//! The form of every object of a state: one line of JSON that says its format and carries its own checksum.
//!
//! The checksum is the SHA-256 of the whole file with zeros in the checksum's place, so it covers every byte and the file
//! stays plain JSON.

use std::fmt::Write as _;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{FORMAT, StoreError};

/// What is in the checksum's place while it is computed.
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    format: String,
    /// SHA-256 in hexadecimal.
    sha256: String,
    content: T,
}

/// What must be known before anything else of a file can be believed.
#[derive(Deserialize)]
struct Head {
    format: String,
    sha256: String,
}

/// `content` with its format and checksum, as bytes of a file.
///
/// # Errors
/// Content that is not JSON, such as a map whose keys are not strings.
pub(super) fn seal<T: Serialize>(content: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = serde_json::to_string(&Sealed {
        format: FORMAT.to_owned(),
        sha256: ZEROS.to_owned(),
        content,
    })?;
    text.push('\n');
    // The format stands before the checksum and holds no zeros, so the first ones are the checksum's.
    let sum = sha256(&[text.as_bytes()]);
    Ok(text.replacen(ZEROS, &sum, 1).into_bytes())
}

/// The content of a sealed file at `place`.
///
/// # Errors
/// The file is damaged, or of a newer format.
pub(super) fn unseal<T: DeserializeOwned>(place: &str, bytes: &[u8]) -> Result<T, StoreError> {
    let damaged = |reason: String| StoreError::Damaged {
        place: place.to_owned(),
        reason,
    };
    let text = std::str::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
    let head: Head = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    check_format(place, &head.format)?;
    if sha256(&[text.replacen(&head.sha256, ZEROS, 1).as_bytes()]) != head.sha256 {
        return Err(damaged(
            "its checksum is not that of its content".to_owned(),
        ));
    }
    let sealed: Sealed<T> =
        serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    Ok(sealed.content)
}

/// Whether `found` is the format of this rolecall.
///
/// # Errors
/// It is a newer one, or none of rolecall's.
pub(super) fn check_format(place: &str, found: &str) -> Result<(), StoreError> {
    if found == FORMAT {
        return Ok(());
    }
    let (place, found) = (place.to_owned(), found.to_owned());
    let number = found
        .strip_prefix("rolecall-state/")
        .and_then(|number| number.parse::<u32>().ok());
    match number {
        Some(number) if number > 1 => Err(StoreError::Newer { place, found }),
        _ => Err(StoreError::Damaged {
            place,
            reason: format!("its format `{found}` is not known to rolecall"),
        }),
    }
}

/// SHA-256 over some pieces, in hexadecimal.
pub(super) fn sha256(pieces: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for piece in pieces {
        digest.update(piece);
    }
    digest
        .finalize()
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a `String` cannot fail.
            _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_any_byte_changed_is_damaged() {
        let sealed = seal(&vec!["content", ZEROS]).unwrap();
        assert_eq!(
            unseal::<Vec<String>>("f", &sealed).unwrap(),
            ["content", ZEROS]
        );
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let error = unseal::<Vec<String>>("f", &changed).unwrap_err();
            assert!(!error.to_string().is_empty(), "{at}");
        }
        for end in 0..sealed.len() {
            assert!(unseal::<Vec<String>>("f", &sealed[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        for (format, newer) in [
            ("rolecall-state/2", true),
            ("rolecall-state/0", false),
            ("rolecall-plan/1", false),
        ] {
            let text =
                format!(r#"{{"format":"{format}","sha256":"","content":{{"unheard":"of"}}}}"#);
            let error = unseal::<Vec<String>>("the/file", text.as_bytes()).unwrap_err();
            assert_eq!(matches!(error, StoreError::Newer { .. }), newer, "{error}");
            assert!(
                error.to_string().contains("the/file") && error.to_string().contains(format),
                "{error}"
            );
        }
    }
}
