//! `POST /v1/plan`: what this node would change if these resources were applied.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::source::Source;

/// The resources in question. They are laid over those that are there: same kind and name replaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanRequest {
    /// The sources.
    pub sources: Vec<PlanSource>,
    /// Take the sources as all there is, instead of laying them over what is there.
    #[serde(default)]
    pub replace: bool,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanSource {
    /// Its name, for the problems.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl From<Source> for PlanSource {
    fn from(source: Source) -> Self {
        let Source { name, text } = source;
        PlanSource { name, text }
    }
}

impl From<PlanSource> for Source {
    fn from(source: PlanSource) -> Self {
        let PlanSource { name, text } = source;
        Source { name, text }
    }
}

/// What would change on this node. With an error among the problems nothing would, and the lists are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanAnswer {
    /// What is wrong with the resources.
    pub problems: Vec<Problem>,
    /// Sessions.
    pub peers: Vec<PlannedPeer>,
    /// Routes in the kernel.
    pub routes: Vec<PlannedRoute>,
    /// How other nodes are reached.
    pub encapsulation: Vec<PlannedEncapsulation>,
    /// Tunnel devices.
    pub devices: Vec<PlannedDevice>,
    /// Pod blocks of this node.
    pub blocks: Vec<PlannedBlock>,
}

impl PlanAnswer {
    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
            && self.routes.is_empty()
            && self.encapsulation.is_empty()
            && self.devices.is_empty()
            && self.blocks.is_empty()
    }
}

/// What would happen to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlannedChange {
    /// It is not there now.
    Add,
    /// It would be another one.
    Change,
    /// It would be gone.
    Remove,
}

macro_rules! planned {
    ($(#[$doc:meta])* $name:ident { $(#[$key_doc:meta])* $key:ident: $type:ty }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $(#[$key_doc])*
            pub $key: $type,
            /// What would happen to it.
            pub change: PlannedChange,
            /// What it would be, and what it was.
            pub detail: String,
        }
    };
}

planned! {
    /// A session.
    PlannedPeer {
        /// The peer: its address, and where it comes from (`mesh/NODE`, `BGPPeer/NAME`).
        peer: String
    }
}
planned! {
    /// A route.
    PlannedRoute {
        /// Its destination.
        prefix: IpNet
    }
}
planned! {
    /// How pods of another node are reached.
    PlannedEncapsulation {
        /// The node and the pool, `NODE/POOL`.
        path: String
    }
}
planned! {
    /// A tunnel device.
    PlannedDevice {
        /// Its name.
        name: String
    }
}
planned! {
    /// A pod block of this node.
    PlannedBlock {
        /// The block.
        cidr: IpNet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_json_are_the_contract() {
        let answer = PlanAnswer {
            peers: vec![PlannedPeer {
                peer: "192.0.2.1".to_owned(),
                change: PlannedChange::Remove,
                detail: "BGPPeer/tor-r1".to_owned(),
            }],
            ..Default::default()
        };
        assert!(!answer.is_empty() && PlanAnswer::default().is_empty());
        assert_eq!(
            serde_json::to_value(&answer).expect("serializes"),
            serde_json::json!({
                "problems": [],
                "peers": [{"peer": "192.0.2.1", "change": "remove", "detail": "BGPPeer/tor-r1"}],
                "routes": [], "encapsulation": [], "devices": [], "blocks": [],
            })
        );
        let request: PlanRequest =
            serde_json::from_str(r#"{"sources":[{"name":"f","text":"x"}]}"#).expect("reads");
        assert!(!request.replace);
        assert_eq!(Source::from(request.sources[0].clone()).name, "f");
    }
}
