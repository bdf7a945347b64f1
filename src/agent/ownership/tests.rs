//! What is remembered is what would be found from nothing.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use datastore::{Incarnation, Item, Revision};
use ipam::local::{BlockState, LedgerStep, Lent, Origin};

use super::*;

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn record(view: &SpaceView, cidr: &str, owner: &str, version: &str) -> Arc<SpaceView> {
    let key = Key::Block(cidr.parse().unwrap());
    let item = Item {
        key: key.clone(),
        value: BlockRecord::new("pods", node(owner), "1").to_text().into(),
        version: Version::new(version),
        incarnation: Incarnation::new("1"),
    };
    let mut view = view.clone();
    view.items.insert(key, item);
    Arc::new(view)
}

#[test]
fn what_is_remembered_follows_every_change_of_the_ledger_and_of_the_records() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ipam::open(folder.path()).unwrap();
    let (me, now) = (node("a"), SystemTime::UNIX_EPOCH + Duration::from_secs(1000));
    let mut known = Known::default();
    let mut records: Option<Arc<SpaceView>> = None;
    let mut check = |records: &Option<Arc<SpaceView>>| {
        let fresh = of(&ledger.local(now), records.as_deref(), &me);
        assert_eq!(*known.now(&ledger, records.clone(), &me), fresh);
        assert_eq!(*known.now(&ledger, records.clone(), &me), fresh);
        fresh
    };
    let step = |step: LedgerStep| assert_eq!(ledger.apply(&[step], now).unwrap(), [true]);
    let own = |cidr: &str| ipam::local::OwnBlock {
        cidr: cidr.parse().unwrap(),
        pool: Some("pods".to_owned()),
        origin: Origin::Claimed,
        state: BlockState::Open,
    };
    check(&records);
    step(LedgerStep::Known);
    step(LedgerStep::Take(own("10.0.0.0/26")));
    step(LedgerStep::Take(own("10.0.1.0/26")));
    assert_eq!(check(&records).blocks.len(), 2);
    let lent: IpAddr = "10.0.0.9".parse().unwrap();
    let to = Lent {
        borrower: node("b"),
        workload: None,
    };
    step(LedgerStep::Lend(lent, to));
    assert_eq!(check(&records).lent.len(), 1);
    // Nothing in it: it is withdrawn before it is given back. The other one has the node's own address.
    step(LedgerStep::Leave("10.0.1.0/26".parse().unwrap()));
    assert_eq!(check(&records).blocks.len(), 1);
    let empty = SpaceView {
        items: Default::default(),
        revision: Revision::new(""),
    };
    records = Some(record(&empty, "10.0.1.0/26", "a", "1"));
    assert_eq!(check(&records).claimed.len(), 0);
    records = Some(record(records.as_ref().unwrap(), "10.0.2.0/26", "b", "2"));
    assert_eq!(check(&records).claimed[&node("b")].len(), 1);
    // It moves to another node.
    records = Some(record(records.as_ref().unwrap(), "10.0.1.0/26", "b", "3"));
    assert_eq!(check(&records).claimed[&node("b")].len(), 2);
    records = Some(Arc::new(empty));
    assert_eq!(check(&records).claimed.len(), 0);
}
