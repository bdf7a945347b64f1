//! The facade against a simple model, with a crash between any two steps, and the ledger's bad days.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const FILE: &str = "ipam.redb";

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_700_000_000_123)
}

fn request(container: &str, wanted: &[&str]) -> Request {
    Request {
        owner: Owner::new(container, "eth0"),
        network: "pods".into(),
        pod: None,
        netns: format!("/run/netns/{container}"),
        host_ifname: format!("rb-{container}"),
        wanted: wanted.iter().map(|a| a.parse().unwrap()).collect(),
    }
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|t| t.parse().unwrap()).collect()
}

/// The same ledger as another process would find it after a kill at this very moment.
fn crash(ipam: Ipam, dir: TempDir) -> (Ipam, TempDir) {
    let after = TempDir::new().unwrap();
    fs::copy(dir.path().join(FILE), after.path().join(FILE)).unwrap();
    drop(ipam);
    (Ipam::open(after.path()).unwrap(), after)
}

fn opened(blocks: &[&str]) -> (Ipam, TempDir) {
    let dir = TempDir::new().unwrap();
    let ipam = Ipam::open(dir.path()).unwrap();
    ipam.set_blocks(nets(blocks)).unwrap();
    (ipam, dir)
}

fn error_of(result: Result<Ipam, Error>) -> Error {
    match result {
        Ok(_) => panic!("opened"),
        Err(e) => e,
    }
}

#[test]
fn an_owner_gets_the_same_answer_again_also_after_a_crash() {
    let (ipam, dir) = opened(&["10.0.0.0/26", "2001:db8::/64"]);
    let first = ipam.assign(&request("a", &[]), now()).unwrap();
    assert_eq!(
        first.addresses,
        ["10.0.0.1", "2001:db8::1"].map(|a| a.parse::<IpAddr>().unwrap())
    );
    let (ipam, _dir) = crash(ipam, dir);
    ipam.set_blocks(nets(&["10.0.0.0/26"])).unwrap();
    assert_eq!(
        ipam.assign(&request("a", &[]), now() + Duration::from_secs(9))
            .unwrap(),
        first
    );
    assert!(matches!(
        ipam.assign(&request("a", &["10.0.0.9"]), now()),
        Err(Error::HasAnother { .. })
    ));
    let mut moved = request("a", &["10.0.0.1"]);
    moved.netns = "/run/netns/other".into();
    assert_eq!(ipam.assign(&moved, now()).unwrap().netns, "/run/netns/other");
    assert_eq!(ipam.leases().len(), 1);
}

#[test]
fn a_released_address_rests_until_all_others_had_their_turn() {
    let (mut ipam, mut dir) = opened(&["10.0.0.0/29"]);
    for turn in 1..=7 {
        let lease = ipam.assign(&request("a", &[]), now()).unwrap();
        assert_eq!(lease.addresses[0].to_string(), format!("10.0.0.{turn}"));
        assert_eq!(ipam.release(&lease.owner).unwrap(), Some(lease.clone()));
        assert_eq!(ipam.release(&lease.owner).unwrap(), None);
        (ipam, dir) = crash(ipam, dir);
        ipam.set_blocks(nets(&["10.0.0.0/29"])).unwrap();
    }
    assert_eq!(
        ipam.assign(&request("a", &[]), now()).unwrap().addresses[0].to_string(),
        "10.0.0.1"
    );
    drop(dir);
}

#[test]
fn leases_outside_new_blocks_are_kept_and_reported() {
    let (ipam, _dir) = opened(&["10.0.0.0/30"]);
    let lease = ipam.assign(&request("a", &[]), now()).unwrap();
    assert_eq!(ipam.node_address(Family::V4), Some("10.0.0.0".parse().unwrap()));
    let report = ipam.set_blocks(nets(&["10.9.0.0/30"])).unwrap();
    assert_eq!(report.outside, [lease]);
    assert_eq!(ipam.node_address(Family::V4), Some("10.9.0.0".parse().unwrap()));
    assert_eq!(ipam.node_address(Family::V6), None);
    assert_eq!(
        ipam.set_blocks(nets(&["10.9.0.0/30", "10.0.0.0/30"])).unwrap(),
        BlocksReport::default()
    );
    ipam.set_blocks(Vec::new()).unwrap();
    assert_eq!(ipam.node_address(Family::V4), None);
    assert_eq!(ipam.assign(&request("b", &[]), now()), Err(Error::NoBlocks));
}

#[test]
fn a_second_agent_is_refused() {
    let (_ipam, dir) = opened(&["10.0.0.0/30"]);
    assert!(matches!(error_of(Ipam::open(dir.path())), Error::InUse { .. }));
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let (ipam, dir) = opened(&["10.0.0.0/30"]);
    drop(ipam);
    let path = dir.path().join(FILE);
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta: redb::TableDefinition<'_, &str, &str> = redb::TableDefinition::new("meta");
    transaction
        .open_table(meta)
        .unwrap()
        .insert("format", "2")
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    let expected = Error::Newer {
        path,
        found: 2,
        known: 1,
    };
    assert_eq!(error_of(Ipam::open(dir.path())), expected);
    assert_eq!(error_of(Ipam::open(dir.path())), expected);
}

#[test]
fn a_file_that_is_no_ledger_is_never_overwritten() {
    for content in [&b""[..], b"hello", &[0; 5000]] {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join(FILE), content).unwrap();
        let error = error_of(Ipam::open(dir.path()));
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        assert_eq!(fs::read(dir.path().join(FILE)).unwrap(), content);
    }
}

#[test]
fn a_start_that_was_cut_short_leaves_no_trouble() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("ipam.redb.new"), b"half").unwrap();
    let deeper = dir.path().join("a/b");
    assert!(Ipam::open(dir.path()).is_ok());
    assert!(Ipam::open(deeper).is_ok(), "missing folders are made");
}

/// Damage at any place is either harmless or an error; it never makes the ledger forget, and the second
/// start does not take what the first one repaired for the truth.
#[test]
fn damage_is_never_taken_for_the_truth() {
    let (ipam, dir) = opened(&["10.0.0.0/24"]);
    for pod in 0..40 {
        ipam.assign(&request(&format!("pod-{pod}"), &[]), now()).unwrap();
    }
    let truth = ipam.leases();
    drop(ipam);
    let good = fs::read(dir.path().join(FILE)).unwrap();
    let used = good.iter().rposition(|b| *b != 0).unwrap();
    let mut caught = 0;
    let step = (used / 400).max(1);
    for at in (0..320).chain((320..used).step_by(step)) {
        let bad_dir = TempDir::new().unwrap();
        let mut bad = good.clone();
        bad[at] ^= 0x5a;
        fs::write(bad_dir.path().join(FILE), &bad).unwrap();
        for start in ["first", "second"] {
            match Ipam::open(bad_dir.path()) {
                Ok(ipam) => assert_eq!(ipam.leases(), truth, "byte {at} of {used}, {start} start"),
                Err(_) => caught += 1,
            }
        }
    }
    assert!(caught > 0, "no damage was ever noticed");
}

fn check_damage_is_refused(dir: &Path) {
    assert!(matches!(error_of(Ipam::open(dir)), Error::Damaged { .. }));
}

#[test]
fn a_record_that_cannot_be_read_or_gives_an_address_twice_is_refused() {
    let twice = r#"{"container_id":"b","ifname":"eth0","network":"n","addresses":["10.0.0.1"],"host_ifname":"h","netns":"n","created_at":1}"#;
    for record in [twice, "{}", "no json"] {
        let (ipam, dir) = opened(&["10.0.0.0/24"]);
        ipam.assign(&request("a", &[]), now()).unwrap();
        drop(ipam);
        let database = redb::Database::open(dir.path().join(FILE)).unwrap();
        let transaction = database.begin_write().unwrap();
        let leases: redb::TableDefinition<'_, (&str, &str), &[u8]> = redb::TableDefinition::new("leases");
        transaction
            .open_table(leases)
            .unwrap()
            .insert(("b", "eth0"), record.as_bytes())
            .unwrap();
        transaction.commit().unwrap();
        drop(database);
        check_damage_is_refused(dir.path());
    }
}

#[derive(Debug, Clone)]
enum Step {
    Assign { pod: u8, wanted: Option<u8> },
    Release { pod: u8 },
    Blocks { set: usize },
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0u8..12, proptest::option::weighted(0.2, 0u8..20)).prop_map(|(pod, wanted)| Step::Assign { pod, wanted }),
        4 => (0u8..12).prop_map(|pod| Step::Release { pod }),
        1 => (0usize..BLOCK_SETS.len()).prop_map(|set| Step::Blocks { set }),
        2 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 1..40)
}

const BLOCK_SETS: &[&[&str]] = &[
    &["10.0.0.0/29"],
    &["10.0.0.8/29", "10.0.0.0/30"],
    &["10.0.0.0/28", "2001:db8::/124"],
    &["10.0.0.16/32"],
    &[],
];

/// What a ledger has to remember: who has which addresses. It knows no turn and no file.
type Model = BTreeMap<Owner, Vec<IpAddr>>;

fn check_assign(ipam: &Ipam, model: &mut Model, pod: u8, wanted: Option<u8>) {
    let wanted = wanted.map(|w| format!("10.0.0.{w}"));
    let request = request(&format!("pod-{pod}"), wanted.as_deref().as_slice());
    let given: Vec<IpAddr> = model.values().flatten().copied().collect();
    let free = |family: Family, blocks: &Blocks| {
        let own = ipam.node_address(family);
        blocks
            .walk(family, None)
            .any(|a| Some(a) != own && !given.contains(&a))
    };
    match (ipam.assign(&request, now()), model.get(&request.owner)) {
        (Ok(lease), Some(held)) => assert_eq!(&lease.addresses, held),
        (Ok(lease), None) => {
            let blocks = ipam.blocks();
            assert!(!lease.addresses.is_empty());
            for address in &lease.addresses {
                assert!(blocks.contains(*address), "{address} is outside");
                assert!(!given.contains(address), "{address} is given twice");
                assert_ne!(ipam.node_address(Family::of(*address)), Some(*address));
            }
            assert!(request.wanted.iter().all(|w| lease.addresses.contains(w)));
            model.insert(request.owner, lease.addresses);
        }
        (Err(Error::Full { family, .. }), None) => {
            assert!(!free(family, &ipam.blocks()), "{family} is not full")
        }
        (Err(Error::NoBlocks), None) => assert!(ipam.blocks().is_empty()),
        (Err(Error::HasAnother { asked, .. }), Some(held)) => assert!(!held.contains(&asked)),
        (Err(_), None) => assert!(!request.wanted.is_empty(), "a free choice failed"),
        (Err(error), Some(_)) => panic!("a repeated request failed: {error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_address_twice_and_nothing_acknowledged_is_lost(steps in steps()) {
        let (mut ipam, mut dir) = opened(BLOCK_SETS[0]);
        let (mut set, mut model) = (0, Model::new());
        for step in steps {
            match step {
                Step::Assign { pod, wanted } => check_assign(&ipam, &mut model, pod, wanted),
                Step::Release { pod } => {
                    let owner = Owner::new(format!("pod-{pod}"), "eth0");
                    let released = ipam.release(&owner).unwrap().map(|l| l.addresses);
                    prop_assert_eq!(released, model.remove(&owner));
                }
                Step::Blocks { set: next } => {
                    set = next;
                    ipam.set_blocks(nets(BLOCK_SETS[set])).unwrap();
                }
                Step::Crash => {
                    (ipam, dir) = crash(ipam, dir);
                    ipam.set_blocks(nets(BLOCK_SETS[set])).unwrap();
                }
            }
            let held: Model = ipam.leases().into_iter().map(|l| (l.owner, l.addresses)).collect();
            prop_assert_eq!(&held, &model);
        }
        drop(dir);
    }
}
