//! Bytes as they come, taken apart message by message.
//!
//! What a message leads to is carried out before the next one is read: a table that comes in large pieces never lies in the
//! queue of outputs, and the memory of one UPDATE serves the next.

use super::fsm::Event;
use super::output::Output;
use super::peering::Session;
use crate::types::ConnId;
use std::time::Instant;

/// Bytes that came over a connection, and how far they were read.
#[derive(Debug)]
pub struct Piece<'b> {
    bytes: &'b [u8],
    /// The beginning of a message that was kept before, followed by the bytes.
    joined: Option<Vec<u8>>,
    at: usize,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing was read.
    Fresh,
    /// There may be another message.
    Begun,
    /// What is left is kept by the connection, or is nobody's.
    Over,
}

impl<'b> Piece<'b> {
    /// Bytes of which nothing was read.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            joined: None,
            at: 0,
            stage: Stage::Fresh,
        }
    }
}

impl Session {
    /// Bytes came: reads all of them.
    pub fn receive(&mut self, conn: ConnId, bytes: &[u8], now: Instant) {
        let mut piece = Piece::new(bytes);
        while piece.stage != Stage::Over {
            self.read_message(conn, &mut piece, now);
        }
    }

    /// Takes the next output, and reads messages until there is one; `None` once all is read and taken.
    pub fn receive_next(&mut self, conn: ConnId, piece: &mut Piece<'_>, now: Instant) -> Option<Output> {
        loop {
            let output = self.poll_output();
            if output.is_some() || piece.stage == Stage::Over {
                return output;
            }
            self.read_message(conn, piece, now);
        }
    }

    fn read_message(&mut self, conn: ConnId, piece: &mut Piece<'_>, now: Instant) {
        // Any message may have closed the connection.
        let Some(connection) = self.connection_mut(conn) else {
            piece.stage = Stage::Over;
            return;
        };
        if piece.stage == Stage::Fresh {
            piece.stage = Stage::Begun;
            piece.joined = connection.join(piece.bytes);
        }
        let all = piece.joined.as_deref().unwrap_or(piece.bytes);
        let mut input = all.get(piece.at..).unwrap_or_default();
        match connection.next_message(&mut input) {
            Ok(Some(message)) => {
                piece.at = all.len() - input.len();
                self.message(conn, message, now);
            }
            Ok(None) => {
                let rest = input.len();
                piece.stage = Stage::Over;
                connection.keep(piece.joined.take(), piece.bytes, rest);
            }
            Err(notification) => self.step_conn(conn, Event::Malformed(notification), now),
        }
    }
}
