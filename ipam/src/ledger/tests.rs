//! The file: formats, damage, and starts that were cut short.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::blocks::Family;
use crate::lease::{Lease, Owner};
use crate::local::{BlockState, Borrowed, Lent, Origin, OwnBlock};

const LEASES: redb::TableDefinition<'_, (&str, &str), &[u8]> = redb::TableDefinition::new("leases");
const META: redb::TableDefinition<'_, &str, &str> = redb::TableDefinition::new("meta");

/// A folder in memory: the histories sync thousands of times, and the disk is not what they are about.
fn folder() -> TempDir {
    TempDir::new_in("/dev/shm").unwrap()
}

fn open(folder: &Path) -> Result<(Ledger, Book), Error> {
    Ledger::open(folder, &plain_file())
}

fn error_of(folder: &Path) -> Error {
    match open(folder) {
        Ok(_) => panic!("opened"),
        Err(e) => e,
    }
}

fn lease(container: &str, addresses: &[&str]) -> Lease {
    Lease {
        owner: Owner::new(container, "eth0"),
        network: "pods".into(),
        pod: None,
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        host_ifname: "rb0".into(),
        netns: "/run/netns/x".into(),
        sticky: None,
        pools: BTreeMap::new(),
        created_at: UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
    }
}

/// Changes a file behind the ledger's back.
fn tamper(folder: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::create(folder.join(FILE)).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

/// Writes a ledger as the versions of format 1 did.
fn write_format_1(folder: &Path) {
    tamper(folder, |transaction| {
        let record = r#"{"container_id":"a","ifname":"eth0","network":"pods","pod":{"namespace":"ns","name":"web"},"addresses":["10.0.0.1","2001:db8::1"],"host_ifname":"rb0","netns":"/run/netns/a","created_at":1700000000123}"#;
        let mut leases = transaction.open_table(LEASES).unwrap();
        leases.insert(("a", "eth0"), record.as_bytes()).unwrap();
        let mut meta = transaction.open_table(META).unwrap();
        let rows = [
            ("format", "1"),
            ("last-v4", "10.0.0.1"),
            ("last-v6", "2001:db8::1"),
            ("node-v4", "10.0.0.0"),
            ("node-v6", "2001:db8::"),
        ];
        for (key, value) in rows {
            meta.insert(key, value).unwrap();
        }
    });
}

#[test]
fn format_1_is_brought_forward_and_kept() {
    let dir = folder();
    write_format_1(dir.path());
    let old = fs::read(dir.path().join(FILE)).unwrap();
    let (ledger, book) = open(dir.path()).unwrap();
    assert!(!book.fresh, "what it gave out is known");
    assert_eq!(book.leases.len(), 1);
    let lease = &book.leases[&Owner::new("a", "eth0")];
    assert_eq!(lease.addresses.len(), 2);
    assert_eq!((lease.sticky.as_ref(), lease.pools.len()), (None, 0));
    assert_eq!(book.node[&Family::V4].to_string(), "10.0.0.0");
    let pool = None;
    let family = Family::V6;
    assert_eq!(book.turns[&Turn { family, pool }].to_string(), "2001:db8::1");
    let kept = dir.path().join("ipam.redb.format-1");
    assert_eq!(fs::read(&kept).unwrap().len(), old.len());
    let cidr = "10.0.0.0/24".parse().unwrap();
    let block = OwnBlock {
        cidr,
        pool: None,
        origin: Origin::Given,
        state: BlockState::Open,
    };
    ledger.commit(&[Op::Blocks(vec![block])]).unwrap();
    drop(ledger);
    let (_, again) = open(dir.path()).unwrap();
    assert_eq!(again.leases, book.leases);
    assert_eq!(again.blocks[0].cidr, cidr);
    // The copy is a whole ledger of format 1.
    let back = folder();
    fs::copy(&kept, back.path().join(FILE)).unwrap();
    assert_eq!(open(back.path()).unwrap().1, book);
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let dir = folder();
    drop(open(dir.path()).unwrap());
    tamper(dir.path(), |transaction| {
        let mut meta = transaction.open_table(META).unwrap();
        meta.insert("format", "3").unwrap();
    });
    let expected = Error::Newer {
        path: dir.path().join(FILE),
        found: 3,
        known: 2,
    };
    assert_eq!(error_of(dir.path()), expected);
    assert_eq!(error_of(dir.path()), expected);
}

#[test]
fn a_file_that_is_no_ledger_is_never_overwritten() {
    for content in [&b""[..], b"hello", &[0; 5000]] {
        let dir = folder();
        fs::write(dir.path().join(FILE), content).unwrap();
        let error = error_of(dir.path());
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        assert_eq!(fs::read(dir.path().join(FILE)).unwrap(), content);
    }
}

#[test]
fn a_start_that_was_cut_short_leaves_no_trouble() {
    let dir = folder();
    fs::write(dir.path().join("ipam.redb.new"), b"half").unwrap();
    assert!(open(dir.path()).unwrap().1.fresh, "a new ledger says so");
    assert!(open(&dir.path().join("a/b")).is_ok(), "missing folders are made");
}

/// Damage at any place is either harmless or an error; it never makes the ledger forget, and the second
/// start does not take what the first one repaired for the truth.
#[test]
fn damage_is_never_taken_for_the_truth() {
    let dir = folder();
    let (ledger, mut truth) = open(dir.path()).unwrap();
    for n in 1..=40 {
        let op = Op::PutLease(lease(&format!("pod-{n}"), &[&format!("10.0.0.{n}")]));
        truth.apply(&op);
        ledger.commit(&[op]).unwrap();
    }
    drop(ledger);
    let good = fs::read(dir.path().join(FILE)).unwrap();
    let used = good.iter().rposition(|b| *b != 0).unwrap();
    let mut caught = 0;
    let step = (used / 300).max(1);
    for at in (0..320).chain((320..used).step_by(step)) {
        let bad_dir = folder();
        let mut bad = good.clone();
        bad[at] ^= 0x5a;
        fs::write(bad_dir.path().join(FILE), &bad).unwrap();
        for start in ["first", "second"] {
            match open(bad_dir.path()) {
                Ok((_, book)) => assert_eq!(book, truth, "byte {at} of {used}, {start} start"),
                Err(_) => caught += 1,
            }
        }
    }
    assert!(caught > 0, "no damage was ever noticed");
}

/// A file that was cut short (a full disk, a copy that broke off) is an error or whole, at the next start too.
#[test]
fn a_file_that_was_cut_is_never_taken_for_the_truth() {
    let dir = folder();
    let (ledger, mut truth) = open(dir.path()).unwrap();
    let op = Op::PutLease(lease("a", &["10.0.0.1"]));
    truth.apply(&op);
    ledger.commit(&[op]).unwrap();
    drop(ledger);
    let good = fs::read(dir.path().join(FILE)).unwrap();
    let mut refused = 0;
    for part in 0..64 {
        let cut_dir = folder();
        fs::write(cut_dir.path().join(FILE), &good[..good.len() * part / 64]).unwrap();
        for start in ["first", "second"] {
            match open(cut_dir.path()) {
                Ok((_, book)) => assert_eq!(book, truth, "{part} of 64, {start} start"),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 0, "no cut was ever noticed");
}

#[test]
fn a_record_that_cannot_be_read_or_gives_an_address_twice_is_refused() {
    let twice = r#"{"container_id":"b","ifname":"eth0","network":"n","addresses":["10.0.0.1"],"host_ifname":"h","netns":"n","created_at":1}"#;
    for record in [twice, "{}", "no json"] {
        let dir = folder();
        let (ledger, _) = open(dir.path()).unwrap();
        ledger.commit(&[Op::PutLease(lease("a", &["10.0.0.1"]))]).unwrap();
        drop(ledger);
        tamper(dir.path(), |transaction| {
            let mut leases = transaction.open_table(LEASES).unwrap();
            leases.insert(("b", "eth0"), record.as_bytes()).unwrap();
        });
        assert!(matches!(error_of(dir.path()), Error::Damaged { .. }));
    }
    let blocks: redb::TableDefinition<'_, u32, &[u8]> = redb::TableDefinition::new("blocks");
    let block = r#"{"cidr":"10.0.0.0/24","pool":null,"origin":"claimed","state":"open"}"#;
    let dir = folder();
    drop(open(dir.path()).unwrap());
    tamper(dir.path(), |transaction| {
        let mut table = transaction.open_table(blocks).unwrap();
        table.insert(0, block.as_bytes()).unwrap();
        table.insert(1, block.replace("/24", "/25").as_bytes()).unwrap();
    });
    let error = error_of(dir.path()).to_string();
    assert!(error.contains("overlap"), "{error}");
}

fn ops() -> impl Strategy<Value = Op> {
    let address = || {
        prop_oneof![
            (0u32..9).prop_map(|n| std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).into()),
            (0u128..9).prop_map(|n| std::net::Ipv6Addr::from_bits((0x2001_0db8 << 96) + n).into()),
        ]
    };
    let workload = || proptest::option::of("[a-z]{1,3}\\.[a-z]{1,3}");
    let until =
        (0u64..u64::MAX / 2).prop_map(|ms| UNIX_EPOCH + Duration::from_millis(ms % 1_000_000_000_000));
    let node = || "[a-z]{1,5}".prop_map(|name| name.parse::<config::NodeName>().unwrap());
    let pool = || proptest::option::of("[a-z]{1,5}");
    prop_oneof![
        (0u8..200, workload()).prop_map(|(n, sticky)| {
            let mut lease = lease(&format!("c{n}"), &[&format!("10.9.0.{n}")]);
            lease.sticky = sticky;
            lease.pools.insert(lease.addresses[0], "main".into());
            Op::PutLease(lease)
        }),
        (0u8..200).prop_map(|n| Op::RemoveLease(Owner::new(format!("c{n}"), "eth0"))),
        (0u8..9, pool(), any::<bool>()).prop_map(|(n, pool, leaving)| {
            let block = |i: u8| OwnBlock {
                cidr: format!("10.{i}.0.0/24").parse().unwrap(),
                pool: pool.clone(),
                origin: Origin::Claimed,
                state: if leaving {
                    BlockState::Leaving
                } else {
                    BlockState::Open
                },
            };
            Op::Blocks((0..n).rev().map(block).collect())
        }),
        (any::<bool>(), proptest::option::of(address())).prop_map(|(six, a)| {
            let family = if six { Family::V6 } else { Family::V4 };
            Op::Node(family, a)
        }),
        (pool(), address()).prop_map(|(pool, a)| Op::Turn(
            Turn {
                family: Family::of(a),
                pool
            },
            a
        )),
        (address(), until, workload())
            .prop_map(|(a, until, workload)| Op::Cool(a, Cooling { until, workload })),
        address().prop_map(Op::Uncool),
        (address(), node(), workload())
            .prop_map(|(a, borrower, workload)| Op::Lend(a, Lent { borrower, workload })),
        address().prop_map(Op::Unlend),
        (address(), node(), workload(), pool()).prop_map(|(a, lender, workload, pool)| Op::Borrow(
            a,
            Borrowed {
                lender,
                workload,
                pool
            }
        )),
        address().prop_map(Op::Unborrow),
        (address(), "[a-z]{1,3}").prop_map(|(a, w)| Op::Keep(a, w)),
        address().prop_map(Op::Unkeep),
        any::<bool>().prop_map(Op::Fresh),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is in memory and what is read back are the same, whatever happened.
    #[test]
    fn the_disk_and_the_memory_carry_every_change_out_alike(
        batches in proptest::collection::vec(proptest::collection::vec(ops(), 1..12), 1..6)
    ) {
        let dir = folder();
        let (mut ledger, mut book) = open(dir.path()).unwrap();
        for batch in batches {
            ledger.commit(&batch).unwrap();
            batch.iter().for_each(|op| book.apply(op));
            drop(ledger);
            let read;
            (ledger, read) = open(dir.path()).unwrap();
            prop_assert_eq!(&read, &book);
        }
    }
}
