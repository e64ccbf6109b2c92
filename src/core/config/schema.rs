//! The keys of a desired state: their names, types and meaning, in static tables.
//!
//! One source drives everything that must know them: unknown keys, wrong types, required keys, editors' schemas.

/// The types a variable may have.
pub const TYPES: [&str; 7] = [
    "string",
    "bool",
    "integer",
    "list",
    "account_id",
    "arn",
    "uuid4",
];

/// What of a resource may differ: the attributes of a plan's JSON.
pub const ATTRIBUTES: [&str; 9] = [
    "trust",
    "description",
    "max_session_duration",
    "permissions_boundary",
    "tags",
    "managed_policies",
    "inline_policies",
    "document",
    "path",
];

/// What a value must be.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the variants are what they are called")]
pub enum Type {
    String,
    Bool,
    Integer,
    /// A day, as TOML's date or as text: `2027-06-30`.
    Date,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An expression without braces.
    Condition,
    /// A string, a number or a boolean: the value of a condition of IAM.
    Scalar,
    /// One such value, or a list of them.
    OneOrMany(&'static Type),
    List(&'static Type),
    /// A table with keys of the author's own.
    Map(&'static Type),
    Table(&'static Schema),
    /// The first of these that fits.
    AnyOf(&'static [Type]),
    /// The name of a file that holds a policy document; once it is read, the document.
    Document,
    /// Looked at elsewhere; expressions have no meaning in it.
    Any,
}

/// The keys of one table.
#[derive(Debug)]
pub struct Schema {
    /// What the table is called in messages.
    pub name: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Type,
    /// Whether it must be there.
    pub presence: Presence,
    /// What it means, in one line.
    pub doc: &'static str,
    /// What holds where it is not written, as JSON.
    pub default: Option<&'static str>,
}

impl Key {
    /// The same key, with what holds where it is not written.
    const fn or(self, default: &'static str) -> Self {
        Self {
            default: Some(default),
            ..self
        }
    }
}

/// Whether a key must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are what they are called")]
pub enum Presence {
    Required,
    Optional,
}

const fn required(name: &'static str, kind: Type, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        presence: Presence::Required,
        doc,
        default: None,
    }
}

const fn optional(name: &'static str, kind: Type, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        presence: Presence::Optional,
        doc,
        default: None,
    }
}

const STRINGS: Type = Type::OneOrMany(&Type::String);
const TAGS: Type = Type::Map(&Type::String);
const CONDITIONS: Type = Type::Map(&Type::Map(&Type::OneOrMany(&Type::Scalar)));
const DURATION: Type = Type::AnyOf(&[Type::String, Type::Integer]);
const SELECTORS: Type = Type::List(&Type::Table(&SELECTOR));
const WHEN: Key = optional(
    "when",
    Type::Condition,
    "an expression; if it is false, this is left out",
);

/// The top level.
pub static ROOT: Schema = Schema {
    name: "the top level",
    keys: &[
        optional(
            "name",
            Type::String,
            "ownership tag of everything this directory manages, [a-z0-9-]{1,64}",
        ),
        optional(
            "required_version",
            Type::String,
            "versions of rolecall that may read this directory, as Cargo writes them: \">=0.2, <1\"",
        ),
        optional(
            "organization",
            Type::Table(&ORGANIZATION),
            "which organization, and how its accounts are accessed",
        ),
        optional(
            "vars",
            Type::Map(&Type::Any),
            "inputs: a default, or a table with type, default and checks",
        ),
        optional(
            "locals",
            Type::Map(&Type::Any),
            "named values, which expressions see as local.NAME",
        ),
        optional(
            "account",
            Type::Map(&Type::Table(&ACCOUNT)),
            "settings of one account, by id or by a unique name",
        ),
        optional(
            "policy",
            Type::List(&Type::Table(&POLICY)),
            "customer managed policies",
        ),
        optional("role", Type::List(&Type::Table(&ROLE)), "roles"),
        optional(
            "grant",
            Type::List(&Type::Table(&GRANT)),
            "which principals may assume a role",
        ),
        optional(
            "attachment",
            Type::List(&Type::Table(&ATTACHMENT)),
            "policies on roles that this directory does not declare",
        ),
        optional(
            "module",
            Type::List(&Type::Table(&MODULE)),
            "other desired-state directories, with their [vars] as inputs",
        ),
        optional(
            "check",
            Type::List(&Type::Table(&CHECK)),
            "your own rules for roles, policies, attachments or the plan",
        ),
        optional(
            "accept",
            Type::List(&Type::Table(&ACCEPT)),
            "differences that `drift` accepts for a while",
        ),
        optional(
            "lints",
            Type::Map(&Type::Any),
            "the severity of each lint, and the names of known outside accounts",
        ),
        optional(
            "rollout",
            Type::Table(&ROLLOUT),
            "how apply proceeds through the accounts",
        ),
        optional(
            "limits",
            Type::Table(&LIMITS),
            "guards against large changes",
        ),
        optional(
            "documents",
            Type::Table(&DOCUMENTS),
            "where policy documents may be",
        ),
    ],
};

/// `[organization]`
pub static ORGANIZATION: Schema = Schema {
    name: "organization",
    keys: &[
        optional(
            "id",
            Type::String,
            "guard: any other organization is refused",
        ),
        optional(
            "access_role",
            Type::String,
            "role assumed in each member account",
        )
        .or("\"OrganizationAccountAccessRole\""),
        optional(
            "session_name",
            Type::String,
            "session name of the assumed role",
        )
        .or("\"rolecall\""),
        optional(
            "external_id",
            Type::String,
            "external id of the access role",
        ),
    ],
};

/// `[account.X]`
pub static ACCOUNT: Schema = Schema {
    name: "account",
    keys: &[
        optional(
            "access_role",
            Type::String,
            "the role to assume in this account instead",
        ),
        optional(
            "vars",
            Type::Map(&Type::Any),
            "values of variables in this account",
        ),
    ],
};

/// A variable written as a table.
pub static VARIABLE: Schema = Schema {
    name: "variable",
    keys: &[
        required("type", Type::Word(&TYPES), "the type of its values"),
        optional("default", Type::Any, "its value if none is set"),
        optional(
            "description",
            Type::String,
            "what it is for; shown when it is missing",
        ),
        optional("sensitive", Type::Bool, "true: its value is never shown").or("false"),
        optional(
            "one_of",
            Type::List(&Type::Scalar),
            "the only values it may have",
        ),
        optional(
            "pattern",
            Type::String,
            "a regular expression that its whole value must match",
        ),
        optional(
            "each_pattern",
            Type::String,
            "a regular expression that each item of a list must match as a whole",
        ),
        optional(
            "min_length",
            Type::Integer,
            "characters of a string, or items of a list, it must have",
        ),
        optional(
            "max_length",
            Type::Integer,
            "characters of a string, or items of a list, it may have",
        ),
        optional("min", Type::Integer, "the least that an integer may be"),
        optional("max", Type::Integer, "the greatest that an integer may be"),
    ],
};

/// `[[module]]`
pub static MODULE: Schema = Schema {
    name: "module",
    keys: &[
        required(
            "source",
            Type::String,
            "a directory with a rolecall.toml, relative to this file",
        ),
        optional(
            "vars",
            Type::Map(&Type::Any),
            "values of the variables that the directory declares",
        ),
    ],
};

/// `[[check]]`
pub static CHECK: Schema = Schema {
    name: "check",
    keys: &[
        required(
            "for",
            Type::Word(&["role", "policy", "attachment", "plan"]),
            "what it checks",
        ),
        optional(
            "when",
            Type::Condition,
            "an expression; if it is false, the check is skipped",
        ),
        required("assert", Type::Condition, "an expression that must be true"),
        required("message", Type::String, "the message if it is false"),
        optional("code", Type::String, "the code of its findings").or("\"check\""),
        optional(
            "severity",
            Type::Word(&["stop", "warn"]),
            "stop: a failing check blocks apply; warn: it is only shown",
        )
        .or("\"stop\""),
    ],
};

/// `[[accept]]`
pub static ACCEPT: Schema = Schema {
    name: "accept",
    keys: &[
        required(
            "address",
            Type::String,
            "the resource, as plans write it: 222222222222/role/NAME; `*` is a glob",
        ),
        required(
            "attribute",
            Type::Word(&ATTRIBUTES),
            "the attribute that may differ",
        ),
        required("reason", Type::String, "why the difference is accepted"),
        required("until", Type::Date, "the last day, in UTC: 2027-01-31"),
    ],
};

/// `[[policy]]`
pub static POLICY: Schema = Schema {
    name: "policy",
    keys: &[
        required("name", Type::String, "name of the customer managed policy"),
        optional("path", Type::String, "path, `/` by default"),
        optional(
            "description",
            Type::String,
            "description; IAM never changes it after creation",
        ),
        optional(
            "document",
            Type::Document,
            "a JSON or YAML file, relative to this one",
        ),
        optional(
            "statement",
            Type::List(&Type::Table(&STATEMENT)),
            "the statements, instead of a document",
        ),
        optional(
            "without",
            STRINGS,
            "patterns of actions to drop from its Allow statements",
        ),
        WHEN,
        optional("tags", TAGS, "tags, besides the ownership tag"),
        optional(
            "targets",
            TARGETS,
            "accounts to create it in, besides those of the roles that use it",
        ),
        optional(
            "exclude",
            SELECTORS,
            "accounts that are left out of its own targets",
        ),
        optional(
            "adopt",
            Type::Bool,
            "true: take over a policy of this name that has no ownership tag",
        )
        .or("false"),
        optional(
            "prevent_destroy",
            Type::Bool,
            "true: a plan that deletes or replaces it is refused",
        )
        .or("false"),
        optional(
            "former_stack",
            Type::String,
            "the CloudFormation stack that created it and no longer manages it; `*` is a glob",
        ),
    ],
};

const TARGETS: Type = Type::AnyOf(&[Type::Word(&["all"]), SELECTORS]);
const POLICY_REFERENCE: Type = Type::AnyOf(&[Type::String, Type::Table(&POLICY_ENTRY)]);

/// `[[role]]`
pub static ROLE: Schema = Schema {
    name: "role",
    keys: &[
        required("name", Type::String, "name of the role"),
        optional("path", Type::String, "path, `/` for a new role"),
        optional("description", Type::String, "description"),
        optional("max_session_duration", DURATION, "1h to 12h, or seconds"),
        optional(
            "permissions_boundary",
            Type::String,
            "aws:NAME, local:NAME or an ARN; empty means none",
        ),
        optional(
            "managed_policies",
            Type::List(&POLICY_REFERENCE),
            "attached policies: aws:NAME, local:NAME or ARNs",
        ),
        optional(
            "inline_policy",
            Type::List(&Type::Table(&INLINE_POLICY)),
            "inline policies",
        ),
        required(
            "trust",
            Type::AnyOf(&[Type::Document, Type::List(&Type::Table(&TRUST))]),
            "who may assume it: statements, or a JSON or YAML file",
        ),
        required(
            "targets",
            TARGETS,
            "accounts to create it in: \"all\" or a list of selectors",
        ),
        optional("exclude", SELECTORS, "accounts that are left out"),
        optional("tags", TAGS, "tags, besides the ownership tag"),
        WHEN,
        optional(
            "expect",
            Type::List(&Type::Table(&EXPECT)),
            "what the role must and must not be able to do",
        ),
        optional(
            "manage",
            Type::Table(&MANAGE),
            "whether each attribute is managed exclusively",
        ),
        optional(
            "adopt",
            Type::Bool,
            "true: take over a role of this name that has no ownership tag",
        )
        .or("false"),
        optional(
            "create",
            Type::Bool,
            "false: never create the role, manage it only where it exists",
        )
        .or("true"),
        optional(
            "ensure",
            Type::Word(&["present", "absent"]),
            "absent: delete it where this directory manages it",
        )
        .or("\"present\""),
        optional(
            "external",
            Type::Bool,
            "true: owned by someone else; compared, never written",
        )
        .or("false"),
        optional(
            "prevent_destroy",
            Type::Bool,
            "true: a plan that deletes or replaces it is refused",
        )
        .or("false"),
        optional(
            "former_stack",
            Type::String,
            "the CloudFormation stack that created it and no longer manages it; `*` is a glob",
        ),
        optional(
            "expires",
            Type::Date,
            "the day from which it is planned for deletion, 00:00 UTC: 2027-06-30",
        ),
    ],
};

/// `[[attachment]]`
pub static ATTACHMENT: Schema = Schema {
    name: "attachment",
    keys: &[
        required(
            "role",
            Type::String,
            "name of a role that exists there and that no [[role]] here declares",
        ),
        optional(
            "policy",
            Type::String,
            "local:NAME, a [[policy]] of this directory to attach",
        ),
        optional(
            "name",
            Type::String,
            "instead of `policy`: an inline policy, which IAM shows as rolecall-DIRECTORY.NAME",
        ),
        optional(
            "document",
            Type::Document,
            "a JSON or YAML file for the inline policy, relative to this one",
        ),
        optional(
            "statement",
            Type::List(&Type::Table(&STATEMENT)),
            "the statements of the inline policy, instead of a document",
        ),
        optional(
            "without",
            STRINGS,
            "patterns of actions that its Allow statements must not have",
        ),
        required(
            "targets",
            TARGETS,
            "accounts where the role is: \"all\" or a list of selectors",
        ),
        optional("exclude", SELECTORS, "accounts that are left out"),
        WHEN,
    ],
};

/// `[[grant]]`
pub static GRANT: Schema = Schema {
    name: "grant",
    keys: &[
        required("role", Type::String, "name of a role of this directory"),
        required(
            "in",
            Type::OneOrMany(&Type::Table(&SELECTOR)),
            "the accounts where that role lives",
        ),
        required(
            "to",
            Type::List(&Type::Table(&GRANTEE)),
            "who may assume it",
        ),
        WHEN,
    ],
};

/// One principal of a grant.
pub static GRANTEE: Schema = Schema {
    name: "to",
    keys: &[
        required(
            "account",
            Type::String,
            "12-digit id, exact name, or management; an id may be outside the organization",
        ),
        optional("user", Type::String, "a user that exists there"),
        optional("group", Type::String, "a group that exists there"),
        optional("role", Type::String, "a role that exists there"),
    ],
};

/// `[[role.expect]]`
pub static EXPECT: Schema = Schema {
    name: "expect",
    keys: &[
        optional(
            "allow",
            STRINGS,
            "\"s3:GetObject on arn:aws:s3:::bucket/*\": what it must be able to do",
        ),
        optional(
            "deny",
            STRINGS,
            "the same, for what it must not be able to do",
        ),
        optional(
            "context",
            Type::Map(&Type::OneOrMany(&Type::Scalar)),
            "condition keys of the request",
        ),
        WHEN,
    ],
};

const MODE: Type = Type::Word(&["exclusive", "additive"]);

/// `manage` of a role.
pub static MANAGE: Schema = Schema {
    name: "manage",
    keys: &[
        optional(
            "trust",
            MODE,
            "exclusive: other statements are removed; additive: they stay",
        )
        .or("\"exclusive\""),
        optional(
            "managed_policies",
            MODE,
            "exclusive: other attachments are removed; additive: they stay",
        )
        .or("\"exclusive\""),
        optional(
            "inline_policies",
            MODE,
            "exclusive: other inline policies are removed; additive: they stay",
        )
        .or("\"exclusive\""),
        optional(
            "tags",
            MODE,
            "exclusive: other tags are removed; additive: they stay",
        )
        .or("\"additive\""),
    ],
};

/// An attached policy written as a table.
pub static POLICY_ENTRY: Schema = Schema {
    name: "managed_policies",
    keys: &[
        required("policy", Type::String, "aws:NAME, local:NAME or an ARN"),
        WHEN,
    ],
};

/// `[[role.inline_policy]]`
pub static INLINE_POLICY: Schema = Schema {
    name: "inline_policy",
    keys: &[
        required("name", Type::String, "name of the inline policy"),
        optional(
            "document",
            Type::Document,
            "a JSON or YAML file, relative to this one",
        ),
        optional(
            "statement",
            Type::List(&Type::Table(&STATEMENT)),
            "the statements, instead of a document",
        ),
        WHEN,
    ],
};

/// A statement of a policy.
pub static STATEMENT: Schema = Schema {
    name: "statement",
    keys: &[
        optional("sid", Type::String, "id of the statement (Sid)"),
        optional("effect", Type::Word(&["Allow", "Deny"]), "Allow or Deny").or("\"Allow\""),
        optional("actions", STRINGS, "actions it applies to (Action)"),
        optional(
            "not_actions",
            STRINGS,
            "every action except these (NotAction)",
        ),
        optional("resources", STRINGS, "resources it applies to (Resource)"),
        optional(
            "not_resources",
            STRINGS,
            "every resource except these (NotResource)",
        ),
        optional(
            "conditions",
            CONDITIONS,
            "conditions, as IAM writes them (Condition)",
        ),
        WHEN,
    ],
};

/// `[[role.trust]]`
pub static TRUST: Schema = Schema {
    name: "trust",
    keys: &[
        optional("sid", Type::String, "id of the statement (Sid)"),
        optional("effect", Type::Word(&["Allow", "Deny"]), "Allow or Deny").or("\"Allow\""),
        optional("aws", STRINGS, "accounts, roles and users"),
        optional("service", STRINGS, "services of AWS"),
        optional("federated", STRINGS, "OIDC and SAML providers"),
        optional("canonical_user", STRINGS, "canonical user ids"),
        optional(
            "external_id",
            STRINGS,
            "the value that sts:ExternalId must have",
        ),
        optional(
            "require_mfa",
            Type::Bool,
            "true: the caller must have signed in with MFA",
        )
        .or("false"),
        optional(
            "organization_id",
            STRINGS,
            "the value that aws:PrincipalOrgID must have",
        ),
        optional(
            "actions",
            STRINGS,
            "actions (Action); derived from the principal if not set",
        ),
        optional(
            "not_actions",
            STRINGS,
            "every action except these (NotAction)",
        ),
        optional(
            "conditions",
            CONDITIONS,
            "any other conditions, as IAM writes them (Condition)",
        ),
        WHEN,
    ],
};

/// A selector of accounts.
pub static SELECTOR: Schema = Schema {
    name: "selector",
    keys: &[
        optional(
            "account",
            STRINGS,
            "12-digit id, name, `*` glob over the name, or management",
        ),
        optional(
            "ou",
            STRINGS,
            "path from the root, or an id; nested units included",
        ),
        optional("tags", Type::Map(&STRINGS), "tags of the account"),
        optional(
            "when",
            Type::Condition,
            "an expression without the account; where it is false, this selects nothing",
        ),
    ],
};

const COUNT_OR_PERCENT: Type = Type::AnyOf(&[Type::Integer, Type::String]);

/// `[rollout]`
pub static ROLLOUT: Schema = Schema {
    name: "rollout",
    keys: &[
        optional(
            "prune",
            Type::Bool,
            "true: delete what this directory manages but no longer declares",
        )
        .or("false"),
        optional("parallelism", Type::Integer, "accounts in parallel").or("16"),
        optional(
            "max_failures",
            COUNT_OR_PERCENT,
            "a count or \"5%\" of failed applies",
        )
        .or("0"),
        optional(
            "waves",
            Type::List(&WAVE_TYPE),
            "selectors, { percent = N } of the rest, or \"all\"",
        ),
        optional("bake", DURATION, "wait between waves").or("\"0s\""),
    ],
};

const WAVE_TYPE: Type = Type::AnyOf(&[Type::Word(&["all"]), Type::Table(&WAVE)]);

/// One wave of a rollout.
pub static WAVE: Schema = Schema {
    name: "wave",
    keys: &[
        optional(
            "percent",
            Type::Integer,
            "this percentage of the accounts that no earlier wave selected",
        ),
        optional(
            "account",
            STRINGS,
            "12-digit id, name, `*` glob over the name, or management",
        ),
        optional(
            "ou",
            STRINGS,
            "path from the root, or an id; nested units included",
        ),
        optional("tags", Type::Map(&STRINGS), "tags of the account"),
    ],
};

/// `[documents]`
pub static DOCUMENTS: Schema = Schema {
    name: "documents",
    keys: &[optional(
        "allow",
        Type::List(&Type::String),
        "directories outside this one that may contain documents, relative to this file; messages never quote their lines",
    )],
};

/// `[limits]`
pub static LIMITS: Schema = Schema {
    name: "limits",
    keys: &[
        optional(
            "max_deletes",
            Type::Integer,
            "a plan that deletes or replaces more is refused",
        )
        .or("10"),
        optional(
            "max_change_percent",
            Type::Integer,
            "a plan that changes a larger percentage of the managed resources is refused",
        )
        .or("30"),
    ],
};
