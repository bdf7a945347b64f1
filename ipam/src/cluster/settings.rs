//! What a decision needs to know beside the two views.

use std::time::Duration;

use config::NodeName;
use config::intent::IpamConfiguration;

/// What a decision needs to know beside the two views.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The node that decides.
    pub node: NodeName,
    /// Whether the datastore commits several keys at once.
    pub atomic: bool,
    /// How long a block stays empty before it is given back.
    pub empty_block_linger: Duration,
    /// How long a node has to be gone before its blocks are taken from it.
    pub dead_node_grace: Duration,
    /// How long a block is out of the announcements before its record is deleted: so long its peers and theirs may
    /// take to hear of it. Only then another node may announce it.
    pub withdrawal: Duration,
    /// When the next block is claimed.
    pub claim_ahead: ClaimAhead,
}

/// A withdrawal crosses the reconciler's rest, two reflectors and a kernel each in much less.
const WITHDRAWAL: Duration = Duration::from_secs(2);

impl Settings {
    /// The settings of a node, with the times of the intent.
    pub fn new(node: NodeName, atomic: bool, ipam: &IpamConfiguration) -> Settings {
        Settings {
            node,
            atomic,
            empty_block_linger: ipam.empty_block_linger,
            dead_node_grace: ipam.dead_node_grace,
            withdrawal: WITHDRAWAL,
            claim_ahead: ClaimAhead::default(),
        }
    }
}

/// When the next block is claimed: as soon as fewer addresses are free than a part of a block, and than `least`,
/// but never more than half a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimAhead {
    /// One block divided by this. Zero claims nothing ahead.
    pub part: u32,
    /// At least this many addresses.
    pub least: u32,
    /// At most this many: the blocks of some pools are large.
    pub most: u32,
}

impl Default for ClaimAhead {
    fn default() -> Self {
        ClaimAhead {
            part: 4,
            least: 8,
            most: 256,
        }
    }
}
