//! Nexthop objects (`RTM_NEWNEXTHOP`): the kernel's named next hops, to which routes refer by number.
//!
//! Each used set of hops is a group object, each distinct hop in it a single object; routes of the set carry the group's number.
//! So a set moves with one replacement of its group, however many routes hang on it. It is always a group, of one hop too:
//! the kernel does not replace a group by a single object or the other way round.
//!
//! ```text
//!  DesiredNexthops × used sets × links ──► plan ──► objects ──► sync: against the mirror ──► writes
//!                                          (ids, adoption)      ▲ notifications, dumps, silent flushes
//! ```
//!
//! The kernel flushes the objects over a link that falls, and the routes on them, and says nothing but that the link fell; the
//! mirror does the same, so that they are put back at once when the link is up again. Meanwhile the group lives on with its
//! other members.
//!
//! Ours are the objects with our protocol number and an id of our range; no other is written or removed.

pub(crate) mod mirror;
pub(crate) mod object;
pub(crate) mod plan;
pub(crate) mod sync;
