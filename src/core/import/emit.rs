//! A draft becomes files.
//!
//! Statements are written as tables. A document is a file of its own where tables cannot say it, or would be long: another
//! `Version` than that of tables, an `Id`, `NotPrincipal`, or more than `LONG` statements. A statement with a `when` needs
//! tables, because a file knows no `when`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::draft::{
    AccountValues, Attached, Check, Document, Draft, Inline, Named, Policy, Role, Selector,
    Targets, VERSION, Variable,
};
use statement::{Half, statement_keys};
use toml::{array, inline_table, key, text, value};

mod statement;
mod toml;

/// Statements from which on a document is a file of its own.
const LONG: usize = 12;

/// Roles from which on each has a file of its own.
const MANY: usize = 30;

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Relative to the directory that is written.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Whether only its owner may read it.
    pub is_private: bool,
}

/// What a stretch of a file is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The role at this index of the draft.
    Role(usize),
    /// The policy at this index.
    Policy(usize),
    /// The variable at this index.
    Variable(usize),
    /// The check at this index.
    Check(usize),
}

/// Lines of a file, and what they are about.
#[derive(Debug, Clone)]
pub struct Region {
    /// The path of the file.
    pub path: String,
    /// One-based, the last included.
    pub lines: (usize, usize),
    /// What it is about.
    pub subject: Subject,
}

/// The files of a draft.
#[derive(Debug, Clone, Default)]
pub struct Emitted {
    /// The files, `rolecall.toml` first.
    pub files: Vec<Output>,
    /// Which of their lines are about what.
    pub regions: Vec<Region>,
}

/// Where values of sensitive variables are; `--var-file` names it.
pub const SECRETS: &str = "secrets.vars";

/// Where all values of accounts are that have a sensitive one.
pub const ACCOUNT_SECRETS: &str = "accounts.secret.toml";

/// Writes a draft as files: what is the same gives the same bytes.
pub fn emit(draft: &Draft) -> Emitted {
    let mut writer = Writer::default();
    writer.main(draft);
    let many = draft.roles.len() > MANY;
    if !draft.roles.is_empty() {
        let mut file = File::new("roles.toml", 0);
        for (index, role) in draft.roles.iter().enumerate() {
            if many {
                let slug = writer.slug("roles/", &role.name, ".toml");
                file = File::new(&slug, 1);
            }
            writer.role(&mut file, index, role);
            if many {
                let done = std::mem::replace(&mut file, File::new("", 0));
                writer.close(done);
            }
        }
        if !many {
            writer.close(file);
        }
    }
    if !draft.policies.is_empty() {
        let mut file = File::new("policies.toml", 0);
        for (index, policy) in draft.policies.iter().enumerate() {
            writer.policy(&mut file, index, policy);
        }
        writer.close(file);
    }
    writer.values(draft);
    let ignored = format!("/{SECRETS}\n/{ACCOUNT_SECRETS}\n/state/\n");
    writer.file(".gitignore", ignored, false);
    writer.done
}

/// A file of TOML that is being written.
struct File {
    path: String,
    text: String,
    /// How many directories it is below the root.
    depth: usize,
}

impl File {
    fn new(path: &str, depth: usize) -> Self {
        let schema = format!("#:schema {}rolecall.schema.json\n", "../".repeat(depth));
        Self {
            path: path.to_owned(),
            text: schema,
            depth,
        }
    }

    fn line(&self) -> usize {
        self.text.lines().count()
    }

    fn push(&mut self, line: &str) {
        self.text += line;
        self.text.push('\n');
    }

    fn put(&mut self, name: &str, value: &str) {
        _ = writeln!(self.text, "{name} = {value}");
    }

    fn put_text(&mut self, name: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.put(name, &text(value));
        }
    }

    fn comment(&mut self, lines: &[String]) {
        for line in lines.iter().flat_map(|text| text.lines()) {
            let line: String = line.chars().filter(|c| !c.is_control()).collect();
            _ = writeln!(self.text, "# {line}");
        }
    }
}

#[derive(Default)]
struct Writer {
    done: Emitted,
    slugs: BTreeSet<String>,
}

impl Writer {
    fn file(&mut self, path: &str, text: String, is_private: bool) {
        self.done.files.push(Output {
            path: path.to_owned(),
            text,
            is_private,
        });
    }

    fn close(&mut self, file: File) {
        self.file(&file.path, file.text, false);
    }

    fn region(&mut self, file: &File, first: usize, subject: Subject) {
        self.done.regions.push(Region {
            path: file.path.clone(),
            lines: (first, file.line()),
            subject,
        });
    }

    /// A path that no other file has, made of a name.
    fn slug(&mut self, before: &str, name: &str, after: &str) -> String {
        let name: String = name.replace("var.", "");
        let mut slug = String::new();
        for c in name.chars().take(80) {
            if c.is_ascii_alphanumeric() || "_.+=@".contains(c) {
                slug.push(c);
            } else if !slug.ends_with('-') {
                slug.push('-');
            }
        }
        let slug = slug.trim_matches(['-', '.']);
        let slug = if slug.is_empty() { "role" } else { slug };
        let mut path = format!("{before}{slug}{after}");
        let mut count = 2_usize;
        // Names differ without regard to case, as some file systems have it.
        while !self.slugs.insert(path.to_ascii_lowercase()) {
            path = format!("{before}{slug}-{count}{after}");
            count += 1;
        }
        path
    }

    fn main(&mut self, draft: &Draft) {
        let mut file = File::new("rolecall.toml", 0);
        file.put("name", &text(&draft.name));
        if let Some(organization) = &draft.organization {
            file.push("\n[organization]");
            file.put("id", &text(organization));
        }
        if !draft.variables.is_empty() {
            file.push("\n[vars]");
        }
        for (index, variable) in draft.variables.iter().enumerate() {
            file.put(&key(&variable.name), &declaration(variable));
            let line = file.line();
            self.region(&file, line, Subject::Variable(index));
        }
        for (index, check) in draft.checks.iter().enumerate() {
            let first = file.line() + 2;
            let Check {
                when,
                assert,
                message,
            } = check;
            file.push("\n[[check]]");
            file.put("for", &text("role"));
            file.put_text("when", when.as_ref());
            file.put("assert", &text(assert));
            file.put("message", &text(message));
            self.region(&file, first, Subject::Check(index));
        }
        self.close(file);
    }

    fn role(&mut self, file: &mut File, index: usize, role: &Role) {
        let Role {
            source: _,
            name,
            path,
            description,
            max_session_duration,
            permissions_boundary,
            managed_policies,
            inline_policies,
            partial,
            trust,
            tags,
            targets,
            exclude,
            when,
            external,
            prevent_destroy,
            comments,
        } = role;
        let first = file.line() + 2;
        file.push("");
        file.comment(comments);
        file.push("[[role]]");
        file.put("name", &text(name));
        file.put_text("when", when.as_ref());
        file.put_text("path", path.as_ref());
        file.put_text("description", description.as_ref());
        if let Some(duration) = max_session_duration {
            file.put("max_session_duration", &value(duration));
        }
        file.put(if *external { "external" } else { "adopt" }, "true");
        if *prevent_destroy {
            file.put("prevent_destroy", "true");
        }
        put_targets(file, targets, exclude);
        file.put_text("permissions_boundary", permissions_boundary.as_ref());
        if let Some(attached) = managed_policies {
            file.put("managed_policies", &attachments(attached));
        }
        if let Some([]) = inline_policies.as_deref() {
            file.put("inline_policy", "[]");
        }
        put_tags(file, tags);
        if partial.managed_policies {
            file.put("manage.managed_policies", &text("additive"));
        }
        if partial.inline_policies {
            file.put("manage.inline_policies", &text("additive"));
        }
        if in_file(trust) {
            let path = self.document(file, &format!("{name}-trust"), trust, index, true);
            file.put("trust", &text(&path));
        } else {
            self.statements(file, "role.trust", trust, Half::Trust);
        }
        for inline in inline_policies.iter().flatten() {
            let Inline {
                name: policy,
                document,
                when,
            } = inline;
            file.push("\n[[role.inline_policy]]");
            file.put("name", &text(policy));
            file.put_text("when", when.as_ref());
            self.body(
                file,
                "role.inline_policy",
                &format!("{name}-{policy}"),
                document,
                index,
                true,
            );
        }
        self.region(file, first, Subject::Role(index));
    }

    fn policy(&mut self, file: &mut File, index: usize, policy: &Policy) {
        let Policy {
            source: _,
            name,
            path,
            description,
            document,
            tags,
            targets,
            exclude,
            when,
            prevent_destroy,
            comments,
        } = policy;
        let first = file.line() + 2;
        file.push("");
        file.comment(comments);
        file.push("[[policy]]");
        file.put("name", &text(name));
        file.put_text("when", when.as_ref());
        file.put_text("path", path.as_ref());
        file.put_text("description", description.as_ref());
        file.put("adopt", "true");
        if *prevent_destroy {
            file.put("prevent_destroy", "true");
        }
        if let Some(targets) = targets {
            put_targets(file, targets, exclude);
        }
        put_tags(file, tags);
        self.body(file, "policy", name, document, index, false);
        self.region(file, first, Subject::Policy(index));
    }

    /// The statements of a policy, or the file that holds them.
    fn body(
        &mut self,
        file: &mut File,
        table: &str,
        name: &str,
        document: &Document,
        index: usize,
        of_role: bool,
    ) {
        if in_file(document) {
            let path = self.document(file, name, document, index, of_role);
            file.put("document", &text(&path));
        } else {
            self.statements(
                file,
                &format!("{table}.statement"),
                document,
                Half::Identity,
            );
        }
    }

    fn statements(&mut self, file: &mut File, table: &str, document: &Document, half: Half) {
        _ = self;
        for statement in &document.statements {
            file.push("");
            file.comment(statement.comment.as_slice());
            file.push(&format!("[[{table}]]"));
            file.put_text("when", statement.when.as_ref());
            for (name, written) in statement_keys(&statement.body, half) {
                file.put(name, &value(&written));
            }
        }
    }

    /// Writes a document into a file of its own, and returns the path that names it in `file`.
    fn document(
        &mut self,
        file: &File,
        name: &str,
        document: &Document,
        index: usize,
        of_role: bool,
    ) -> String {
        let path = self.slug("policies/", name, ".json");
        let json = format!("{:#}\n", document.to_json());
        self.done.regions.push(Region {
            path: path.clone(),
            lines: (1, json.lines().count()),
            subject: if of_role {
                Subject::Role(index)
            } else {
                Subject::Policy(index)
            },
        });
        self.file(&path, json, false);
        "../".repeat(file.depth) + &path
    }

    /// The values that accounts have of their own, and those that are secret.
    fn values(&mut self, draft: &Draft) {
        let secret: BTreeSet<&str> = draft
            .variables
            .iter()
            .filter(|it| it.sensitive)
            .map(|it| it.name.as_str())
            .collect();
        let is_private = |account: &AccountValues| {
            account
                .values
                .keys()
                .any(|name| secret.contains(name.as_str()))
        };
        for (path, private) in [("accounts.toml", false), (ACCOUNT_SECRETS, true)] {
            let mut file = File::new(path, 0);
            let accounts = draft.accounts.iter();
            let accounts = accounts.filter(|(_, account)| {
                !account.values.is_empty() && is_private(account) == private
            });
            let mut any = false;
            for (id, AccountValues { name, values }) in accounts {
                any = true;
                file.push("");
                file.comment(name.as_slice());
                file.push(&format!("[account.{}.vars]", text(id)));
                for (name, written) in values {
                    file.put(&key(name), &value(written));
                }
            }
            if any {
                self.file(path, file.text, private);
            }
        }
        let mut secrets = String::new();
        for variable in &draft.variables {
            if let Some(secret) = &variable.secret {
                _ = writeln!(secrets, "{} = {}", key(&variable.name), value(secret));
            }
        }
        if !secrets.is_empty() {
            let text = format!(
                "# Given as --var-file {SECRETS}; keep it out of version control.\n{secrets}"
            );
            self.file(SECRETS, text, true);
        }
    }
}

/// Whether a document must be a file, or is better one.
fn in_file(document: &Document) -> bool {
    if document.has_when() {
        return false;
    }
    let other = document.version.as_deref() != Some(VERSION) || document.id.is_some();
    let untold = document
        .statements
        .iter()
        .any(|statement| !statement::is_table(&statement.body));
    other || untold || document.statements.len() > LONG
}

fn declaration(variable: &Variable) -> String {
    let Variable {
        name: _,
        kind,
        default,
        secret: _,
        sensitive,
        description,
        one_of,
        pattern,
        from: _,
        declared: _,
    } = variable;
    let mut pairs = vec![("type".to_owned(), text(kind))];
    let mut put = |key: &str, written: String| pairs.push((key.to_owned(), written));
    if let Some(default) = default {
        put("default", value(default));
    }
    if *sensitive {
        put("sensitive", "true".to_owned());
    }
    if !one_of.is_empty() {
        put("one_of", value(&Value::Array(one_of.clone())));
    }
    if let Some(pattern) = pattern {
        put("pattern", text(pattern));
    }
    if let Some(description) = description {
        put("description", text(description));
    }
    inline_table(pairs)
}

fn put_targets(file: &mut File, targets: &Targets, exclude: &[Selector]) {
    match targets {
        Targets::All => file.put("targets", &text("all")),
        Targets::Some(selectors) => file.put("targets", &array(selectors.iter().map(selector))),
    }
    if !exclude.is_empty() {
        file.put("exclude", &array(exclude.iter().map(selector)));
    }
}

fn selector(selector: &Selector) -> String {
    let Selector { account, ou, when } = selector;
    let mut pairs = Vec::new();
    for (key, named) in [("account", account), ("ou", ou)] {
        if !named.is_empty() {
            pairs.push((key.to_owned(), named_list(named)));
        }
    }
    pairs.extend(when.as_ref().map(|when| ("when".to_owned(), text(when))));
    inline_table(pairs)
}

/// One id, or a list of them; with a comment behind each that has a name.
fn named_list(named: &[Named]) -> String {
    match named {
        [Named { id, name: None }] => text(id),
        named if named.iter().all(|it| it.name.is_none()) => {
            array(named.iter().map(|it| text(&it.id)))
        }
        named => {
            let mut list = String::from("[\n");
            for Named { id, name } in named {
                let name = name.as_deref().unwrap_or_default();
                let name: String = name.chars().filter(|c| !c.is_control()).collect();
                let comment = if name.is_empty() {
                    name
                } else {
                    format!(" # {name}")
                };
                _ = writeln!(list, "    {},{comment}", text(id));
            }
            list + "]"
        }
    }
}

fn put_tags(file: &mut File, tags: &[(String, String)]) {
    if !tags.is_empty() {
        let pairs = tags.iter().map(|(name, value)| (key(name), text(value)));
        file.put("tags", &inline_table(pairs.collect()));
    }
}

fn attachments(attached: &[Attached]) -> String {
    array(attached.iter().map(|Attached { policy, when }| match when {
        None => text(policy),
        Some(when) => inline_table(vec![
            ("policy".to_owned(), text(policy)),
            ("when".to_owned(), text(when)),
        ]),
    }))
}
