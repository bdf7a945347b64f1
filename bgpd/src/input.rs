//! Bytes in, and the timers, which come after them.
//!
//! Connections with something to read are served in rounds: each has one turn of at most [`READ`] bytes before any has
//! a second one, and a round is cut into slices of time, between which the engine does everything else. So a peer
//! that sends without end slows down nobody but itself.
//!
//! Timers expire between rounds only, and only when all sockets have been asked since the deadline and all rounds
//! that this took are over: a hold timer never ends a session whose KEEPALIVE lies in our own socket, however long
//! the process was stopped or busy.

use crate::connection::describe;
use crate::engine::{Engine, SLICE};
use bgpd_proto::types::ConnId;
use std::collections::VecDeque;
use std::task::Poll;
use std::time::Instant;

/// Bytes of one connection in a round: at least one message of the largest size.
pub const READ: usize = 128 * 1024;

/// Sockets of which one look of the runtime at the kernel brings news at most (tokio's default).
const EVENTS: usize = 1024;

/// Where the reading stands.
#[derive(Debug)]
pub struct Input {
    /// Shared by all connections.
    buffer: Vec<u8>,
    /// Still to be served in this round.
    round: VecDeque<ConnId>,
    /// When the round began.
    began: Instant,
    /// Those that may have more, for the next round.
    next: VecDeque<ConnId>,
    /// Rounds that have ended since the deadline passed, while timers wait for them.
    ended: Option<usize>,
    /// Rounds that have ended since BFD found something, while the speaker waits to hear it.
    heard: Option<usize>,
}

impl Input {
    pub fn new(now: Instant) -> Self {
        Self {
            buffer: vec![0; READ],
            round: VecDeque::new(),
            began: now,
            next: VecDeque::new(),
            ended: None,
            heard: None,
        }
    }

    /// There is more to be read, as far as is known, or something that waits for a round to end.
    pub fn is_busy(&self) -> bool {
        !self.round.is_empty() || !self.next.is_empty() || self.ended.is_some() || self.heard.is_some()
    }
}

impl Engine {
    /// Reads for one slice of time.
    pub fn read(&mut self) {
        let start = Instant::now();
        if self.input.round.is_empty() {
            self.input.began = start;
            self.input.round.append(&mut self.input.next);
            self.input.round.extend(self.links.ready.take_reads());
        }
        while let Some(conn) = self.input.round.pop_front() {
            self.read_connection(conn);
            if start.elapsed() >= SLICE {
                break;
            }
        }
        if self.input.round.is_empty() {
            self.input.ended = self.input.ended.map(|rounds| rounds + 1);
            self.input.heard = self.input.heard.map(|rounds| rounds + 1);
        }
    }

    /// One connection's turn. A read that does not fill the buffer has emptied the socket; reading on costs nothing
    /// then, and asks to be called.
    fn read_connection(&mut self, conn: ConnId) {
        let mut total = 0;
        while let Some(connection) = self.links.get_mut(conn) {
            if total >= READ {
                self.input.next.push_back(conn);
                return;
            }
            match connection.read(&mut self.input.buffer) {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => {
                    return self.lost(conn, "the peer closed the TCP connection".into());
                }
                Poll::Ready(Ok(length)) => {
                    total += length;
                    let now = Instant::now();
                    self.speaker.handle_bytes(conn, &self.input.buffer[..length], now);
                    // The bytes may have been the connection's last: no more are read after that.
                    self.act();
                }
                Poll::Ready(Err(error)) => return self.lost(conn, describe(&error)),
            }
        }
    }

    /// Connections that could not be written to. What the peer said before that is heard out: its NOTIFICATION may lie
    /// in the socket, and it makes a difference whether a session was ended or broke off (RFC 4724 §4.2).
    pub fn hear_out(&mut self) {
        for (conn, reason) in std::mem::take(&mut self.broken) {
            let Some(connection) = self.links.remove(conn) else {
                continue;
            };
            let mut total = 0;
            while total < READ {
                let length = connection.read_remains(&mut self.input.buffer);
                if length == 0 {
                    break;
                }
                total += length;
                let now = Instant::now();
                self.speaker.handle_bytes(conn, &self.input.buffer[..length], now);
            }
            self.speaker.handle_closed(conn, reason, Instant::now());
        }
    }

    fn lost(&mut self, conn: ConnId, reason: String) {
        self.links.remove(conn);
        self.speaker.handle_closed(conn, reason, Instant::now());
    }

    /// So many rounds ask every socket.
    fn looks(&self) -> usize {
        match self.links.open() {
            0 => 0,
            open => open / EVENTS + 1,
        }
    }

    /// Tells the speaker what BFD found, once all that came before has been read: the end of a connection may still lie in
    /// the socket, and that decides whether a peer restarts or is dead.
    pub fn paths(&mut self) {
        if self.bfd.waiting_since().is_none() {
            return;
        }
        let looks = self.looks();
        if !self.input.round.is_empty() || *self.input.heard.get_or_insert(0) < looks {
            return;
        }
        self.bfd.deliver(&mut self.speaker, Instant::now());
        self.input.heard = None;
    }

    /// Lets timers expire, once all that came before them has been read.
    pub fn expire(&mut self) {
        let due = |engine: &Self, by: Instant| engine.speaker.poll_timeout().is_some_and(|at| at <= by);
        if !due(self, Instant::now()) {
            self.input.ended = None;
            return;
        }
        let looks = self.looks();
        // A round that is under way took its connections before this look.
        if !self.input.round.is_empty() || *self.input.ended.get_or_insert(0) < looks {
            return;
        }
        let by = if looks == 0 {
            Instant::now()
        } else {
            self.input.began
        };
        if due(self, by) {
            self.speaker.handle_timeout(by);
        }
        self.input.ended = None;
    }
}
