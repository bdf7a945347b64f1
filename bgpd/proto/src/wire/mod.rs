//! The wire codec of BGP-4: bytes to messages and back, without IO, clocks or state.
//!
//! ```text
//! bytes ─ decode(bytes, &DecodeContext) ─► Message ─┬─ Open, Keepalive, Notification, RouteRefresh
//!                                                   └─ Update ── into_routes() ──► RoutesIn ──► Adj-RIB-In
//! PathAttributes + NLRI ── encode_announcements / encode_withdrawals / encode_end_of_rib ──► bytes
//! ```
//!
//! There are three kinds of fault, and the types keep them apart. What breaks the session is an
//! `Err(Notification)`: the very message to send before closing (RFC 4271 §6). What breaks one attribute is a
//! [`Fault`] in the [`Update`], with the action that RFC 7606 asks for; the rest of the message stays intact,
//! and since routes come only out of [`Update::into_routes`], which carries the action out, a caller cannot
//! overlook it. What makes a family's routes unreadable names that family in [`RoutesIn::disable`].
//!
//! RFCs: 4271 (messages), 4760 (multiprotocol), 5492 and 9072 (capabilities), 6793 (4-octet AS), 7606 (error
//! handling), 8654 (extended messages), 2918 and 7313 (route refresh), 1997, 4360, 8092 (communities), 4456
//! (reflection attributes), 7911 (path identifiers), 8950 (IPv4 over IPv6 next hops), 4724 (End-of-RIB), 9003
//! (shutdown communication), 8538 (hard reset), 9234 (roles), 9494 (long-lived graceful restart). Every decoder is total: it never panics, and allocates in proportion to its input.

mod as_path;
mod attributes;
pub(crate) mod canonical;
mod capability;
mod codes;
mod community;
mod context;
mod decode;
mod encode;
mod fault;
mod frame;
mod message;
mod mp_reach;
mod nlri;
mod notification;
mod open;
mod path_attributes;
mod plain;
mod reader;
mod relay;
mod role;
mod said;
mod update;

#[cfg(test)]
pub(crate) mod tests;

pub use as_path::{AsPath, Segment, SegmentKind};
pub use capability::{AddPathMode, Capability, GracefulFamily, LongLivedFamily};
pub use community::{Community, ExtendedCommunity, LargeCommunity};
pub use context::{DecodeContext, EncodeContext, MAX_EXTENDED_MESSAGE, MAX_MESSAGE};
pub use decode::{decode, decode_next};
pub(crate) use encode::Form;
pub use encode::{AttributesTooLarge, encode_announcements, encode_end_of_rib, encode_withdrawals};
pub use fault::{Action, Fault};
pub use frame::HEADER_LEN;
pub use message::{Message, RefreshKind, RouteRefresh, encode_keepalive, encode_route_refresh};
pub use mp_reach::NextHop;
pub use nlri::Nlri;
pub use notification::Notification;
pub use open::Open;
pub use path_attributes::{Aggregator, Origin, Partial, PathAttributes, RawAttribute};
pub(crate) use relay::Relay;
pub use role::Role;
pub(crate) use said::Said;
pub(crate) use update::Routes;
pub use update::{Announcement, LatestList, RoutesIn, Update, Withdrawal};
