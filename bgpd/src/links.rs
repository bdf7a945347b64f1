//! The connections of the engine, from the attempt to the goodbye.
//!
//! ```text
//!  dial ──► attempt (a task, ended at will) ──Dialled──► open ──► close: farewell, or gone at once
//!  accepted ────────────────────────────────────────────► open
//! ```

use crate::connection::Connection;
use crate::farewell::Farewells;
use crate::ready::Ready;
use crate::{options, socket};
use bgpd_proto::speaker::Transport;
use bgpd_proto::types::{ConnId, PeerId, Secret};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinError, JoinSet};

/// An attempt to connect that has come to its end.
#[derive(Debug)]
pub struct Dialled {
    /// Which.
    pub conn: ConnId,
    /// Where to.
    pub remote: SocketAddr,
    /// The connection with our end of it, or why there is none.
    pub result: io::Result<(TcpStream, SocketAddr)>,
}

/// All connections. Dropping this closes them at once, without a word.
#[derive(Debug, Default)]
pub struct Links {
    /// Whom the sockets call up.
    pub ready: Ready,
    open: HashMap<ConnId, Connection>,
    attempts: HashMap<ConnId, (PeerId, AbortHandle)>,
    dials: JoinSet<Dialled>,
    farewells: Farewells,
}

impl Links {
    /// How many are open.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// An open connection.
    pub fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.open.get_mut(&conn)
    }

    /// Begins an attempt.
    pub fn dial(
        &mut self,
        (peer, conn): (PeerId, ConnId),
        local: Option<IpAddr>,
        remote: SocketAddr,
        transport: Transport,
    ) {
        let attempt = self.dials.spawn(async move {
            let attempt = socket::connect(local, remote, &transport).await;
            let result = attempt.and_then(|stream| {
                let local = stream.local_addr()?;
                Ok((stream, local))
            });
            Dialled { conn, remote, result }
        });
        self.attempts.insert(conn, (peer, attempt));
    }

    /// The next attempt that ends; never while there are none. Those that were given up are passed over.
    pub async fn dialled(&mut self) -> Dialled {
        loop {
            let Some(ended) = self.dials.join_next().await else {
                return std::future::pending().await;
            };
            if let Some(dialled) = self.settle(ended) {
                return dialled;
            }
        }
    }

    /// An attempt that has ended already.
    pub fn try_dialled(&mut self) -> Option<Dialled> {
        loop {
            let ended = self.dials.try_join_next()?;
            if let Some(dialled) = self.settle(ended) {
                return Some(dialled);
            }
        }
    }

    fn settle(&mut self, ended: Result<Dialled, JoinError>) -> Option<Dialled> {
        match ended {
            Ok(dialled) => self.attempts.remove(&dialled.conn).map(|_| dialled),
            Err(error) if error.is_cancelled() => None,
            Err(error) => {
                tracing::error!(%error, "an attempt at a BGP connection failed");
                None
            }
        }
    }

    /// A connection is up.
    pub fn adopt(&mut self, conn: ConnId, stream: TcpStream, remote: SocketAddr) {
        let connection = Connection::new(conn, stream, remote, &self.ready);
        self.open.insert(conn, connection);
        // What came before the waker was there.
        self.ready.call(conn);
    }

    /// Gives every open connection the key that its peer has now: a session outlives the change if both ends make it
    /// within the hold time (RFC 2385 §4.5 leaves it to them).
    pub fn rekey(&self, key: impl Fn(IpAddr) -> Option<Secret>) {
        for connection in self.open.values() {
            let remote = connection.remote().ip();
            // Those of neighbours on a link mean nothing without it: they keep the key that they began with.
            if matches!(remote, IpAddr::V6(v6) if v6.is_unicast_link_local()) {
                continue;
            }
            if let Err(error) = options::set_key(connection.stream(), remote.into(), key(remote).as_ref()) {
                tracing::warn!(%remote, %error, "a BGP session keeps its password");
            }
        }
    }

    /// Lets go of a connection that has ended.
    pub fn remove(&mut self, conn: ConnId) -> Option<Connection> {
        self.open.remove(&conn)
    }

    /// Closes by the speaker's order: what was kept goes first, then the last words. An attempt is given up; it was at this peer.
    pub fn close(&mut self, conn: ConnId, last_words: Vec<u8>) -> Option<PeerId> {
        if let Some((peer, attempt)) = self.attempts.remove(&conn) {
            attempt.abort();
            return Some(peer);
        }
        if let Some(connection) = self.open.remove(&conn)
            && !last_words.is_empty()
        {
            let remote = connection.remote().ip();
            let (stream, mut words) = connection.into_parts();
            words.extend(last_words);
            self.farewells.say(stream, remote, words);
        }
        None
    }

    /// Waits until those that were closed have gone.
    pub async fn finish(&mut self) {
        self.farewells.finish().await;
    }
}
