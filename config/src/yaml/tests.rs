use proptest::prelude::*;

use super::*;
use crate::problem::{Place, Problems};

fn read(text: &str) -> (Vec<Value>, Vec<String>) {
    let mut problems = Problems::new("f");
    let documents = documents(text, &mut problems);
    (
        documents,
        problems.into_list().iter().map(ToString::to_string).collect(),
    )
}

#[test]
fn values_know_their_places() {
    let (documents, problems) = read("a: 1\nb:\n  - x\n  - c: 'y'\n---\nd: ~\n");
    assert_eq!(problems, [""; 0]);
    let b = documents[0].get("b").expect("b");
    let Kind::List(items) = &b.kind else {
        panic!("a list")
    };
    assert_eq!(items[0].at, Place { line: 3, column: 5 });
    assert_eq!(
        items[1].get("c").map(|c| c.at),
        Some(Place { line: 4, column: 8 })
    );
    assert_eq!(
        documents[1].get("d").map(|d| (d.at.line, &d.kind)),
        Some((6, &Kind::Null))
    );
}

#[test]
fn reading_resumes_after_a_broken_document() {
    let (documents, problems) = read("a: 1\n---\nb: [1\n---\nc: 3\n---\nd: 'x\n---\ne: 5\n");
    let keys: Vec<_> = documents
        .iter()
        .filter_map(|d| ["a", "c", "e"].into_iter().find(|k| d.get(k).is_some()))
        .collect();
    assert_eq!(keys, ["a", "c", "e"]);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert_eq!(documents[1].get("c").map(|c| c.at.line), Some(5));
}

#[test]
fn duplicate_and_odd_keys_are_mistakes() {
    let (_, problems) = read("a: 1\na: 2\n? [x]\n: y\n");
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].starts_with("f:2:1: a: duplicate key; the first one is on line 1"),
        "{problems:?}"
    );
}

#[test]
fn aliases_are_written_out_within_limits() {
    let (documents, problems) = read("a: &x {k: v}\nb: *x\n");
    assert_eq!(problems, [""; 0]);
    assert_eq!(
        documents[0]
            .get("b")
            .and_then(|b| b.get("k"))
            .and_then(Value::text),
        Some("v")
    );

    let bomb: String = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
        let before = n - 1;
        text + &format!("a{n}: &a{n} [*a{before}, *a{before}]\n")
    });
    let (_, problems) = read(&bomb);
    assert!(
        problems
            .iter()
            .any(|p| p.contains("more than") || p.contains("deeper")),
        "{problems:?}"
    );

    let chain: String = (1..10_000).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
        let before = n - 1;
        text + &format!("a{n}: &a{n} [*a{before}]\n")
    });
    assert!(read(&chain).1[0].contains("through aliases"));
    assert!(read("a: &a [*a]").1[0].contains("refers to itself"));
    assert!(read("a: *b").1[0].contains("not valid YAML"));
}

#[test]
fn depth_is_limited() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert_eq!(read(&nested(32)).1, [""; 0]);
    assert!(read(&nested(33)).1[0].contains("deeper than 32"));
    for part in ["[", "- ", "{a: ", "? "] {
        assert_eq!(read(&part.repeat(10_000)).1.len(), 1, "{part}");
    }
}

#[test]
fn more_comments_than_the_parser_buffers_are_no_mistake() {
    assert_eq!(
        read(&format!("{}a: 1\n{}", "# x\n".repeat(1000), "# y\n".repeat(1000))).1,
        [""; 0]
    );
}

#[test]
fn plain_scalars_have_types() {
    for (text, wanted) in [
        ("true", Some("a truth value")),
        ("yes", None),
        ("64512", Some("a number")),
        ("-1.5e3", Some("a number")),
        ("0x1f", Some("a number")),
        ("nan", None),
        ("10.0.0.0/8", None),
        ("2001:db8::1", None),
    ] {
        assert_eq!(plain_type(text), wanted, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_read_without_panic(text in ".*") {
        read(&text);
    }

    #[test]
    fn any_yaml_like_text_is_read_without_panic(parts in prop::collection::vec(prop::sample::select(vec![
        "a", "b: ", "- ", "\n", "  ", "---\n", "...\n", "[", "]", "{", "}", ",", ": ", "&x ", "*x", "!t ", "!!str ",
        "'", "\"", "|\n", ">\n", "#", "\t", "%YAML 1.2\n", "? ", "\\", "é", "\r\n", "<<: ",
    ]), 0..40)) {
        let text = parts.concat();
        let (_, problems) = read(&text);
        let lines = text.lines().count() + 1;
        for problem in problems {
            let line: usize = problem.split(':').nth(1).and_then(|l| l.parse().ok()).unwrap_or(0);
            prop_assert!(line >= 1 && line <= lines, "{problem} in {text:?}");
        }
    }
}
