//! The outside of the BGP thread.

use crate::{Error, bfd};
use bgpd_proto::rib::{LocRibChanges, NextHopTable, Originated};
use bgpd_proto::speaker::{Speaker, SpeakerConfig};
use bgpd_proto::types::{PeerId, ScopedAddr};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot, watch};

/// How to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Close the TCP connections and send no NOTIFICATION: peers that do graceful restart keep our routes.
    Silent,
    /// Send Cease (Administrative Shutdown, RFC 9003) with this text, if any.
    Cease(Option<String>),
}

/// What changed, in short: a number to compare, and whether the first full feed is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RibState {
    /// Goes up with each change of Loc-RIB, of a peer's state, or of the set of tracked next hops.
    pub generation: u64,
    /// See `Speaker::fully_fed`.
    pub fully_fed: bool,
}

/// What BGP knows, as far as it has changed: for one reader that keeps a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The Loc-RIB, where it was asked for; else nothing of it.
    pub loc_rib: LocRibChanges,
    /// How many prefixes the Loc-RIB has.
    pub prefixes: usize,
    /// Every NEXT_HOP in any Adj-RIB-In.
    pub tracked: BTreeSet<ScopedAddr>,
    /// See `Speaker::fully_fed`.
    pub fully_fed: bool,
}

type Question = Box<dyn FnOnce(&Speaker, Instant) + Send>;

/// A call into the thread.
pub(crate) enum Command {
    Configure(SpeakerConfig),
    Originate(BTreeMap<IpNet, Originated>),
    NextHops(NextHopTable),
    Interfaces(BTreeMap<ScopedAddr, Arc<str>>),
    News(bool, oneshot::Sender<News>),
    Refresh(PeerId, oneshot::Sender<bool>),
    Query(Question),
    Shutdown(Shutdown, oneshot::Sender<()>),
}

/// The way to the one thread that owns the `Speaker`. When the last clone is dropped, the thread ends, and with it every
/// connection, without a NOTIFICATION.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) state: watch::Receiver<RibState>,
    pub(crate) listening: Arc<[SocketAddr]>,
    pub(crate) bfd: bfd::View,
}

impl Handle {
    /// Sets the complete configuration; unchanged peers are not touched.
    pub async fn configure(&self, config: SpeakerConfig) {
        self.tell(Command::Configure(config)).await;
    }

    /// Sets all routes that this speaker originates.
    pub async fn originate(&self, routes: BTreeMap<IpNet, Originated>) {
        self.tell(Command::Originate(routes)).await;
    }

    /// Sets reachability and metric of all next hops.
    pub async fn set_next_hops(&self, table: NextHopTable) {
        self.tell(Command::NextHops(table)).await;
    }

    /// Sets which interface leads to each next hop, for filters that ask for it.
    pub async fn set_interfaces(&self, interfaces: BTreeMap<ScopedAddr, Arc<str>>) {
        self.tell(Command::Interfaces(interfaces)).await;
    }

    /// Watches for changes.
    pub fn changes(&self) -> watch::Receiver<RibState> {
        self.state.clone()
    }

    /// The addresses that it listens on, with the ports that the kernel chose where zero was asked for.
    pub fn listening(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// The BFD sessions, half a second old at most; waits for nobody.
    pub fn bfd(&self) -> bfd::Status {
        self.bfd.status()
    }

    /// What has changed since the last call, by whichever clone; everything at the first. Who wants no `routes` costs no
    /// copy of the Loc-RIB: a route reflector has a million that its kernel never sees.
    ///
    /// # Errors
    /// [`Error::Stopped`] once it is shut down.
    pub async fn news(&self, routes: bool) -> Result<News, Error> {
        let (reply, answer) = oneshot::channel();
        self.tell(Command::News(routes, reply)).await;
        answer.await.map_err(|_| Error::Stopped)
    }

    /// Runs `question` in the thread, on the speaker as it is after all earlier calls.
    pub async fn query<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Speaker, Instant) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let question: Question = Box::new(move |speaker, now| {
            // The one who asked may have given up.
            let _ = reply.send(question(speaker, now));
        });
        self.tell(Command::Query(question)).await;
        answer.await.map_err(|_| Error::Stopped)
    }

    /// Asks a peer for all its routes again (RFC 2918); false where it has no session or does not answer that.
    ///
    /// # Errors
    /// [`Error::Stopped`] once it is shut down.
    pub async fn refresh(&self, peer: PeerId) -> Result<bool, Error> {
        let (reply, answer) = oneshot::channel();
        self.tell(Command::Refresh(peer, reply)).await;
        answer.await.map_err(|_| Error::Stopped)
    }

    /// Ends all sessions, and returns when they are closed.
    pub async fn shutdown(self, mode: Shutdown) {
        let (reply, done) = oneshot::channel();
        self.tell(Command::Shutdown(mode, reply)).await;
        // An error means that the thread has ended before: nothing is left to wait for.
        let _ = done.await;
    }

    async fn tell(&self, command: Command) {
        if self.commands.send(command).await.is_err() {
            tracing::debug!("call to a BGP speaker that has been shut down");
        }
    }
}
