//! Attachments, as written and as expanded.

use super::*;
use crate::resource::attachment::Item;

const POLICY: &str = "
[[policy]]
name = \"Reader\"
[[policy.statement]]
actions = \"s3:GetObject\"
resources = \"*\"
";

const INLINE: &str = "
[[attachment]]
role = \"Platform\"
name = \"logs\"
targets = [{ account = \"prod\" }]
[[attachment.statement]]
actions = \"logs:Get*\"
resources = \"arn:aws:logs:*:{{ account.id }}:*\"
";

const MANAGED: &str = "
[[attachment]]
role = \"Platform\"
policy = \"local:Reader\"
targets = [{ ou = \"Workloads\" }]
";

#[test]
fn an_attachment_goes_to_its_targets_and_brings_its_policy_along() {
    let desired = expanded(&(POLICY.to_owned() + INLINE + MANAGED)).desired;
    let held: Vec<String> = desired
        .accounts
        .iter()
        .flat_map(|(id, held)| {
            let policies = held.policies.len();
            held.attachments
                .values()
                .map(move |one| format!("{id} {} {policies}", one.id))
        })
        .collect();
    assert_eq!(
        held,
        [
            "000000000002 Platform/inline/rolecall-test.logs 1",
            "000000000002 Platform/managed/Reader 1",
            "000000000003 Platform/managed/Reader 1",
        ]
    );
    let inline = &desired.accounts.values().next().unwrap().attachments["platform/inline/rolecall-test.logs"];
    assert!(
        inline
            .document
            .as_ref()
            .unwrap()
            .text()
            .contains("arn:aws:logs:*:000000000002:*")
    );
    assert!(matches!(inline.id.policy, Item::Inline(_)));
}

#[test]
fn an_attachment_is_left_out_by_its_when_and_by_a_narrower_run() {
    let text =
        POLICY.to_owned() + INLINE + &(MANAGED.to_owned() + "when = \"account.name == 'dev'\"\n");
    assert_eq!(
        expanded(&text)
            .desired
            .accounts
            .values()
            .map(|held| held.attachments.len())
            .sum::<usize>(),
        2
    );
    let narrowed = |roles: &[&str]| {
        let scope = NarrowScope {
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            ..NarrowScope::default()
        };
        accepted(&(POLICY.to_owned() + INLINE + MANAGED + ROLE))
            .expand(&organization(), &scope)
            .unwrap()
            .desired
    };
    let count = |desired: &crate::desired::Desired| {
        desired
            .accounts
            .values()
            .map(|held| (held.attachments.len(), held.roles.len()))
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    };
    assert_eq!(count(&narrowed(&["Plat*"])), (3, 0));
    assert_eq!(count(&narrowed(&["R"])), (0, 3));
}

#[test]
fn what_an_attachment_cannot_be_is_refused_at_its_place() {
    let inline = "name = \"logs\"\nstatement = [{ actions = \"s3:Get*\", resources = \"*\" }]";
    for (body, expect) in [
        ("", "attaches nothing"),
        (
            "policy = \"local:Reader\"\nname = \"x\"",
            "has both a `policy` and `name`",
        ),
        (
            "policy = \"aws:ReadOnlyAccess\"",
            "nothing would tell later that this directory attached it",
        ),
        (
            "policy = \"arn:aws:iam::111111111111:policy/X\"",
            "nothing would tell later",
        ),
        (
            "policy = \"Reader\"",
            "aws:Reader is AWS's, local:Reader is this account's",
        ),
        ("name = \"x\"", "has no statement"),
        (
            "statement = [{ actions = \"s3:Get*\", resources = \"*\" }]",
            "has no `name`",
        ),
        (
            "name = \"a b\"\nstatement = [{ actions = \"s3:Get*\", resources = \"*\" }]",
            "`a b`",
        ),
        (
            "name = \"logs\"\nstatement = [{ actions = \"nothing\", resources = \"*\" }]",
            "nothing",
        ),
        ("name = \"logs\"\nstatement = []", "has no statement left"),
        ("policies = []", "unknown key `policies` in `attachment`"),
    ] {
        refused(
            &format!("{POLICY}[[attachment]]\nrole = \"P\"\ntargets = \"all\"\n{body}\n"),
            &[expect, "rolecall.toml:"],
        );
    }
    refused(
        &format!("[[attachment]]\ntargets = \"all\"\n{inline}\n"),
        &["attachment `logs` has no `role`"],
    );
    refused(
        &format!("[[attachment]]\nrole = \"P\"\n{inline}\n"),
        &["attachment `logs` has no `targets`"],
    );
    refused(
        &format!("[[attachment]]\nrole = \"a b\"\ntargets = \"all\"\n{inline}\n"),
        &["`a b`"],
    );
    let long = format!(
        "name = \"{}\"\nstatement = [{{ actions = \"s3:Get*\", resources = \"*\" }}]",
        "x".repeat(120)
    );
    refused(
        &format!("[[attachment]]\nrole = \"P\"\ntargets = \"all\"\n{long}\n"),
        &["134 characters, 128 are allowed"],
    );
}

#[test]
fn a_role_that_the_directory_declares_there_is_no_place_for_an_attachment() {
    refused(
        &(ROLE.replace("\"R\"", "\"platform\"") + INLINE),
        &[
            "role `Platform` is declared by this directory",
            "[[role.inline_policy]]",
        ],
    );
    let elsewhere = ROLE
        .replace("\"R\"", "\"Platform\"")
        .replace("\"all\"", "[{ account = \"dev\" }]");
    assert_eq!(
        expanded(&(elsewhere.clone() + INLINE))
            .desired
            .accounts
            .len(),
        2
    );
    let meets = elsewhere.replace("\"dev\"", "\"prod\"");
    let problems = accepted(&(meets.clone() + INLINE))
        .expand(&organization(), &NarrowScope::default())
        .unwrap_err()
        .to_string();
    assert!(
        problems.contains("role `Platform` is declared by this directory")
            && problems.contains("(in account 000000000002)"),
        "{problems}"
    );
    // A role of somebody else that is only compared is not this directory's.
    let external = ROLE.replace("\"R\"", "\"Platform\"\nexternal = true");
    expanded(&(external + INLINE));
}

#[test]
fn an_attachment_is_written_once_in_an_account_and_its_policy_is_there() {
    let problems = |text: &str| {
        accepted(text)
            .expand(&organization(), &NarrowScope::default())
            .unwrap_err()
            .to_string()
    };
    let twice = problems(&(INLINE.to_owned() + &INLINE.replace("\"Platform\"", "\"platform\"")));
    assert!(
        twice.contains("is attached to role `platform` twice, first at")
            && twice.contains("(in account 000000000002)"),
        "{twice}"
    );
    expanded(&(INLINE.to_owned() + &INLINE.replace("\"prod\"", "\"dev\"")));
    let missing = problems(&MANAGED.replace("Reader", "Raeder"));
    assert!(
        missing.contains("policy `Raeder` is attached to role `Platform`, and no [[policy]]"),
        "{missing}"
    );
    let left_out = problems(
        &(POLICY.replace("[[policy.", "when = \"account.name == 'dev'\"\n[[policy.") + MANAGED),
    );
    assert!(left_out.contains("(in account 000000000002)"), "{left_out}");
}

#[test]
fn a_check_looks_at_attachments() {
    let check = |assert: &str| {
        format!(
            "[[check]]\nfor = \"attachment\"\nassert = \"{assert}\"\nmessage = \"no: {{{{ attachment.role }}}}\"\n"
        )
    };
    let text = POLICY.to_owned() + INLINE + MANAGED;
    let found = |assert: &str| {
        expanded(&(text.clone() + &check(assert)))
            .findings
            .iter()
            .map(|one| format!("{} {}", one.address.clone().unwrap(), one.message))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found("'logs:Get*' not in attachment.actions"),
        ["000000000002/attachment/Platform/inline/rolecall-test.logs no: Platform"]
    );
    assert_eq!(found("attachment.policy != 'local:Reader'").len(), 2);
    assert_eq!(
        found("attachment.name is startingwith 'rolecall-' or attachment.statements == []"),
        Vec::<String>::new()
    );
    refused(
        &(text + &check("attachment.rolle == 'x'")),
        &["did you mean `role`?"],
    );
}
