//! The control messages whose contents are the session's choice: which NOTIFICATION answers what (RFC 4271 §6, RFC 4486,
//! RFC 6608, RFC 9003, RFC 9687), and the small messages as bytes.

use super::state::State;
use crate::types::Family;
use crate::wire::Notification;

/// Longest text of a shutdown communication, in octets of UTF-8 (RFC 9003 §2).
const MAX_COMMUNICATION: usize = 255;

const OPEN_ERROR: u8 = 2;
const HOLD_TIMER_EXPIRED: u8 = 4;
const FSM_ERROR: u8 = 5;
const CEASE: u8 = 6;
const SEND_HOLD_TIMER_EXPIRED: u8 = 8;

fn notification(code: u8, subcode: u8, data: Vec<u8>) -> Notification {
    Notification { code, subcode, data }
}

/// Hold Timer Expired.
pub fn hold_expired() -> Notification {
    notification(HOLD_TIMER_EXPIRED, 0, Vec::new())
}

/// Send Hold Timer Expired (RFC 9687).
pub fn send_hold_expired() -> Notification {
    notification(SEND_HOLD_TIMER_EXPIRED, 0, Vec::new())
}

/// A message that `state` does not expect (RFC 6608): subcode by state, the type of the message as data.
pub fn unexpected_message(state: State, message_type: u8) -> Notification {
    let subcode = match state {
        State::OpenSent => 1,
        State::OpenConfirm => 2,
        State::Established => 3,
        State::Idle | State::Connect | State::Active => 0,
    };
    let data = if message_type == 0 {
        Vec::new()
    } else {
        vec![message_type]
    };
    notification(FSM_ERROR, subcode, data)
}

/// Cease, Administrative Shutdown, with a text for the peer's operator.
pub fn admin_shutdown(communication: Option<&str>) -> Notification {
    let text = communication.unwrap_or_default();
    let end = (0..=text.len().min(MAX_COMMUNICATION))
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    let text = &text.as_bytes()[..end];
    let mut data = Vec::with_capacity(1 + text.len());
    if !text.is_empty() {
        // At most 255, as cut above.
        data.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        data.extend_from_slice(text);
    }
    notification(CEASE, 2, data)
}

/// Cease, Maximum Number of Prefixes Reached, with family and limit (RFC 4486 §4).
pub fn too_many_prefixes(family: Family, limit: u32) -> Notification {
    let mut data = family.afi().to_be_bytes().to_vec();
    data.push(family.safi());
    data.extend(limit.to_be_bytes());
    notification(CEASE, 1, data)
}

/// Cease, Administrative Reset.
pub fn admin_reset() -> Notification {
    notification(CEASE, 4, Vec::new())
}

/// Cease, Peer De-configured.
pub fn peer_deconfigured() -> Notification {
    notification(CEASE, 3, Vec::new())
}

/// Cease, Connection Rejected.
pub fn connection_rejected() -> Notification {
    notification(CEASE, 5, Vec::new())
}

/// Cease, Other Configuration Change.
pub fn configuration_change() -> Notification {
    notification(CEASE, 6, Vec::new())
}

/// Cease, Connection Collision Resolution.
pub fn collision() -> Notification {
    notification(CEASE, 7, Vec::new())
}

/// Cease, BFD Down (RFC 9384).
pub fn path_down() -> Notification {
    notification(CEASE, 10, Vec::new())
}

/// OPEN Message Error, Bad Peer AS.
pub fn bad_peer_as() -> Notification {
    notification(OPEN_ERROR, 2, Vec::new())
}

/// OPEN Message Error, Bad BGP Identifier.
pub fn bad_identifier() -> Notification {
    notification(OPEN_ERROR, 3, Vec::new())
}

/// OPEN Message Error, Unacceptable Hold Time.
pub fn unacceptable_hold_time() -> Notification {
    notification(OPEN_ERROR, 6, Vec::new())
}

/// OPEN Message Error, Unsupported Capability (RFC 5492 §5), with the multiprotocol capabilities of which we miss one.
pub fn unsupported_capability(families: &[Family]) -> Notification {
    let capability = |family: &Family| {
        let [high, low] = family.afi().to_be_bytes();
        [1, 4, high, low, 0, family.safi()]
    };
    let data = families.iter().flat_map(capability).collect();
    notification(OPEN_ERROR, 7, data)
}

/// OPEN Message Error, Role Mismatch (RFC 9234 §4.2).
pub fn role_mismatch() -> Notification {
    notification(OPEN_ERROR, 11, Vec::new())
}

/// Whether the peer refuses our OPEN because it has optional parameters (RFC 5492 §3): the next goes without.
pub fn rejects_options(notification: &Notification) -> bool {
    (notification.code, notification.subcode) == (OPEN_ERROR, 4)
}

/// Code and subcode in short, for tests.
#[cfg(test)]
pub fn codes(notification: &Notification) -> String {
    format!("N{}/{}", notification.code, notification.subcode)
}
