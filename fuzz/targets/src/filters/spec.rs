//! Rules and routes as an input chooses them, the rules also as the text of a resource. Values come from few, so that rules
//! match now and then.

use crate::input::Input;
use bgpd_proto::types::PeerKind;
use std::fmt::Write;

/// How a prefix compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    Equal,
    NotEqual,
    In,
    NotIn,
}

/// A prefix: its bits from the left, its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Net {
    pub bits: u128,
    pub length: u8,
}

/// A community of either form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    Standard(u16, u16),
    Large(u32, u32, u32),
}

/// What a rule does to a route.
#[derive(Clone, Debug)]
pub enum Operation {
    Community(Carried),
    Prepend(Vec<u32>),
    Priority(u32),
}

/// One rule, as its author means it.
#[derive(Clone, Debug)]
pub struct Rule {
    pub range: Option<(Net, Compare)>,
    pub lengths: (Option<u8>, Option<u8>),
    pub remote: bool,
    pub interface: Option<String>,
    pub kind: Option<PeerKind>,
    pub community: Option<Carried>,
    pub path: Vec<u32>,
    pub priority: Option<u32>,
    pub accept: bool,
    pub operations: Vec<Operation>,
}

/// One step of an AS path: a number, or a set of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hop {
    One(u32),
    Set(Vec<u32>),
}

/// A route.
#[derive(Clone, Debug)]
pub struct Route {
    pub net: Net,
    pub path: Vec<Hop>,
    pub standard: Vec<(u16, u16)>,
    pub large: Vec<(u32, u32, u32)>,
    pub learned: bool,
    pub kind: PeerKind,
    pub interface: Option<String>,
    pub priority: Option<u32>,
}

const ASNS: [u32; 5] = [65001, 65002, 64512, 4_200_000_000, 1];
const PRIORITIES: [u32; 4] = [1, 7, 1024, 2_147_483_646];

/// A net of the family; few bits are ever set.
pub fn net(input: &mut Input<'_>, v6: bool) -> Net {
    let (width, first) = if v6 { (128, 0x20_u8) } else { (32, 10) };
    let length = input.u8() % (width + 1);
    let shape = input.u8();
    let head = if shape & 0x80 == 0 { first } else { shape };
    let bits = u128::from(head) << 120 | u128::from(shape & 0x3F) << 113 | u128::from(input.u8()) << 100;
    Net {
        bits: cut(bits | if v6 { u128::from(shape) } else { 0 }, length),
        length,
    }
}

/// Only the first bits.
pub fn cut(bits: u128, length: u8) -> u128 {
    bits & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

fn kind(octet: u8) -> PeerKind {
    if octet & 1 == 0 {
        PeerKind::External
    } else {
        PeerKind::Internal
    }
}

fn carried(input: &mut Input<'_>) -> Carried {
    let octet = input.u8();
    let low = u16::from(octet >> 1 & 3);
    if octet & 1 == 0 {
        Carried::Standard([64512, 65001][usize::from(octet >> 3 & 1)], low)
    } else {
        Carried::Large(4_200_000_000, low.into(), u32::from(octet >> 3 & 1))
    }
}

fn name(input: &mut Input<'_>, letters: &[char]) -> String {
    let length = input.u8() % 16;
    (0..length).map(|_| *input.pick(letters)).collect()
}

fn asns(input: &mut Input<'_>, most: usize) -> Vec<u32> {
    let count = input.below(most + 1);
    (0..count).map(|_| *input.pick(&ASNS)).collect()
}

/// A rule, some of whose conditions look at `near`.
pub fn rule(input: &mut Input<'_>, v6: bool, near: Option<Net>) -> Rule {
    let (has, more) = (input.u8(), input.u8());
    let bit = |n: u8| has & (1 << n) != 0;
    let width = if v6 { 128 } else { 32 };
    let range = bit(0).then(|| {
        let compares = [Compare::Equal, Compare::NotEqual, Compare::In, Compare::NotIn];
        let compare = *input.pick(&compares);
        let net = match near.filter(|_| more & 1 != 0) {
            // Around a route: shorter by some bits, or the same.
            Some(near) => {
                let length = near.length.saturating_sub(input.u8() % 9);
                Net {
                    bits: cut(near.bits, length),
                    length,
                }
            }
            None => net(input, v6),
        };
        (net, compare)
    });
    let mut length = |wanted: bool| (wanted && range.is_some()).then(|| input.u8() % (width + 1));
    let lengths = (length(bit(1)), length(bit(2)));
    let accept = more & 2 == 0;
    let mut operation = || match input.u8() % 3 {
        0 => Operation::Community(carried(input)),
        1 => Operation::Prepend([vec![*input.pick(&ASNS)], asns(input, 9)].concat()),
        _ => Operation::Priority(*input.pick(&PRIORITIES)),
    };
    let operations = (0..if accept { more >> 5 } else { 0 })
        .map(|_| operation())
        .collect();
    Rule {
        range,
        lengths,
        remote: bit(3),
        interface: bit(4)
            .then(|| name(input, &['a', 'b', '*', '.']))
            .filter(|name| !name.is_empty()),
        kind: bit(5).then(|| kind(input.u8())),
        community: bit(6).then(|| carried(input)),
        path: if bit(7) { asns(input, 4) } else { Vec::new() },
        priority: (more & 4 != 0).then(|| *input.pick(&PRIORITIES)),
        accept,
        operations,
    }
}

/// A route; what it says is sorted and without repeats, as it is read off the wire.
pub fn route(input: &mut Input<'_>, v6: bool) -> Route {
    let net = net(input, v6);
    let has = input.u8();
    let bit = |n: u8| has & (1 << n) != 0;
    let mut path: Vec<Hop> = asns(input, 5).into_iter().map(Hop::One).collect();
    if bit(0) {
        let at = input.below(path.len() + 1);
        path.insert(at, Hop::Set(vec![1, *input.pick(&ASNS)]));
    }
    if bit(1) {
        // As long as one segment can be, and longer.
        let count = 250 + input.below(12);
        path.splice(0..0, std::iter::repeat_n(Hop::One(65001), count));
    }
    let mut route = Route {
        net,
        path,
        standard: Vec::new(),
        large: Vec::new(),
        learned: bit(2),
        kind: kind(has >> 3),
        interface: bit(4).then(|| name(input, &['a', 'b', '.'])),
        priority: bit(5).then(|| *input.pick(&PRIORITIES)),
    };
    for _ in 0..has >> 6 {
        route.carry(carried(input));
    }
    route
}

impl Route {
    /// Carries one more community, once.
    pub fn carry(&mut self, carried: Carried) {
        match carried {
            Carried::Standard(a, b) => self.standard.push((a, b)),
            Carried::Large(a, b, c) => self.large.push((a, b, c)),
        }
        self.standard.sort_unstable();
        self.standard.dedup();
        self.large.sort_unstable();
        self.large.dedup();
    }
}

impl Rule {
    /// Whether the resource is refused: no length lies between these bounds.
    pub fn is_refused(&self) -> bool {
        matches!(self.lengths, (Some(min), Some(max)) if min > max)
    }

    /// As a line of a resource.
    pub fn text(&self, v6: bool) -> String {
        let mut fields = vec![format!(
            "action: {}",
            if self.accept { "Accept" } else { "Reject" }
        )];
        if let Some((net, compare)) = self.range {
            fields.push(format!("cidr: \"{}\"", cidr(net, v6)));
            fields.push(format!("matchOperator: {compare:?}"));
        }
        let bounds = [("min", self.lengths.0), ("max", self.lengths.1)];
        let bounds = bounds
            .iter()
            .filter_map(|(name, bound)| Some(format!("{name}: {}", (*bound)?)));
        let bounds = bounds.collect::<Vec<_>>().join(", ");
        if !bounds.is_empty() {
            fields.push(format!("prefixLength: {{ {bounds} }}"));
        }
        if self.remote {
            fields.push("source: RemotePeers".into());
        }
        fields.extend(
            self.interface
                .as_ref()
                .map(|name| format!("interface: \"{name}\"")),
        );
        fields.extend(self.kind.map(|kind| match kind {
            PeerKind::External => "peerType: eBGP".into(),
            PeerKind::Internal => "peerType: iBGP".into(),
        }));
        let value = |carried: Carried| match carried {
            Carried::Standard(a, b) => format!("\"{a}:{b}\""),
            Carried::Large(a, b, c) => format!("\"{a}:{b}:{c}\""),
        };
        fields.extend(
            self.community
                .map(|c| format!("communities: {{ values: [{}] }}", value(c))),
        );
        if !self.path.is_empty() {
            fields.push(format!("asPathPrefix: {:?}", self.path));
        }
        fields.extend(self.priority.map(|priority| format!("priority: {priority}")));
        let operation = |operation: &Operation| match operation {
            Operation::Community(c) => format!("{{ addCommunity: {{ value: {} }} }}", value(*c)),
            Operation::Prepend(asns) => format!("{{ prependASPath: {{ prefix: {asns:?} }} }}"),
            Operation::Priority(value) => format!("{{ setPriority: {{ value: {value} }} }}"),
        };
        let operations: Vec<String> = self.operations.iter().map(operation).collect();
        if !operations.is_empty() {
            fields.push(format!("operations: [{}]", operations.join(", ")));
        }
        format!("  - {{ {} }}\n", fields.join(", "))
    }
}

/// A prefix as people write it.
pub fn cidr(net: Net, v6: bool) -> String {
    let mut out = String::new();
    let written = if v6 {
        write!(out, "{}/{}", std::net::Ipv6Addr::from_bits(net.bits), net.length)
    } else {
        write!(
            out,
            "{}/{}",
            std::net::Ipv4Addr::from_bits((net.bits >> 96) as u32),
            net.length
        )
    };
    assert!(written.is_ok());
    out
}
