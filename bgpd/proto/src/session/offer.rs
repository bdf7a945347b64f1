//! What we offer a peer beyond plain BGP: the choices behind the capabilities of our OPEN.

use crate::types::PerFamily;
use crate::wire::Role;

/// The longest restart time that the capability can say, in seconds (RFC 4724 §3: 12 bits).
const MAX_RESTART_TIME: u16 = 4095;

/// Which capabilities are offered, and how. What both sides offer is agreed, and lasts as long as the session.
///
/// Multiprotocol, route refresh, 4-octet AS numbers and extended messages are always offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Graceful restart (RFC 4724), both roles; `None` neither announces it nor keeps routes of a peer that does.
    pub graceful: Option<Graceful>,
    /// Long-lived graceful restart (RFC 9494): for how many seconds (24 bits) beyond the restart time the peer may use
    /// routes of ours, and, where it says so too, we its routes. Off by default, as §5 asks; nothing without `graceful`.
    pub long_lived: PerFamily<Option<u32>>,
    /// Begin and end marks of a route refresh (RFC 7313).
    pub enhanced_refresh: bool,
    /// Several paths for each prefix (RFC 7911).
    pub add_path: PerFamily<AddPathOffer>,
    /// IPv6 next hops for IPv4 routes (RFC 8950).
    pub extended_next_hop: bool,
    /// What we are to the peer (RFC 9234); for eBGP only.
    pub role: Option<Role>,
    /// Refuse a peer that says nothing of roles (RFC 9234 §4.2).
    pub strict_role: bool,
}

/// How graceful restart is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Graceful {
    /// How long the peer may keep our routes while we are away, in seconds; 4095 at most.
    pub time: u16,
    /// The N bit (RFC 8538): where both sides set it, a NOTIFICATION and a hold timer that expires are taken as a restart
    /// as well. Off by default: then it is the hold timer that tells of a dead link, which is right wherever nothing
    /// faster (BFD) does.
    pub notification: bool,
}

/// Several paths for each prefix of a family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddPathOffer {
    /// The peer may send them.
    pub receive: bool,
    /// Which ones we send.
    pub send: AddPathSend,
}

/// Which paths go to a peer that takes several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddPathSend {
    /// The best one, without path identifiers.
    #[default]
    None,
    /// As many of the best; at least one.
    Best(u8),
    /// All that may be used.
    All,
}

impl AddPathSend {
    /// So many paths of a prefix at most.
    pub fn most(self) -> usize {
        match self {
            AddPathSend::None => 1,
            AddPathSend::Best(most) => usize::from(most).max(1),
            AddPathSend::All => usize::MAX,
        }
    }
}

impl Graceful {
    /// The restart time as the capability can say it.
    pub fn announced_time(self) -> u16 {
        self.time.min(MAX_RESTART_TIME)
    }
}

impl Default for Graceful {
    fn default() -> Self {
        Self {
            time: 120,
            notification: false,
        }
    }
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            graceful: Some(Graceful::default()),
            long_lived: PerFamily::default(),
            enhanced_refresh: true,
            add_path: PerFamily::default(),
            extended_next_hop: false,
            role: None,
            strict_role: false,
        }
    }
}
