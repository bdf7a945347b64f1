//! The policy of one session, each direction a value of its own: sessions that are alike share it.

use super::filter::Filters;
use crate::wire::Role;

/// What is believed of what a peer teaches, and what is changed on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImportPolicy {
    /// Rules for its routes, the first that matches decides.
    pub filters: Filters,
    /// What it teaches goes to others too.
    pub transit: bool,
    /// How often our AS number may be in the AS_PATH; more is a loop.
    pub allow_own_as: u8,
    /// The AS_PATH of an eBGP peer begins with its AS number. A route server's does not (RFC 7947 §2.2.2.1).
    pub enforce_first_as: bool,
    /// Our role towards an eBGP peer (RFC 9234).
    pub role: Option<Role>,
    /// Routes of an eBGP peer with GRACEFUL_SHUTDOWN get LOCAL_PREF 0 (RFC 8326 §4.1).
    pub honour_graceful_shutdown: bool,
    /// Where the session has a local AS of its own: put it before the AS_PATH of what comes in (RFC 7705 §3.2).
    pub prepend_local_as: bool,
}

impl Default for ImportPolicy {
    fn default() -> Self {
        Self {
            filters: Filters::default(),
            transit: false,
            allow_own_as: 0,
            enforce_first_as: true,
            role: None,
            honour_graceful_shutdown: true,
            prepend_local_as: false,
        }
    }
}

/// What a peer is told, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ExportPolicy {
    /// Rules for the routes that go to it, the first that matches decides.
    pub filters: Filters,
    /// It is told what others teach, not only what is originated here.
    pub transit: bool,
    /// It is our client: it is told by iBGP what iBGP taught, and others are told what it teaches (RFC 4456).
    pub client: bool,
    /// What is put into NEXT_HOP.
    pub next_hop: NextHopMode,
    /// What becomes of the AS_PATH.
    pub as_rules: AsRules,
    /// Our role towards an eBGP peer (RFC 9234).
    pub role: Option<Role>,
    /// We are about to go: tell the peer to prefer other ways (RFC 8326).
    pub drain: bool,
}

/// What is put into NEXT_HOP (RFC 4271 §5.1.3). What is originated here always has our own address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHopMode {
    /// Our own address towards eBGP, as learned towards iBGP.
    #[default]
    Auto,
    /// Our own address.
    SelfAddress,
    /// As learned.
    Keep,
}

/// What becomes of the AS_PATH towards an eBGP peer, in the order of the fields; our own number comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AsRules {
    /// What becomes of private AS numbers.
    pub remove_private: RemovePrivate,
    /// The peer's AS number is replaced by ours: sites of one AS that reach each other through us. It takes the peer's
    /// protection against loops away.
    pub as_override: bool,
    /// Where the session has a local AS of its own: it stands in the place of the speaker's own number, not before it
    /// (RFC 7705 §3.3).
    pub replace_as: bool,
}

impl Default for AsRules {
    fn default() -> Self {
        Self {
            remove_private: RemovePrivate::Never,
            as_override: false,
            replace_as: true,
        }
    }
}

/// What becomes of private AS numbers (RFC 6996) in the AS_PATH. The peer's own stays, whatever it is: it finds its
/// loops by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RemovePrivate {
    /// They stay.
    #[default]
    Never,
    /// They go where there are no others.
    IfAllPrivate,
    /// They go.
    All,
    /// Ours stands in the place of each, so that the path keeps its length.
    Replace,
}
