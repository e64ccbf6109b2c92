//! Patterns of policies: `*` matches any run of characters, `?` one character, `${…}` is a policy variable.
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
        if let Some((variable, after)) =
            leading_variable(rest).filter(|_| variables == Variables::Read)
        {
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
    while let Some(rest) = text
        .get(at..)
        .filter(|rest| !rest.is_empty() && segments.len() < 5)
    {
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

/// The ARN with `*` for each part that it lacks at the end, as IAM completes it.
///
/// Source: IAM User Guide, "Identify AWS resources with Amazon Resource Names (ARNs)", incomplete ARNs.
pub fn completed(arn: &str) -> String {
    let parts = segments(arn);
    let lacks = match parts.first() {
        Some(&"arn") if parts.len() > 1 => 6 - parts.len().min(6),
        _ => 0,
    };
    format!("{arn}{}", ":*".repeat(lacks))
}

/// Whether `pattern` matches the whole of `text`. A variable matches nothing: replace it first.
pub fn matches(pattern: &[Token], text: &str) -> bool {
    glob(pattern, text.chars().map(Token::Char))
}

/// Whether `outer` matches everything that `inner` matches; sure where it says yes.
///
/// What a variable represents is not available here: it is covered by `*` or by itself.
pub fn covers(outer: &[Token], inner: &[Token]) -> bool {
    glob(outer, inner.iter().copied())
}

/// Matches piece by piece; after a mismatch the last `*` takes one piece more.
fn glob<'a>(pattern: &[Token], text: impl Iterator<Item = Token<'a>> + Clone) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    let mut last_star = None;
    loop {
        let mut ahead = text.clone();
        match (pattern.split_first(), ahead.next()) {
            (Some((Token::Any, rest)), _) => {
                pattern = rest;
                last_star = Some((rest, text.clone()));
                continue;
            }
            (Some((piece, rest)), Some(other)) if takes(*piece, other) => {
                (pattern, text) = (rest, ahead);
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((rest, from)) = &mut last_star else {
            return false;
        };
        if from.next().is_none() {
            return false;
        }
        (pattern, text) = (*rest, from.clone());
    }
}

/// Whether a piece of a pattern takes one piece of a text or of another pattern.
fn takes(piece: Token, other: Token) -> bool {
    piece == other || (piece == Token::One && matches!(other, Token::Char(_)))
}

/// Whether something may match both patterns; sure where it says no.
pub fn may_overlap(a: &[Token], b: &[Token]) -> bool {
    let runs = |token: &Token| matches!(token, Token::Any | Token::Variable(_));
    let alike = |one: &Token, other: &Token| takes(*one, *other) || takes(*other, *one);
    // Most pairs, actions of two services above all, differ before their first run or behind their last. This is asked for
    // every pair of patterns of two documents, so those are told apart without the table below.
    let (mut a, mut b) = (a, b);
    while let ([one, rest_a @ ..], [other, rest_b @ ..]) = (a, b)
        && !runs(one)
        && !runs(other)
    {
        if !alike(one, other) {
            return false;
        }
        (a, b) = (rest_a, rest_b);
    }
    while let ([rest_a @ .., one], [rest_b @ .., other]) = (a, b)
        && !runs(one)
        && !runs(other)
    {
        if !alike(one, other) {
            return false;
        }
        (a, b) = (rest_a, rest_b);
    }
    // `reached` holds, for each count of pieces of `b`, whether the pieces of `a` so far can use up just those.
    let mut reached = vec![true];
    reached.extend(b.iter().scan(true, |open, token| {
        *open &= runs(token);
        Some(*open)
    }));
    for token in a {
        let mut next = vec![runs(token) && reached.first().is_some_and(|reached| *reached)];
        for ((other, diagonal), above) in b.iter().zip(&reached).zip(reached.iter().skip(1)) {
            let left = next.last().is_some_and(|left| *left);
            next.push(if runs(token) || runs(other) {
                left || *above || *diagonal
            } else {
                *diagonal && alike(token, other)
            });
        }
        reached = next;
    }
    reached.last().is_some_and(|reached| *reached)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Token<'_>> {
        tokens(text, Variables::Read)
    }

    #[test]
    fn stars_and_question_marks_match_as_documented() {
        for (pattern, text, expect) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("?", "", false),
            ("?", "é", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*ab", "aab", true),
            ("a*b*c", "axbxbxc", true),
            ("s3:get*", "s3:getobject", true),
            ("a?c", "ac", false),
            ("**?", "x", true),
            ("${x}", "${x}", false),
        ] {
            assert_eq!(matches(&read(pattern), text), expect, "{pattern} {text}");
        }
        assert!(matches(&tokens("${x}", Variables::Literal), "${x}"));
    }

    #[test]
    fn a_pattern_covers_what_it_must() {
        for (outer, inner, expect) in [
            ("*", "s3:*", true),
            ("s3:*", "s3:Get*", true),
            ("s3:Get*", "s3:*", false),
            ("s3:Get?", "s3:Get*", false),
            ("s3:Get*", "s3:Get?", true),
            ("a*z", "a*b*z", true),
            ("b/*", "b/${aws:username}/*", true),
            ("b/${aws:username}/*", "b/${aws:username}/x", true),
            ("b/${aws:username}", "b/${aws:userid}", false),
            ("*name}", "b/${aws:username}", false),
            ("b/?", "b/${x}", false),
            ("a?", "a?", true),
        ] {
            assert_eq!(
                covers(&read(outer), &read(inner)),
                expect,
                "{outer} {inner}"
            );
        }
    }

    #[test]
    fn patterns_overlap_unless_no_text_matches_both() {
        for (a, b, expect) in [
            ("iam:*", "s3:*", false),
            ("s3:get*", "s3:*object", true),
            ("a", "a", true),
            ("a", "b", false),
            ("a?", "a", false),
            ("a*", "a", true),
            ("", "*", true),
            ("*a", "b*", true),
            ("a*b", "b*", false),
            ("?", "*", true),
            ("x${v}", "xyz", true),
            ("x${v}", "yz", false),
            ("ab*", "a?c*", true),
            ("?b*z", "ab*y", false),
            ("a*?z", "a*bz", true),
            ("abc", "ab", false),
            ("a*a", "a", false),
            ("ab", "ab${v}", true),
        ] {
            assert_eq!(may_overlap(&read(a), &read(b)), expect, "{a} {b}");
            assert_eq!(may_overlap(&read(b), &read(a)), expect, "{b} {a}");
        }
    }

    #[test]
    fn an_incomplete_arn_is_completed_with_wildcards() {
        for (arn, expect) in [
            ("arn:aws:sqs", "arn:aws:sqs:*:*:*"),
            ("arn:aws:sqs:us-east-1", "arn:aws:sqs:us-east-1:*:*"),
            ("arn:aws", "arn:aws:*:*:*:*"),
            ("arn:aws:s3:::b", "arn:aws:s3:::b"),
            ("arn:aws:s3:::b:c", "arn:aws:s3:::b:c"),
            ("*", "*"),
            ("arn", "arn"),
            ("${aws:x}", "${aws:x}"),
        ] {
            assert_eq!(completed(arn), expect);
        }
    }

    #[test]
    fn an_arn_splits_outside_variables() {
        let arn = "arn:aws:iam::${aws:PrincipalAccount}:role/a:b";
        assert_eq!(
            segments(arn),
            [
                "arn",
                "aws",
                "iam",
                "",
                "${aws:PrincipalAccount}",
                "role/a:b"
            ]
        );
        assert_eq!(segments("${a:b"), ["${a", "b"]);
        assert_eq!(segments(""), [""]);
    }
}
