//! Network layer reachability information: prefixes as (length, octets), with a path identifier where RFC 7911
//! was agreed.

use std::net::{Ipv4Addr, Ipv6Addr};

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
        match self.prefix {
            IpNet::V4(net) => out.extend_from_slice(&net.network().octets()[..octets]),
            IpNet::V6(net) => out.extend_from_slice(&net.network().octets()[..octets]),
        }
    }
}

/// Every prefix of a field; `None` where one is too long for its family or runs over the end (RFC 7606 §5.3).
/// Bits behind the prefix length are ignored, as RFC 4271 §4.3 says.
pub(super) fn decode(field: &[u8], family: Family, with_path_id: bool) -> Option<Vec<Nlri>> {
    let mut reader = Reader::new(field);
    let mut list = Vec::new();
    while !reader.is_empty() {
        let path_id = if with_path_id { Some(reader.u32()?) } else { None };
        let bits = reader.u8()?;
        let octets = reader.take(usize::from(bits).div_ceil(8))?;
        list.push(Nlri {
            prefix: prefix(family, bits, octets)?,
            path_id,
        });
    }
    Some(list)
}

fn prefix(family: Family, bits: u8, octets: &[u8]) -> Option<IpNet> {
    match family {
        Family::Ipv4Unicast => {
            let mut address = [0; 4];
            address.get_mut(..octets.len())?.copy_from_slice(octets);
            Some(IpNet::V4(
                Ipv4Net::new(Ipv4Addr::from(address), bits).ok()?.trunc(),
            ))
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
