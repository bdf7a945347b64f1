//! Golden set: YAML files with exactly the problems that they must give.
//!
//! Each `golden/*/x.yaml` has an `x.expected` beside it, one problem a line, and where it is good an `x.intent`:
//! what it means. Those in `shared` are read by the rules of a datastore that claims blocks; it may be good or
//! not. To rewrite the expectations after a change of wording, run with `UPDATE_GOLDEN=1` and read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use config::{Loaded, Rules, Source, load, load_with};
use proptest::prelude::*;

fn cases(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("golden folder")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no cases in {}", folder.display());
    files
}

fn check(path: &Path) -> Loaded {
    let name = path
        .file_name()
        .and_then(|n| n.to_str())
        .expect("name")
        .to_owned();
    let text = fs::read_to_string(path).expect("readable");
    let rules = Rules {
        shared_out: path.parent().is_some_and(|folder| folder.ends_with("shared")),
    };
    let source = Source { name, text };
    let loaded = load_with(&[source], rules);
    let problems = loaded.problems.iter().map(|problem| format!("{problem}\n"));
    expect(&path.with_extension("expected"), &problems.collect::<String>());
    if let Some(intent) = &loaded.intent {
        let meaning = serde_json::to_string_pretty(intent).expect("serializes") + "\n";
        expect(&path.with_extension("intent"), &meaning);
    }
    loaded
}

fn expect(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, actual).expect("writable");
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(actual, expected, "{}", path.display());
}

#[test]
fn shared_datastores_have_rules_of_their_own() {
    let good: Vec<bool> = cases("shared")
        .iter()
        .map(|path| check(path).intent.is_some())
        .collect();
    assert!(good.contains(&true) && good.contains(&false));
    // By the rules of a file, nodes without subnets are a mistake.
    for path in cases("shared") {
        let text = fs::read_to_string(&path).expect("readable");
        let name = path.display().to_string();
        assert!(
            load(&[Source { name, text }]).intent.is_none(),
            "{}",
            path.display()
        );
    }
}

#[test]
fn bad_files_give_exactly_these_problems() {
    for path in cases("bad") {
        let loaded = check(&path);
        assert!(loaded.intent.is_none(), "{} must be refused", path.display());
    }
}

#[test]
fn good_files_give_an_intent() {
    for path in cases("good") {
        let loaded = check(&path);
        assert!(loaded.intent.is_some(), "{} must be accepted", path.display());
    }
}

#[test]
fn an_intent_survives_json() {
    for path in cases("good") {
        let intent = check(&path).intent.expect("good");
        let json = serde_json::to_string(&intent).expect("serializes");
        assert_eq!(
            serde_json::from_str::<config::Intent>(&json).expect("reads"),
            intent
        );
    }
}

/// Good files with random damage: never a panic, and every refusal says something.
#[test]
fn damaged_files_are_refused_with_reasons() {
    let texts: Vec<String> = cases("good")
        .iter()
        .chain(&cases("bad"))
        .map(|path| fs::read_to_string(path).expect("readable"))
        .collect();
    let strategy = (
        prop::sample::select(texts),
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    );
    proptest!(ProptestConfig::with_cases(500), |((text, damage) in strategy)| {
        let mut bytes = text.into_bytes();
        for (index, byte) in damage {
            if !bytes.is_empty() {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // YAML breaks lines at a lone carriage return too.
        let lines = text.split(['\n', '\r']).count() + 1;
        let loaded = load(&[Source { name: "f".to_owned(), text }]);
        prop_assert_eq!(loaded.intent.is_none(), loaded.problems.iter().any(config::Problem::is_error));
        for problem in loaded.problems {
            prop_assert!(problem.line >= 1 && problem.line <= lines && problem.column >= 1, "{}", problem);
        }
    });
}
