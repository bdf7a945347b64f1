//! The layering of the house, held by the manifests: which of our crates may depend on which, and what the
//! pure and the thin ones must do without.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Every allowed edge between our crates. A new edge is a decision: it belongs in this table first.
const ALLOWED: &[(&str, &[&str])] = &[
    ("bgpd-proto", &[]),
    ("bfd-proto", &[]),
    ("bgpd", &["bfd-proto", "bgpd-proto"]),
    ("routesync", &[]),
    ("tunnel", &[]),
    ("config", &[]),
    ("datastore", &["config"]),
    ("store", &["config", "datastore"]),
    ("ipam", &["config", "datastore"]),
    ("hostnet", &[]),
    ("cni", &["config"]),
    ("attach", &[]),
    ("lab", &[]),
    ("demo", &["lab"]),
    ("etcd-testbed", &[]),
    ("kube-standin", &[]),
    ("kubernetes", &["config"]),
    ("cri-testbed", &[]),
    ("interop-table", &[]),
    ("fuzz-targets", &["bfd-proto", "bgpd-proto", "config"]),
    ("vm", &[]),
    ("bench-cni", &["lab"]),
    ("bench-support", &[]),
    ("bench-bgp", &["bench-support"]),
    ("bench-fib", &["bench-support", "routesync"]),
    ("bench-failover", &["bench-support", "lab"]),
    (
        "ipam-proof",
        &["config", "datastore", "etcd-testbed", "ipam", "store"],
    ),
    (
        "bench-ipam",
        &[
            "config",
            "datastore",
            "etcd-testbed",
            "ipam",
            "ipam-proof",
            "store",
        ],
    ),
    (
        "roadbed",
        &[
            "attach",
            "bgpd",
            "bgpd-proto",
            "config",
            "datastore",
            "hostnet",
            "ipam",
            "kubernetes",
            "lab",
            "routesync",
            "store",
            "tunnel",
        ],
    ),
];

/// What a crate must never depend on: time and IO stay out of the pure ones, weight out of the thin ones.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("bfd-proto", &["tokio", "socket2", "nix", "tracing", "futures"]),
    ("bgpd-proto", &["tokio", "socket2", "nix", "tracing", "futures"]),
    ("config", &["tokio", "notify", "redb", "axum"]),
    ("datastore", &["tokio", "etcd-client", "kube"]),
    ("cni", &["tokio", "clap", "redb", "axum", "tracing-subscriber"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Our packages with the names of their normal dependencies.
fn packages() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| (text(&package["name"]), normal_dependencies(package)))
        .collect()
}

fn normal_dependencies(package: &Value) -> BTreeSet<String> {
    let all = package["dependencies"].as_array().expect("dependencies");
    all.iter()
        .filter(|d| d["kind"].is_null())
        .map(|d| text(&d["name"]))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

#[test]
fn imports_between_crates_point_one_way() {
    let packages = packages();
    let allowed: BTreeMap<&str, BTreeSet<&str>> = ALLOWED
        .iter()
        .map(|(name, to)| (*name, to.iter().copied().collect()))
        .collect();
    for (name, dependencies) in &packages {
        let permitted = allowed
            .get(name.as_str())
            .unwrap_or_else(|| panic!("{name} has no row in the table"));
        let ours = dependencies.iter().filter(|d| packages.contains_key(*d));
        let wrong: Vec<_> = ours.filter(|d| !permitted.contains(d.as_str())).collect();
        assert!(wrong.is_empty(), "{name} must not depend on {wrong:?}");
    }
}

#[test]
fn the_table_itself_has_no_circle() {
    let mut left: Vec<_> = ALLOWED.to_vec();
    while !left.is_empty() {
        let names: BTreeSet<&str> = left.iter().map(|(name, _)| *name).collect();
        let before = left.len();
        left.retain(|(_, to)| to.iter().any(|t| names.contains(t)));
        assert!(left.len() < before, "a circle among {names:?}");
    }
}

#[test]
fn pure_and_thin_crates_do_without_what_they_must() {
    let packages = packages();
    for (name, forbidden) in FORBIDDEN {
        let has: Vec<_> = forbidden
            .iter()
            .filter(|f| packages[*name].contains(**f))
            .collect();
        assert!(has.is_empty(), "{name} must not depend on {has:?}");
    }
}

#[test]
fn no_file_is_longer_than_800_lines() {
    let mut long = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)
            .expect("a folder of the checkout")
            .flatten()
        {
            let path = entry.path();
            let hidden = entry.file_name().to_string_lossy().starts_with('.') || path.ends_with("target");
            if path.is_dir() && !hidden {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && lines(&path) > 800 {
                long.push(path);
            }
        }
    }
    assert!(long.is_empty(), "find the rooms inside these: {long:?}");
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path)
        .map(|text| text.lines().count())
        .unwrap_or(0)
}
