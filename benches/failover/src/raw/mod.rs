//! A bare netlink program: what moving many prefixes costs where nothing but the kernel is in the way. Others are compared with it.
//!
//! `message` has the few message types that it needs, on netlink-packet-core alone; `socket` sends them in batches and asks the
//! kernel where a destination leads; `moves` is the program.

pub mod message;
pub mod moves;
pub mod socket;
