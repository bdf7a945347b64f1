use super::*;

fn source(text: &str) -> Source {
    Source {
        name: "f.yaml".to_owned(),
        text: text.to_owned(),
    }
}

fn mistakes(text: &str) -> Vec<String> {
    documents(&source(text))
        .expect_err("mistakes")
        .iter()
        .map(ToString::to_string)
        .collect()
}

const TWO: &str = "# the cluster\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: { name: a }  # first\n\
                   ---\n\n# the pool\napiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: { name: pods }\nspec: { cidr: 10.0.0.0/16 }\n...\n";

#[test]
fn documents_have_identity_text_and_place() {
    let source = source(TWO);
    let found = documents(&source).expect("good");
    let named: Vec<_> = found.iter().map(|d| (d.kind, d.name.as_str(), d.line)).collect();
    assert_eq!(
        named,
        [(ResourceKind::Node, "a", 2), (ResourceKind::IpPool, "pods", 8)]
    );
    assert!(found[0].text.starts_with("# the cluster\n") && found[0].text.ends_with("# first\n"));
    for document in &found {
        let span = document.span.clone().expect("a document of its own");
        assert_eq!(source.text[span], document.text);
        // Each text alone is that document again.
        let alone = documents(&Source {
            name: "g".to_owned(),
            text: document.text.clone(),
        });
        assert_eq!(alone.expect("good")[0].json, document.json);
    }
}

#[test]
fn one_document_is_replaced_in_place() {
    let source = source(TWO);
    let found = documents(&source).expect("good");
    let mut text = source.text.clone();
    let new = "apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: { name: a, labels: { rack: r1 } }\n";
    text.replace_range(found[0].span.clone().expect("span"), new);
    let again = documents(&Source {
        name: "f.yaml".to_owned(),
        text,
    });
    let again = again.expect("good");
    assert_eq!(again[0].text, new);
    assert_eq!(again[1].text, found[1].text);
}

#[test]
fn items_of_lists_are_rendered() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: roadbed.dev/v1\n  kind: Node\n  metadata: { name: a }\n  \
                spec: { bgp: { asNumber: 1.10 } }\n- apiVersion: projectcalico.org/v3\n  kind: Profile\n  metadata: { name: kns.default }\n";
    let found = documents(&source(text)).expect("good");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].span, None);
    assert_eq!(
        found[0].text,
        r#"{"apiVersion":"roadbed.dev/v1","kind":"Node","metadata":{"name":"a"},"spec":{"bgp":{"asNumber":1.10}}}"#
    );
    assert_eq!(found[0].line, 4);
}

#[test]
fn what_has_no_identity_is_a_mistake() {
    let head = "apiVersion: roadbed.dev/v1\nkind: Node\n";
    for (text, wanted) in [
        (
            "a: 1\n".to_owned(),
            "f.yaml:1:1: apiVersion: is required; write `apiVersion: roadbed.dev/v1` or the like",
        ),
        (
            head.to_owned(),
            "f.yaml:1:1: metadata.name: is required; give the resource a name",
        ),
        (
            format!("{head}metadata: {{}}\n"),
            "f.yaml:3:11: metadata.name: is required; give the resource a name",
        ),
        (
            format!("{head}metadata: {{ name: A }}\n"),
            "f.yaml:3:19: metadata.name: `A` is not a name: 1 to 253 lower-case letters, digits, `-` and `.`, with a letter or digit at both ends",
        ),
        (
            format!("{head}metadata: {{ name: a }}\n---\n{head}metadata: {{ name: a }}\n"),
            "f.yaml:5:1: metadata.name: another Node is named a, on line 1; rename or remove one of them",
        ),
        (
            "apiVersion: roadbed.dev/v2\nkind: Node\nmetadata: { name: a }\n".to_owned(),
            "f.yaml:1:13: apiVersion: `roadbed.dev/v2` is of another version of this program; this one reads roadbed.dev/v1 and projectcalico.org/v3",
        ),
    ] {
        assert_eq!(mistakes(&text)[0], wanted);
    }
}

#[test]
fn one_document_becomes_json() {
    assert_eq!(json("f", "a: [1, x]\n").as_deref(), Ok(r#"{"a":[1,"x"]}"#));
    assert!(json("f", "").is_err() && json("f", "a: 1\n---\nb: 1\n").is_err() && json("f", "a: [").is_err());
}

/// Writing a cluster document by document and joining them again loses nothing.
#[test]
fn texts_and_what_is_between_them_give_the_source_back() {
    for text in [
        TWO,
        &format!("%YAML 1.2\n---\n{}", TWO.trim_end_matches("...\n")),
        "\u{feff}--- {apiVersion: roadbed.dev/v1, kind: Node, metadata: {name: a}} # x\n--- # y\napiVersion: roadbed.dev/v1\r\nkind: Node\r\nmetadata: {name: b}",
    ] {
        let found = documents(&source(text)).expect("good");
        assert_eq!(found.len(), 2);
        let mut joined = String::new();
        let mut at = 0;
        for document in &found {
            let span = document.span.clone().expect("a document of its own");
            joined += &text[at..span.start];
            joined += &document.text;
            at = span.end;
        }
        assert_eq!(joined + &text[at..], text);
    }
}
