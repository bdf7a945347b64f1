//! One [`Speaker`](bgpd_proto::speaker::Speaker) with three peers (iBGP; eBGP that carries transit; eBGP that only we wait for),
//! all of whose words, connections, timers and settings the input chooses.
//!
//! Asked after each step: whatever is sent reads as a message, in its place; a connection is closed once and silent from
//! then on; a peer has at most two; what is said of a session is what was reported of it; routes are only kept of peers that
//! are up or awaited; timers that have acted do not fire again; and the work is in proportion to the tables and
//! to the octets. Now and then, and in the end: the RIB is what a computation from nothing makes of its inputs, and each
//! peer was told that. When all peers are gone, nothing is left.

mod harness;
mod steps;
mod words;

use crate::input::Input;
use harness::Harness;

/// Steps taken in one input.
const MOST: usize = 250;

/// Each step is an octet that chooses it, and what it needs.
pub fn session(data: &[u8]) {
    let mut input = Input::new(data);
    let mut harness = Harness::new();
    for step in 0..MOST {
        if input.is_empty() {
            break;
        }
        steps::step(&mut harness, &mut input);
        harness.check();
        if step % 8 == 7 {
            harness.check_routes();
        }
    }
    harness.settle();
    harness.end();
}
