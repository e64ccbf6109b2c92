//! What is known of an expression before it is evaluated.

use std::collections::BTreeSet;

use crate::config::language::{ENVIRONMENT, names};

#[test]
fn names_are_those_that_minijinja_finds_and_what_is_sliced() {
    for source in [
        "var.a",
        "var . a . b",
        "var['a'].b and account.tags['x y']",
        "'var.b' ~ \"it\\\"s var.c\" ~ var.d",
        "var.a | join(', ', attribute='x') | default(d)",
        "role.trust | selectattr('mfa', 'eq', var.mfa) | map(attribute='sid') | list | length == 0",
        "var.a is defined and var.b is not none and var.c is matches(var.d) and not var.e is in [var.f, 1.5e3]",
        "account.ou.split('/')[var.n]",
        "{'a': var.x, b: var.y}[var.z] if true else none",
        "f(x == y, z=1)",
        "(var.a)[0]",
    ] {
        let expression = ENVIRONMENT
            .compile_expression_owned(source.to_owned())
            .unwrap();
        let expect: BTreeSet<String> = expression.undeclared_variables(true).into_iter().collect();
        assert_eq!(names(source), expect, "{source}");
    }
    assert_eq!(names("var.a[var.b:2] ~ (account.id)[::-1]").len(), 3);
}
