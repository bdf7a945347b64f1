//! The documents that carry over as a file of YAML.

use serde_json::Value;

use super::snapshot::Document;

/// The order in which a reader wants them.
const ORDER: &[&str] = &[
    "BGPConfiguration",
    "IPAMConfiguration",
    "IPPool",
    "IPReservation",
    "BGPFilter",
    "BGPPeer",
    "Node",
];

/// One YAML document after the other, sorted by kind and name.
pub fn yaml(source: &str, documents: &[Document]) -> String {
    let place = |document: &Document| {
        ORDER
            .iter()
            .position(|kind| *kind == document.kind)
            .unwrap_or(ORDER.len())
    };
    let mut sorted: Vec<&Document> = documents.iter().collect();
    sorted.sort_by_key(|document| (place(document), document.name.clone()));
    let mut text = format!("# Read from {}.\n", source.replace(['\n', '\r'], " "));
    for document in sorted {
        text.push_str("---\n");
        text.push_str(&one(&document.value));
    }
    text
}

/// YAML, or where that cannot be written JSON, which is YAML too.
fn one(value: &Value) -> String {
    match serde_saphyr::to_string(value) {
        Ok(text) if text.ends_with('\n') => text,
        Ok(text) => text + "\n",
        Err(_) => value.to_string() + "\n",
    }
}
