//! Messages that were built, for as long as a member has not taken them.
//!
//! A chunk is a run of whole messages; of each it is known whom it is for and which prefixes it names, with whether they had
//! been sent before: a member that leaves the log takes along what it missed.

use crate::rib::slot::Slot;
use crate::rib::table::PrefixId;
use crate::types::Family;
use std::collections::VecDeque;
use std::sync::Arc;

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whom {
    /// Everyone but the session that taught it; [`Slot::NONE`] for everyone.
    AllBut(Slot),
    /// One member alone.
    Only(Slot),
}

impl Whom {
    pub fn includes(self, slot: Slot) -> bool {
        match self {
            Whom::AllBut(other) => other != slot,
            Whom::Only(other) => other == slot,
        }
    }

    pub fn names(self, slot: Slot) -> bool {
        match self {
            Whom::AllBut(other) | Whom::Only(other) => other == slot,
        }
    }
}

/// One message of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// Where it ends.
    pub end: u32,
    /// Where its prefixes end in [`Chunk::prefixes`].
    pub prefixes: u32,
    pub whom: Whom,
    /// It is this family's End-of-RIB.
    pub end_of_rib: Option<Family>,
}

/// A prefix in a message.
#[derive(Clone, Copy, Debug)]
pub struct Mention {
    pub id: PrefixId,
    /// Whose route the members had of it before; [`Slot::NONE`] for nothing.
    pub before: Slot,
    /// Which of its paths, where several are told; else zero.
    pub number: u32,
}

/// Messages.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    pub bytes: Vec<u8>,
    pub pieces: Vec<Piece>,
    pub prefixes: Vec<Mention>,
}

impl Chunk {
    /// The message that was just appended, with its prefixes.
    pub fn close_piece(&mut self, whom: Whom, end_of_rib: Option<Family>) {
        // A chunk is little longer than the largest message.
        self.pieces.push(Piece {
            end: self.bytes.len() as u32,
            prefixes: self.prefixes.len() as u32,
            whom,
            end_of_rib,
        });
    }

    /// The octets of a message.
    pub fn start(&self, piece: usize) -> usize {
        piece
            .checked_sub(1)
            .map_or(0, |before| self.pieces[before].end as usize)
    }

    /// The prefixes of the messages from one on.
    pub fn prefixes_from(&self, piece: usize) -> &[Mention] {
        let start = piece
            .checked_sub(1)
            .map_or(0, |before| self.pieces[before].prefixes as usize);
        &self.prefixes[start..]
    }
}

/// The chunks that are kept, with how many members have not taken each to its end.
#[derive(Clone, Debug, Default)]
pub struct Log {
    chunks: VecDeque<(Arc<Chunk>, usize)>,
    /// Number of the first one that is kept.
    first: u64,
}

impl Log {
    /// Number of the next chunk.
    pub fn end(&self) -> u64 {
        self.first + self.chunks.len() as u64
    }

    /// Number of the first chunk that is kept.
    pub fn first(&self) -> u64 {
        self.first
    }

    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub fn get(&self, number: u64) -> Option<&Arc<Chunk>> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.chunks.get(at).map(|(chunk, _)| chunk)
    }

    pub fn push(&mut self, chunk: Chunk, members: usize) {
        self.chunks.push_back((Arc::new(chunk), members));
    }

    /// One more member will take all from this chunk on.
    pub fn enter(&mut self, number: u64) {
        self.change(number, |left| left + 1);
    }

    /// A member will not take any from this chunk on.
    pub fn leave(&mut self, number: u64) {
        self.change(number, |left| left - 1);
    }

    /// A member has taken this chunk.
    pub fn taken(&mut self, number: u64) {
        if let Some((_, left)) = number
            .checked_sub(self.first)
            .and_then(|at| self.chunks.get_mut(usize::try_from(at).ok()?))
        {
            *left -= 1;
        }
    }

    /// Takes out the first chunk if every member has it.
    pub fn pop_taken(&mut self) -> Option<Arc<Chunk>> {
        let (_, 0) = self.chunks.front()? else {
            return None;
        };
        self.first += 1;
        self.chunks.pop_front().map(|(chunk, _)| chunk)
    }

    /// Takes out the first chunk, whoever has it.
    pub fn pop(&mut self) -> Option<Arc<Chunk>> {
        self.first += 1;
        self.chunks.pop_front().map(|(chunk, _)| chunk)
    }

    /// All that is kept.
    pub fn chunks(&self) -> impl Iterator<Item = &Arc<Chunk>> {
        self.chunks.iter().map(|(chunk, _)| chunk)
    }

    fn change(&mut self, from: u64, change: impl Fn(usize) -> usize) {
        let first = self.first;
        for (n, (_, left)) in self.chunks.iter_mut().enumerate() {
            if first + n as u64 >= from {
                *left = change(*left);
            }
        }
    }
}
