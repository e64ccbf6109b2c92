//! Patterns of policies: `*` stands for any run of characters, `?` for one, `${…}` for a policy variable.
//!
//! A value that came from a request never becomes a pattern: it enters as single characters.
//! Source: IAM User Guide, "IAM JSON policy elements: Variables and tags" and "Resource".

/// A piece of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// One character, itself.
    Char(char),
    /// `*`
    Any,
    /// `?`
    One,
    /// `${…}`, what stands between the braces.
    Variable(&'a str),
}

/// Whether `${…}` is a variable. It is under version 2012-10-17 alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variables {
    /// A variable.
    Read,
    /// Characters like any other.
    Literal,
}

/// Takes `text` apart.
pub fn tokens(text: &str, variables: Variables) -> Vec<Token<'_>> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        if let Some((variable, after)) = leading_variable(rest).filter(|_| variables == Variables::Read) {
            tokens.push(Token::Variable(variable));
            rest = after;
            continue;
        }
        tokens.push(match char {
            '*' => Token::Any,
            '?' => Token::One,
            char => Token::Char(char),
        });
        rest = rest.get(char.len_utf8()..).unwrap_or_default();
    }
    tokens
}

fn leading_variable(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("${")?.split_once('}')
}

/// The parts of an ARN, split at its first five colons outside variables.
pub fn segments(text: &str) -> Vec<&str> {
    let mut segments = Vec::with_capacity(6);
    let (mut start, mut at) = (0, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty() && segments.len() < 5) {
        if let Some((variable, _)) = leading_variable(rest) {
            at += variable.len() + "${}".len();
        } else {
            let char = rest.chars().next().unwrap_or_default();
            if char == ':' {
                segments.extend(text.get(start..at));
                start = at + 1;
            }
            at += char.len_utf8();
        }
    }
    segments.extend(text.get(start..));
    segments
}
