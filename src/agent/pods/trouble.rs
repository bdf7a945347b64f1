//! What is wrong with addresses, and since when, for `status`.

use std::sync::PoisonError;
use std::time::Instant;

use ipam::Family;

use super::{Pods, rules};

/// Something that is wrong with addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    /// The node cannot take pods; otherwise it is about one of them, or one block.
    pub severe: bool,
    /// What, and what to do.
    pub message: String,
}

impl Trouble {
    fn one(message: String) -> Self {
        Trouble {
            severe: false,
            message,
        }
    }

    fn severe(message: String) -> Self {
        Trouble {
            severe: true,
            message,
        }
    }
}

impl Pods {
    /// What is wrong with addresses, and since when.
    pub fn problems(&self) -> Vec<(Trouble, Instant)> {
        let refused = self
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut texts: Vec<Trouble> = self.no_addresses();
        texts.extend(refused.into_iter().map(Trouble::one));
        texts.extend(self.ipam.outside().into_iter().map(|lease| {
            let (holder, announced) = match lease.is_address_only() {
                true => (
                    lease.owner.to_string(),
                    "not announced, as the interface is another plugin's",
                ),
                false => (
                    format!("pod interface {}", lease.host_ifname),
                    "announced as host routes",
                ),
            };
            Trouble::one(format!(
                "{holder} holds {:?}, which is not all inside this node's blocks: {announced}; \
                 move the pod, or give the node that block again",
                lease.addresses
            ))
        }));
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, old) = (Instant::now(), std::mem::take(&mut *trouble));
        let since = |text: Trouble| (old.get(&text).copied().unwrap_or(now), text);
        trouble.extend(texts.into_iter().map(since).map(|(since, text)| (text, since)));
        trouble
            .iter()
            .map(|(text, since)| (text.clone(), *since))
            .collect()
    }

    /// Why no pod that comes now gets an address at once, where blocks are shared out.
    fn no_addresses(&self) -> Vec<Trouble> {
        let Some((intent, node)) = self.known_intent().filter(|_| self.shared_out) else {
            return Vec::new();
        };
        if self.ipam.is_fresh() {
            let message = "the ledger of addresses is new, and no pod gets an address before the datastore has said what \
                 it remembers of this node; look at the datastore if that lasts";
            return vec![Trouble::severe(message.to_owned())];
        }
        let missing = rules::families_without_block(&intent, &node, &self.ipam.blocks());
        let message = |family: Family| {
            Trouble::severe(format!(
                "this node has no {family} block yet, and pods that come wait for one; if that lasts, look at what else \
                 is said of the datastore and of pools, or give the Node podCIDRs"
            ))
        };
        missing.into_iter().map(message).collect()
    }
}
