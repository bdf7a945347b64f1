//! Whether the two ASes are to each other what both believe (RFC 9234 §4.2).

use crate::session::messages;
use crate::session::settings::Settings;
use crate::types::PeerKind;
use crate::wire::{Capability, Notification, Role};

/// Our role on the session; refused is a peer whose role does not go with it, one that names several, and, where we are
/// strict, one that names none. Without a role of our own, and inside an AS, nothing is compared.
pub fn agree(settings: &Settings, remote: &[Capability]) -> Result<Option<Role>, Notification> {
    let Some(ours) = settings
        .offer
        .role
        .filter(|_| settings.kind() == PeerKind::External)
    else {
        return Ok(None);
    };
    let wanted = Capability::Role(ours.counterpart());
    let mut named = remote.iter().filter(|capability| capability.is_role()).peekable();
    if named.peek().is_none() && settings.offer.strict_role {
        return Err(messages::role_mismatch());
    }
    match named.all(|capability| *capability == wanted) {
        true => Ok(Some(ours)),
        false => Err(messages::role_mismatch()),
    }
}
