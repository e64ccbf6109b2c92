//! Text from AWS and files as text: nothing of it is Markdown, HTML, a mention, a reference to an issue, or a link.
//!
//! Names and other short text stand in `<code>`, where GitHub looks for no mentions; what Markdown or HTML would read
//! there is written as a character reference, which neither takes for its own. Source: GitHub Flavored Markdown,
//! "Entity and numeric character references".

use crate::report::style::clean;

/// What Markdown, HTML or mathematics would read.
const SPECIAL: &[char] = &[
    '&', '<', '>', '"', '\'', '|', '`', '*', '_', '[', ']', '{', '}', '\\', '~', '$', '#', '@',
    '!', '^',
];

/// A name or other short text.
pub fn code(text: &str) -> String {
    format!("<code>{}</code>", references(text, SPECIAL))
}

/// A sentence; what is in backticks is [`code`]. It must not stand at the beginning of a line.
pub fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    // A backtick without its partner is a character like others.
    let is_paired = parts.len() % 2 == 1;
    if !is_paired {
        return plain(text);
    }
    parts
        .iter()
        .enumerate()
        .map(|(n, part)| match n % 2 {
            0 => plain(part),
            _ if part.is_empty() => String::new(),
            _ => code(part),
        })
        .collect()
}

/// Text outside `<code>`: GitHub reads mentions and references to issues off the finished page, so these are broken up.
fn plain(text: &str) -> String {
    const SAFE_IN_A_SENTENCE: &[char] = &['\'', '"'];
    let special: Vec<char> = SPECIAL
        .iter()
        .filter(|c| !SAFE_IN_A_SENTENCE.contains(c))
        .copied()
        .collect();
    references(text, &special)
        .replace("&#64;", "&#64;&#8203;")
        .replace("&#35;", "&#35;&#8203;")
}

fn references(text: &str, special: &[char]) -> String {
    let text = text.replace(['\n', '\r', '\t'], " ");
    let text: String = clean(&text)
        .chars()
        .map(|c| {
            if special.contains(&c) {
                format!("&#{};", u32::from(c))
            } else {
                c.to_string()
            }
        })
        .collect();
    // What would become a link without being written as one.
    text.replace("://", "&#58;//").replace("www.", "www&#46;")
}

/// A fenced block. The fence is longer than any run of backticks in the text, so that nothing in it ends the block.
pub fn fenced(language: &str, text: &str) -> String {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end())
}
