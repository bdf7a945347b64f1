//! What a node says of itself in Kubernetes: complete desired state, compared with what is there.

use serde_json::Value;

/// Everything that this node says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Routing works: `NetworkUnavailable` is false and the taint goes. `None`: not known yet, nothing is said.
    pub routing: Option<Routing>,
    /// `status` of this node's `BGPNodeStatus`.
    pub bgp: Option<Value>,
}

/// Whether routing works on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// It does.
    pub ready: bool,
    /// `reason` of the condition, one word: `RoadbedReady`, `NoConfiguration`, `SessionsDown`.
    pub reason: String,
    /// `message` of the condition.
    pub message: String,
}

/// Something that happened: an Event on the Node (events.k8s.io/v1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// `Warning` or else `Normal`.
    pub warning: bool,
    /// `reason`: `BGPPeerDown`, `BGPPeerUp`.
    pub reason: String,
    /// What it is about, so that repetitions are counted: the peer.
    pub about: String,
    /// In words.
    pub message: String,
}
