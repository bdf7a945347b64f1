//! Network layer reachability information: prefixes as (length, octets), with a path identifier where RFC 7911
//! was agreed.

use std::net::Ipv6Addr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::reader::Reader;
use crate::types::Family;

/// One prefix as announced or withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nlri {
    /// The prefix; host bits are zero.
    pub prefix: IpNet,
    /// Path identifier, where the session has them.
    pub path_id: Option<u32>,
}

impl From<IpNet> for Nlri {
    fn from(prefix: IpNet) -> Self {
        Nlri {
            prefix: prefix.trunc(),
            path_id: None,
        }
    }
}

impl Nlri {
    /// Octets on the wire.
    pub(super) fn wire_len(&self, with_path_id: bool) -> usize {
        let id = if with_path_id { 4 } else { 0 };
        id + 1 + usize::from(self.prefix.prefix_len()).div_ceil(8)
    }

    /// Whether there is a path identifier is the session's choice, not the route's; one that is missing is zero.
    pub(super) fn encode(&self, with_path_id: bool, out: &mut Vec<u8>) {
        if with_path_id {
            out.extend(self.path_id.unwrap_or(0).to_be_bytes());
        }
        let octets = usize::from(self.prefix.prefix_len()).div_ceil(8);
        out.push(self.prefix.prefix_len());
        // Host bits are zero. Written whole and cut off: a known length is quickly written.
        let end = out.len() + octets;
        match self.prefix {
            IpNet::V4(net) => out.extend_from_slice(&net.addr().octets()),
            IpNet::V6(net) => out.extend_from_slice(&net.addr().octets()),
        }
        out.truncate(end);
    }
}

/// Prefixes of a field that can be read, as they came: they are taken apart when they are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prefixes {
    octets: Box<[u8]>,
    pub family: Family,
    with_path_id: bool,
}

impl Prefixes {
    /// `None` where a prefix is too long for its family or runs over the end (RFC 7606 §5.3).
    pub fn read(field: &[u8], family: Family, with_path_id: bool) -> Option<Self> {
        let mut reader = Reader::new(field);
        while !reader.is_empty() {
            if with_path_id {
                reader.u32()?;
            }
            let bits = reader.u8().filter(|bits| *bits <= longest(family))?;
            reader.take(usize::from(bits).div_ceil(8))?;
        }
        Some(Self {
            octets: field.into(),
            family,
            with_path_id,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// Each prefix. Bits behind the prefix length are ignored, as RFC 4271 §4.3 says.
    pub fn iter(&self) -> impl Iterator<Item = Nlri> {
        let mut reader = Reader::new(&self.octets);
        std::iter::from_fn(move || {
            let path_id = if self.with_path_id {
                Some(reader.u32()?)
            } else {
                None
            };
            let bits = reader.u8()?;
            let octets = reader.take(usize::from(bits).div_ceil(8))?;
            Some(Nlri {
                prefix: prefix(self.family, bits, octets)?,
                path_id,
            })
        })
    }
}

fn longest(family: Family) -> u8 {
    match family {
        Family::Ipv4Unicast => 32,
        Family::Ipv6Unicast => 128,
    }
}

fn prefix(family: Family, bits: u8, octets: &[u8]) -> Option<IpNet> {
    match family {
        Family::Ipv4Unicast => {
            let address = octets
                .iter()
                .fold(0, |address, octet| address << 8 | u32::from(*octet));
            let address = address.checked_shl(32 - 8 * octets.len() as u32).unwrap_or(0);
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            Some(IpNet::V4(Ipv4Net::new((address & mask).into(), bits).ok()?))
        }
        Family::Ipv6Unicast => {
            let mut address = [0; 16];
            address.get_mut(..octets.len())?.copy_from_slice(octets);
            Some(IpNet::V6(
                Ipv6Net::new(Ipv6Addr::from(address), bits).ok()?.trunc(),
            ))
        }
    }
}
