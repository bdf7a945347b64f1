//! The file as a datastore, on real folders.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::fields::ResourceKind;
use config::{Source, documents, load};
use datastore::conformance::{self, Capabilities};
use datastore::{Datastore, Error, Expect, Key, Outcome, Space, Write};
use proptest::prelude::*;
use store::{FileStore, Timing};
use tempfile::TempDir;

const QUICK: Timing = Timing {
    quiet: Duration::from_millis(20),
    patience: Duration::from_secs(5),
    poll: Duration::from_millis(500),
};

fn at(path: &Path) -> FileStore {
    FileStore::with_timing(path, QUICK).expect("a path")
}

fn capabilities() -> Capabilities {
    Capabilities {
        many: 60,
        ..Capabilities::resources_only(|time| Box::pin(tokio::time::sleep(time)))
    }
}

#[tokio::test]
async fn a_file_keeps_the_contract() {
    let folder = TempDir::new().expect("folder");
    conformance::check(&at(&folder.path().join("resources.yaml")), &capabilities()).await;
}

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    let folder = TempDir::new().expect("folder");
    conformance::check(&at(folder.path()), &capabilities()).await;
    let left: Vec<_> = fs::read_dir(folder.path())
        .expect("folder")
        .map(|entry| entry.expect("entry").file_name())
        .filter(|name| !name.to_string_lossy().starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

fn node(name: &str, octet: u8) -> String {
    format!(
        "apiVersion: roadbed.dev/v1\nkind: Node\nmetadata:\n  name: {name}  # who\nspec:\n  bgp: {{ ipv4Address: 192.0.2.{octet}/24 }}\n"
    )
}

fn key(name: &str) -> Key {
    Key::resource(ResourceKind::Node, name)
}

async fn put(store: &FileStore, name: &str, octet: u8) -> Result<Outcome, Error> {
    store
        .write(Write::Put(key(name), node(name, octet)), Expect::Any)
        .await
}

fn in_folder(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("folder");
    let path = folder.path().join("resources.yaml");
    fs::write(&path, text).expect("written");
    (folder, path)
}

#[tokio::test]
async fn one_document_changes_and_every_other_byte_stays() {
    let text = format!(
        "# of all\n\n# of a\n{}# below a\n---\n\n\n# odd   spacing\n{}\n...\n---\n{}",
        node("a", 1),
        node("b", 2),
        node("c", 3)
    );
    let (_folder, path) = in_folder(&text);
    let store = at(&path);
    put(&store, "b", 9).await.expect("written");
    let after = fs::read_to_string(&path).expect("read");
    assert_eq!(after, text.replace("192.0.2.2/", "192.0.2.9/"));
    store
        .write(Write::Delete(key("b")), Expect::Any)
        .await
        .expect("deleted");
    put(&store, "d", 4).await.expect("written");
    let after = fs::read_to_string(&path).expect("read");
    for kept in [
        format!("# of all\n\n# of a\n{}# below a\n", node("a", 1)),
        node("c", 3),
    ] {
        assert!(after.contains(&kept), "{after}");
    }
    assert!(
        !after.contains("name: b ") && after.ends_with(&node("d", 4)),
        "{after}"
    );
}

#[tokio::test]
async fn mode_and_links_stay() {
    let (_folder, real) = in_folder(&node("a", 1));
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("mode");
    let links = TempDir::new().expect("folder");
    let link = links.path().join("linked.yaml");
    symlink(&real, &link).expect("link");
    put(&at(&link), "a", 7).await.expect("written");
    assert!(link.symlink_metadata().expect("there").is_symlink());
    assert_eq!(fs::metadata(&real).expect("there").mode() & 0o7777, 0o640);
    assert_eq!(fs::read_to_string(&real).expect("read"), node("a", 7));
}

#[tokio::test]
async fn a_good_whole_is_not_spoilt_and_a_bad_one_can_be_mended() {
    let (_folder, path) = in_folder(&node("a", 1));
    let store = at(&path);
    let before = fs::read_to_string(&path).expect("read");
    // Two nodes with one address.
    let said = put(&store, "b", 1).await.expect_err("refused").to_string();
    assert!(
        said.contains("as a whole would be refused") && said.contains("nothing was changed"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&path).expect("read"), before);
    fs::write(&path, format!("{}---\n{}", node("a", 1), node("b", 1))).expect("spoilt");
    put(&store, "b", 2).await.expect("mended");
    let text = fs::read_to_string(&path).expect("read");
    fs::write(&path, text + "---\n{").expect("spoilt");
    let said = put(&store, "b", 3).await.expect_err("refused").to_string();
    assert!(
        said.contains("cannot be taken apart") && said.contains("resources.yaml:"),
        "{said}"
    );
}

#[tokio::test]
async fn what_it_cannot_do_is_said() {
    let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: roadbed.dev/v1, kind: Node, metadata: {name: a}}\n";
    let (_folder, path) = in_folder(list);
    let store = at(&path);
    let said = put(&store, "a", 1).await.expect_err("refused").to_string();
    assert!(
        said.contains("is an item of a list") && said.contains("resources.yaml:4"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&path).expect("read"), list);
    let presence = Write::Put(Key::Presence("a".to_owned()), "{}".to_owned());
    let said = store
        .write(presence, Expect::Any)
        .await
        .expect_err("refused")
        .to_string();
    assert!(said.contains("datastore.kind etcd or kubernetes"), "{said}");
    let wrong = Write::Put(key("b"), node("c", 1));
    let said = store
        .write(wrong, Expect::Any)
        .await
        .expect_err("refused")
        .to_string();
    assert!(said.contains("not that one document"), "{said}");
    let nowhere = at(Path::new("/nonexistent-folder/resources.yaml"));
    let said = put(&nowhere, "a", 1).await.expect_err("refused").to_string();
    assert!(
        said.contains("nothing was changed") && said.contains("make its folder"),
        "{said}"
    );
    // No user can write to /proc, not even root.
    let said = put(&at(Path::new("/proc/self/resources.yaml")), "a", 1)
        .await
        .expect_err("refused")
        .to_string();
    assert!(said.contains("nothing was changed"), "{said}");
    assert!(store.transactional().is_none() && store.presence().is_none());
    assert_eq!(store.list(Space::Ownership).await.expect("none").items, vec![]);
}

#[tokio::test]
async fn a_folder_gets_a_file_for_what_is_new_and_keeps_the_place_of_what_is_there() {
    let folder = TempDir::new().expect("folder");
    let mine = folder.path().join("mine.yml");
    fs::write(&mine, format!("{}---\n{}", node("a", 1), node("b", 2))).expect("written");
    let store = at(folder.path());
    put(&store, "b", 5).await.expect("written");
    put(&store, "c", 3).await.expect("written");
    assert!(fs::read_to_string(&mine).expect("read").contains("192.0.2.5/"));
    let own = folder.path().join("node-c.yaml");
    assert_eq!(fs::read_to_string(&own).expect("read"), node("c", 3));
    store
        .write(Write::Delete(key("c")), Expect::Any)
        .await
        .expect("deleted");
    assert!(!own.exists(), "a file that holds nothing goes");
    let names: Vec<_> = store.list(Space::Resources).await.expect("listed").items;
    assert_eq!(
        names.iter().map(|item| item.key.name()).collect::<Vec<_>>(),
        ["a", "b"]
    );
}

#[tokio::test]
async fn two_stores_on_one_file_lose_nothing() {
    let (_folder, path) = in_folder("");
    let writer = |first: u8| {
        let store = at(&path);
        async move {
            for n in 0..10 {
                put(&store, &format!("n{}", first + n), first + n)
                    .await
                    .expect("written");
            }
        }
    };
    tokio::join!(writer(10), writer(30), writer(50));
    let items = at(&path).list(Space::Resources).await.expect("listed").items;
    assert_eq!(items.len(), 30);
    let left: Vec<_> = fs::read_dir(path.parent().expect("folder"))
        .expect("folder")
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    assert_eq!(left.len(), 2, "the file and its lock: {left:?}");
}

/// A piece of a file as people write them.
fn piece() -> impl Strategy<Value = String> {
    let comment = prop_oneof![Just(""), Just("# words\n"), Just("# words\n\n"), Just("\n\n")];
    let end = prop_oneof![Just("\n"), Just("\n\n"), Just("\n# below\n"), Just("\n...\n")];
    let body = prop_oneof![
        Just(
            "apiVersion: roadbed.dev/v1\nkind: Node\nmetadata:\n  name: NAME\nspec: {bgp: {ipv4Address: 192.0.2.OCT}}"
        ),
        Just(
            "{apiVersion: roadbed.dev/v1, kind: Node, metadata: {name: NAME}, spec: {bgp: {ipv4Address: 192.0.2.OCT}}}"
        ),
        Just(
            "kind: Node # c\nmetadata: {name: NAME, annotations: {\n  note: \"--- #\" }}\napiVersion: projectcalico.org/v3\nspec:\n  bgp:\n    ipv4Address: 192.0.2.OCT"
        ),
        Just(
            "apiVersion: roadbed.dev/v1\nkind: Node\nmetadata:\n  name: NAME\n  annotations:\n    text: |\n      one\n      # not a comment\nspec: {bgp: {ipv4Address: 192.0.2.OCT}}"
        ),
    ];
    (comment, body, end).prop_map(|(comment, body, end)| format!("{comment}{body}{end}"))
}

fn whole() -> impl Strategy<Value = (String, usize)> {
    proptest::collection::vec(piece(), 1..6).prop_map(|pieces| {
        let count = pieces.len();
        let named = pieces.iter().enumerate().map(|(n, piece)| {
            let octet = (n + 1).to_string();
            piece.replace("NAME", &format!("n{n}")).replace("OCT", &octet)
        });
        (named.collect::<Vec<_>>().join("---\n"), count)
    })
}

fn taken_apart(text: &str) -> Vec<(String, String)> {
    let source = Source {
        name: "f".to_owned(),
        text: text.to_owned(),
    };
    let found = documents(&source).expect("good");
    found
        .into_iter()
        .map(|document| (document.name, document.json))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is written to whatever file: it reads back as meant, and the other documents as before.
    #[test]
    fn a_write_changes_what_it_says_and_nothing_else((text, count) in whole(), at_number in 0usize..7, new in piece(), delete: bool) {
        let (_folder, path) = in_folder(&text);
        let name = format!("n{}", at_number.min(count));
        let new = new.replace("NAME", &name).replace("OCT", "99");
        let write = if delete { Write::Delete(key(&name)) } else { Write::Put(key(&name), new.clone()) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let store = FileStore::with_timing(&path, QUICK).expect("a path");
        let (outcome, item) = runtime.block_on(async {
            let outcome = store.write(write, Expect::Any).await;
            (outcome, store.get(&key(&name)).await.expect("read"))
        });
        prop_assert!(outcome.as_ref().is_ok_and(Outcome::is_done), "{outcome:?}\n{text}\n---- new\n{new}");
        let after = fs::read_to_string(&path).expect("read");
        let mut wanted = taken_apart(&text);
        wanted.retain(|(other, _)| *other != name);
        if !delete {
            wanted.extend(taken_apart(&new));
        }
        wanted.sort();
        let mut found = taken_apart(&after);
        found.sort();
        prop_assert_eq!(&found, &wanted, "{}", after);
        prop_assert_eq!(item.is_none(), delete);
        if let Some(item) = item {
            prop_assert!(new.contains(item.value.as_ref()), "{}", item.value);
        }
        let loaded = load(&[Source { name: "f".to_owned(), text: after }]);
        prop_assert!(loaded.intent.is_some(), "{:?}", loaded.problems);
    }
}
