use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use config::fields::ResourceKind;
use datastore::{Incarnation, Item, Key, Revision, Version};
use proptest::prelude::*;

use super::*;
use crate::state::Origin;

const RULES: Rules = Rules { shared_out: true };

fn view(pools: &[(&str, &str)]) -> SpaceView {
    let items = pools.iter().map(|(name, cidr)| {
        let key = Key::resource(ResourceKind::IpPool, *name);
        let value = format!("# ünïcode\napiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: {name} }}\nspec: {{ cidr: {cidr} }}\n");
        let item = Item {
            key: key.clone(),
            value: Arc::from(value),
            version: Version::new("7"),
            incarnation: Incarnation::new("3"),
        };
        (key, item)
    });
    SpaceView {
        items: items.collect(),
        revision: Revision::new("9"),
    }
}

fn saved() -> Saved {
    Saved {
        saved: UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
        kind: "etcd".to_owned(),
        location: "https://10.0.0.5:2379".to_owned(),
        view: view(&[("a", "10.1.0.0/16"), ("b", "10.2.0.0/16")]),
    }
}

async fn open_with(bytes: &[u8], kind: &'static str) -> Memory {
    let folder = tempfile::tempdir().expect("folder");
    fs::write(folder.path().join(FILE), bytes).expect("written");
    Memory::open(Some(folder.path()), kind, RULES).await
}

#[test]
fn what_was_written_comes_back() {
    let bytes = saved().encode().expect("encoded");
    assert_eq!(Saved::decode(&bytes), Ok(saved()));
    assert_eq!(
        bytes.iter().filter(|byte| **byte == b'\n').count(),
        2,
        "two lines"
    );
}

#[test]
fn no_part_of_a_file_and_no_flipped_bit_is_taken() {
    let bytes = saved().encode().expect("encoded");
    // The last byte is the end of the line, which says nothing.
    for length in 0..bytes.len() - 1 {
        assert!(Saved::decode(&bytes[..length]).is_err(), "cut at {length}");
    }
    for at in 0..bytes.len() - 1 {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            // A flip in the head may leave it the same to a reader (the case of a hex digit); never another body.
            let read = Saved::decode(&flipped);
            assert!(
                read.is_err() || read == Ok(saved()),
                "bit {bit} of byte {at}: {read:?}"
            );
        }
    }
}

#[test]
fn a_newer_format_is_told_from_damage() {
    let newer = br#"{"format":2,"other":"things"}"#;
    let said = Saved::decode(newer).expect_err("refused");
    assert_eq!(said, Unreadable::Newer(2));
    assert_eq!(
        said.to_string(),
        "has format 2, this version reads up to 1; ignored"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Saved::decode(&bytes).is_err());
    }
}

#[tokio::test]
async fn a_node_starts_from_what_was_kept() {
    let memory = open_with(&saved().encode().expect("encoded"), "etcd").await;
    let state = memory.state(SystemTime::now());
    assert_eq!(state.origin, Origin::LastGood { saved: saved().saved });
    assert_eq!(state.intent.as_ref().map(|intent| intent.pools.len()), Some(2));
    assert_eq!((state.revision, state.is_bad()), (1, false));
}

#[tokio::test]
async fn what_cannot_be_used_is_said_and_ignored() {
    let good = saved().encode().expect("encoded");
    let overlapping = Saved {
        view: view(&[("a", "10.1.0.0/16"), ("b", "10.1.0.0/20")]),
        ..saved()
    };
    let overlapping = overlapping.encode().expect("encoded");
    let cases: [(&[u8], &'static str, &str); 5] = [
        (&good[..good.len() / 2], "etcd", "is damaged (it is cut short)"),
        (b"", "etcd", "is damaged (its first line is not ours)"),
        (br#"{"format":99}"#, "etcd", "has format 99"),
        (&good, "kubernetes", "was kept from etcd https://10.0.0.5:2379"),
        (
            &overlapping,
            "etcd",
            "has resources that this version refuses (last good IPPool/",
        ),
    ];
    for (bytes, kind, wanted) in cases {
        let state = open_with(bytes, kind).await.state(SystemTime::now());
        let said: Vec<String> = state.problems.iter().map(ToString::to_string).collect();
        assert!(said.len() == 1 && said[0].contains(wanted), "{wanted}: {said:?}");
        assert!(state.intent.is_none() && !state.is_bad(), "{wanted}");
    }
    let nothing = tempfile::tempdir().expect("folder");
    let memory = Memory::open(Some(nothing.path()), "etcd", RULES).await;
    assert!(
        memory.saved.is_none() && memory.complaint.is_none(),
        "a first start is no mistake"
    );
}

/// Feeds the keeper one view and waits for what the state says of it.
async fn keep_one(file: PathBuf, until: impl Fn(&StoreState) -> bool, there: impl Fn() -> bool) {
    let memory = Memory {
        file: Some(file),
        ..Memory::default()
    };
    let state = Arc::new(tokio::sync::watch::Sender::new(Arc::new(
        memory.state(SystemTime::now()),
    )));
    let (good, goods) = tokio::sync::watch::channel(None);
    let task = tokio::spawn(keep(memory, "etcd", String::new(), goods, Arc::clone(&state)));
    good.send_replace(Some(Arc::new(view(&[("a", "10.1.0.0/16")]))));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !(until(&state.borrow()) && there()) {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", state.borrow());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    task.abort();
}

#[tokio::test]
async fn good_resources_are_written_and_a_failure_is_a_warning() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("deeper").join(FILE);
    keep_one(file.clone(), |state| state.problems.is_empty(), || file.exists()).await;
    assert_eq!(
        fs::metadata(&file).expect("there").permissions().mode() & 0o777,
        0o600
    );
    let read = Saved::decode(&fs::read(&file).expect("read")).expect("good");
    assert_eq!(read.view.items, view(&[("a", "10.1.0.0/16")]).items);
    // A file where the folder should be: no user, not even root, can write there.
    let blocked = folder.path().join("file");
    fs::write(&blocked, "").expect("written");
    let said = |state: &StoreState| {
        let found = state
            .problems
            .iter()
            .any(|p| p.message.contains("cannot be kept"));
        assert!(!state.is_bad(), "the agent goes on");
        found
    };
    keep_one(blocked.join(FILE), said, || true).await;
}
