//! `rolecall help`: the help of a command, or a guide. The guides are the Markdown files beside this one, compiled in;
//! `rolecall man --out` writes them as man pages too.

use std::fmt::Write as _;
use std::io::Write;

use super::{Console, Error};
use crate::cli::manual;
use crate::config::problem::did_you_mean;
use crate::exit::Exit;

mod roff;

/// A guide.
#[derive(Debug, Clone, Copy)]
pub struct Topic {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its Markdown; the first line is `# NAME: TITLE`.
    pub text: &'static str,
}

impl Topic {
    fn title(&self) -> &'static str {
        let heading = self.text.lines().next().unwrap_or_default();
        heading.split_once(": ").map_or("", |(_, title)| title)
    }
}

macro_rules! topics {
    ($($name:literal),+ $(,)?) => {
        &[$(Topic { name: $name, text: include_str!(concat!($name, ".md")) }),+]
    };
}

/// Every guide, in reading order.
pub const TOPICS: &[Topic] = topics![
    "import",
    "desired-state",
    "expressions",
    "checks",
    "modules",
    "attachments",
    "grants",
    "rollout",
    "drift",
    "findings",
    "permissions",
    "state",
    "pipelines",
    "sandbox",
];

/// Prints the guide or the command that `words` name; without words, the program's help and the list of guides.
///
/// A guide wins over a command of the same name, since `rolecall COMMAND --help` prints the other.
pub fn run(words: &[String], console: &Console) -> Result<Exit, Error> {
    let text = match words {
        [] => contents(),
        [name] => match TOPICS.iter().find(|topic| topic.name == name) {
            Some(topic) => topic.text.to_owned(),
            None => command(words)?,
        },
        _ => command(words)?,
    };
    let mut out = console.bare();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Exit::Done)
}

/// The man pages of the guides: file name and text.
pub fn man_pages() -> Vec<(String, Vec<u8>)> {
    let page = |topic: &Topic| {
        let name = format!("rolecall-{}.7", topic.name);
        (name, roff::page(topic.name, topic.text).into_bytes())
    };
    TOPICS.iter().map(page).collect()
}

fn contents() -> String {
    let mut text = manual::help(&[]).unwrap_or_default();
    text.push_str("\nGuides, printed by `rolecall help TOPIC`:\n");
    for topic in TOPICS {
        // Writing to a string cannot fail.
        _ = writeln!(text, "  {:<14} {}", topic.name, topic.title());
    }
    text
}

fn command(words: &[String]) -> Result<String, Error> {
    manual::help(words).ok_or_else(|| {
        let wanted = words.join(" ");
        let names = manual::commands();
        let known = TOPICS.iter().map(|topic| topic.name);
        let known = known.chain(names.iter().map(String::as_str));
        let hint = did_you_mean(&wanted, known)
            .unwrap_or_else(|| "`rolecall help` lists the commands and guides".to_owned());
        Error::with_hint(format!("no command or guide is called `{wanted}`"), hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guide_begins_with_its_name_and_a_title() {
        for topic in TOPICS {
            let heading = format!("# {}: ", topic.name);
            assert!(topic.text.starts_with(&heading), "{}", topic.name);
            assert!(!topic.title().is_empty(), "{}", topic.name);
        }
    }

    #[test]
    fn every_page_beside_this_file_is_a_guide_or_the_style() {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/src/commands/help");
        let mut names: Vec<String> = std::fs::read_dir(here)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
            .filter(|name| name != "style")
            .collect();
        names.sort();
        let mut topics: Vec<&str> = TOPICS.iter().map(|topic| topic.name).collect();
        topics.sort_unstable();
        assert_eq!(names, topics);
    }
}
