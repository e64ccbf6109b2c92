use serde_json::json;

use super::*;
use crate::resource::step::Step;

fn secrets(texts: &[&str]) -> Secrets {
    let mut secrets = Secrets::default();
    for text in texts {
        secrets.insert(text);
    }
    secrets
}

#[test]
fn a_secret_within_another_or_over_its_end_does_not_show_through() {
    let some = secrets(&["abcde", "xxabcdexx", "", "cdefghi"]);
    assert_eq!(
        some.mask("1 xxabcdexx 2 abcde"),
        "1 (sensitive) 2 (sensitive)"
    );
    assert_eq!(some.mask("1 abcdefghi 2"), "1 (sensitive) 2");
    assert!(!format!("{some:?}").contains("abc"));
}

#[test]
fn a_secret_is_found_in_every_spelling() {
    let secret = "Pa55 \"wörd\"\n<&/>\u{1b}";
    let some = secrets(&[secret]);
    let json = json!(secret).to_string();
    let again = json!(json).to_string();
    let spelled = [
        secret.to_owned(),
        secret.to_lowercase(),
        secret.to_ascii_uppercase(),
        json.trim_matches('"').to_owned(),
        again[3..again.len() - 3].to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        quick_xml::escape::escape(secret).into_owned(),
    ];
    for spelling in spelled {
        assert_eq!(
            some.mask(&format!("<{spelling}>")),
            format!("<{MASK}>"),
            "{spelling}"
        );
    }
}

#[test]
fn a_short_secret_is_a_word_of_its_own() {
    let some = secrets(&["a", "1", "true", "/", "  "]);
    assert_eq!(
        some.mask("a role in 111111111111 is a-b/c"),
        "(sensitive) role in 111111111111 is (sensitive)-b/c"
    );
    assert_eq!(
        some.mask("truely true, 1 of 11"),
        "truely (sensitive), (sensitive) of 11"
    );
    assert_eq!(some.mask(MASK), MASK);
    assert_eq!(
        secrets(&["sensitive"]).mask("(sensitive) or sensitive"),
        "(sensitive) or (sensitive)"
    );
}

#[test]
fn json_keeps_its_words() {
    #[derive(Serialize)]
    struct Shown {
        format: &'static str,
        role: String,
        n: usize,
        tags: std::collections::BTreeMap<String, String>,
        step: Step,
    }
    let tags = [("role-one", "x"), ("role-two", "y")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let shown = Shown {
        format: "role/7",
        role: "role".to_owned(),
        n: 7,
        tags: tags.into(),
        step: serde_json::from_value(json!({"op": "DeleteRole", "role": "role"})).unwrap(),
    };
    let masked = secrets(&["role", "role-one", "role-two", "DeleteRole", "7"]).shown(&shown);
    let expect = json!({
        "format": "role/7", "role": MASK, "n": 7, "tags": { "(sensitive)": "x", "(sensitive) 2": "y" },
        "step": { "op": "DeleteRole", "role": MASK },
    });
    assert_eq!(masked, expect);
}

#[test]
fn what_is_hidden_comes_back() {
    let values = json!({"sha256": ["a 1 aa sha256:beef", "(sensitive)"], "n": 3600, "t": "(sensitive:sha256:"});
    for texts in [
        &["a", "1"][..],
        &["sha256", "3600"],
        &["(sensitive:sha256:", "sensitive"],
        &["a 1", "1 aa"],
    ] {
        let some = secrets(texts);
        let hidden = some.hide(&values, "salt");
        assert_ne!(hidden, values);
        assert_eq!(
            some.reveal(hidden.clone(), "salt").as_ref(),
            Some(&values),
            "{texts:?}: {hidden:#}"
        );
        assert_eq!(
            secrets(&["other"]).reveal(hidden, "salt"),
            None,
            "{texts:?}"
        );
    }
}

#[test]
fn a_line_that_is_written_in_parts_is_masked_whole() {
    let discretion = Discretion::default();
    discretion.learn(&secrets(&["s3cret"]));
    let mut written = Vec::new();
    let mut out = Discreet::new(&mut written, discretion);
    for part in ["a s3", "cret\nb s3cr", "et"] {
        out.write_all(part.as_bytes()).unwrap();
    }
    drop(out);
    assert_eq!(
        String::from_utf8(written).unwrap(),
        "a (sensitive)\nb (sensitive)"
    );
}
