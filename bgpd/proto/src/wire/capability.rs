//! Capabilities (RFC 5492): what a speaker says in its OPEN that it can do.

use std::fmt;

use super::reader::Reader;
use super::role::Role;
use crate::types::{Asn, Family};

const MULTIPROTOCOL: u8 = 1;
const ROUTE_REFRESH: u8 = 2;
const EXTENDED_NEXT_HOP: u8 = 5;
const EXTENDED_MESSAGE: u8 = 6;
const ROLE: u8 = 9;
const GRACEFUL_RESTART: u8 = 64;
const FOUR_OCTET_AS: u8 = 65;
const ADD_PATH: u8 = 69;
const ENHANCED_ROUTE_REFRESH: u8 = 70;
const LONG_LIVED: u8 = 71;

/// The longest time of long-lived graceful restart: 24 bits.
const MAX_LONG_LIVED_TIME: u32 = 0x00FF_FFFF;

/// One capability.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Capability {
    /// Routes of this family (RFC 4760 §8).
    MultiProtocol(Family),
    /// Routes of a family that we do not speak.
    OtherFamily {
        /// Address family identifier.
        afi: u16,
        /// Subsequent address family identifier.
        safi: u8,
    },
    /// ROUTE-REFRESH messages (RFC 2918).
    RouteRefresh,
    /// Next hops of another family than the routes' (RFC 8950): family and the AFI of its next hops.
    ExtendedNextHop(Vec<(Family, u16)>),
    /// Messages of up to 65,535 octets (RFC 8654).
    ExtendedMessage,
    /// Graceful restart (RFC 4724).
    GracefulRestart {
        /// R bit: the speaker has restarted.
        restarting: bool,
        /// N bit: NOTIFICATIONs keep the forwarding state too (RFC 8538).
        notification: bool,
        /// Restart time in seconds, 0 to 4095.
        time: u16,
        /// The families whose forwarding state may be kept.
        families: Vec<GracefulFamily>,
    },
    /// Four-octet AS numbers, and the speaker's own (RFC 6793).
    FourOctetAs(Asn),
    /// Several paths for each prefix (RFC 7911).
    AddPath(Vec<(Family, AddPathMode)>),
    /// Begin and end marks of a refresh (RFC 7313).
    EnhancedRouteRefresh,
    /// What the speaker is to its neighbour (RFC 9234).
    Role(Role),
    /// Routes that outlive the restart time too (RFC 9494).
    LongLived(Vec<LongLivedFamily>),
    /// Any other.
    Unknown {
        /// Its code.
        code: u8,
        /// Its value.
        value: Vec<u8>,
    },
}

/// A family in the graceful restart capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GracefulFamily {
    /// The family.
    pub family: Family,
    /// F bit: its forwarding state was kept over the restart.
    pub forwarding_kept: bool,
}

/// A family in the capability of long-lived graceful restart (RFC 9494 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LongLivedFamily {
    /// The family.
    pub family: Family,
    /// F bit: its forwarding state was kept over the restart.
    pub forwarding_kept: bool,
    /// How long stale routes of it may be used after the restart time, in seconds; 24 bits.
    pub time: u32,
}

/// Which way several paths may flow (RFC 7911 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddPathMode {
    /// The speaker can receive them.
    Receive,
    /// The speaker can send them.
    Send,
    /// Both.
    Both,
}

impl Capability {
    /// The family of a multiprotocol capability that is one of ours.
    pub fn family(&self) -> Option<Family> {
        match self {
            Capability::MultiProtocol(family) => Some(*family),
            _ => None,
        }
    }

    /// Whether it is about roles, as far as its value can be read or not.
    pub fn is_role(&self) -> bool {
        match self {
            Capability::Role(_) => true,
            Capability::Unknown { code, .. } => *code == ROLE,
            _ => false,
        }
    }

    /// Says something about families, ours or others.
    pub fn is_multiprotocol(&self) -> bool {
        matches!(
            self,
            Capability::MultiProtocol(_) | Capability::OtherFamily { .. }
        )
    }

    /// Reads one value. A known code with a malformed value becomes `Unknown`: RFC 5492 §4 lets a receiver ignore
    /// what it cannot use, and no session is worth losing for it.
    pub(super) fn decode(code: u8, value: &[u8]) -> Capability {
        let known = match code {
            MULTIPROTOCOL => multiprotocol(value),
            ROUTE_REFRESH if value.is_empty() => Some(Capability::RouteRefresh),
            EXTENDED_NEXT_HOP => extended_next_hop(value),
            EXTENDED_MESSAGE if value.is_empty() => Some(Capability::ExtendedMessage),
            GRACEFUL_RESTART => graceful_restart(value),
            FOUR_OCTET_AS => value
                .try_into()
                .ok()
                .map(|o| Capability::FourOctetAs(Asn(u32::from_be_bytes(o)))),
            ADD_PATH => add_path(value),
            ENHANCED_ROUTE_REFRESH if value.is_empty() => Some(Capability::EnhancedRouteRefresh),
            ROLE => match value {
                [code] => Role::from_code(*code).map(Capability::Role),
                _ => None,
            },
            LONG_LIVED => long_lived(value),
            _ => None,
        };
        known.unwrap_or_else(|| Capability::Unknown {
            code,
            value: value.to_vec(),
        })
    }

    /// Appends code, length and value; what does not fit into the one-octet length is left out by the caller.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let (code, value) = self.code_and_value();
        let value = &value[..value.len().min(255)];
        out.extend([code, value.len() as u8]);
        out.extend_from_slice(value);
    }

    fn code_and_value(&self) -> (u8, Vec<u8>) {
        match self {
            Capability::MultiProtocol(family) => {
                (MULTIPROTOCOL, afi_reserved_safi(family.afi(), family.safi()))
            }
            Capability::OtherFamily { afi, safi } => (MULTIPROTOCOL, afi_reserved_safi(*afi, *safi)),
            Capability::RouteRefresh => (ROUTE_REFRESH, Vec::new()),
            Capability::ExtendedNextHop(list) => {
                let octets = |(family, next_hop): &(Family, u16)| {
                    let mut o = family.afi().to_be_bytes().to_vec();
                    o.extend([0, family.safi()]);
                    o.extend(next_hop.to_be_bytes());
                    o
                };
                (EXTENDED_NEXT_HOP, list.iter().flat_map(octets).collect())
            }
            Capability::ExtendedMessage => (EXTENDED_MESSAGE, Vec::new()),
            Capability::GracefulRestart {
                restarting,
                notification,
                time,
                families,
            } => {
                let flags = u16::from(*restarting) << 15 | u16::from(*notification) << 14;
                let mut value = (flags | (time & 0x0FFF)).to_be_bytes().to_vec();
                for f in families {
                    value.extend(f.family.afi().to_be_bytes());
                    value.extend([f.family.safi(), u8::from(f.forwarding_kept) << 7]);
                }
                (GRACEFUL_RESTART, value)
            }
            Capability::FourOctetAs(asn) => (FOUR_OCTET_AS, asn.0.to_be_bytes().to_vec()),
            Capability::AddPath(list) => {
                let octets = |(family, mode): &(Family, AddPathMode)| {
                    let [high, low] = family.afi().to_be_bytes();
                    [high, low, family.safi(), mode.code()]
                };
                (ADD_PATH, list.iter().flat_map(octets).collect())
            }
            Capability::EnhancedRouteRefresh => (ENHANCED_ROUTE_REFRESH, Vec::new()),
            Capability::Role(role) => (ROLE, vec![role.code()]),
            Capability::LongLived(list) => {
                let octets = |f: &LongLivedFamily| {
                    let [high, low] = f.family.afi().to_be_bytes();
                    let [_, a, b, c] = f.time.min(MAX_LONG_LIVED_TIME).to_be_bytes();
                    [
                        high,
                        low,
                        f.family.safi(),
                        u8::from(f.forwarding_kept) << 7,
                        a,
                        b,
                        c,
                    ]
                };
                (LONG_LIVED, list.iter().flat_map(octets).collect())
            }
            Capability::Unknown { code, value } => (*code, value.clone()),
        }
    }
}

impl AddPathMode {
    fn code(self) -> u8 {
        match self {
            AddPathMode::Receive => 1,
            AddPathMode::Send => 2,
            AddPathMode::Both => 3,
        }
    }
}

fn afi_reserved_safi(afi: u16, safi: u8) -> Vec<u8> {
    let [high, low] = afi.to_be_bytes();
    vec![high, low, 0, safi]
}

fn multiprotocol(value: &[u8]) -> Option<Capability> {
    let [high, low, _reserved, safi] = *value else {
        return None;
    };
    let afi = u16::from_be_bytes([high, low]);
    Some(match Family::from_afi_safi(afi, safi) {
        Some(family) => Capability::MultiProtocol(family),
        None => Capability::OtherFamily { afi, safi },
    })
}

fn extended_next_hop(value: &[u8]) -> Option<Capability> {
    let mut list = Vec::new();
    let mut reader = Reader::new(value);
    while !reader.is_empty() {
        let (afi, safi, next_hop) = (reader.u16()?, reader.u16()?, reader.u16()?);
        let family = u8::try_from(safi)
            .ok()
            .and_then(|safi| Family::from_afi_safi(afi, safi));
        list.extend(family.map(|f| (f, next_hop)));
    }
    Some(Capability::ExtendedNextHop(list))
}

fn graceful_restart(value: &[u8]) -> Option<Capability> {
    let mut reader = Reader::new(value);
    let head = reader.u16()?;
    let mut families = Vec::new();
    while !reader.is_empty() {
        let (afi, safi, flags) = (reader.u16()?, reader.u8()?, reader.u8()?);
        let family = Family::from_afi_safi(afi, safi);
        families.extend(family.map(|family| GracefulFamily {
            family,
            forwarding_kept: flags & 0x80 != 0,
        }));
    }
    let (restarting, notification) = (head & 0x8000 != 0, head & 0x4000 != 0);
    Some(Capability::GracefulRestart {
        restarting,
        notification,
        time: head & 0x0FFF,
        families,
    })
}

fn long_lived(value: &[u8]) -> Option<Capability> {
    let mut list = Vec::new();
    let mut reader = Reader::new(value);
    while !reader.is_empty() {
        let (afi, safi, flags) = (reader.u16()?, reader.u8()?, reader.u8()?);
        let [a, b, c] = reader.array::<3>()?;
        let family = Family::from_afi_safi(afi, safi);
        list.extend(family.map(|family| LongLivedFamily {
            family,
            forwarding_kept: flags & 0x80 != 0,
            time: u32::from_be_bytes([0, a, b, c]),
        }));
    }
    Some(Capability::LongLived(list))
}

fn add_path(value: &[u8]) -> Option<Capability> {
    let mut list = Vec::new();
    let mut reader = Reader::new(value);
    while !reader.is_empty() {
        let (afi, safi, mode) = (reader.u16()?, reader.u8()?, reader.u8()?);
        let mode = match mode {
            1 => Some(AddPathMode::Receive),
            2 => Some(AddPathMode::Send),
            3 => Some(AddPathMode::Both),
            // RFC 7911 §4: any other value means that this entry is ignored.
            _ => None,
        };
        list.extend(Family::from_afi_safi(afi, safi).zip(mode));
    }
    Some(Capability::AddPath(list))
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Capability::MultiProtocol(family) => family.fmt(f),
            Capability::OtherFamily { afi, safi } => write!(f, "AFI {afi} SAFI {safi}"),
            Capability::RouteRefresh => f.write_str("route refresh"),
            Capability::ExtendedNextHop(_) => f.write_str("extended next hop"),
            Capability::ExtendedMessage => f.write_str("extended messages"),
            Capability::GracefulRestart { .. } => f.write_str("graceful restart"),
            Capability::FourOctetAs(_) => f.write_str("4-octet AS"),
            Capability::AddPath(_) => f.write_str("ADD-PATH"),
            Capability::EnhancedRouteRefresh => f.write_str("enhanced route refresh"),
            Capability::Role(role) => write!(f, "role {role}"),
            Capability::LongLived(_) => f.write_str("long-lived graceful restart"),
            Capability::Unknown { code, .. } => write!(f, "capability {code}"),
        }
    }
}
