//! AS_PATH (RFC 4271 §4.3, §5.1.2) in four-octet form, and its merger with AS4_PATH (RFC 6793 §4.2.3).

use std::fmt;

use super::reader::Reader;
use crate::types::Asn;

/// The most AS numbers that one segment can hold.
const MAX_SEGMENT: usize = 255;

/// Kind of a path segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SegmentKind {
    /// AS_SET: unordered, counts as one.
    Set,
    /// AS_SEQUENCE.
    Sequence,
}

impl SegmentKind {
    fn code(self) -> u8 {
        match self {
            SegmentKind::Set => 1,
            SegmentKind::Sequence => 2,
        }
    }
}

/// One segment; never empty when it was received.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// Set or sequence.
    pub kind: SegmentKind,
    /// The AS numbers, the latest first.
    pub asns: Vec<Asn>,
}

/// The ASes that a route has passed, the latest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AsPath {
    /// The segments.
    pub segments: Vec<Segment>,
}

impl AsPath {
    /// A path of one sequence; empty for no AS.
    pub fn sequence(asns: impl IntoIterator<Item = Asn>) -> Self {
        let asns: Vec<Asn> = asns.into_iter().collect();
        match asns.is_empty() {
            true => AsPath::default(),
            false => AsPath {
                segments: vec![Segment {
                    kind: SegmentKind::Sequence,
                    asns,
                }],
            },
        }
    }

    /// Length for the decision: a set counts as one (RFC 4271 §9.1.2.2 a).
    pub fn hops(&self) -> usize {
        let count = |s: &Segment| match s.kind {
            SegmentKind::Set => 1,
            SegmentKind::Sequence => s.asns.len(),
        };
        self.segments.iter().map(count).sum()
    }

    /// Whether the AS is anywhere in the path.
    pub fn contains(&self, asn: Asn) -> bool {
        self.asns().any(|a| a == asn)
    }

    /// Every AS number, the latest first.
    pub fn asns(&self) -> impl Iterator<Item = Asn> {
        self.segments.iter().flat_map(|s| s.asns.iter().copied())
    }

    /// The neighbouring AS: the first of a leading sequence.
    pub fn first(&self) -> Option<Asn> {
        let first = self
            .segments
            .first()
            .filter(|s| s.kind == SegmentKind::Sequence)?;
        first.asns.first().copied()
    }

    /// The path with one more AS in front (RFC 4271 §5.1.2 b).
    pub fn prepended(&self, asn: Asn) -> AsPath {
        let mut segments = Vec::with_capacity(self.segments.len() + 1);
        let (grown, rest) = match self.segments.split_first() {
            Some((s, rest)) if s.kind == SegmentKind::Sequence && s.asns.len() < MAX_SEGMENT => {
                (&s.asns[..], rest)
            }
            _ => (&[][..], &self.segments[..]),
        };
        segments.push(Segment {
            kind: SegmentKind::Sequence,
            asns: std::iter::once(asn).chain(grown.iter().copied()).collect(),
        });
        segments.extend_from_slice(rest);
        AsPath { segments }
    }

    /// Reads the value of AS_PATH or AS4_PATH; `None` where it is malformed (RFC 7606 §7.2): an unknown kind of
    /// segment, an empty segment, or one that runs over the end.
    pub(super) fn decode(value: &[u8], four_octet: bool) -> Option<AsPath> {
        let mut reader = Reader::new(value);
        let mut segments = Vec::new();
        while !reader.is_empty() {
            let kind = match reader.u8()? {
                1 => SegmentKind::Set,
                2 => SegmentKind::Sequence,
                _ => return None,
            };
            let count = usize::from(reader.u8()?);
            let width = if four_octet { 4 } else { 2 };
            let octets = reader.take(count * width).filter(|_| count > 0)?;
            let asn = |o: &[u8]| Asn(o.iter().fold(0, |n, byte| n << 8 | u32::from(*byte)));
            segments.push(Segment {
                kind,
                asns: octets.chunks_exact(width).map(asn).collect(),
            });
        }
        Some(AsPath { segments })
    }

    /// Writes the value; segments of more than 255 numbers are split.
    pub(super) fn encode(&self, four_octet: bool, out: &mut Vec<u8>) {
        for segment in &self.segments {
            for chunk in segment.asns.chunks(MAX_SEGMENT) {
                // A chunk has at most 255 members.
                out.extend([segment.kind.code(), chunk.len() as u8]);
                for asn in chunk {
                    match four_octet {
                        true => out.extend(asn.0.to_be_bytes()),
                        false => out.extend(asn.two_octet().to_be_bytes()),
                    }
                }
            }
        }
    }

    /// How many octets [`AsPath::encode`] writes.
    pub(super) fn encoded_len(&self, four_octet: bool) -> usize {
        let width = if four_octet { 4 } else { 2 };
        let of =
            |segment: &Segment| segment.asns.len().div_ceil(MAX_SEGMENT) * 2 + segment.asns.len() * width;
        self.segments.iter().map(of).sum()
    }

    /// Whether a two-octet speaker would see AS_TRANS somewhere.
    pub(super) fn needs_as4(&self) -> bool {
        self.asns().any(|asn| asn.0 > u32::from(u16::MAX))
    }

    /// The true path behind a two-octet AS_PATH and an AS4_PATH (RFC 6793 §4.2.3): where AS4_PATH is longer it
    /// is ignored, else it takes the place of the end of the AS_PATH.
    pub(super) fn merged_with_as4(self, as4: AsPath) -> AsPath {
        let Some(mut keep) = self.hops().checked_sub(as4.hops()) else {
            return self;
        };
        let mut segments = Vec::new();
        for segment in self.segments {
            if keep == 0 {
                break;
            }
            match segment.kind {
                SegmentKind::Set => {
                    keep -= 1;
                    segments.push(segment);
                }
                SegmentKind::Sequence => {
                    let n = keep.min(segment.asns.len());
                    keep -= n;
                    segments.push(Segment {
                        kind: segment.kind,
                        asns: segment.asns[..n].to_vec(),
                    });
                }
            }
        }
        let mut rest = as4.segments.into_iter();
        if let Some(first) = rest.next() {
            match segments.last_mut() {
                Some(last) if last.kind == SegmentKind::Sequence && first.kind == SegmentKind::Sequence => {
                    last.asns.extend(first.asns);
                }
                _ => segments.push(first),
            }
        }
        segments.extend(rest);
        AsPath { segments }
    }
}

impl fmt::Display for AsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.segments.iter().enumerate() {
            let numbers: Vec<String> = segment.asns.iter().map(Asn::to_string).collect();
            let space = if i == 0 { "" } else { " " };
            match segment.kind {
                SegmentKind::Sequence => write!(f, "{space}{}", numbers.join(" "))?,
                SegmentKind::Set => write!(f, "{space}{{{}}}", numbers.join(","))?,
            }
        }
        Ok(())
    }
}
