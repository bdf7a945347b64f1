//! The files of `deploy` are what the code says. `UPDATE_GOLDEN=1` writes them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use store::kubernetes::{access, crds};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

fn yaml(from: &str, documents: &[Value]) -> String {
    let texts = documents
        .iter()
        .map(|document| serde_saphyr::to_string(document).expect("YAML"));
    let texts: Vec<String> = texts.collect();
    format!(
        "# Made from {from} by its tests; change it there.\n{}",
        texts.join("---\n")
    )
}

fn golden(path: &Path, text: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        std::fs::write(path, text).expect("the file is written");
        return;
    }
    let there = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(
        there == text,
        "{} is not what the code says: run with UPDATE_GOLDEN=1 and look at the difference",
        path.display()
    );
}

#[test]
fn the_definitions_are_those_of_the_code() {
    let (folder, from) = (deploy().join("crds"), "config/store/src/kubernetes/crds");
    let mut files = Vec::new();
    for definition in crds::all() {
        let file = format!("{}.yaml", definition.spec.names.plural);
        let value = serde_json::to_value(&definition).expect("JSON");
        let text = yaml(from, std::slice::from_ref(&value));
        let back: Value = serde_saphyr::from_str(&text).expect("YAML");
        assert_eq!(back, value, "{file} says the same");
        golden(&folder.join(&file), &text);
        files.push(file);
    }
    files.sort();
    let kustomization =
        json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": files});
    golden(&folder.join("kustomization.yaml"), &yaml(from, &[kustomization]));
    let mut there: Vec<String> = (std::fs::read_dir(&folder).expect("the folder"))
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name != "kustomization.yaml")
        .collect();
    there.sort();
    assert_eq!(there, files, "no file is left from a kind that is gone");
}

#[test]
fn the_rights_are_those_of_the_code() {
    let text = yaml("config/store/src/kubernetes/access.rs", &access::manifest());
    golden(&deploy().join("rbac.yaml"), &text);
}
