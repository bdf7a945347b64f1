//! Inputs that are large, deep or grow when they are read: each ends with a clear error, and what is good beside
//! it is still looked at.

use config::{Loaded, Source, documents, load};

const MIB: usize = 1 << 20;

const NODE: &str = "apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: { name: a }\nspec: { bgp: { ipv4Address: 192.0.2.1 } }\n";

fn source(text: String) -> Source {
    Source {
        name: "f".to_owned(),
        text,
    }
}

fn loaded(text: String) -> Loaded {
    load(&[source(text)])
}

/// The problems of a text that must be refused: no list without end, no message without end, and `documents`
/// refuses it too.
fn refused(text: String) -> Vec<String> {
    let source = source(text);
    let loaded = load(std::slice::from_ref(&source));
    assert!(loaded.intent.is_none());
    assert!(loaded.problems.len() < 3100, "{} problems", loaded.problems.len());
    let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert!(problems.iter().all(|problem| problem.len() < 3000));
    assert!(documents(&source).is_err());
    problems
}

fn repeated(part: &str, bytes: usize) -> String {
    part.repeat(bytes / part.len() + 1)
}

fn says(problems: &[String], part: &str) {
    assert!(
        problems.iter().any(|problem| problem.contains(part)),
        "no `{part}` in {:?}",
        problems.iter().take(5).collect::<Vec<_>>()
    );
}

#[test]
fn one_huge_text_is_refused_by_its_size() {
    let name = "a".repeat(10 * MIB);
    let text = format!("apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: {name} }}\n---\n{NODE}");
    let problems = refused(text);
    says(
        &problems,
        "f:1:1: this document has 10485819 bytes; more than 1048576 (1 MiB) are not read",
    );
    assert_eq!(problems.len(), 1, "the second document is good");
    // Just below the limit it is a bad name, and the message does not repeat all of it.
    let problems = refused(format!(
        "apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: {} }}\n",
        "a".repeat(MIB - 100)
    ));
    says(&problems, "is not a name");
}

#[test]
fn a_source_of_many_documents_is_read_and_its_mistakes_are_counted() {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < 10 * MIB {
        number += 1;
        text += &format!(
            "apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n{number} }}\nspec: {{ colour: red }}\n---\n"
        );
    }
    let problems = refused(text);
    says(&problems, "f:4:9: spec.colour: unknown field");
    says(&problems, "f:4999:9: spec.colour");
    says(
        &problems,
        "too many mistakes: the rest is not read; begin with the first ones",
    );
}

#[test]
fn the_same_name_many_times_is_counted_too() {
    let problems = refused(repeated(&format!("---\n{NODE}"), 3 * MIB));
    says(&problems, "another Node is named a, at f:4");
    says(&problems, "more problems between resources are not listed");
}

#[test]
fn many_broken_documents_end() {
    for part in [
        "---\n[\n",
        "---\n'\n",
        "---\n- a\n- : :\n\t- x\n",
        "--- !x\n",
        "...\n&\n",
    ] {
        let problems = refused(repeated(part, 4 * MIB));
        says(&problems, "the rest is not read");
    }
}

#[test]
fn deep_nesting_is_refused() {
    for part in ["[", "{a: ", "- ", "? "] {
        says(&refused(repeated(part, 10 * MIB)), "this document has");
        says(&refused(repeated(part, MIB - 10)), "nested deeper than 32 levels");
    }
    let indented: String = (0..1000)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    says(&refused(indented), "nested deeper than 32 levels");
}

#[test]
fn a_large_list_is_refused_or_counted() {
    says(&refused(repeated("- a\n", 10 * MIB)), "this document has");
    says(
        &refused(repeated("- a\n", MIB - 10)),
        "must be a mapping, this is a list",
    );
    let wide: String = (0..60_000).map(|n| format!("a{n}: 1\n")).collect();
    says(&refused(wide), "more than 1024 keys in one mapping");
    let mut lists = "apiVersion: v1\nkind: List\nitems:\n".to_owned();
    lists += &repeated("- {kind: List, items: []}\n", MIB - 100);
    let problems = refused(lists);
    says(
        &problems,
        "f:4:3: items: a list inside a list; write its items into the outer list",
    );
}

#[test]
fn many_documents_of_many_values_are_refused_by_their_number() {
    let values = repeated("1,", 900_000);
    let document = format!("---\na: [{values}]\n");
    says(
        &refused(document.repeat(4)),
        "more than 1000000 values in one source",
    );
}

#[test]
fn a_file_that_is_too_large_is_refused_unread() {
    let problems = refused(" ".repeat(33 * MIB));
    assert_eq!(
        problems,
        ["f: 34603008 bytes: more than 32 MiB are not read; split it into several files"]
    );
}

/// Billion laughs: a few lines that stand for more than the memory holds.
#[test]
fn aliases_that_multiply_are_refused() {
    let lists: String = (1..30).fold("a0: &a0 [x, x, x, x]\n".to_owned(), |text, n| {
        let part = format!("*a{}", n - 1);
        text + &format!("a{n}: &a{n} [{part}, {part}, {part}, {part}]\n")
    });
    says(&refused(lists), "more than 1000000 values in one source");

    let maps: String = (1..30).fold("a0: &a0 {x: 1, y: 2}\n".to_owned(), |text, n| {
        let part = format!("*a{}", n - 1);
        text + &format!("a{n}: &a{n} {{x: {part}, y: {part}}}\n")
    });
    let problems = refused(maps);
    assert!(
        problems
            .iter()
            .any(|p| p.contains("more than 1000000") || p.contains("deeper than"))
    );

    // One long text, repeated often: few values, and many bytes.
    let long = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(500_000),
        repeated("*a,", 400_000)
    );
    says(&refused(long), "more than 1000000 values in one source");
    let key = format!(
        "a: &a {{{}: 1}}\nb: [{}]\n",
        "x".repeat(1000),
        repeated("*a,", 400_000)
    );
    says(&refused(key), "more than 1000000 values in one source");

    for cycle in [
        "a: &a [*a]\n",
        "a: &a { b: *a }\n",
        "&a kind: { x: *a, y: &b [*b] }\n",
    ] {
        says(&refused(cycle.to_owned()), "");
    }
    says(
        &refused("a: &a { b: [*a] }\n".to_owned()),
        "this alias refers to itself",
    );
}

#[test]
fn anchors_are_fine_where_they_are_small() {
    let text = "apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: { name: a, labels: &l { rack: r1 }, annotations: *l }\n";
    assert!(loaded(text.to_owned()).intent.is_some());
}

#[test]
fn ten_thousand_good_nodes_and_pools_are_read() {
    let mut text = String::new();
    for n in 0..10_000 {
        let (a, b) = (n / 250, n % 250 + 1);
        text += &format!(
            "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n{n} }}\n\
             spec: {{ bgp: {{ ipv4Address: 192.168.{a}.{b} }}, podCIDRs: [10.{}.{}.0/24] }}\n",
            n / 256,
            n % 256
        );
        if n % 256 == 0 {
            let second = n / 256;
            text += &format!(
                "---\napiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: p{second} }}\n\
                 spec: {{ cidr: 10.{second}.0.0/16 }}\n"
            );
        }
    }
    let loaded = loaded(text);
    assert_eq!(loaded.problems, []);
    assert!(
        loaded
            .intent
            .is_some_and(|intent| intent.nodes.len() == 10_000 && intent.pools.len() == 40)
    );
}
