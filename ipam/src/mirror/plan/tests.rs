//! The mirror against a small store of its own: whatever was there and whatever changes, it converges, touches
//! nobody else's record, and never writes more than it may at once.

use std::collections::BTreeMap as Map;
use std::time::SystemTime;

use proptest::prelude::*;

use super::*;

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn lease(container: &str, addresses: Vec<IpAddr>) -> Lease {
    Lease {
        owner: Owner::new(container, "eth0"),
        network: "pods".to_owned(),
        pod: None,
        addresses,
        host_ifname: "rb0".to_owned(),
        netns: "/run/netns/x".to_owned(),
        sticky: None,
        pools: Map::new(),
        created_at: SystemTime::UNIX_EPOCH,
    }
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

fn record(of: &str, last: u8, container: &str) -> String {
    let lease = lease(container, vec![address(last)]);
    AddressRecord::new(address(last), node(of), "1", lease).to_text()
}

/// A store of address records that counts its writings.
#[derive(Default)]
struct Store {
    items: Map<IpAddr, Item>,
    writings: u64,
}

impl Store {
    fn put(&mut self, address: IpAddr, text: &str) {
        self.writings += 1;
        let item = Item {
            key: Key::Address(address),
            value: text.into(),
            version: Version::new(self.writings.to_string()),
            incarnation: Incarnation::new("1"),
        };
        self.items.insert(address, item);
    }

    fn commit(&mut self, transaction: &Transaction) -> Option<Version> {
        let holds = |compare: &Compare| match compare {
            Compare::Absent(Key::Address(address)) => !self.items.contains_key(address),
            Compare::Version(Key::Address(address), version) => self
                .items
                .get(address)
                .is_some_and(|item| item.version == *version),
            Compare::Incarnation(Key::Resource(ResourceKind::Node, _), incarnation) => {
                incarnation.as_str() == "1"
            }
            other => panic!("{other:?} is no comparison of the mirror"),
        };
        if !transaction.compare.iter().all(holds) {
            return None;
        }
        self.writings += 1;
        for write in &transaction.write {
            match write {
                Write::Put(Key::Address(address), text) => {
                    self.put(*address, text);
                    self.writings -= 1;
                }
                Write::Delete(Key::Address(address)) => {
                    self.items.remove(address);
                }
                other => panic!("{other:?} is no write of the mirror"),
            }
        }
        Some(Version::new(self.writings.to_string()))
    }
}

/// Runs the mirror of node-a until it has nothing to write.
fn settle(store: &mut Store, known: &mut Known, desired: &Desired, limit: usize) {
    let (me, incarnation) = (node("node-a"), Incarnation::new("1"));
    for _ in 0..1000 {
        let next = known.batch(
            desired,
            Some((&me, &incarnation)),
            |n| n.as_str() == "node-gone",
            limit,
        );
        let Some((transaction, addresses)) = next else {
            return;
        };
        assert!(addresses.len() <= limit && transaction.write.len() == addresses.len());
        match store.commit(&transaction) {
            Some(version) => known.wrote(&transaction, &version),
            None => addresses
                .iter()
                .for_each(|a| known.see(*a, store.items.get(a), &me)),
        }
    }
    panic!("the mirror does not come to rest");
}

#[test]
fn another_nodes_record_is_never_overwritten_unless_that_node_is_gone() {
    let mut store = Store::default();
    store.put(address(1), &record("node-b", 1, "b"));
    store.put(address(2), &record("node-gone", 2, "g"));
    store.put(address(3), r#"{"format":9}"#);
    let leases = [lease("a", vec![address(1), address(2), address(3), address(4)])];
    let desired = desired(&leases, &node("node-a"), &Incarnation::new("1"));
    let mut known = Known::default();
    settle(&mut store, &mut known, &desired, 64);
    assert_eq!(&*store.items[&address(1)].value, record("node-b", 1, "b"));
    assert_eq!(&*store.items[&address(3)].value, r#"{"format":9}"#);
    for last in [2, 4] {
        assert_eq!(&*store.items[&address(last)].value, desired[&address(last)]);
    }
    let others: Vec<_> = known
        .others
        .iter()
        .map(|(a, other)| (*a, other.node.clone()))
        .collect();
    assert_eq!(others, [(address(1), Some(node("node-b"))), (address(3), None)]);
    assert_eq!(known.behind(&desired).len(), 2);
}

#[test]
fn without_transactions_the_node_is_not_compared() {
    let desired = desired(
        &[lease("a", vec![address(1)])],
        &node("node-a"),
        &Incarnation::new("1"),
    );
    let (transaction, _) = Known::default().batch(&desired, None, |_| false, 1).unwrap();
    assert_eq!(transaction.compare, [Compare::Absent(Key::Address(address(1)))]);
}

proptest! {
    #[test]
    fn from_any_state_the_store_becomes_the_ledger(
        before in proptest::collection::btree_map(0u8..40, (0u8..3, 0u8..3), 0..40),
        steps in proptest::collection::vec(proptest::collection::btree_map(0u8..40, 0u8..3, 0..40), 1..4),
        limit in 1usize..9,
        forgets in any::<bool>(),
    ) {
        let mut store = Store::default();
        for (last, (of, container)) in &before {
            let of = ["node-a", "node-b", "node-gone"][usize::from(*of)];
            store.put(address(*last), &record(of, *last, &format!("c{container}")));
        }
        let foreign: Vec<_> = (store.items.values())
            .filter(|item| owner(item) == Some(node("node-b"))).cloned().collect();
        let items: Vec<_> = store.items.values().cloned().collect();
        let mut known = Known::listed(&items, &node("node-a"));
        let mut spelled = Spelled::default();
        for step in steps {
            if forgets {
                known = Known::listed(&store.items.values().cloned().collect::<Vec<_>>(), &node("node-a"));
            }
            let leases: Vec<_> = (step.iter())
                .map(|(last, container)| lease(&format!("c{container}"), vec![address(*last)]))
                .collect();
            let desired = desired(&leases, &node("node-a"), &Incarnation::new("1"));
            spelled = spelled.of(leases, &node("node-a"), &Incarnation::new("1"));
            prop_assert_eq!(spelled.records(), &desired);
            known.tidy(&desired);
            settle(&mut store, &mut known, &desired, limit);
            for item in &foreign {
                prop_assert_eq!(store.items.values().find(|i| i.key == item.key), Some(item));
            }
            let ours: Desired = (store.items.iter())
                .filter(|(_, item)| owner(item) == Some(node("node-a")))
                .map(|(a, item)| (*a, item.value.to_string())).collect();
            let mut wanted = desired.clone();
            wanted.retain(|a, _| !foreign.iter().any(|item| item.key == Key::Address(*a)));
            prop_assert_eq!(ours, wanted);
        }
    }
}
