use proptest::prelude::*;

use super::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn matches(selector: &str, pairs: &[(&str, &str)]) -> bool {
    selector
        .parse::<Selector>()
        .expect(selector)
        .matches(&labels(pairs))
}

#[test]
fn each_operation_means_what_calico_means() {
    let rack1 = &[("rack", "r1"), ("role.example/edge", "")];
    for (selector, with, without) in [
        ("", true, true),
        ("all()", true, true),
        ("global()", true, true),
        ("has(rack)", true, false),
        ("!has(rack)", false, true),
        ("has( role.example/edge )", true, false),
        ("rack == 'r1'", true, false),
        ("rack == \"r1\"", true, false),
        ("rack != 'r1'", false, true),
        ("rack in {'r0', 'r1'}", true, false),
        ("rack in {}", false, false),
        ("rack not in {'r0','r1'}", false, true),
        ("rack not in {}", true, true),
        ("rack contains '1'", true, false),
        ("rack starts with 'r'", true, false),
        ("rack ends with '1'", true, false),
        ("rack ends with 'r'", false, false),
        ("!rack == 'r1'", false, true),
        ("!!has(rack)", true, false),
        ("role.example/edge == ''", true, false),
    ] {
        assert_eq!(matches(selector, rack1), with, "{selector} with");
        assert_eq!(matches(selector, &[]), without, "{selector} without");
    }
}

#[test]
fn and_binds_tighter_than_or() {
    let a = &[("a", "")][..];
    assert!(matches("has(a) || has(b) && has(c)", a));
    assert!(!matches("(has(a) || has(b)) && has(c)", a));
    assert!(matches("!(has(b) || has(c)) && has(a)", a));
}

#[test]
fn keywords_may_be_labels() {
    assert!(matches(
        "in == 'x' && has(not) && all == 'y'",
        &[("in", "x"), ("not", ""), ("all", "y")]
    ));
}

#[test]
fn errors_name_the_column() {
    for (selector, column, part) in [
        ("rack = 'r1'", 6, "write `==`"),
        ("rack == r1", 9, "expected a string in quotes"),
        ("rack == 'r1", 9, "no closing '"),
        ("rack", 5, "expected `==`"),
        ("rack == 'r1' rack", 14, "expected `&&`, `||` or the end"),
        ("(has(a)", 8, "expected `)`"),
        ("has('a')", 5, "expected a label"),
        ("foo(a)", 1, "functions"),
        ("rack in 'a'", 9, "expected `{`"),
        ("rack not 'a'", 10, "expected `in`"),
        ("a == 'ä' ü", 10, "does not belong"),
        ("&& has(a)", 1, "expected a label"),
        ("rack in {'a',}", 14, "expected a string"),
    ] {
        let error = selector.parse::<Selector>().expect_err(selector);
        assert_eq!(error.column, column, "{selector}: {error}");
        assert!(error.message.contains(part), "{selector}: {error}");
    }
}

#[test]
fn depth_is_limited() {
    let deep = |n: usize| format!("{}has(a){}", "(".repeat(n), ")".repeat(n));
    assert!(deep(50).parse::<Selector>().is_ok());
    assert!(deep(100_000).parse::<Selector>().is_err());
    assert!(
        format!("{}has(a)", "!".repeat(100_000))
            .parse::<Selector>()
            .is_err()
    );
    let wide = vec!["has(a)"; 10_000].join(" && ");
    assert!(wide.parse::<Selector>().is_ok());
}

/// A reference: random expressions are written down with all parentheses, evaluated on the way.
#[derive(Debug, Clone)]
enum Model {
    Has(&'static str),
    Is(&'static str, &'static str),
    Not(Box<Model>),
    And(Box<Model>, Box<Model>),
    Or(Box<Model>, Box<Model>),
}

impl Model {
    fn write(&self) -> String {
        match self {
            Model::Has(k) => format!("has({k})"),
            Model::Is(k, v) => format!("{k} == '{v}'"),
            Model::Not(a) => format!("!({})", a.write()),
            Model::And(a, b) => format!("({} && {})", a.write(), b.write()),
            Model::Or(a, b) => format!("({}||{})", a.write(), b.write()),
        }
    }

    fn value(&self, labels: &Labels) -> bool {
        match self {
            Model::Has(k) => labels.contains_key(*k),
            Model::Is(k, v) => labels.get(*k).map(String::as_str) == Some(v),
            Model::Not(a) => !a.value(labels),
            Model::And(a, b) => a.value(labels) && b.value(labels),
            Model::Or(a, b) => a.value(labels) || b.value(labels),
        }
    }
}

fn model() -> impl Strategy<Value = Model> {
    let key = prop::sample::select(vec!["a", "b", "x/y.z"]);
    let value = prop::sample::select(vec!["", "1", "&& ("]);
    let leaf = prop_oneof![
        key.clone().prop_map(Model::Has),
        (key, value).prop_map(|(k, v)| Model::Is(k, v))
    ];
    leaf.prop_recursive(6, 40, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| Model::Not(Box::new(a))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Model::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner).prop_map(|(a, b)| Model::Or(Box::new(a), Box::new(b))),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_within_its_length(text in ".*") {
        if let Err(error) = text.parse::<Selector>() {
            prop_assert!(error.column >= 1 && error.column <= text.chars().count() + 1);
        }
    }

    #[test]
    fn any_tokens_are_read_or_refused(words in prop::collection::vec(prop::sample::select(vec![
        "(", ")", "{", "}", ",", "!", "!=", "==", "&&", "||", "has", "all", "in", "not", "starts", "with", "'a'", "b",
    ]), 0..20)) {
        if let Ok(selector) = words.join(" ").parse::<Selector>() {
            let again = selector.to_string().parse::<Selector>();
            prop_assert_eq!(again, Ok(selector));
        }
    }

    #[test]
    fn evaluates_like_the_model(
        model in model(),
        labels in prop::collection::btree_map("a|b|x/y.z", "|1|&& \\(", 0..3),
    ) {
        let selector: Selector = model.write().parse().expect("written by the model");
        prop_assert_eq!(selector.matches(&labels), model.value(&labels));
    }
}
