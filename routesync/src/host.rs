//! The mirror of the host's links and addresses.
//!
//! Routes name interfaces, the kernel numbers them, and numbers are re-used: this module answers which number a name has now.
//! It also notices the link changes behind which the kernel flushes routes without a word (link down, carrier lost, link gone,
//! link moved into another VRF): only `RTM_NEWLINK` or `RTM_DELLINK` tells of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rustc_hash::FxHashMap;

use crate::model::{Address, Link};

/// Links by index, addresses in order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    pub links: BTreeMap<u32, Link>,
    pub addresses: BTreeSet<Address>,
}

/// What a link notification means for routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkEffect {
    /// Nothing that was not known.
    None,
    /// Something about the link, of no matter for routes that exist.
    Noted,
    /// The link has come into being or up, or has a new name: what could not be installed may be now.
    Usable,
    /// Routes over the link may be gone, or have come back, silently.
    Flushed,
    /// The link is gone, and with it every route that left by it alone.
    Gone,
}

impl Host {
    /// All names with the indexes that they have now.
    pub fn indexes(&self) -> BTreeMap<&str, u32> {
        self.links
            .values()
            .map(|link| (&*link.name, link.index))
            .collect()
    }

    /// The same, to be kept for many questions.
    pub fn names(&self) -> FxHashMap<Arc<str>, u32> {
        let links = self.links.values();
        links.map(|link| (link.name.clone(), link.index)).collect()
    }

    /// Takes in a link as the kernel describes it now.
    pub fn set_link(&mut self, link: Link) -> LinkEffect {
        // A link of the same name and another index has been deleted or renamed; its own notification is on the way.
        let Some(old) = self.links.get(&link.index) else {
            self.links.insert(link.index, link);
            return LinkEffect::Usable;
        };
        if *old == link {
            return LinkEffect::None;
        }
        let lost = (old.up && !link.up) || (old.carrier && !link.carrier) || old.master != link.master;
        let gained = (!old.up && link.up) || (!old.carrier && link.carrier) || old.name != link.name;
        self.links.insert(link.index, link);
        match (lost, gained) {
            (true, _) => LinkEffect::Flushed,
            (false, true) => LinkEffect::Usable,
            (false, false) => LinkEffect::Noted,
        }
    }

    /// Whether packets leave by the link.
    pub fn runs(&self, index: u32) -> bool {
        let link = self.links.get(&index);
        link.is_some_and(|link| link.up && link.carrier && link.running)
    }

    /// The link is gone, and its addresses and routes with it.
    pub fn remove_link(&mut self, index: u32) -> LinkEffect {
        self.addresses.retain(|address| address.index != index);
        match self.links.remove(&index) {
            Some(_) => LinkEffect::Gone,
            None => LinkEffect::None,
        }
    }

    /// Whether the link has an IPv4 address.
    pub fn speaks_v4(&self, index: u32) -> bool {
        let mut addresses = self.addresses.iter();
        addresses.any(|address| address.index == index && address.net.addr().is_ipv4())
    }

    /// Takes in an address; `true` if that is news.
    pub fn set_address(&mut self, address: Address, present: bool) -> bool {
        if present {
            self.addresses.insert(address)
        } else {
            self.addresses.remove(&address)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, up: bool) -> Link {
        Link {
            index,
            name: name.into(),
            up,
            carrier: up,
            mtu: 1500,
            ..Link::default()
        }
    }

    #[test]
    fn tells_flushes_from_news() {
        let mut host = Host::default();
        assert_eq!(host.set_link(link(3, "eth0", true)), LinkEffect::Usable);
        assert_eq!(host.set_link(link(3, "eth0", true)), LinkEffect::None);
        assert_eq!(host.set_link(link(3, "eth0", false)), LinkEffect::Flushed);
        assert_eq!(host.set_link(link(3, "eth0", true)), LinkEffect::Usable);
        assert_eq!(
            host.set_link(Link {
                mtu: 9000,
                ..link(3, "eth0", true)
            }),
            LinkEffect::Noted
        );
        host.set_address(
            Address {
                index: 3,
                net: "192.0.2.1/24".parse().unwrap(),
            },
            true,
        );
        assert!(host.speaks_v4(3) && !host.speaks_v4(4));
        assert_eq!(host.remove_link(3), LinkEffect::Gone);
        assert!(host.addresses.is_empty());
        host.set_link(link(4, "eth0", true));
        assert_eq!(host.indexes().get("eth0"), Some(&4));
    }
}
