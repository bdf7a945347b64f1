//! What the mirror has to write. Pure: the ledger's leases against what is known to be in the store.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use config::NodeName;
use config::fields::ResourceKind;
use datastore::{Compare, Incarnation, Item, Key, Transaction, Version, Write};

use crate::cluster::AddressRecord;
use crate::lease::{Lease, Owner};

/// The records that there have to be, by address.
pub(crate) type Desired = BTreeMap<IpAddr, String>;

/// The records of all leases.
pub(crate) fn desired(leases: &[Lease], node: &NodeName, incarnation: &Incarnation) -> Desired {
    let mut all = Desired::new();
    for lease in leases {
        for &address in &lease.addresses {
            let record = AddressRecord::new(address, node.clone(), incarnation.as_str(), lease.clone());
            all.insert(address, record.to_text());
        }
    }
    all
}

/// The desired records with what they were made of: only what changed is spelled again.
#[derive(Debug, Default)]
pub(crate) struct Spelled {
    incarnation: Option<Incarnation>,
    leases: BTreeMap<Owner, Lease>,
    records: Desired,
}

impl Spelled {
    /// The same as [`desired`], for less work.
    pub(crate) fn of(mut self, leases: Vec<Lease>, node: &NodeName, incarnation: &Incarnation) -> Self {
        if self.incarnation.as_ref() != Some(incarnation) {
            self = Spelled::default();
        }
        let (same, changed): (Vec<_>, Vec<_>) = leases
            .into_iter()
            .partition(|lease| self.leases.get(&lease.owner) == Some(lease));
        let mut records = desired(&changed, node, incarnation);
        for address in same.iter().flat_map(|lease| &lease.addresses) {
            if let Some((address, text)) = self.records.remove_entry(address) {
                records.insert(address, text);
            }
        }
        let leases = same.into_iter().chain(changed);
        Spelled {
            incarnation: Some(incarnation.clone()),
            leases: leases.map(|lease| (lease.owner.clone(), lease)).collect(),
            records,
        }
    }

    pub(crate) fn records(&self) -> &Desired {
        &self.records
    }
}

/// A record as it was last seen or written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    text: Arc<str>,
    version: Version,
}

/// Somebody else's record of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Other {
    /// Whose; `None` where it cannot be read.
    pub node: Option<NodeName>,
    version: Version,
}

/// What is known to be in the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Known {
    ours: BTreeMap<IpAddr, Mark>,
    /// Records of others under addresses that we hold.
    pub others: BTreeMap<IpAddr, Other>,
}

impl Known {
    /// What a listing of the whole space says about this node.
    pub(crate) fn listed(items: &[Item], node: &NodeName) -> Self {
        let mut known = Known::default();
        for item in items {
            // Most records of a large cluster are others': only what may be ours is read.
            if let Key::Address(address) = item.key
                && item.value.contains(node.as_str())
                && owner(item).as_ref() == Some(node)
            {
                known.see(address, Some(item), node);
            }
        }
        known
    }

    /// One key, as it was just read.
    pub(crate) fn see(&mut self, address: IpAddr, item: Option<&Item>, node: &NodeName) {
        self.ours.remove(&address);
        self.others.remove(&address);
        let Some(item) = item else { return };
        let owner = owner(item);
        let version = item.version.clone();
        if owner.as_ref() == Some(node) {
            let text = item.value.clone();
            self.ours.insert(address, Mark { text, version });
        } else {
            self.others.insert(address, Other { node: owner, version });
        }
    }

    /// A batch was carried out.
    pub(crate) fn wrote(&mut self, transaction: &Transaction, version: &Version) {
        for write in &transaction.write {
            match write {
                Write::Put(Key::Address(address), text) => {
                    self.others.remove(address);
                    let (text, version) = (text.as_str().into(), version.clone());
                    self.ours.insert(*address, Mark { text, version });
                }
                Write::Delete(Key::Address(address)) => {
                    self.ours.remove(address);
                }
                _ => {}
            }
        }
    }

    /// How many records of this node there are.
    pub(crate) fn len(&self) -> usize {
        self.ours.len()
    }

    /// Addresses whose record is not as it has to be, those of others left aside.
    pub(crate) fn behind(&self, desired: &Desired) -> BTreeSet<IpAddr> {
        let differs = |(address, text): &(&IpAddr, &String)| {
            self.ours.get(*address).is_none_or(|mark| *mark.text != ***text)
        };
        let wrong = desired.iter().filter(differs).map(|(address, _)| *address);
        let gone = self
            .ours
            .keys()
            .filter(|address| !desired.contains_key(*address))
            .copied();
        wrong.chain(gone).collect()
    }

    /// The next writes, at most `limit` of them, with the addresses that they are about. Deletions come first: an
    /// address that moved to another node is waited for there. `gone` says of another node that it is in the
    /// cluster no more: its record may be replaced, while that is so.
    pub(crate) fn batch(
        &self,
        desired: &Desired,
        node: Option<(&NodeName, &Incarnation)>,
        gone: impl Fn(&NodeName) -> bool,
        limit: usize,
    ) -> Option<(Transaction, Vec<IpAddr>)> {
        let (puts, deletions): (Vec<_>, Vec<_>) =
            (self.behind(desired).into_iter()).partition(|address| desired.contains_key(address));
        let mut transaction = Transaction::default();
        if let Some((node, incarnation)) = node {
            let key = Key::resource(ResourceKind::Node, node.to_string());
            transaction = transaction.when(Compare::Incarnation(key, incarnation.clone()));
        }
        let mut addresses = Vec::new();
        for address in deletions.into_iter().chain(puts) {
            if addresses.len() == limit {
                break;
            }
            let key = Key::Address(address);
            let condition = match (self.ours.get(&address), self.others.get(&address)) {
                (Some(mark), _) => Compare::Version(key.clone(), mark.version.clone()),
                (None, None) => Compare::Absent(key.clone()),
                (None, Some(other)) => match &other.node {
                    Some(other_node) if gone(other_node) => {
                        Compare::Version(key.clone(), other.version.clone())
                    }
                    _ => continue,
                },
            };
            let write = match desired.get(&address) {
                Some(text) => Write::Put(key, text.clone()),
                None => Write::Delete(key),
            };
            transaction = transaction.when(condition).then(write);
            addresses.push(address);
        }
        (!addresses.is_empty()).then_some((transaction, addresses))
    }

    /// Forgets others' records of addresses that we do not hold any more.
    pub(crate) fn tidy(&mut self, desired: &Desired) {
        self.others.retain(|address, _| desired.contains_key(address));
    }
}

fn owner(item: &Item) -> Option<NodeName> {
    AddressRecord::parse(&item.value).ok().map(|record| record.node)
}

#[cfg(test)]
mod tests;
