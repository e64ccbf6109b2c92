//! Names of variables: each once.

use std::collections::BTreeSet;

use crate::import::draft::snake_case;

/// The names that are taken.
#[derive(Debug, Default)]
pub struct Names {
    taken: BTreeSet<String>,
    stems: BTreeSet<String>,
}

/// Characters of a name that is made of a text.
const LONGEST: usize = 40;

impl Names {
    /// What the variables of a resource of this name, a template, begin with; no other resource has it.
    pub fn stem(&mut self, name: &str) -> String {
        let stem = slug(name);
        let mut free = stem.clone();
        let mut count = 2_usize;
        while !self.stems.insert(free.clone()) {
            free = format!("{stem}_{count}");
            count += 1;
        }
        free
    }

    /// A name like this one that no other variable has.
    pub fn variable(&mut self, name: &str) -> String {
        let mut free = name.to_owned();
        let mut count = 2_usize;
        while !self.taken.insert(free.clone()) {
            free = format!("{name}_{count}");
            count += 1;
        }
        free
    }
}

/// A text as part of a variable's name. What expressions stand for is left out.
pub fn slug(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        plain += before;
        plain.push('-');
        rest = after.split_once("}}").map_or("", |(_, after)| after);
    }
    plain += rest;
    let name = snake_case(&plain);
    let short: String = name.chars().take(LONGEST).collect();
    short.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_given_once() {
        let mut names = Names::default();
        assert_eq!(names.stem("Audit-{{ account.id }}"), "audit");
        assert_eq!(names.stem("Audit"), "audit_2");
        assert_eq!(names.variable("audit_x"), "audit_x");
        assert_eq!(names.variable("audit_x"), "audit_x_2");
        assert_eq!(slug(&"x".repeat(90)).len(), LONGEST);
        assert_eq!(slug("{{ var.x }}"), "v");
    }
}
