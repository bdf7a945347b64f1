//! Moving many prefixes from one next hop to another: rewriting every route, replacing the one nexthop object that all refer to, and
//! taking a member out of the group that all refer to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::message::{Message, Target};
use super::socket::Netlink;

/// Ids of the program's objects.
const OBJECT: [u32; 2] = [7_001, 7_002];
const GROUP: u32 = 7_010;

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4, prefixes of 24 bits.
    V4,
    /// IPv6, prefixes of 48 bits.
    V6,
}

impl Family {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        }
    }

    /// The prefix of that number, which are all different up to some ten million.
    pub fn prefix(self, number: u32) -> IpAddr {
        match self {
            Family::V4 => Ipv4Addr::from(0x1400_0000 + (number << 8)).into(),
            Family::V6 => {
                let [high, low] = [(number >> 16) as u16, number as u16];
                Ipv6Addr::new(0x2a10, high, low, 0, 0, 0, 0, 0).into()
            }
        }
    }

    /// The length of all prefixes.
    pub fn length(self) -> u8 {
        match self {
            Family::V4 => 24,
            Family::V6 => 48,
        }
    }
}

/// One of two ways out.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// The neighbour.
    pub gateway: IpAddr,
    /// The interface.
    pub interface: u32,
}

/// How long each form of moving took, from the first write to the last acknowledgement.
#[derive(Debug, Clone, Copy)]
pub struct Moved {
    /// Each route rewritten.
    pub rewritten: Duration,
    /// The one object replaced.
    pub replaced: Duration,
    /// The dead member taken out of the group.
    pub dropped: Duration,
}

/// Measures all forms once, in the calling thread's network namespace, and leaves nothing behind.
pub fn run(family: Family, prefixes: u32, ways: [Way; 2]) -> io::Result<Moved> {
    let mut netlink = Netlink::open()?;
    let all = |target: Target| {
        (0..prefixes).map(move |n| Message::route(family.prefix(n), family.length(), target))
    };
    let via = |way: Way| Target::Via(way.gateway, way.interface);
    let object = |id: u32, way: Way| Message::object(id, way.gateway, way.interface);
    let gone = || (0..prefixes).map(|n| Message::no_route(family.prefix(n), family.length()));

    netlink.write(all(via(ways[0])))?;
    // The messages are ready: only the kernel's work counts.
    let ready: Vec<Message> = all(via(ways[1])).collect();
    let rewritten = timed(|| netlink.write(ready))?;
    proven(&mut netlink, family, prefixes, ways[1])?;
    netlink.write(gone())?;

    netlink.write([object(OBJECT[0], ways[0])])?;
    netlink.write(all(Target::Object(OBJECT[0])))?;
    let replaced = timed(|| netlink.write([object(OBJECT[0], ways[1])]))?;
    proven(&mut netlink, family, prefixes, ways[1])?;
    netlink.write(gone())?;

    netlink.write([
        object(OBJECT[0], ways[0]),
        object(OBJECT[1], ways[1]),
        Message::group(GROUP, &OBJECT),
    ])?;
    netlink.write(all(Target::Object(GROUP)))?;
    let dropped = timed(|| netlink.write([Message::group(GROUP, &OBJECT[1..])]))?;
    proven(&mut netlink, family, prefixes, ways[1])?;
    netlink.write(gone())?;
    netlink.write([GROUP, OBJECT[0], OBJECT[1]].map(Message::no_object))?;
    Ok(Moved {
        rewritten,
        replaced,
        dropped,
    })
}

fn timed(work: impl FnOnce() -> io::Result<()>) -> io::Result<Duration> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed())
}

/// Some of the prefixes, spread over all of them, lead this way now.
fn proven(netlink: &mut Netlink, family: Family, prefixes: u32, way: Way) -> io::Result<()> {
    for to in samples(family, prefixes) {
        let leads = netlink.leads(to)?;
        if leads != Some(way.interface) {
            return Err(io::Error::other(format!(
                "{to} leads to {leads:?} and not to {}",
                way.interface
            )));
        }
    }
    Ok(())
}

/// Addresses in sixteen of the prefixes, the first and the last among them.
pub fn samples(family: Family, prefixes: u32) -> Vec<IpAddr> {
    let last = u64::from(prefixes.saturating_sub(1));
    (0..16u64)
        .map(|i| match family.prefix((last * i / 15) as u32) {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from(u32::from(v4) + 1)),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) + 1)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn prefixes_differ_and_samples_reach_both_ends() {
        for family in [Family::V4, Family::V6] {
            let all: BTreeSet<IpAddr> = (0..100_000).map(|n| family.prefix(n)).collect();
            assert_eq!(all.len(), 100_000);
            let samples = samples(family, 100_000);
            assert_eq!(samples.iter().collect::<BTreeSet<_>>().len(), 16);
            assert!(samples[0] > family.prefix(0) && samples[0] < family.prefix(1));
            assert!(samples[15] > family.prefix(99_999));
        }
    }
}
