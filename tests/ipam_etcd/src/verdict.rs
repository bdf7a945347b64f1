//! Whether everything is as it has to be: asked again and again until it is, or until a deadline, and then said.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::SystemTime;

use datastore::{Datastore, Key, Space};
use ipam::cluster::{AddressRecord, BlockRecord};
use ipam::local::Origin;
use ipnet::IpNet;

use crate::node::Node;
use crate::registry::{Holder, Registry};

/// What may need a moment to be so after the faults: each difference that is left.
pub async fn unsettled(nodes: &[Node], store: &dyn Datastore) -> Vec<String> {
    let (Ok(ownership), Ok(addresses)) = (
        store.list(Space::Ownership).await,
        store.list(Space::Addresses).await,
    ) else {
        return vec!["the store cannot be read".to_owned()];
    };
    let mut stored: BTreeMap<String, BTreeSet<IpNet>> = BTreeMap::new();
    for item in &ownership.items {
        if let Key::Block(net) = item.key {
            let owner = BlockRecord::parse(&item.value).map(|record| record.node.to_string());
            stored.entry(owner.unwrap_or_default()).or_default().insert(net);
        }
    }
    let mut mirrored: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    for item in &addresses.items {
        if let (Key::Address(address), Ok(record)) = (&item.key, AddressRecord::parse(&item.value)) {
            mirrored
                .entry(record.node.to_string())
                .or_default()
                .insert(*address);
        }
    }
    let mut wrong = Vec::new();
    for node in nodes {
        let name = node.name().to_string();
        let in_store = stored.remove(&name).unwrap_or_default();
        let in_mirror = mirrored.remove(&name).unwrap_or_default();
        let Some(ipam) = node.ipam() else {
            if !in_store.is_empty() {
                wrong.push(format!("{name} is dead and still owns {} blocks", in_store.len()));
            }
            continue;
        };
        let local = ipam.local(SystemTime::now());
        let claimed = local.blocks.iter().filter(|b| b.block.origin == Origin::Claimed);
        let in_ledger: BTreeSet<IpNet> = claimed.map(|b| b.block.cidr).collect();
        if in_ledger != in_store {
            let only = |a: &BTreeSet<IpNet>, b: &BTreeSet<IpNet>| {
                a.difference(b).take(3).copied().collect::<Vec<_>>()
            };
            wrong.push(format!(
                "{name}: only in its ledger {:?}, only in the store {:?}",
                only(&in_ledger, &in_store),
                only(&in_store, &in_ledger)
            ));
        }
        let leased: BTreeSet<IpAddr> = local.leases.iter().flat_map(|l| l.addresses.clone()).collect();
        if leased != in_mirror {
            wrong.push(format!(
                "{name}: {} addresses, {} in the mirror",
                leased.len(),
                in_mirror.len()
            ));
        }
        let outside = leased
            .iter()
            .filter(|a| !in_store.iter().any(|net| net.contains(*a)))
            .count();
        if outside > 0 {
            wrong.push(format!("{name}: {outside} addresses outside its blocks"));
        }
    }
    wrong.extend(
        stored
            .keys()
            .map(|name| format!("`{name}` owns blocks and is no node")),
    );
    wrong
}

/// What must hold at every moment: no address twice, and nothing acknowledged lost.
pub fn broken(nodes: &[Node], registry: &Registry) -> Vec<String> {
    let mut wrong = registry.wrong();
    let acknowledged = registry.held();
    let mut found: HashMap<IpAddr, Holder> = HashMap::new();
    for node in nodes {
        let Some(ipam) = node.ipam() else { continue };
        for lease in ipam.leases() {
            let holder = Holder {
                node: node.name().clone(),
                container: lease.owner.container_id.clone(),
            };
            for address in &lease.addresses {
                if let Some(other) = found.insert(*address, holder.clone()) {
                    wrong.push(format!("{address} is in two ledgers: {other:?} and {holder:?}"));
                }
            }
        }
    }
    for (address, holder) in &acknowledged {
        if found.get(address) != Some(holder) {
            let now = found.get(address);
            wrong.push(format!(
                "{address} was acknowledged to {holder:?} and is now of {now:?}"
            ));
        }
    }
    for (address, holder) in &found {
        if !acknowledged.contains_key(address) {
            wrong.push(format!(
                "{address} is leased to {holder:?}, which never heard of it"
            ));
        }
    }
    wrong
}
