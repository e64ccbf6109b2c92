//! The ARNs of roles, to hand to whoever assumes them.

use std::io;

use serde::Serialize;

use super::style::{Page, Style, Tone, clean, columns, count};
use crate::org::AccountId;

/// The version of the JSON form.
pub const FORMAT: &str = "rolecall-output/1";

/// How many ARNs a policy may hold that is printed as text.
const SHOWN: usize = 20;

/// All roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Handout {
    /// [`FORMAT`].
    pub format: &'static str,
    /// In order of name and account.
    pub roles: Vec<RoleRow>,
    /// One for each account outside the organization that a role trusts.
    pub outsiders: Vec<Outsider>,
}

/// One role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleRow {
    /// Its name.
    pub role: String,
    /// Its account.
    pub account_id: AccountId,
    /// That account's name.
    pub account_name: String,
    /// Its ARN.
    pub arn: String,
    /// A name for people that holds the account's number.
    pub alias: String,
    /// The external ids that its trust demands, masked where they may not be shown.
    pub external_ids: Vec<String>,
}

/// An account outside the organization: nothing can be written there, so its owner is shown the policy to add.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outsider {
    /// Its id.
    pub account_id: AccountId,
    /// The policy that lets an identity of that account assume the roles that trust it.
    pub policy: serde_json::Value,
    /// How many roles that are.
    #[serde(skip)]
    pub roles: usize,
}

/// Whether the CSV has a column for external ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExternalIds {
    /// It has.
    Column,
    /// It has not.
    Left,
}

impl Handout {
    /// The roles with the version of their form.
    pub fn new(roles: Vec<RoleRow>, outsiders: Vec<Outsider>) -> Self {
        Self {
            format: FORMAT,
            roles,
            outsiders,
        }
    }
}

/// Writes each role with what its user needs, and what an account outside must allow its own identities.
pub fn text(handout: &Handout, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let mut page = Page::new(style, out);
    let width = handout
        .roles
        .iter()
        .map(|row| columns(&row.alias))
        .max()
        .unwrap_or_default();
    let mut role = "";
    for row in &handout.roles {
        if row.role != role {
            role = &row.role;
            let title = page.paint(Tone::Title, role);
            page.line(0, &title)?;
        }
        let alias = page.paint(Tone::Faint, &format!("{:width$}", row.alias));
        let external_ids = match row.external_ids.as_slice() {
            [] => String::new(),
            ids => format!("  external id {}", ids.join(", ")),
        };
        let rest = page.paint(Tone::Plain, &format!("{}{external_ids}", row.arn));
        page.line(2, &format!("{alias}  {rest}"))?;
    }
    for outsider in &handout.outsiders {
        page.blank()?;
        let title = format!(
            "For account {}, outside the organization: the policy its principals need",
            outsider.account_id
        );
        let title = page.paint(Tone::Title, &title);
        page.line(0, &title)?;
        if outsider.roles > SHOWN {
            page.prose(
                2,
                Tone::Faint,
                &format!("covers {} roles; see --format json", outsider.roles),
            )?;
        } else {
            // Not wrapped: it is copied.
            for line in format!("{:#}", outsider.policy).lines() {
                let line = page.paint(Tone::Plain, line);
                page.line(2, &line)?;
            }
        }
    }
    if !handout.roles.is_empty() {
        page.blank()?;
    }
    page.line(0, &count(handout.roles.len(), "role"))
}

/// Writes a table of comma-separated values. Control characters are made visible, and `'` stands before what a
/// spreadsheet would run as a formula.
///
/// Source: RFC 4180; OWASP, CSV injection.
pub fn csv(
    handout: &Handout,
    external_ids: ExternalIds,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let more = if external_ids == ExternalIds::Column {
        ",external_id"
    } else {
        ""
    };
    writeln!(out, "role,account_id,account_name,arn,alias{more}")?;
    for row in &handout.roles {
        let RoleRow {
            role,
            account_id,
            account_name,
            arn,
            alias,
            external_ids: ids,
        } = row;
        let mut fields = vec![
            field(role),
            account_id.to_string(),
            field(account_name),
            field(arn),
            field(alias),
        ];
        if external_ids == ExternalIds::Column {
            fields.push(field(&ids.join(" ")));
        }
        writeln!(out, "{}", fields.join(","))?;
    }
    Ok(())
}

/// A field, in quotes where it holds what would end it.
fn field(text: &str) -> String {
    let visible = clean(text);
    let text = if is_formula(text) {
        format!("'{visible}")
    } else {
        visible.into_owned()
    };
    if text.contains([',', '"']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// Whether a spreadsheet takes `text` for a formula. Some strip white space first, and some know the full-width signs.
fn is_formula(text: &str) -> bool {
    text.starts_with(['\t', '\r'])
        || text
            .trim_start()
            .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handout() -> Handout {
        let account_id = AccountId::parse("222222222222").unwrap();
        let row = |role: &str, name: &str, external_ids: &[&str]| RoleRow {
            role: role.to_owned(),
            account_id,
            account_name: name.to_owned(),
            arn: format!("arn:aws:iam::222222222222:role/{role}"),
            alias: format!("{name} (222222222222)"),
            external_ids: external_ids.iter().map(|id| (*id).to_owned()).collect(),
        };
        let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": [] });
        let outsider = Outsider {
            account_id: AccountId::parse("999999999999").unwrap(),
            policy,
            roles: 1,
        };
        Handout::new(
            vec![
                row("A,b", "prod \"x\"", &["(sensitive)"]),
                row("C", "dev", &[]),
            ],
            vec![outsider],
        )
    }

    #[test]
    fn a_field_that_holds_a_comma_stays_one_field() {
        let mut out = Vec::new();
        csv(&handout(), ExternalIds::Left, &mut out).unwrap();
        let expect = "role,account_id,account_name,arn,alias\n\
            \"A,b\",222222222222,\"prod \"\"x\"\"\",\"arn:aws:iam::222222222222:role/A,b\",\"prod \"\"x\"\" (222222222222)\"\n\
            C,222222222222,dev,arn:aws:iam::222222222222:role/C,dev (222222222222)\n";
        assert_eq!(String::from_utf8(out).unwrap(), expect);
        let mut out = Vec::new();
        csv(&handout(), ExternalIds::Column, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.starts_with("role,account_id,account_name,arn,alias,external_id\n"),
            "{text}"
        );
        assert!(text.contains(",(sensitive)\n"), "{text}");
    }

    #[test]
    fn a_field_is_never_a_formula_nor_holds_a_control_character() {
        for (text, expect) in [
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+1", "'+1"),
            ("-1,2", "\"'-1,2\""),
            ("@SUM(\"A1\")", "\"'@SUM(\"\"A1\"\")\""),
            ("\tx", r"'\tx"),
            ("\rx", r"'\rx"),
            (" \n=1", r"' \n=1"),
            ("＝1", "'＝1"),
            (
                "a\u{1b}[31m\u{7}\u{9b}\u{202e}\u{61c}\u{2028}\nb",
                r"a\u{1b}[31m\u{7}\u{9b}\u{202e}\u{61c}\u{2028}\nb",
            ),
            ("a=b+c-d@e", "a=b+c-d@e"),
            ("'quoted'", "'quoted'"),
            (" padded", " padded"),
            ("", ""),
        ] {
            assert_eq!(field(text), expect, "{text:?}");
        }
    }

    #[test]
    fn the_text_has_all_that_is_handed_over() {
        let mut out = Vec::new();
        let style = Style::new(super::super::style::ColorChoice::Never, false, false);
        text(&handout(), &style, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for part in [
            "external id (sensitive)",
            "dev (222222222222)",
            "For account 999999999999",
            "  \"Version\": \"2012-10-17\"",
        ] {
            assert!(text.contains(part), "{part}:\n{text}");
        }
    }
}
