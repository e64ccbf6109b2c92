//! The language of expressions: what they may call, and the limits of their size and results.
//!
//! An expression is compiled and evaluated by minijinja, which bounds the steps it takes and not the memory. So only what
//! is listed here can be called, and whatever can make a text much longer than what it is given has a limit of its own:
//!
//! - A text that is given to a filter, and one that an expression gives, has at most [`MAX_TEXT`] bytes.
//! - `replace`, `join`, `string` and `b64encode` make at most 1 MiB together.
//! - The source of an expression has at most [`MAX_SOURCE`] bytes, [`MAX_PARTS`] operators, names of filters and brackets,
//!   and brackets in [`MAX_DEPTH`] of each other, so that compiling it needs little of the stack.
//! - The operator `*`, the function `range` and the filters in [`NOT_OFFERED`] are left out: they take a length.

use std::collections::{BTreeSet, HashMap};
use std::fmt::{self, Write};
use std::sync::{LazyLock, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use minijinja::value::{Kwargs, Rest, StringInput, Value, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, filters, tests};
use regex::{Regex, RegexBuilder};

/// Steps one expression may take: it ends, whatever is written.
const FUEL: u64 = 100_000;

/// Bytes of the source of one expression.
pub const MAX_SOURCE: usize = 8 * 1024;

/// Operators, filters and brackets in one expression.
pub const MAX_PARTS: usize = 256;

/// Brackets within brackets.
pub const MAX_DEPTH: usize = 16;

/// Bytes of a text that a filter is given or an expression gives.
pub const MAX_TEXT: usize = 64 * 1024;

/// Bytes that one expression may make by `replace`, `join`, `string` and `b64encode`, or give as a list.
const MAX_MADE: usize = 1024 * 1024;

/// Bytes that a compiled regular expression may take.
const MAX_REGEX: usize = 1024 * 1024;

/// How many compiled regular expressions are kept.
const REGEXES: usize = 256;

/// Filters of minijinja that take a width or a count, or are for templates.
pub const NOT_OFFERED: [&str; 8] = [
    "batch", "e", "escape", "format", "indent", "pprint", "safe", "slice",
];

macro_rules! functions {
    ($($module:ident: $($name:literal = $function:ident),* $(,)?);*) => {
        [$($(($name, Value::from_function($module::$function))),*),*]
    };
}

/// The filters, by name.
pub static FILTERS: LazyLock<Vec<(&'static str, Value)>> = LazyLock::new(|| {
    let own = [
        ("b64encode", Value::from_function(b64encode)),
        ("join", Value::from_function(join)),
        ("replace", Value::from_function(replace)),
        ("string", Value::from_function(string)),
    ];
    let others = functions! { filters:
        "lower" = lower, "upper" = upper, "title" = title, "capitalize" = capitalize, "length" = length, "count" = length,
        "dictsort" = dictsort, "items" = items, "reverse" = reverse, "trim" = trim, "split" = split, "lines" = lines,
        "default" = default, "d" = default, "round" = round, "abs" = abs, "int" = int, "float" = float, "attr" = attr,
        "first" = first, "last" = last, "min" = min, "max" = max, "sort" = sort, "list" = list, "bool" = bool,
        "sum" = sum, "select" = select, "reject" = reject, "selectattr" = selectattr, "rejectattr" = rejectattr,
        "map" = map, "groupby" = groupby, "unique" = unique, "chain" = chain, "zip" = zip
    };
    own.into_iter().chain(others).collect()
});

pub(super) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    for (name, filter) in FILTERS.iter() {
        environment.add_filter(
            *name,
            move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| {
                let args = args.into_values();
                for text in args.iter().filter_map(Value::as_str) {
                    check_length(text.len())?;
                }
                filter.call(state, &args)
            },
        );
    }
    let tests = functions! { tests:
        "undefined" = is_undefined, "defined" = is_defined, "none" = is_none, "boolean" = is_boolean, "odd" = is_odd,
        "even" = is_even, "divisibleby" = is_divisibleby, "number" = is_number, "integer" = is_integer,
        "int" = is_integer, "float" = is_float, "string" = is_string, "sequence" = is_sequence,
        "iterable" = is_iterable, "mapping" = is_mapping, "startingwith" = is_startingwith,
        "endingwith" = is_endingwith, "lower" = is_lower, "upper" = is_upper, "sameas" = is_sameas, "eq" = is_eq,
        "equalto" = is_eq, "==" = is_eq, "ne" = is_ne, "!=" = is_ne, "lt" = is_lt, "lessthan" = is_lt, "<" = is_lt,
        "le" = is_le, "<=" = is_le, "gt" = is_gt, "greaterthan" = is_gt, ">" = is_gt, "ge" = is_ge, ">=" = is_ge,
        "in" = is_in, "true" = is_true, "false" = is_false, "filter" = is_filter, "test" = is_test
    };
    for (name, test) in tests {
        environment.add_test(
            name,
            move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| {
                Ok::<bool, Error>(test.call(state, &args.into_values())?.is_true())
            },
        );
    }
    environment.add_test("matches", matches);
    environment
});

/// Refuses the source of an expression that is too large to compile.
///
/// # Errors
/// Says what there is too much of, and how much there may be.
pub(super) fn check_source(source: &str) -> Result<(), String> {
    if source.len() > MAX_SOURCE {
        return Err(format!(
            "it has {} bytes, {MAX_SOURCE} are allowed",
            source.len()
        ));
    }
    let (mut parts, mut depth, mut quote) = (0, 0_usize, None);
    let mut word = String::new();
    let mut chars = source.chars();
    loop {
        let next = chars.next();
        if quote.is_none() && next.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            word.extend(next);
            continue;
        }
        let is_operator = ["and", "or", "not", "if", "else", "is", "in"].contains(&word.as_str());
        parts += usize::from(is_operator);
        word.clear();
        match (quote, next) {
            (_, None) => break,
            (Some(_), Some('\\')) => _ = chars.next(),
            (Some(open), Some(c)) if c == open => quote = None,
            (Some(_), Some(_)) => {}
            (None, Some(c @ ('"' | '\''))) => quote = Some(c),
            (None, Some('*')) => {
                return Err(
                    "`*` is not available, because its result can be of any size; write the product itself"
                        .to_owned(),
                );
            }
            (None, Some('(' | '[' | '{')) => {
                parts += 1;
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(format!(
                        "its brackets are nested more than {MAX_DEPTH} deep"
                    ));
                }
            }
            (None, Some(')' | ']' | '}')) => depth = depth.saturating_sub(1),
            (None, Some(c)) => {
                parts += usize::from(c.is_ascii_punctuation() && !matches!(c, ',' | ':'));
            }
        }
    }
    if parts > MAX_PARTS {
        return Err(format!(
            "it has {parts} operators, filters and brackets, {MAX_PARTS} are allowed"
        ));
    }
    Ok(())
}

/// The dotted names that an expression uses: `var.x`, `account.tags.team`.
///
/// minijinja can tell them too, and forgets what is sliced: `var.x[1:2]`.
pub(super) fn names(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    // What stands before: the sign or the word.
    let mut before = String::new();
    let mut rest = source.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => quoted(rest, first),
            _ if first.is_ascii_digit() => word(rest, "."),
            _ if first.is_alphabetic() || first == '_' => {
                let end = word(rest, "");
                let name = rest.get(..end).unwrap_or_default();
                let after = rest.get(end..).unwrap_or_default().trim_start();
                let is_argument = after.starts_with('=') && !after.starts_with("==");
                let is_called = matches!(before.as_str(), "." | "|" | "is" | "is not");
                if !is_called && !is_argument && !WORDS.contains(&name) {
                    names.insert(dotted(name, after));
                }
                end
            }
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        before = if before == "is" && token == "not" {
            "is not".to_owned()
        } else {
            token.to_owned()
        };
        rest = after.trim_start();
    }
    names
}

/// Words of the language, which name nothing.
const WORDS: [&str; 13] = [
    "and", "or", "not", "if", "else", "is", "in", "true", "false", "none", "True", "False", "None",
];

/// A name with the attributes that follow it.
fn dotted(name: &str, after: &str) -> String {
    let mut dotted = name.to_owned();
    let mut rest = after;
    while let Some(attribute) = rest.strip_prefix('.').map(str::trim_start) {
        let end = word(attribute, "");
        let Some((attribute, after)) = attribute
            .split_at_checked(end)
            .filter(|(attribute, _)| !attribute.is_empty())
        else {
            break;
        };
        dotted = dotted + "." + attribute;
        rest = after.trim_start();
    }
    dotted
}

/// How long the word is that `text` begins with.
fn word(text: &str, also: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_' && !also.contains(c))
        .unwrap_or(text.len())
}

/// How long the quoted text is that `text` begins with.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    let closes = |c: char| {
        let closes = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    };
    let inner = text.get(1..).unwrap_or_default();
    inner.find(closes).map_or(text.len(), |at| at + 2)
}

/// Refuses a value that is too large to be given.
///
/// # Errors
/// Says how large it may be.
pub(super) fn check_result(value: &Value) -> Result<(), String> {
    let mut left = MAX_MADE;
    if measure(value, &mut left).is_none() {
        return Err(format!(
            "its result is too large: a string may have {MAX_TEXT} bytes, and a list {MAX_MADE} in all"
        ));
    }
    Ok(())
}

fn measure(value: &Value, left: &mut usize) -> Option<()> {
    *left = left.checked_sub(1)?;
    match value.kind() {
        ValueKind::String => {
            let length = value.as_str().map_or(0, str::len);
            *left = left.checked_sub(length)?;
            (length <= MAX_TEXT).then_some(())
        }
        ValueKind::Seq | ValueKind::Iterable => value
            .try_iter()
            .ok()?
            .try_for_each(|item| measure(&item, left)),
        _ => Some(()),
    }
}

fn too_long(length: usize) -> Error {
    refused(format!(
        "a string of {length} bytes or more, {MAX_TEXT} are allowed"
    ))
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

fn check_length(length: usize) -> Result<(), Error> {
    if length > MAX_TEXT {
        Err(too_long(length))
    } else {
        Ok(())
    }
}

/// A text being made, up to a length.
#[derive(Default)]
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > MAX_TEXT {
            return Err(fmt::Error);
        }
        self.0 += text;
        Ok(())
    }
}

impl Bounded {
    fn add(&mut self, value: &Value) -> Result<(), Error> {
        let added = match value.as_str() {
            Some(text) => self.write_str(text),
            None => write!(self, "{value}"),
        };
        added.map_err(|_| too_long(MAX_TEXT))
    }
}

/// Notes that an expression has made a text, and refuses it where it has made too much.
fn made(state: &mut State<'_, '_>, text: String) -> Result<Value, Error> {
    const MADE: &str = "made";
    let before = state
        .get_temp(MADE)
        .and_then(|made| made.as_usize())
        .unwrap_or_default();
    let made = before + text.len();
    if made > MAX_MADE {
        return Err(refused(format!(
            "`replace`, `join`, `string` and `b64encode` produce more than {MAX_MADE} bytes"
        )));
    }
    state.set_temp(MADE, made.into());
    Ok(text.into())
}

/// `join`, which in minijinja takes what has no value for an empty list.
#[expect(
    clippy::needless_pass_by_value,
    reason = "minijinja hands arguments over"
)]
fn join(
    state: &mut State<'_, '_>,
    value: &Value,
    joiner: Option<StringInput<'_>>,
    attribute: Option<&str>,
    named: Kwargs,
) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    let joiner = match joiner {
        Some(joiner) => Some(joiner),
        None => named.get::<Option<StringInput<'_>>>("d")?,
    };
    let attribute = match attribute {
        Some(attribute) => Some(attribute),
        None => named.get::<Option<&str>>("attribute")?,
    };
    named.assert_all_used()?;
    let joiner = joiner.as_ref().map(StringInput::as_str).unwrap_or_default();
    let items = value
        .try_iter()
        .map_err(|_| refused(format!("cannot join value of type {}", value.kind())))?;
    let mut text = Bounded::default();
    for (index, item) in items.enumerate() {
        let item = match attribute {
            Some(path) => {
                path.split('.')
                    .try_fold(item, |item, step| match step.parse::<usize>() {
                        Ok(index) => item.get_item_by_index(index),
                        Err(_) => item.get_attr(step),
                    })?
            }
            None => item,
        };
        if item.is_undefined() {
            return Err(ErrorKind::UndefinedError.into());
        }
        if index > 0 {
            text.write_str(joiner).map_err(|_| too_long(MAX_TEXT))?;
        }
        text.add(&item)?;
    }
    made(state, text.0)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "minijinja hands arguments over"
)]
fn replace(
    state: &mut State<'_, '_>,
    value: StringInput<'_>,
    from: StringInput<'_>,
    to: StringInput<'_>,
) -> Result<Value, Error> {
    let (value, from, to) = (value.as_str(), from.as_str(), to.as_str());
    let count = value.matches(from).count();
    check_length(
        value
            .len()
            .saturating_sub(count * from.len())
            .saturating_add(count.saturating_mul(to.len())),
    )?;
    made(state, value.replace(from, to))
}

/// Base64 of the UTF-8 bytes of a text, with padding and without line breaks.
///
/// Source: RFC 4648, section 4.
#[expect(
    clippy::needless_pass_by_value,
    reason = "minijinja hands arguments over"
)]
fn b64encode(state: &mut State<'_, '_>, value: StringInput<'_>) -> Result<Value, Error> {
    check_length(value.as_str().len().div_ceil(3).saturating_mul(4))?;
    made(state, BASE64_STANDARD.encode(value.as_str()))
}

fn string(state: &mut State<'_, '_>, value: &Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    let mut text = Bounded::default();
    text.add(value)?;
    made(state, text.0)
}

/// `is matches("regex")`: a string in which the regular expression is found, or a list with such a string.
fn matches(value: &Value, pattern: &str) -> Result<bool, Error> {
    let pattern = compiled(pattern)
        .map_err(|error| refused(format!("`{pattern}` is not a regular expression: {error}")))?;
    let found = |value: &Value| value.as_str().is_some_and(|text| pattern.is_match(text));
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => Ok(value.try_iter()?.any(|item| found(&item))),
        _ => Ok(found(value)),
    }
}

/// A check asks the same of every role of every account, so what it compiles is kept.
fn compiled(pattern: &str) -> Result<Regex, regex::Error> {
    static KEPT: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.get(pattern) {
        return Ok(known.clone());
    }
    let new = RegexBuilder::new(pattern).size_limit(MAX_REGEX).build()?;
    // A pattern may be made of what is checked, so there may be no end of them.
    if kept.len() == REGEXES {
        kept.clear();
    }
    kept.insert(pattern.to_owned(), new.clone());
    Ok(new)
}
