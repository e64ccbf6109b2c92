//! Condition operators: the documented names and what each tests.
//!
//! Names are case-sensitive; a set quantifier before and `IfExists` after are part of the name.
//! Source: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Set operators for multivalued
//! context keys".

/// A condition operator taken apart: `ForAnyValue:StringNotLikeIfExists`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operator {
    /// `ForAllValues:` or `ForAnyValue:`.
    pub quantifier: Option<Quantifier>,
    /// What one value of the request is tested for.
    pub test: Test,
    /// The `Not` forms: no value of the policy may match.
    pub negated: bool,
    /// `IfExists`: true where the key is absent.
    pub if_exists: bool,
}

/// How the several values of a key are taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantifier {
    /// `ForAllValues:`; true where the key is absent.
    ForAllValues,
    /// `ForAnyValue:`; false where the key is absent.
    ForAnyValue,
}

/// What an operator tests, its negation aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Test {
    /// `StringEquals`
    StringEquals,
    /// `StringEqualsIgnoreCase`
    StringEqualsIgnoreCase,
    /// `StringLike`
    StringLike,
    /// `Numeric…`
    Numeric(Comparison),
    /// `Date…`
    Date(Comparison),
    /// `Bool`
    Bool,
    /// `BinaryEquals`
    Binary,
    /// `IpAddress`
    IpAddress,
    /// `ArnEquals` and `ArnLike`, which are the same.
    Arn,
    /// `Null`
    Null,
}

/// How two numbers or dates compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Comparison {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

/// Every operator without quantifier and `IfExists`, and whether it is negated.
const OPERATORS: &[(&str, Test, bool)] = &[
    ("StringEquals", Test::StringEquals, false),
    ("StringNotEquals", Test::StringEquals, true),
    (
        "StringEqualsIgnoreCase",
        Test::StringEqualsIgnoreCase,
        false,
    ),
    (
        "StringNotEqualsIgnoreCase",
        Test::StringEqualsIgnoreCase,
        true,
    ),
    ("StringLike", Test::StringLike, false),
    ("StringNotLike", Test::StringLike, true),
    ("NumericEquals", Test::Numeric(Comparison::Equals), false),
    ("NumericNotEquals", Test::Numeric(Comparison::Equals), true),
    (
        "NumericLessThan",
        Test::Numeric(Comparison::LessThan),
        false,
    ),
    (
        "NumericLessThanEquals",
        Test::Numeric(Comparison::LessThanEquals),
        false,
    ),
    (
        "NumericGreaterThan",
        Test::Numeric(Comparison::GreaterThan),
        false,
    ),
    (
        "NumericGreaterThanEquals",
        Test::Numeric(Comparison::GreaterThanEquals),
        false,
    ),
    ("DateEquals", Test::Date(Comparison::Equals), false),
    ("DateNotEquals", Test::Date(Comparison::Equals), true),
    ("DateLessThan", Test::Date(Comparison::LessThan), false),
    (
        "DateLessThanEquals",
        Test::Date(Comparison::LessThanEquals),
        false,
    ),
    (
        "DateGreaterThan",
        Test::Date(Comparison::GreaterThan),
        false,
    ),
    (
        "DateGreaterThanEquals",
        Test::Date(Comparison::GreaterThanEquals),
        false,
    ),
    ("Bool", Test::Bool, false),
    ("BinaryEquals", Test::Binary, false),
    ("IpAddress", Test::IpAddress, false),
    ("NotIpAddress", Test::IpAddress, true),
    ("ArnEquals", Test::Arn, false),
    ("ArnLike", Test::Arn, false),
    ("ArnNotEquals", Test::Arn, true),
    ("ArnNotLike", Test::Arn, true),
    ("Null", Test::Null, false),
];

impl Operator {
    /// Takes `name` apart; `None` where IAM documents no such operator. `Null` does not take `IfExists`.
    pub fn parse(name: &str) -> Option<Self> {
        let (quantifier, rest) = split_quantifier(name);
        let quantifier = match quantifier {
            "" => None,
            "ForAllValues:" => Some(Quantifier::ForAllValues),
            _ => Some(Quantifier::ForAnyValue),
        };
        let (base, if_exists) = rest
            .strip_suffix("IfExists")
            .map_or((rest, false), |base| (base, true));
        let (_, test, negated) = *OPERATORS.iter().find(|(name, ..)| *name == base)?;
        (test != Test::Null || !if_exists).then_some(Self {
            quantifier,
            test,
            negated,
            if_exists,
        })
    }

    /// Whether a request without the key passes: `IfExists`, `ForAllValues` and the negated operators hold then;
    /// `ForAnyValue` does not.
    pub fn passes_without_key(self) -> bool {
        self.if_exists
            || match self.quantifier {
                Some(Quantifier::ForAllValues) => true,
                Some(Quantifier::ForAnyValue) => false,
                None => self.negated,
            }
    }

    /// The documented operator that `name` was probably meant to be.
    pub(super) fn nearest(name: &str) -> Option<String> {
        let known = ["ForAllValues:", "ForAnyValue:", ""]
            .iter()
            .flat_map(|quantifier| {
                OPERATORS.iter().flat_map(move |(base, ..)| {
                    ["", "IfExists"].map(|suffix| format!("{quantifier}{base}{suffix}"))
                })
            });
        let known: Vec<String> = known.filter(|name| Self::parse(name).is_some()).collect();
        nearest(name, known.iter().map(String::as_str)).map(str::to_owned)
    }
}

fn split_quantifier(name: &str) -> (&str, &str) {
    ["ForAllValues:", "ForAnyValue:"]
        .iter()
        .find_map(|prefix| Some((*prefix, name.strip_prefix(prefix)?)))
        .unwrap_or(("", name))
}

/// The one of `known` that `text` is a slip of the pen or of the shift key from.
pub(super) fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = text.to_ascii_lowercase();
    known
        .map(|name| {
            (
                strsim::jaro_winkler(&lower, &name.to_ascii_lowercase()),
                name,
            )
        })
        .filter(|(score, _)| *score > 0.85)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let expect = Operator {
            quantifier: Some(Quantifier::ForAnyValue),
            test: Test::StringLike,
            negated: true,
            if_exists: true,
        };
        assert_eq!(
            Operator::parse("ForAnyValue:StringNotLikeIfExists"),
            Some(expect)
        );
        assert_eq!(Operator::parse("ArnLike"), Operator::parse("ArnEquals"));
        assert_ne!(
            Operator::parse("StringLike"),
            Operator::parse("StringEquals")
        );
    }

    #[test]
    fn only_documented_names_are_operators() {
        for name in [
            "stringEquals",
            "StringEqual",
            "NullIfExists",
            "ForAnyValue:",
            "",
            "forAnyValue:StringLike",
            "IfExists",
        ] {
            assert_eq!(Operator::parse(name), None, "{name}");
        }
        assert_eq!(OPERATORS.len(), 27);
    }

    #[test]
    fn a_slip_finds_the_operator_meant() {
        assert_eq!(
            Operator::nearest("stringEquals").as_deref(),
            Some("StringEquals")
        );
        assert_eq!(
            Operator::nearest("StringLikes").as_deref(),
            Some("StringLike")
        );
        assert_eq!(
            Operator::nearest("foranyvalue:stringlike").as_deref(),
            Some("ForAnyValue:StringLike")
        );
        assert_eq!(Operator::nearest("Frobnicate"), None);
    }
}
