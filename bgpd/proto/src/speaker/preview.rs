//! What if: the RIB as another configuration would make it of what has been received. Nothing is changed.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::Speaker;
use super::config::SpeakerConfig;
use crate::rib::{Originated, Rib};

impl Speaker {
    /// A copy of the RIB after a change of configuration: routes of peers that go away are gone, the import rules are
    /// applied anew to what has been received. What new peers would send is not known, and a session that would
    /// have to start anew is taken to come back with the same routes. Costs memory like the RIB itself.
    pub fn preview(&self, config: &SpeakerConfig, originated: BTreeMap<IpNet, Originated>) -> Rib {
        let config = &self.with_dynamic(config.clone());
        let mut rib = self.rib.clone();
        for (id, before) in &self.config.peers {
            match config.peers.get(id) {
                None => rib.peer_down(*id),
                Some(after) => {
                    let policy = after.policy(config);
                    if policy != before.policy(&self.config) {
                        rib.peer_policy(*id, policy);
                    }
                }
            }
        }
        rib.configure(config.local_settings());
        rib.originate(originated);
        rib
    }
}
