//! The saved plan, and the plan as it is shown.
//!
//! A saved plan holds everything that apply needs, so that what was reviewed is what is written. Sensitive values are
//! the exception: in their place stands a salted digest, and whoever loads the plan gives the values again.

use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use super::{FORMAT, Plan, Reason};
use crate::resource::secret::Secrets;
use crate::resource::step::Step;

/// Why a saved plan cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is not JSON, or not of the shape that its format promises.
    #[error("this is not a saved plan, or it is damaged")]
    Damaged(#[source] serde_json::Error),
    /// It has another format.
    #[error("the plan's format is `{found}`, this version of rolecall reads `{FORMAT}`")]
    Format {
        /// What it says.
        found: String,
    },
    /// A sensitive value that the plan was made with is not among those given.
    #[error(
        "the plan was made with another value of a sensitive variable; set the same values, or plan again"
    )]
    Secret,
    /// A name or a number is sensitive, for which no mask can stand.
    #[error(
        "a name or a number in the plan is sensitive, so the plan cannot be shown without its value"
    )]
    Unmaskable,
}

/// Who vouches for a saved plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// Whoever made it held the key, and nothing of it was changed since.
    Valid,
    /// It was signed with another key, or changed since.
    Other,
    /// It is not signed.
    Missing,
}

/// The HMAC-SHA256 of a plan as it is saved, without its signature.
fn mac(value: &Value, key: &[u8]) -> Option<Hmac<Sha256>> {
    // Members keep their order, so the same file gives the same bytes.
    Some(
        Hmac::<Sha256>::new_from_slice(key)
            .ok()?
            .chain_update(value.to_string().as_bytes()),
    )
}

/// Says whether the saved plan in `bytes` was signed with `key`.
pub fn signature(bytes: &[u8], key: &[u8]) -> Signature {
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else {
        return Signature::Missing;
    };
    let Some(signed) = value
        .as_object_mut()
        .and_then(|members| members.shift_remove("signature"))
    else {
        return Signature::Missing;
    };
    let signed = signed
        .as_str()
        .and_then(|text| base64::prelude::BASE64_STANDARD.decode(text).ok());
    let valid = mac(&value, key)
        .zip(signed)
        .is_some_and(|(mac, signed)| mac.verify_slice(&signed).is_ok());
    if valid {
        Signature::Valid
    } else {
        Signature::Other
    }
}

/// Writes a plan down, and signs it where there is a `key`. `salt` must be random and different each time.
///
/// # Errors
/// Never in practice: a plan is always JSON.
pub fn save(
    plan: &Plan,
    secrets: &Secrets,
    salt: &str,
    key: Option<&[u8]>,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut value = secrets.hide(plan, salt);
    if let Some(members) = value.as_object_mut() {
        members.insert("format".to_owned(), Value::from(FORMAT));
        members.insert("salt".to_owned(), Value::from(salt));
    }
    let signed = key
        .and_then(|key| mac(&value, key))
        .map(|mac| mac.finalize().into_bytes());
    if let (Some(signed), Some(members)) = (signed, value.as_object_mut()) {
        let signed = base64::prelude::BASE64_STANDARD.encode(signed);
        members.insert("signature".to_owned(), Value::from(signed));
    }
    let mut bytes = serde_json::to_vec_pretty(&value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads a plan that [`save`] wrote, given the sensitive values it was made with.
///
/// # Errors
/// Says whether the file is damaged, of another version, or made with other sensitive values.
pub fn load(bytes: &[u8], secrets: &Secrets) -> Result<Plan, LoadError> {
    let value = parse(bytes)?;
    let salt = value
        .get("salt")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let value = secrets.reveal(value, &salt).ok_or(LoadError::Secret)?;
    serde_json::from_value(value).map_err(LoadError::Damaged)
}

/// Reads a plan that [`save`] wrote, to look at it: sensitive values are masked, and none are needed. Such a plan cannot be
/// applied.
///
/// # Errors
/// Says whether the file is damaged, of another version, or holds a sensitive value where a mask cannot stand.
pub fn load_masked(bytes: &[u8]) -> Result<Plan, LoadError> {
    let value = parse(bytes)?;
    let masked = Secrets::masked(value.clone()).ok_or(LoadError::Unmaskable)?;
    let is_unchanged = masked == value;
    serde_json::from_value(masked).map_err(|error| {
        if is_unchanged {
            LoadError::Damaged(error)
        } else {
            LoadError::Unmaskable
        }
    })
}

fn parse(bytes: &[u8]) -> Result<Value, LoadError> {
    let value: Value = serde_json::from_slice(bytes).map_err(LoadError::Damaged)?;
    let found = value
        .get("format")
        .and_then(Value::as_str)
        .unwrap_or("none");
    if found == FORMAT {
        Ok(value)
    } else {
        Err(LoadError::Format {
            found: found.to_owned(),
        })
    }
}

impl Plan {
    /// The plan as `--format json` prints it: every sensitive value masked, inside documents too. An account's `error`
    /// is a sentence; what AWS answered is in parts in `error_detail`.
    pub fn shown(&self, secrets: &Secrets) -> Value {
        let mut value = secrets.shown(self);
        let accounts = value
            .get_mut("accounts")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten();
        for (shown, account) in accounts.zip(&self.accounts) {
            if let (Some(members), Some(reason)) = (shown.as_object_mut(), &account.error) {
                let detail = members.insert(
                    "error".to_owned(),
                    Value::from(secrets.mask(&reason.to_string())),
                );
                if let (Reason::Aws(_), Some(detail)) = (reason, detail) {
                    members.insert("error_detail".to_owned(), detail);
                }
            }
            let changes = shown
                .get_mut("changes")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten();
            for (shown, change) in changes.zip(&account.changes) {
                if let Some(members) = shown.as_object_mut() {
                    members.shift_remove("watch");
                }
                let steps = shown
                    .get_mut("steps")
                    .and_then(Value::as_array_mut)
                    .into_iter()
                    .flatten();
                steps
                    .zip(&change.steps)
                    .for_each(|(shown, step)| mask_document(shown, step, secrets));
            }
        }
        value
    }
}

/// Masks the document of a step as a document: what is JSON stays JSON.
fn mask_document(shown: &mut Value, step: &Step, secrets: &Secrets) {
    if let Some((name, text)) = step.document()
        && let Ok(document) = serde_json::from_str::<Value>(text)
        && let Some(members) = shown.as_object_mut()
    {
        let masked = secrets.mask_value(&document);
        let text = if masked == document {
            text.to_owned()
        } else {
            masked.to_string()
        };
        members.insert(name.to_owned(), Value::from(text));
    }
}
