//! The state machine of RFC 5880 §6.2 as its table: what a received state makes of ours. The only other transition is
//! that Init and Up fall to Down when the detection time expires.

use crate::packet::{Diag, State};

type Next = Option<(State, Diag)>;

const fn to(state: State) -> Next {
    Some((state, Diag::NONE))
}

const LOST: Next = Some((State::Down, Diag::NEIGHBOR_DOWN));

/// Rows: ours; columns: received; both in the order AdminDown, Down, Init, Up.
const TABLE: [[Next; 4]; 4] = [
    [None, None, None, None],
    [None, to(State::Init), to(State::Up), None],
    [LOST, None, to(State::Up), to(State::Up)],
    [LOST, LOST, None, None],
];

/// The state that follows, with its diagnostic; `None`: nothing changes.
pub fn next(local: State, received: State) -> Option<(State, Diag)> {
    TABLE[local as usize][received as usize]
}
