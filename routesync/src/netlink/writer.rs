//! Writes in batches: many requests in one datagram, an acknowledgement for the last one only.
//!
//! The kernel works through a datagram in order and answers every refusal, asked or not; so once the answer to the last request
//! is here, whatever was not refused has been done. Refusals carry the sequence number of their request, and that leads back to
//! the route.

use std::{io, time::Duration};

use super::{
    encode, nexthop,
    socket::{Channel, NLMSG_ERROR},
};
use crate::{diff::Op, error::Error, nexthop::object::NexthopOp, trouble::Refusal};

/// Well under the default send buffer of 208 KiB.
const BATCH_BYTES: usize = 96 * 1024;
/// Refusals of a whole batch must fit.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;
/// The kernel answers before `send` returns; this bounds a lost answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The socket for writes.
pub(crate) struct Writer {
    channel: Channel,
}

/// What can be written.
pub(crate) trait Request {
    /// Appends it to `out` as one message.
    fn append(&self, out: &mut Vec<u8>, sequence: u32, acknowledge: bool);
}

impl Request for Op {
    fn append(&self, out: &mut Vec<u8>, sequence: u32, acknowledge: bool) {
        encode::append(out, self, sequence, acknowledge);
    }
}

impl Request for NexthopOp {
    fn append(&self, out: &mut Vec<u8>, sequence: u32, acknowledge: bool) {
        nexthop::append(out, self, sequence, acknowledge);
    }
}

/// The answers to a list of writes, in their order.
pub(crate) type Answers = Vec<Result<(), Refusal>>;

impl Writer {
    /// Opens the socket in the network namespace of the calling thread.
    pub fn open() -> Result<Self, Error> {
        Ok(Writer {
            channel: Channel::open(RECEIVE_BUFFER)?,
        })
    }

    /// The netlink port in notifications of what is written here.
    pub fn port(&self) -> u32 {
        self.channel.port()
    }

    /// Carries out the writes and says of each whether the kernel took it.
    pub async fn write(&mut self, ops: &[impl Request]) -> Result<Answers, Error> {
        let mut answers: Answers = vec![Ok(()); ops.len()];
        let mut next = 0;
        while next < ops.len() {
            next += self.batch(&ops[next..], &mut answers[next..]).await?;
        }
        Ok(answers)
    }

    /// Sends as many of the writes as fit into a datagram and waits for its end. Returns how many those were.
    async fn batch(
        &mut self,
        ops: &[impl Request],
        answers: &mut [Result<(), Refusal>],
    ) -> Result<usize, Error> {
        let netlink = |source| Error::Netlink {
            what: "writing routes",
            source,
        };
        let mut datagram = Vec::with_capacity(BATCH_BYTES / 4);
        let mut sequences = Vec::with_capacity(ops.len());
        for (at, op) in ops.iter().enumerate() {
            let sequence = self.channel.next_sequence();
            sequences.push(sequence);
            let last = at + 1 == ops.len() || datagram.len() > BATCH_BYTES;
            op.append(&mut datagram, sequence, last);
            if last {
                break;
            }
        }
        self.channel.send(&datagram).await.map_err(netlink)?;
        let answered = tokio::time::timeout(PATIENCE, self.collect(&sequences, answers)).await;
        answered
            .map_err(|_| netlink(io::ErrorKind::TimedOut.into()))?
            .map_err(netlink)?;
        Ok(sequences.len())
    }

    async fn collect(&mut self, sequences: &[u32], answers: &mut [Result<(), Refusal>]) -> io::Result<()> {
        let last = sequences.last().copied();
        loop {
            for message in self.channel.receive().await? {
                // Sequence numbers wrap, but never within a batch: the distance from the first is the position.
                let first = sequences.first().copied().unwrap_or_default();
                let at = message.sequence.wrapping_sub(first) as usize;
                if message.kind != NLMSG_ERROR || sequences.get(at) != Some(&message.sequence) {
                    continue;
                }
                answers[at] = message.acknowledgement();
                if last == Some(message.sequence) {
                    return Ok(());
                }
            }
        }
    }
}
