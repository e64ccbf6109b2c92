//! What imports are given on the command line.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cli::ImportTo;
use crate::commands::Error;
use crate::config::check::is_directory_name;
use crate::files::{self, MIB};

/// The largest template or state that is read.
const LIMIT: u64 = 256 * MIB;

/// What a file is called, and its text; `-` is standard input.
pub(super) fn read(path: &Path) -> Result<(String, String), Error> {
    let is_input = path == Path::new("-");
    let (name, opened) = if is_input {
        ("standard input".to_owned(), Path::new("/dev/stdin"))
    } else {
        (path.display().to_string(), path)
    };
    let given = files::read_given(opened, LIMIT);
    let given = given.map_err(|error| Error::because(format!("cannot read `{name}`: {error}")))?;
    let text = String::from_utf8(given.bytes)
        .map_err(|_| Error::because(format!("cannot read `{name}`: it is not UTF-8")))?;
    Ok((name, text))
}

/// The name that the directory is given, else one made of a name or of a file's.
pub(super) fn directory_name(to: &ImportTo, from: Option<&str>) -> Result<String, Error> {
    const LONGEST: usize = 64;
    if let Some(name) = &to.name {
        if !is_directory_name(name) {
            return Err(Error::with_hint(
                format!("`{name}` cannot name a directory"),
                "use 1 to 64 of a-z, 0-9 and -",
            ));
        }
        return Ok(name.clone());
    }
    let from = from
        .unwrap_or_default()
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or_default();
    let mut name = String::new();
    for c in from.split('.').next().unwrap_or_default().chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name: String = name.chars().take(LONGEST).collect();
    let name = name.trim_matches('-');
    Ok(if name.is_empty() { "imported" } else { name }.to_owned())
}

pub(super) fn unpaired(flag: &str, form: &str, text: &str) -> Error {
    Error::with_hint(
        format!("{flag} `{text}` has no `=`"),
        format!("write {flag} {form}"),
    )
}

pub(super) fn pairs(
    given: &[String],
    flag: &str,
    form: &str,
) -> Result<BTreeMap<String, String>, Error> {
    given
        .iter()
        .map(|text| match text.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(unpaired(flag, form, text)),
        })
        .collect()
}
