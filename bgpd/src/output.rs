//! Bytes out: control messages of all sessions first, then UPDATEs in turns, for one slice of time.
//!
//! UPDATEs are built when the socket has taken everything before them, so that they say what is true then, and a peer that
//! does not read costs nothing but what its socket holds and one buffer.

use crate::connection::describe;
use crate::engine::{Engine, SLICE};
use bgpd_proto::types::ConnId;
use std::time::Instant;

/// Bytes of UPDATEs built for a connection at once. A KEEPALIVE waits behind no more than this.
pub const BUDGET: usize = 64 * 1024;

/// Where the writing stands.
#[derive(Debug, Default)]
pub struct Output {
    /// Shared by all connections.
    buffer: Vec<u8>,
    /// The slice ended before this connection had its turn.
    resume: Option<ConnId>,
    /// A socket took all that it was given: there may be more for it.
    more: bool,
}

impl Output {
    /// Somebody's UPDATEs wait for nothing but time.
    pub fn is_busy(&self) -> bool {
        self.more || self.resume.is_some()
    }
}

impl Engine {
    /// Writes for one slice of time.
    pub fn write(&mut self) {
        for conn in self.links.ready.take_writes() {
            self.flush(conn);
        }
        self.output.more = false;
        let mut wanting = self.speaker.wants_transmit();
        for conn in &wanting {
            self.transmit(*conn, 0);
        }
        let resume = self.output.resume.take();
        if let Some(place) = resume.and_then(|conn| wanting.iter().position(|other| *other == conn)) {
            wanting.rotate_left(place);
        }
        let start = Instant::now();
        for (place, conn) in wanting.iter().enumerate() {
            if place > 0 && start.elapsed() >= SLICE {
                self.output.resume = Some(*conn);
                break;
            }
            self.transmit(*conn, BUDGET);
        }
        self.hear_out();
    }

    /// Hands over what the speaker has for a connection, as far as the socket takes it.
    fn transmit(&mut self, conn: ConnId, budget: usize) {
        let Some(connection) = self.links.get_mut(conn) else {
            return;
        };
        if connection.is_blocked() {
            return;
        }
        let now = Instant::now();
        self.output.buffer.clear();
        self.speaker.transmit(conn, &mut self.output.buffer, budget, now);
        if self.output.buffer.is_empty() {
            return;
        }
        match connection.write(&self.output.buffer) {
            Ok(()) if connection.is_blocked() => self.speaker.handle_written(conn, true, now),
            Ok(()) => self.output.more = true,
            Err(error) => self.broken.push((conn, describe(&error))),
        }
    }

    fn flush(&mut self, conn: ConnId) {
        let Some(connection) = self.links.get_mut(conn).filter(|c| c.is_blocked()) else {
            return;
        };
        match connection.flush() {
            Ok(0) => {}
            Ok(_) => {
                let rest = connection.is_blocked();
                self.speaker.handle_written(conn, rest, Instant::now());
            }
            Err(error) => self.broken.push((conn, describe(&error))),
        }
    }
}
