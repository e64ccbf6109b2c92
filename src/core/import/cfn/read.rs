//! The text of a template as a tree in which everything knows its place.
//!
//! CloudFormation takes JSON and YAML whatever a file is called. Every scalar is text here, as it is for IAM in the end:
//! `2012-10-17`, `004512345678` and `yes` stay as written, and `True` is `true`. A short form `!Sub x` is read as its long
//! one, `{"Fn::Sub": x}`.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::super::report::Source;
use super::json;
use super::node::{Key, MAX_DEPTH, MAX_NODES, Node, Origin, Unreadable, Value, too_deep};

/// The largest template.
///
/// Source: CloudFormation quotas, template size in an S3 object.
pub const MAX_TEXT: usize = 1024 * 1024;

/// Reads JSON or YAML.
///
/// # Errors
/// It is neither, too large or nested too deep.
pub fn read(text: &str, origin: &Origin) -> Result<Node, Unreadable> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_TEXT {
        let why = format!("it has {} bytes, {MAX_TEXT} are allowed", text.len());
        return Err(Unreadable {
            place: origin.place(1, 1),
            why,
        });
    }
    if let Some(node) = json::read(text, origin) {
        return node;
    }
    let mut reader = Reader {
        origin,
        anchors: HashMap::new(),
        nodes: 0,
    };
    let mut events = Vec::new();
    let mut depth = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Unreadable {
            place: origin.place(error.marker().line(), error.marker().col() + 1),
            why: format!("it is neither JSON nor YAML: {}", error.info()),
        })?;
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(too_deep(reader.place(&span)));
        }
        events.push((event, span));
    }
    let documents = events
        .iter()
        .filter(|(event, _)| matches!(event, Event::DocumentStart(_)))
        .count();
    let starts = |(event, _): &(Event<'_>, Span)| {
        !matches!(event, Event::StreamStart | Event::DocumentStart(_))
    };
    let mut events = events.into_iter().filter(starts).peekable();
    if documents != 1 {
        return Err(Unreadable {
            place: origin.place(1, 1),
            why: format!("it holds {documents} YAML documents; a template is one"),
        });
    }
    reader.node(&mut events)
}

struct Reader<'a> {
    origin: &'a Origin,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl Reader<'_> {
    fn place(&self, span: &Span) -> Source {
        self.origin.place(span.start.line(), span.start.col() + 1)
    }

    fn count(&mut self, more: usize, place: &Source) -> Result<(), Unreadable> {
        self.nodes += more;
        if self.nodes > MAX_NODES {
            return Err(Unreadable {
                place: place.clone(),
                why: format!("it has more than {MAX_NODES} values"),
            });
        }
        Ok(())
    }

    fn node<'e>(
        &mut self,
        events: &mut impl Iterator<Item = (Event<'e>, Span)>,
    ) -> Result<Node, Unreadable> {
        let Some((event, span)) = events.next() else {
            return Ok(Node::new(self.origin.place(1, 1), Value::Null));
        };
        self.started(event, span, events)
    }

    /// The node that begins with an event.
    fn started<'e>(
        &mut self,
        event: Event<'e>,
        span: Span,
        events: &mut impl Iterator<Item = (Event<'e>, Span)>,
    ) -> Result<Node, Unreadable> {
        let place = self.place(&span);
        self.count(1, &place)?;
        let before = self.nodes;
        let (node, anchor, tag) = match event {
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    let why = "this alias is used inside of what it names".to_owned();
                    return Err(Unreadable { place, why });
                };
                self.count(size, &place)?;
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref());
                let mut node = Node::new(place, value);
                if style == ScalarStyle::Literal {
                    let blank = text.len() - text.trim_start_matches('\n').len();
                    let line = span.start.line().saturating_sub(blank);
                    node.block = Some((line, span.start.col()));
                }
                (node, anchor, tag)
            }
            Event::SequenceStart(anchor, tag) => {
                let mut items = Vec::new();
                while let Some((event, span)) = events.next() {
                    if event == Event::SequenceEnd {
                        break;
                    }
                    items.push(self.started(event, span, events)?);
                }
                (Node::new(place, Value::List(items)), anchor, tag)
            }
            Event::MappingStart(anchor, tag) => {
                let mut members = Vec::new();
                while let Some((event, span)) = events.next() {
                    if event == Event::MappingEnd {
                        break;
                    }
                    let key = self.started(event, span, events)?;
                    let value = self.node(events)?;
                    let text = match key.value {
                        Value::Text(text) => text,
                        Value::Null => String::new(),
                        Value::List(_) | Value::Map(_) => {
                            let why = "a key must be text".to_owned();
                            return Err(Unreadable {
                                place: key.place,
                                why,
                            });
                        }
                    };
                    let place = key.place;
                    members.push((Key { text, place }, value));
                }
                (Node::new(place, Value::Map(members)), anchor, tag)
            }
            _ => return Ok(Node::new(place, Value::Null)),
        };
        let node = match tag {
            Some(tag) => tagged(node, &tag),
            None => node,
        };
        if anchor > 0 {
            let size = self.nodes - before;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    match (style, text) {
        (ScalarStyle::Plain, "null" | "Null" | "NULL" | "~" | "") if tag.is_none() => Value::Null,
        (ScalarStyle::Plain, "True" | "TRUE") => Value::Text("true".to_owned()),
        (ScalarStyle::Plain, "False" | "FALSE") => Value::Text("false".to_owned()),
        _ => Value::Text(text.to_owned()),
    }
}

/// A short form as its long form.
fn tagged(node: Node, tag: &Tag) -> Node {
    if tag.handle != "!" || tag.suffix.is_empty() {
        return node;
    }
    let place = node.place.clone();
    let name = match tag.suffix.as_str() {
        name @ ("Ref" | "Condition") => name.to_owned(),
        name => format!("Fn::{name}"),
    };
    let key = Key {
        text: name,
        place: place.clone(),
    };
    Node::new(place, Value::Map(vec![(key, node)]))
}
