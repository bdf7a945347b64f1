//! Passwords of sessions: what the resources refer to, and what was read there.

use std::collections::{BTreeMap, BTreeSet};

use bgpd_proto::types::Secret;
use config::intent::{Intent, PasswordRef};

/// What was read, or why it could not be. A reference that is absent has not been looked at yet.
pub type Passwords = BTreeMap<PasswordRef, Result<Secret, String>>;

/// Everything that the peerings of a cluster refer to; a few that this node does not need among them.
pub(super) fn wanted(intent: &Intent) -> BTreeSet<PasswordRef> {
    let mesh = intent.bgp.session.password.iter();
    let peers = intent
        .peers
        .iter()
        .filter_map(|peer| peer.session.password.as_ref());
    mesh.chain(peers).cloned().collect()
}

/// The password, or why the session has to wait for it.
pub(super) fn find(passwords: &Passwords, reference: &PasswordRef) -> Result<Secret, String> {
    let why = match passwords.get(reference) {
        Some(Ok(secret)) => return Ok(secret.clone()),
        Some(Err(why)) => why.as_str(),
        None => "it has not been read yet",
    };
    Err(format!("waits for its password, {reference}: {why}"))
}
