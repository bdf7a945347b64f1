//! Connection tracking: entries that keep flows on a path that is no more.
//!
//! ```text
//! what is stale ──► questions (pure) ──► the kernel's entries ──► is it? (pure) ──► deleted one by one
//! ```
//!
//! An entry remembers how a flow is translated, for as long as packets come: a UDP client that goes on asking never gets rid of it.
//! So entries are deleted
//!
//! - of a pod's address ([`flush`]), when it goes to another pod or moves to another node: flows to a service stay with the pod
//!   that was chosen first, flow tables of other programs with the path;
//! - translated to a fixed address of the node ([`flush_translated`]), when the node has another one from now on. Masqueraded flows
//!   the kernel itself ends, when they leave by another interface or the interface goes down or loses the address;
//! - that ought to be translated and are not ([`Stale::untranslated`]): they began before the rule was there, nobody outside can answer
//!   them, and whoever goes on asking from the same port keeps them so.
//!
//! Other flows that are not translated need none of this: each packet is routed anew, and a deleted entry is only made again. Entries
//! in a zone (`ct zone`) are another program's and stay.

mod entry;
mod question;
mod stale;

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::NLM_F_ACK;

use crate::nfnetlink::Nfnetlink;
use entry::Entry;
use question::{Question, everything};

pub use stale::Stale;

/// Entries could not be read or deleted; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel lacks ctnetlink.
    #[error(
        "connection tracking cannot be read: this kernel has no ctnetlink (CONFIG_NF_CT_NETLINK; {0}): load nf_conntrack_netlink; until \
         then flows stay with addresses that moved until they end"
    )]
    Unsupported(#[source] io::Error),
    /// Not permitted.
    #[error("connection tracking: {step} is not permitted ({source}): the agent needs CAP_NET_ADMIN")]
    Denied {
        /// What was tried.
        step: &'static str,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// Anything else.
    #[error("connection tracking: {step}: {source}")]
    Failed {
        /// What was tried.
        step: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

const OPEN: &str = "opening a netlink socket";
const READ: &str = "reading the entries";
const DELETE: &str = "deleting an entry";

impl Error {
    fn at(step: &'static str, source: io::Error) -> Error {
        match source.kind() {
            // Where no subsystem of that number is registered.
            io::ErrorKind::InvalidInput if step == READ => Error::Unsupported(source),
            io::ErrorKind::PermissionDenied => Error::Denied { step, source },
            _ => Error::Failed { step, source },
        }
    }
}

/// Deletes the entries of flows from or to these addresses, also those that reach them by translation; how many there were. In
/// the network namespace of the calling thread.
///
/// # Errors
/// [`enum@Error`]. Some may have been deleted then.
pub fn flush(addresses: &BTreeSet<IpAddr>) -> Result<usize, Error> {
    flush_stale(&Stale {
        gone: addresses.iter().copied().map(IpNet::from).collect(),
        ..Stale::default()
    })
}

/// Deletes the entries of flows whose source was translated to one of these addresses; how many there were. The node's own flows
/// from there stay.
///
/// # Errors
/// As [`flush`].
pub fn flush_translated(addresses: &BTreeSet<IpAddr>) -> Result<usize, Error> {
    flush_stale(&Stale {
        sources: addresses.clone(),
        ..Stale::default()
    })
}

/// Deletes all entries that are stale, in one walk over them however much is; how many there were.
///
/// # Errors
/// As [`flush`].
pub fn flush_stale(stale: &Stale) -> Result<usize, Error> {
    if stale.is_empty() {
        return Ok(0);
    }
    let matcher = stale.matcher();
    let mut socket = Nfnetlink::open().map_err(|error| Error::at(OPEN, error))?;
    let is = |entry: &Entry| matcher.is(entry);
    let entries = match read(&mut socket, stale.questions(), is) {
        // A kernel that does not like the narrow question is asked the wide one.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            read(&mut socket, vec![everything()], is)
        }
        entries => entries,
    };
    let mut count = 0;
    for entry in entries.map_err(|error| Error::at(READ, error))? {
        let packet = socket.packet(entry.family(), 0, entry.delete().into(), NLM_F_ACK);
        match socket.ask(packet) {
            Ok(_) => count += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::at(DELETE, error)),
        }
    }
    Ok(count)
}

/// Each entry once that answers a question and is meant. What has gaps because entries came and went is good enough: who came
/// meanwhile came after the move.
fn read(
    socket: &mut Nfnetlink,
    questions: Vec<Question>,
    is: impl Fn(&Entry) -> bool,
) -> io::Result<BTreeSet<Entry>> {
    let mut entries = BTreeSet::new();
    for (family, question) in questions {
        let take = |bytes: &[u8]| entries.extend(Entry::read(bytes).filter(&is));
        socket.dump(family, question.into(), take)?;
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;
