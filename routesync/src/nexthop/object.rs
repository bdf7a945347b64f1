//! A nexthop object in the kernel's own terms, and writes of it.

use std::net::IpAddr;

use crate::{
    model::{Protocol, Resilient},
    route::NexthopId,
};

/// One hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Single {
    /// An IPv6 object: IPv4 routes may use it too (RFC 8950), while IPv6 routes may use no other.
    pub v6: bool,
    pub gateway: Option<IpAddr>,
    pub index: u32,
    pub onlink: bool,
}

/// A member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Member {
    pub id: NexthopId,
    /// 1..=256.
    pub weight: u16,
}

/// The numbers of a resilient group as the kernel keeps them: times in hundredths of a second (`clock_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Buckets {
    pub number: u16,
    pub idle: u32,
    pub unbalanced: u32,
}

impl From<Resilient> for Buckets {
    fn from(wanted: Resilient) -> Self {
        let hundredths =
            |time: std::time::Duration| u32::try_from(time.as_millis() / 10).unwrap_or(u32::MAX / 100);
        Buckets {
            number: wanted.buckets.max(1),
            idle: hundredths(wanted.idle),
            unbalanced: hundredths(wanted.unbalanced),
        }
    }
}

/// A group: its members sorted by id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Group {
    pub members: Vec<Member>,
    pub resilient: Option<Buckets>,
}

/// What an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Object {
    Single(Single),
    Group(Group),
    /// A blackhole, an FDB entry, an encapsulation: nothing that is made here.
    Other,
}

/// An object as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KernelNexthop {
    pub id: NexthopId,
    pub protocol: Protocol,
    pub object: Object,
}

impl KernelNexthop {
    /// Whether it is ours to write and remove.
    pub fn is_of(&self, protocol: Protocol) -> bool {
        self.protocol == protocol && self.id.in_our_range()
    }
}

/// A notification about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NexthopEvent {
    pub id: NexthopId,
    /// What it is now; `None`: it is gone.
    pub now: Option<KernelNexthop>,
    /// Caused by a write of ours.
    pub own: bool,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NexthopOp {
    pub id: NexthopId,
    pub protocol: Protocol,
    pub kind: NexthopOpKind,
}

/// The kinds of write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NexthopOpKind {
    /// `RTM_NEWNEXTHOP` with `NLM_F_CREATE|NLM_F_EXCL`.
    Create(Object),
    /// `RTM_NEWNEXTHOP` with `NLM_F_REPLACE` alone.
    Replace(Object),
    /// `RTM_DELNEXTHOP`: the kernel takes along what refers to the object, so nothing may.
    Delete,
}
