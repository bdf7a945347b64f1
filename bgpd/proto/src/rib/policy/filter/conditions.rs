//! What a rule asks of a route.

use crate::types::{Asn, PeerKind};
use crate::wire::{AsPath, Community, LargeCommunity, PathAttributes, SegmentKind};
use ipnet::IpNet;
use std::fmt;
use std::sync::Arc;

/// What is known of a route when rules are asked.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its destination.
    pub prefix: &'a IpNet,
    /// What it says, before this rule.
    pub attributes: &'a PathAttributes,
    /// A peer taught it; it is not originated here.
    pub learned: bool,
    /// The session that it comes from (import) or would go to (export).
    pub peer_kind: PeerKind,
    /// The interface that packets to it leave by, where it is known.
    pub interface: Option<&'a str>,
    /// The metric that an earlier rule gave it in the kernel.
    pub priority: Option<u32>,
}

/// Conditions of a rule; what is absent asks nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Conditions {
    /// How its prefix compares.
    pub prefix: Option<PrefixMatch>,
    /// It is learned from a peer.
    pub learned: bool,
    /// The interface that it leaves by.
    pub interface: Option<Pattern>,
    /// The kind of the session.
    pub peer_kind: Option<PeerKind>,
    /// Communities that it carries, all of them.
    pub communities: Vec<AnyCommunity>,
    /// How its AS_PATH begins.
    pub as_path_prefix: Vec<Asn>,
    /// Its priority.
    pub priority: Option<u32>,
}

/// The condition that does not hold, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch(String);

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Conditions {
    /// Whether all of them hold.
    pub fn hold(&self, facts: &Facts<'_>) -> bool {
        self.prefix.is_none_or(|prefix| prefix.matches(facts.prefix))
            && (!self.learned || facts.learned)
            && self.peer_kind.is_none_or(|kind| kind == facts.peer_kind)
            && (self.interface.as_ref())
                .is_none_or(|pattern| facts.interface.is_some_and(|i| pattern.matches(i)))
            && self
                .priority
                .is_none_or(|priority| facts.priority == Some(priority))
            && self.communities.iter().all(|c| c.is_in(facts.attributes))
            && begins_with(&facts.attributes.as_path, &self.as_path_prefix)
    }

    /// The first that does not hold; `None` where all do.
    pub fn mismatch(&self, facts: &Facts<'_>) -> Option<Mismatch> {
        let path = || facts.attributes.as_path.to_string();
        let words = if let Some(prefix) = self.prefix.filter(|prefix| !prefix.matches(facts.prefix)) {
            format!("{} is not {prefix}", facts.prefix)
        } else if self.learned && !facts.learned {
            "it is not learned from a peer".to_owned()
        } else if let Some(kind) = self.peer_kind.filter(|kind| *kind != facts.peer_kind) {
            format!("the peer is not {}", kind_name(kind))
        } else if let Some(pattern) = &self.interface
            && !facts.interface.is_some_and(|name| pattern.matches(name))
        {
            match facts.interface {
                Some(name) => format!("it leaves by {name}, not by {pattern}"),
                None => format!("it leaves by no interface, so not by {pattern}"),
            }
        } else if let Some(priority) = self.priority.filter(|priority| facts.priority != Some(*priority)) {
            match facts.priority {
                Some(other) => format!("its priority is {other}, not {priority}"),
                None => format!("it has no priority, so not {priority}"),
            }
        } else if let Some(community) = self.communities.iter().find(|c| !c.is_in(facts.attributes)) {
            format!("it does not carry the community {community}")
        } else if !begins_with(&facts.attributes.as_path, &self.as_path_prefix) {
            let wanted = AsPath::sequence(self.as_path_prefix.iter().copied());
            format!("its AS path [{}] does not begin with {wanted}", path())
        } else {
            return None;
        };
        Some(Mismatch(words))
    }
}

fn kind_name(kind: PeerKind) -> &'static str {
    match kind {
        PeerKind::Internal => "iBGP",
        PeerKind::External => "eBGP",
    }
}

/// Whether the path begins with these numbers. They are compared one by one, over the borders of sequences; a set is
/// none of them.
fn begins_with(path: &AsPath, prefix: &[Asn]) -> bool {
    let sequence = path
        .segments
        .iter()
        .take_while(|segment| segment.kind == SegmentKind::Sequence)
        .flat_map(|segment| segment.asns.iter());
    let mut left = sequence.take(prefix.len());
    prefix.iter().all(|asn| left.next() == Some(asn))
}

/// How a prefix compares with a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PrefixMatch {
    range: IpNet,
    operator: Operator,
    /// Bounds of the prefix length, where they were given.
    lengths: Option<(u8, u8)>,
}

/// How a prefix compares with a range; the negative ones negate the whole of it, bounds of lengths included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// It is the range.
    Equal,
    /// It is not.
    NotEqual,
    /// It lies inside the range, or is it.
    In,
    /// It does not.
    NotIn,
}

impl PrefixMatch {
    /// With bounds of the prefix length: `min` is that of the range at least, `max` by default that of an address.
    pub fn new(range: IpNet, operator: Operator, min: Option<u8>, max: Option<u8>) -> Self {
        let bounded = min.is_some() || max.is_some();
        let least = min.map_or(range.prefix_len(), |min| min.max(range.prefix_len()));
        let most = max.unwrap_or(range.max_prefix_len());
        Self {
            range: range.trunc(),
            operator,
            lengths: bounded.then_some((least, most)),
        }
    }

    /// Whether the prefix is as wanted.
    pub fn matches(&self, prefix: &IpNet) -> bool {
        let right_length =
            (self.lengths).is_none_or(|(least, most)| (least..=most).contains(&prefix.prefix_len()));
        match self.operator {
            Operator::Equal => self.range == *prefix && right_length,
            Operator::NotEqual => !(self.range == *prefix && right_length),
            Operator::In => self.range.contains(prefix) && right_length,
            Operator::NotIn => !(self.range.contains(prefix) && right_length),
        }
    }
}

impl fmt::Display for PrefixMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self.operator {
            Operator::Equal => "equal to",
            Operator::NotEqual => "unequal to",
            Operator::In => "in",
            Operator::NotIn => "outside",
        };
        write!(f, "{words} {}", self.range)?;
        match self.lengths {
            Some((least, most)) => write!(f, " of /{least} to /{most}"),
            None => Ok(()),
        }
    }
}

/// The name of an interface, `*` for any text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern(Arc<str>);

impl Pattern {
    /// A pattern as written.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether the name is one of those. Linear in both but for the stars: names have 15 bytes.
    pub fn matches(&self, name: &str) -> bool {
        let mut pieces = self.0.split('*');
        let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else {
            return false;
        };
        let mut open = false;
        let mut pieces = pieces.peekable();
        while let Some(piece) = pieces.next() {
            open = true;
            if pieces.peek().is_none() {
                return rest.ends_with(piece);
            }
            // The first place is as good as any later one.
            let Some(at) = rest.find(piece) else { return false };
            rest = &rest[at + piece.len()..];
        }
        open || rest.is_empty()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A community of either form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnyCommunity {
    /// Of RFC 1997.
    Standard(Community),
    /// Of RFC 8092.
    Large(LargeCommunity),
}

impl AnyCommunity {
    /// Whether a route carries it.
    pub fn is_in(&self, attributes: &PathAttributes) -> bool {
        match self {
            AnyCommunity::Standard(community) => attributes.has(*community),
            AnyCommunity::Large(community) => attributes.large_communities.contains(community),
        }
    }
}

impl fmt::Display for AnyCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnyCommunity::Standard(community) => community.fmt(f),
            AnyCommunity::Large(community) => community.fmt(f),
        }
    }
}
