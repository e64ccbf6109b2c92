//! Every key of a desired state with its meaning, as an annotated TOML file: made from the tables that the loader itself
//! checks by, with an example for each key.
//!
//! The file is a valid desired state. A key that excludes another one (`document` and `statement`, say) is commented out.

use std::fmt::Write as _;

use super::lints;
use super::schema::{Key, Presence, ROOT, Schema, Type, VARIABLE};

/// How the example of a key is written.
enum Example {
    /// As its value.
    Value(&'static str),
    /// Commented out: it excludes another key, or would refuse this very file.
    Instead(&'static str),
}

use Example::{Instead, Value};

/// Examples by table and key. A key without one is a table of its own.
const EXAMPLES: &[(&str, &str, Example)] = &[
    ("the top level", "name", Value("\"reference\"")),
    ("the top level", "required_version", Value("\">=0.1, <1\"")),
    ("organization", "id", Value("\"o-exampleorgid\"")),
    (
        "organization",
        "access_role",
        Value("\"OrganizationAccountAccessRole\""),
    ),
    ("organization", "session_name", Value("\"rolecall\"")),
    ("organization", "external_id", Instead("\"unique-to-us\"")),
    ("variable", "type", Value("\"string\"")),
    ("variable", "default", Value("\"from-the-vendors-console\"")),
    (
        "variable",
        "description",
        Value("\"the external id that the vendor issued\""),
    ),
    ("variable", "sensitive", Value("true")),
    (
        "variable",
        "one_of",
        Instead("[\"commercial\", \"fedramp\"]"),
    ),
    ("variable", "pattern", Value("\"[a-z-]+\"")),
    ("variable", "each_pattern", Instead("\"[a-z-]+\"")),
    ("variable", "min_length", Value("1")),
    ("variable", "max_length", Value("64")),
    ("variable", "min", Instead("1")),
    ("variable", "max", Instead("12")),
    (
        "the top level",
        "locals",
        Value("{ bucket = \"acme-logs-{{ account.id }}\" }"),
    ),
    ("account", "access_role", Value("\"AuditAccess\"")),
    (
        "account",
        "vars",
        Value("{ external_id = \"of-this-account\" }"),
    ),
    ("policy", "name", Value("\"VendorReadLogs\"")),
    ("policy", "path", Value("\"/\"")),
    (
        "policy",
        "description",
        Value("\"What the vendor may read\""),
    ),
    ("policy", "document", Instead("\"policies/read-logs.json\"")),
    ("policy", "without", Value("[\"s3:*Acl\"]")),
    ("policy", "when", Value("\"var.external_id != ''\"")),
    ("policy", "tags", Value("{ team = \"secops\" }")),
    (
        "policy",
        "targets",
        Value("[{ account = \"log-archive\" }]"),
    ),
    (
        "policy",
        "exclude",
        Value("[{ tags = { env = \"sandbox\" } }]"),
    ),
    ("policy", "adopt", Value("false")),
    ("policy", "prevent_destroy", Value("false")),
    ("policy", "former_stack", Instead("\"StackSet-vendor-*\"")),
    ("statement", "sid", Value("\"Read\"")),
    ("statement", "effect", Value("\"Allow\"")),
    (
        "statement",
        "actions",
        Value("[\"s3:GetObject\", \"s3:GetObjectAcl\"]"),
    ),
    ("statement", "not_actions", Instead("[\"iam:*\"]")),
    (
        "statement",
        "resources",
        Value("[\"arn:{{ partition }}:s3:::acme-logs/*\"]"),
    ),
    (
        "statement",
        "not_resources",
        Instead("[\"arn:aws:s3:::secret/*\"]"),
    ),
    (
        "statement",
        "conditions",
        Value("{ Bool = { \"aws:SecureTransport\" = \"true\" } }"),
    ),
    ("statement", "when", Value("\"true\"")),
    ("role", "name", Value("\"VendorLogReader\"")),
    ("role", "path", Value("\"/\"")),
    (
        "role",
        "description",
        Value("\"Lets the vendor read our logs\""),
    ),
    ("role", "max_session_duration", Value("\"1h\"")),
    (
        "role",
        "permissions_boundary",
        Value("\"aws:PowerUserAccess\""),
    ),
    (
        "role",
        "managed_policies",
        Value(
            "[\"aws:SecurityAudit\", { policy = \"local:VendorReadLogs\", when = \"var.external_id != ''\" }]",
        ),
    ),
    (
        "role",
        "targets",
        Value("[{ ou = \"Workloads\" }, { account = \"log-archive\" }]"),
    ),
    ("role", "exclude", Value("[{ account = \"management\" }]")),
    ("role", "tags", Value("{ team = \"secops\" }")),
    ("role", "when", Value("\"true\"")),
    ("role", "adopt", Value("false")),
    ("role", "create", Value("true")),
    ("role", "ensure", Value("\"present\"")),
    ("role", "external", Value("false")),
    ("role", "prevent_destroy", Value("false")),
    ("role", "former_stack", Instead("\"StackSet-vendor-*\"")),
    ("role", "expires", Value("2099-06-30")),
    ("trust", "sid", Value("\"Vendor\"")),
    ("trust", "effect", Value("\"Allow\"")),
    ("trust", "aws", Value("[\"999999999999\"]")),
    ("trust", "service", Instead("[\"lambda.amazonaws.com\"]")),
    (
        "trust",
        "federated",
        Instead(
            "[\"arn:aws:iam::222222222222:oidc-provider/token.actions.githubusercontent.com\"]",
        ),
    ),
    ("trust", "canonical_user", Instead("[\"79a59df900b949e5\"]")),
    ("trust", "external_id", Value("\"{{ var.external_id }}\"")),
    ("trust", "require_mfa", Value("false")),
    (
        "trust",
        "organization_id",
        Instead("\"{{ organization.id }}\""),
    ),
    ("trust", "actions", Value("[\"sts:AssumeRole\"]")),
    ("trust", "not_actions", Instead("[\"sts:TagSession\"]")),
    (
        "trust",
        "conditions",
        Value("{ IpAddress = { \"aws:SourceIp\" = \"203.0.113.0/24\" } }"),
    ),
    ("trust", "when", Value("\"true\"")),
    ("inline_policy", "name", Value("\"list-bucket\"")),
    (
        "inline_policy",
        "document",
        Instead("\"policies/list-bucket.json\""),
    ),
    ("inline_policy", "when", Value("\"true\"")),
    (
        "expect",
        "allow",
        Value("[\"s3:GetObject on arn:aws:s3:::acme-logs/*\"]"),
    ),
    (
        "expect",
        "deny",
        Value("[\"s3:DeleteObject on arn:aws:s3:::acme-logs/*\"]"),
    ),
    (
        "expect",
        "context",
        Value("{ \"aws:SecureTransport\" = true }"),
    ),
    ("expect", "when", Value("\"true\"")),
    ("manage", "trust", Value("\"exclusive\"")),
    ("manage", "managed_policies", Value("\"exclusive\"")),
    ("manage", "inline_policies", Value("\"exclusive\"")),
    ("manage", "tags", Value("\"additive\"")),
    ("attachment", "role", Value("\"PlatformOperator\"")),
    ("attachment", "policy", Value("\"local:VendorReadLogs\"")),
    ("attachment", "name", Instead("\"read-logs\"")),
    (
        "attachment",
        "document",
        Instead("\"policies/read-logs.json\""),
    ),
    (
        "attachment",
        "statement",
        Instead("[{ actions = \"s3:GetObject\", resources = \"*\" }]"),
    ),
    ("attachment", "without", Instead("[\"s3:*Acl\"]")),
    (
        "attachment",
        "targets",
        Value("[{ account = \"log-archive\" }]"),
    ),
    (
        "attachment",
        "exclude",
        Value("[{ tags = { env = \"sandbox\" } }]"),
    ),
    ("attachment", "when", Value("\"true\"")),
    ("grant", "role", Value("\"VendorLogReader\"")),
    ("grant", "in", Value("{ account = \"log-archive\" }")),
    (
        "grant",
        "to",
        Value("[{ account = \"999999999999\", user = \"log-reader\" }]"),
    ),
    ("grant", "when", Value("\"true\"")),
    ("module", "source", Value("\"cado\"")),
    (
        "module",
        "vars",
        Value("{ primary_account = \"111111111111\" }"),
    ),
    ("check", "for", Value("\"role\"")),
    (
        "check",
        "when",
        Value("\"role.name is startingwith 'Vendor'\""),
    ),
    ("check", "assert", Value("\"role.tags.team is defined\"")),
    (
        "check",
        "message",
        Value("\"{{ role.name }} has no tag `team`\""),
    ),
    ("check", "code", Value("\"team-tag\"")),
    ("check", "severity", Value("\"warn\"")),
    ("accept", "address", Value("\"222222222222/role/Vendor*\"")),
    ("accept", "attribute", Value("\"managed_policies\"")),
    (
        "accept",
        "reason",
        Value("\"break-glass until the audit is over, SEC-42\""),
    ),
    ("accept", "until", Value("2099-01-31")),
    ("rollout", "prune", Value("false")),
    ("rollout", "parallelism", Value("16")),
    ("rollout", "max_failures", Value("\"5%\"")),
    (
        "rollout",
        "waves",
        Value("[{ account = \"log-archive\" }, { percent = 10 }, \"all\"]"),
    ),
    ("rollout", "bake", Value("\"10m\"")),
    ("limits", "max_deletes", Value("10")),
    ("limits", "max_change_percent", Value("30")),
    ("documents", "allow", Value("[\"cado/policies\"]")),
];

/// The annotated file.
pub fn toml() -> String {
    let mut text = "\
#:schema rolecall.schema.json
# Every key of a desired state, printed by `rolecall schema --reference`. Keys marked (required) must be set where their
# table is; all others are optional. Lines that are commented out exclude another key. The guides explain the concepts:
# `rolecall help`.

"
    .to_owned();
    table(&ROOT, "", &mut text);
    text
}

/// Writes the keys of a table that have values, then those that are tables of their own.
fn table(schema: &'static Schema, path: &str, text: &mut String) {
    for key in schema.keys {
        let Some(example) = example(schema, key) else {
            continue;
        };
        describe(key, text);
        match example {
            Value(value) => line(text, &format!("{} = {value}", key.name)),
            Instead(value) => line(text, &format!("# {} = {value}", key.name)),
        }
        if let Some(inner) = inner(&key.kind) {
            for key in inner.keys {
                line(text, &format!("#   {}: {}", key.name, meaning(key)));
            }
        }
    }
    for key in schema.keys {
        if example(schema, key).is_none() {
            sub_table(key, path, text);
        }
    }
}

fn sub_table(key: &'static Key, path: &str, text: &mut String) {
    let path = if path.is_empty() {
        key.name.to_owned()
    } else {
        format!("{path}.{}", key.name)
    };
    text.push('\n');
    describe(key, text);
    match (key.name, inner(&key.kind)) {
        ("vars", None) => {
            line(
                text,
                "# Shorthand: `region = \"us-east-1\"` declares a default, its type follows.",
            );
            line(text, &format!("[{path}.external_id]"));
            table(&VARIABLE, &path, text);
        }
        ("lints", None) => {
            line(text, &format!("[{path}]"));
            for code in lints::CODES {
                let level = if code == "public-trust" {
                    "stop"
                } else {
                    "warn"
                };
                line(text, &format!("{code} = \"{level}\""));
            }
            line(text, "known_accounts = { \"999999999999\" = \"Vendor\" }");
        }
        (_, Some(schema)) => {
            let header = match key.kind {
                Type::Map(_) => format!("[{path}.\"222222222222\"]"),
                Type::Table(_) => format!("[{path}]"),
                _ => format!("[[{path}]]"),
            };
            line(text, &header);
            table(schema, &path, text);
        }
        (_, None) => {}
    }
}

fn describe(key: &Key, text: &mut String) {
    line(text, &format!("# {}", meaning(key)));
}

fn meaning(key: &Key) -> String {
    let mut words = key.doc.to_owned();
    if key.presence == Presence::Required {
        words.push_str(" (required)");
    } else if let Some(default) = key.default.filter(|_| !words.contains("default")) {
        _ = write!(words, " (default: {default})");
    }
    words
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn example(schema: &Schema, key: &Key) -> Option<&'static Example> {
    EXAMPLES
        .iter()
        .find(|(table, name, _)| *table == schema.name && *name == key.name)
        .map(|(_, _, example)| example)
}

/// The table that a value of this type is or holds.
fn inner(kind: &Type) -> Option<&'static Schema> {
    match kind {
        Type::Table(schema) => Some(schema),
        Type::List(kind) | Type::Map(kind) | Type::OneOrMany(kind) => inner(kind),
        Type::AnyOf(kinds) => kinds.iter().find_map(inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(schema: &'static Schema, found: &mut BTreeSet<(&'static str, &'static str)>) {
        for key in schema.keys {
            if found.insert((schema.name, key.name))
                && let Some(schema) = inner(&key.kind)
            {
                names(schema, found);
            }
        }
    }

    #[test]
    fn every_key_is_in_it_and_every_example_is_of_a_key() {
        let (mut keys, text) = (BTreeSet::new(), toml());
        names(&ROOT, &mut keys);
        names(&VARIABLE, &mut keys);
        for (table, name) in &keys {
            let written = text.lines().any(|line| {
                let line = line.trim_start_matches(['#', ' ', '[']);
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with([' ', ':', ']', '.']))
                    || line.contains(&format!(".{name}]"))
            });
            assert!(written, "`{name}` of {table} is missing");
        }
        for (table, name, _) in EXAMPLES {
            assert!(keys.contains(&(*table, *name)), "{table} has no `{name}`");
        }
    }

    #[test]
    fn an_example_that_is_commented_out_is_toml_too() {
        for (_, name, example) in EXAMPLES {
            let (Value(value) | Instead(value)) = example;
            toml_of(&format!("{name} = {value}"));
        }
        toml_of(&toml());
    }

    fn toml_of(text: &str) {
        let parsed: Result<::toml::Table, _> = ::toml::from_str(text);
        assert!(parsed.is_ok(), "{text}");
    }
}
