//! What was negotiated, as far as reading and writing messages depends on it.

use crate::types::{Family, PeerKind, PerFamily};

/// The largest message in octets without RFC 8654.
pub const MAX_MESSAGE: usize = 4096;
/// The largest message in octets with RFC 8654; OPEN and KEEPALIVE stay at [`MAX_MESSAGE`].
pub const MAX_EXTENDED_MESSAGE: usize = 65535;

/// How the peer's messages are to be read. The default is right before the OPENs are exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeContext {
    /// AS numbers have four octets in AS_PATH and AGGREGATOR (RFC 6793).
    pub four_octet: bool,
    /// Which side of the AS border the peer is on: some attributes are only valid inside.
    pub peer_kind: PeerKind,
    /// NLRI of the family carry a path identifier (RFC 7911).
    pub add_path: PerFamily<bool>,
    /// IPv4 NLRI may have an IPv6 next hop (RFC 8950).
    pub extended_next_hop: bool,
    /// The largest message that the peer may send, in octets.
    pub max_message_len: usize,
}

impl Default for DecodeContext {
    fn default() -> Self {
        DecodeContext {
            four_octet: false,
            peer_kind: PeerKind::External,
            add_path: PerFamily::default(),
            extended_next_hop: false,
            max_message_len: MAX_MESSAGE,
        }
    }
}

/// How UPDATEs to the peer are to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeContext {
    /// AS numbers have four octets in AS_PATH and AGGREGATOR (RFC 6793).
    pub four_octet: bool,
    /// NLRI of the family carry a path identifier (RFC 7911).
    pub add_path: PerFamily<bool>,
    /// The largest message in octets: [`MAX_MESSAGE`] or [`MAX_EXTENDED_MESSAGE`].
    pub max_message_len: usize,
}

impl EncodeContext {
    /// Whether NLRI of the family carry a path identifier.
    pub fn has_path_id(&self, family: Family) -> bool {
        *self.add_path.get(family)
    }
}

impl Default for EncodeContext {
    fn default() -> Self {
        EncodeContext {
            four_octet: true,
            add_path: PerFamily::default(),
            max_message_len: MAX_MESSAGE,
        }
    }
}
