//! `[[accept]]`: differences that `rolecall drift` reports as known, with a reason, until a day.

use jiff::civil::Date;

use super::problem::{Problem, Problems};
use super::scope::{Found, Scope};
use super::tree::{Node, Table};
use super::vars::Variables;
use super::{check, render};
use crate::resource::Origin;

/// One difference that is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept {
    /// The address of the resource; `*` matches any run of characters.
    pub address: String,
    /// The name of an attribute, such as `trust`.
    pub attribute: String,
    /// Why the difference is accepted.
    pub reason: String,
    /// The last day it holds, in UTC.
    pub until: Date,
    /// Where it is written.
    pub origin: Origin,
}

/// Reads the `[[accept]]`s of the root.
pub fn read(
    nodes: &[Node],
    variables: &Variables,
    found: &Found,
    problems: &mut Problems,
) -> Vec<Accept> {
    let scope = Scope::directory(&variables.effective(&super::vars::Values::new()))
        .hiding(variables, found);
    nodes
        .iter()
        .filter_map(|node| one(node, &scope, variables, problems))
        .collect()
}

fn one(
    node: &Node,
    scope: &Scope,
    variables: &Variables,
    problems: &mut Problems,
) -> Option<Accept> {
    let table = node.as_table()?;
    let until = check::date(table, "until", problems);
    let mut text = |table: &Table, key: &str| {
        let rendered = render::render_alone(
            table.get(key)?,
            "an `[[accept]]`",
            scope,
            variables,
            problems,
        )?;
        Some((rendered.as_str()?.to_owned(), rendered.place))
    };
    let (address, place) = text(table, "address")?;
    let (reason, why) = text(table, "reason")?;
    if address.split('/').count() < 3 && !address.contains('*') {
        let problem = Problem::error(
            "value",
            &place,
            format!("`{address}` is not the address of a resource"),
        );
        problems.push(problem.hint(
            "222222222222/role/NAME, as `rolecall drift` prints it; `*/role/NAME` is any account",
        ));
    }
    if reason.trim().is_empty() {
        problems.push(
            Problem::error("value", &why, "`reason` is empty")
                .hint("say why this difference is accepted"),
        );
    }
    let attribute = table.get("attribute")?.as_str()?.to_owned();
    let origin = Origin {
        file: node.place.file.name.clone(),
        line: node.place.line_column().0,
    };
    Some(Accept {
        address,
        attribute,
        reason,
        until: until?,
        origin,
    })
}
