use config::{Source, documents};

use super::*;

fn found(text: &str) -> Vec<Document> {
    let source = Source {
        name: "f".to_owned(),
        text: text.to_owned(),
    };
    documents(&source).expect("good")
}

fn node(name: &str) -> String {
    format!("apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: {name} }}")
}

fn span(text: &str, name: &str) -> Range<usize> {
    let document = found(text).into_iter().find(|document| document.name == name);
    document.and_then(|document| document.span).expect("there")
}

/// `A`, `B` and `C` stand for nodes of these names.
fn spelled(text: &str) -> String {
    let mut text = text.to_owned();
    for letter in ["A", "B", "C"] {
        text = text.replace(letter, &node(&letter.to_lowercase()));
    }
    text
}

#[test]
fn a_core_is_without_what_stands_around_it() {
    for (text, wanted) in [
        ("a: 1", "a: 1"),
        ("# c\n\na: 1\nb: 2\n\n# d\n\n", "a: 1\nb: 2"),
        (" {a: 1}\r\n", " {a: 1}"),
        (
            "a: |\n  x\n  # not a comment\n# one\n",
            "a: |\n  x\n  # not a comment",
        ),
        ("# only\n", ""),
        ("", ""),
    ] {
        assert_eq!(text.get(core(text)), Some(wanted), "{text:?}");
    }
}

#[test]
fn replacing_keeps_what_people_wrote_around_it() {
    for (text, new, wanted) in [
        ("A\n", "C", "C\n"),
        (
            "# head\nA\n# tail\n---\nB\n",
            "C\n",
            "# head\nC\n# tail\n---\nB\n",
        ),
        ("# head\nA\n---\nB", "# mine\nC", "# mine\nC\n---\nB"),
        ("B\n---\n\n# a\nA", "C", "B\n---\n\n# a\nC"),
        (
            "--- {apiVersion: roadbed.dev/v1, kind: Node, metadata: {name: a}}\n---\nB\n",
            "C",
            "---\nC\n---\nB\n",
        ),
        ("\u{feff}A\n", "C", "\u{feff}C\n"),
        ("\u{feff}# x\nA\n...\n", "C", "\u{feff}# x\nC\n...\n"),
    ] {
        let (text, new, wanted) = (spelled(text), spelled(new), spelled(wanted));
        assert_eq!(replace(&text, &span(&text, "a"), &new), wanted, "{text}");
    }
}

#[test]
fn appending_begins_a_document() {
    for (text, wanted) in [
        ("", "C\n"),
        ("\n", "\nC\n"),
        ("A", "A\n---\nC\n"),
        ("A\n", "A\n---\nC\n"),
        ("# only\n", "# only\n---\nC\n"),
        ("A\n...\n", "A\n...\n---\nC\n"),
    ] {
        assert_eq!(
            append(&spelled(text), &spelled("C\n\n")),
            spelled(wanted),
            "{text:?}"
        );
    }
}

#[test]
fn removing_takes_the_marker_and_what_belongs_to_it() {
    for (text, wanted) in [
        ("A\n", ""),
        ("A\n---\nB\n", "---\nB\n"),
        ("B\n---\nA\n", "B\n"),
        ("B\n---\nA\n---\nC\n", "B\n---\nC\n"),
        ("B\n---\n# of a\nA\n", "B\n"),
        ("# of all\n\n# of a\nA\n---\nB\n", "# of all\n---\nB\n"),
        ("B\n---\nA\n# of c\n---\nC\n", "B\n---\n# of c\n---\nC\n"),
        (
            "B\n--- {apiVersion: roadbed.dev/v1, kind: Node, metadata: {name: a}}\n---\nC\n",
            "B\n---\nC\n",
        ),
        ("B\n...\nA\n", "B\n...\n"),
    ] {
        let (text, wanted) = (spelled(text), spelled(wanted));
        let left = remove(&text, &span(&text, "a"));
        assert_eq!(left, wanted, "{text}");
        let names = |text: &str| found(text).iter().map(|d| d.name.clone()).collect::<Vec<_>>();
        let others: Vec<_> = names(&text).into_iter().filter(|name| name != "a").collect();
        assert_eq!(names(&left), others);
    }
}
