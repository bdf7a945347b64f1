//! A ledger that was lost: what the mirror in the datastore remembers of it.

use std::collections::BTreeMap;

use config::NodeName;
use datastore::{Datastore, Error, Item, Key, Space};

use crate::cluster::AddressRecord;
use crate::lease::{Lease, Owner};

/// Reads what the store knows about this node.
///
/// # Errors
/// A store that does not answer.
pub(crate) async fn read(store: &dyn Datastore, node: &NodeName) -> Result<Vec<Lease>, Error> {
    let listing = store.list(Space::Addresses).await?;
    Ok(leases(&listing.items, node))
}

/// One lease for each owner; an address that the record of the lease does not name is added to it.
fn leases(items: &[Item], node: &NodeName) -> Vec<Lease> {
    let mut leases: BTreeMap<Owner, Lease> = BTreeMap::new();
    for item in items.iter().filter(|item| item.value.contains(node.as_str())) {
        let Ok(record) = AddressRecord::parse(&item.value) else {
            continue;
        };
        if record.node != *node || item.key != Key::Address(record.address) {
            continue;
        }
        let lease = leases.entry(record.lease.owner.clone()).or_insert(record.lease);
        if !lease.addresses.contains(&record.address) {
            lease.addresses.push(record.address);
        }
    }
    leases.into_values().collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use datastore::{Incarnation, Version};

    use super::*;

    fn lease(container: &str, addresses: &[&str]) -> Lease {
        Lease {
            owner: Owner::new(container, "eth0"),
            network: "pods".to_owned(),
            pod: None,
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
            host_ifname: "rb0".to_owned(),
            netns: "/run/netns/x".to_owned(),
            sticky: None,
            pools: BTreeMap::new(),
            created_at: SystemTime::UNIX_EPOCH,
        }
    }

    fn item(key: &str, node: &str, lease: Lease) -> Item {
        let address = lease.addresses[0];
        let record = AddressRecord::new(address, node.parse().unwrap(), "1", lease);
        Item {
            key: Key::Address(key.parse().unwrap()),
            value: record.to_text().into(),
            version: Version::new("1"),
            incarnation: Incarnation::new("1"),
        }
    }

    #[test]
    fn only_this_nodes_leases_come_back_and_each_once() {
        let both = lease("a", &["10.0.0.1", "fd00::1"]);
        let items = [
            item("10.0.0.1", "node-a", both.clone()),
            item("10.0.0.2", "node-b", lease("b", &["10.0.0.2"])),
            item("10.0.0.9", "node-a", lease("c", &["10.0.0.3"])),
            Item {
                value: "{".into(),
                ..item("10.0.0.4", "node-a", lease("d", &["10.0.0.4"]))
            },
            item("10.0.0.1", "node-a", both.clone()),
        ];
        assert_eq!(leases(&items, &"node-a".parse().unwrap()), [both]);
    }
}
