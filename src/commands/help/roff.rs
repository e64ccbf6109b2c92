//! A guide as a man page.
//!
//! Markdown's table has no counterpart in `man`: each row becomes a tagged paragraph, its first cell the tag.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use roff::{Inline, Roff, bold, roman};

/// `markdown` as page `rolecall-NAME` of section 7.
pub fn page(name: &str, markdown: &str) -> String {
    let mut page = Page::default();
    let title = format!("rolecall-{name}");
    page.roff
        .control("TH", [title.to_uppercase().as_str(), "7", " ", "rolecall"]);
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        page.event(event);
    }
    page.roff.render()
}

#[derive(Default)]
struct Page {
    roff: Roff,
    line: Vec<Inline>,
    strong: usize,
    heading: Option<HeadingLevel>,
    /// Which cell of a table's row comes next.
    cell: usize,
    in_list: bool,
}

impl Page {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.text(&text),
            Event::Code(code) => self.line.push(bold(code.into_string())),
            Event::SoftBreak | Event::HardBreak => self.line.push(roman(" ")),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        let inline = if self.strong > 0 {
            bold(text)
        } else {
            roman(text)
        };
        self.line.push(inline);
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => self.heading = Some(*level),
            Tag::Strong | Tag::TableHead => self.strong += 1,
            Tag::List(_) => self.in_list = true,
            Tag::Item => {
                self.roff.control("IP", ["\\(bu", "2"]);
            }
            Tag::Paragraph if !self.in_list => {
                self.roff.control("PP", []);
            }
            Tag::CodeBlock(_) => {
                self.roff.control("PP", []);
                self.roff.control("RS", ["4"]);
                self.roff.control("nf", []);
            }
            Tag::TableRow => self.cell = 0,
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => {
                self.heading = None;
                let text = plain(&std::mem::take(&mut self.line));
                match level {
                    // The name of the page: `man` and `apropos` read it from this section.
                    HeadingLevel::H1 => {
                        self.roff.control("SH", ["NAME"]);
                        self.roff
                            .text([roman(format!("rolecall-{}", text.replacen(": ", " - ", 1)))]);
                    }
                    HeadingLevel::H2 => {
                        self.roff.control("SH", [text.to_uppercase().as_str()]);
                    }
                    _ => {
                        self.roff.control("SS", [text.as_str()]);
                    }
                }
            }
            TagEnd::Strong => self.strong -= 1,
            TagEnd::TableHead => {
                self.strong -= 1;
                self.line.clear();
            }
            TagEnd::TableCell if self.strong == 0 => {
                if self.cell == 0 {
                    self.roff.control("TP", []);
                }
                self.cell += 1;
                self.flush();
            }
            TagEnd::Paragraph | TagEnd::Item => self.flush(),
            TagEnd::List(_) => self.in_list = false,
            TagEnd::CodeBlock => {
                let text = plain(&std::mem::take(&mut self.line));
                for line in text.trim_end().lines() {
                    self.roff.text([roman(line)]);
                }
                self.roff.control("fi", []);
                self.roff.control("RE", []);
            }
            _ => {}
        }
    }

    fn flush(&mut self) {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.roff.text(line);
        }
    }
}

fn plain(line: &[Inline]) -> String {
    line.iter()
        .map(|inline| match inline {
            Inline::Roman(text) | Inline::Italic(text) | Inline::Bold(text) => text.as_str(),
            Inline::LineBreak => "\n",
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_lists_tables_and_blocks_have_their_form() {
        let text = "# x: the title\n\nA `code` word.\n\n## Part\n\n- **one** thing\n\n| a | b |\n|---|---|\n| c | d |\n\n```sh\n.ls -l\n```\n";
        let page = page("x", text);
        for part in [
            ".TH ROLECALL-X 7".to_owned(),
            ".SH NAME\nrolecall\\-x \\- the title".to_owned(),
            "\\fBcode\\fR".to_owned(),
            ".SH PART".to_owned(),
            "\\fBone\\fR thing".to_owned(),
            ".TP\nc\nd".to_owned(),
            ".nf\n\\&.ls \\-l\n.fi".to_owned(),
        ] {
            assert!(page.contains(&part), "{part}\n---\n{page}");
        }
        assert!(!page.contains("\na\n"), "{page}");
    }
}
