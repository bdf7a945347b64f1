//! The examples of the manual are configurations that the plugin takes.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Call, Place};

fn pages() -> Vec<PathBuf> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let runtimes = std::fs::read_dir(docs.join("runtimes")).unwrap();
    let mut pages: Vec<PathBuf> = runtimes.map(|entry| entry.unwrap().path()).collect();
    pages.push(docs.join("cni.md"));
    pages
}

/// The network lists in a page.
fn lists(page: &str) -> Vec<Value> {
    let blocks = page.split("```json\n").skip(1);
    blocks
        .filter_map(|rest| serde_json::from_str(rest.split("```").next()?).ok())
        .filter(|list: &Value| list["plugins"].is_array())
        .collect()
}

#[test]
fn every_example_is_taken() {
    let place = Place::new();
    let mut of_cni = 0;
    for path in pages() {
        let page = std::fs::read_to_string(&path).unwrap();
        for list in lists(&page) {
            of_cni += usize::from(path.ends_with("cni.md"));
            let mut ours = 0;
            for entry in list["plugins"].as_array().unwrap() {
                let mut conf = entry.clone();
                conf["cniVersion"] = list["cniVersion"].clone();
                conf["name"] = list["name"].clone();
                let call = match (entry["type"].as_str(), entry["ipam"]["type"].as_str()) {
                    (Some("roadbed"), _) => {
                        conf["socket"] = json!(place.socket());
                        Call::new("ADD")
                    }
                    (_, Some("roadbed-ipam")) => {
                        conf["ipam"]["socket"] = json!(place.socket());
                        Call::new("ADD").named("roadbed-ipam")
                    }
                    _ => continue,
                };
                ours += 1;
                // Only the agent is missing.
                let done = call.stdin(&conf).run();
                assert_eq!(done.code(), 11, "{}: {conf}: {done:?}", path.display());
            }
            assert_eq!(ours, 1, "{}: {list}", path.display());
        }
    }
    assert!(of_cni >= 6, "the manual has {of_cni} examples");
}
