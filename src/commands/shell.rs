//! Commands as they are written in a shell, so that what is printed can be pasted.

use crate::cli::{DesiredArgs, StateArgs};

/// A word for a POSIX shell, quoted where that is needed.
pub fn word(text: &str) -> String {
    shlex::try_quote(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}

/// The path of a file as an argument, never taken for a flag.
pub fn file(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    if text.starts_with('-') {
        word(&format!("./{text}"))
    } else {
        word(&text)
    }
}

/// The arguments by which another command finds the same desired state and the same record, with a blank before each.
///
/// A sensitive value is masked where the text is written, so whoever pastes it has to fill that in.
pub fn same_directory(desired: &DesiredArgs, state: &StateArgs) -> String {
    let DesiredArgs {
        config,
        var,
        var_file,
    } = desired;
    let mut arguments = String::new();
    let mut push = |flag: &str, value: &str| {
        arguments += &[" ", flag, " ", &word(value)].concat();
    };
    if config != std::path::Path::new(".") {
        push("-c", &config.display().to_string());
    }
    for file in var_file {
        push("--var-file", &file.display().to_string());
    }
    for value in var {
        push("--var", value);
    }
    if let Some(state) = &state.state {
        push("--state", state);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_one_word_for_a_shell() {
        for text in ["plain", "with blank", "it's", "$HOME", "a;b", "", "-c", "é"] {
            assert_eq!(shlex::split(&word(text)).unwrap(), [text]);
        }
        assert_eq!(file(std::path::Path::new("-p.json")), "./-p.json");
    }
}
