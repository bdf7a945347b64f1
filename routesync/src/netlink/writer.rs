//! Writes in batches: many requests in one datagram, an acknowledgement for the last one only.
//!
//! The kernel works through a datagram in order and answers every refusal, asked or not; so once the answer to the last request
//! is here, whatever was not refused has been done. Refusals carry the sequence number of their request, and that leads back to
//! the route. Refusals that say nothing about the route (`EINTR`, `EAGAIN`, `EBUSY`, `ENOBUFS`) are met by asking again. Where
//! answers are lost (`ENOBUFS` on reading), what was not refused counts as done, and [`Writer::lost_answers`] says that it need not
//! be so.

use std::{io, time::Duration};

use super::{
    encode, nexthop,
    socket::{Channel, Messages, NLMSG_ERROR},
};
use crate::{diff::Op, error::Error, nexthop::object::NexthopOp, trouble::Refusal};

/// The most that the kernel takes from its quick store of memory (`NLMSG_GOODSIZE`, less the last message and what the kernel adds).
const BATCH_BYTES: usize = 7 * 1024;
/// Refusals of a whole batch must fit.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;
/// The kernel answers before `send` returns; this bounds a lost answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a write is asked for again at once.
const AGAIN: usize = 2;

const EINTR: i32 = 4;
const EAGAIN: i32 = 11;
const EBUSY: i32 = 16;
const ENOBUFS: i32 = 105;

/// The socket for writes.
pub(crate) struct Writer {
    channel: Channel,
    /// Kept for its room.
    datagram: Vec<u8>,
    lost: bool,
    /// Refusals of the first write of each of the next calls.
    #[cfg(test)]
    refuse: std::collections::VecDeque<i32>,
}

/// What can be written.
pub(crate) trait Request {
    /// Appends it to `out` as one message.
    fn append(&self, out: &mut Vec<u8>, sequence: u32, acknowledge: bool);
}

impl<R: Request> Request for &R {
    fn append(&self, out: &mut Vec<u8>, sequence: u32, acknowledge: bool) {
        R::append(self, out, sequence, acknowledge);
    }
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
        Self::open_with(RECEIVE_BUFFER)
    }

    fn open_with(receive_buffer: usize) -> Result<Self, Error> {
        Ok(Writer {
            channel: Channel::open(receive_buffer)?,
            datagram: Vec::new(),
            lost: false,
            #[cfg(test)]
            refuse: Default::default(),
        })
    }

    /// The netlink port in notifications of what is written here.
    pub fn port(&self) -> u32 {
        self.channel.port()
    }

    /// Whether answers were lost since the last call: of what was written, some may not have been done.
    pub fn lost_answers(&mut self) -> bool {
        std::mem::take(&mut self.lost)
    }

    /// Carries out the writes and says of each whether the kernel took it.
    pub async fn write<R: Request>(&mut self, ops: &[R]) -> Result<Answers, Error> {
        let mut answers = self.once(ops).await?;
        for _ in 0..AGAIN {
            let passing = |at: &usize| matches!(&answers[*at], Err(refusal) if passes(refusal));
            let again: Vec<usize> = (0..ops.len()).filter(passing).collect();
            if again.is_empty() {
                break;
            }
            let requests: Vec<&R> = again.iter().map(|at| &ops[*at]).collect();
            let fresh = self.once(&requests).await?;
            for (at, answer) in again.into_iter().zip(fresh) {
                answers[at] = answer;
            }
        }
        Ok(answers)
    }

    async fn once(&mut self, ops: &[impl Request]) -> Result<Answers, Error> {
        let mut answers: Answers = vec![Ok(()); ops.len()];
        let mut next = 0;
        while next < ops.len() {
            next += self.batch(&ops[next..], &mut answers[next..]).await?;
        }
        #[cfg(test)]
        if let (Some(errno), Some(first)) = (self.refuse.pop_front(), answers.first_mut()) {
            *first = Err(Refusal { errno, message: None });
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
        let mut datagram = std::mem::take(&mut self.datagram);
        datagram.clear();
        let (mut first, mut count) = (0, 0);
        for op in ops {
            let sequence = self.channel.next_sequence();
            if count == 0 {
                first = sequence;
            }
            count += 1;
            let last = count == ops.len() || datagram.len() > BATCH_BYTES;
            op.append(&mut datagram, sequence, last);
            if last {
                break;
            }
        }
        let sent = self.channel.send(&datagram).await;
        self.datagram = datagram;
        sent.map_err(netlink)?;
        let answered = tokio::time::timeout(PATIENCE, self.collect(first, &mut answers[..count])).await;
        answered
            .map_err(|_| netlink(io::ErrorKind::TimedOut.into()))?
            .map_err(netlink)?;
        Ok(count)
    }

    async fn collect(&mut self, first: u32, answers: &mut [Result<(), Refusal>]) -> io::Result<()> {
        let mut lost = false;
        loop {
            // The kernel had answered all when the datagram was sent: after a loss there is nothing to wait for.
            let received = if lost {
                self.channel.try_receive()
            } else {
                self.channel.receive().await.map(Some)
            };
            match received {
                Ok(Some(messages)) => {
                    if assign(messages, first, answers) {
                        return Ok(());
                    }
                }
                Ok(None) => return Ok(()),
                Err(error) if error.raw_os_error() == Some(ENOBUFS) => {
                    tracing::debug!("answers to writes were lost");
                    lost = true;
                    self.lost = true;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Brings the answers to their requests; whether that to the last one was among them.
fn assign(messages: Messages<'_>, first: u32, answers: &mut [Result<(), Refusal>]) -> bool {
    let last = answers.len().saturating_sub(1);
    for message in messages {
        // Sequence numbers wrap, but never within a batch: the distance from the first is the position. Late answers to an
        // earlier batch lie outside.
        let at = message.sequence.wrapping_sub(first) as usize;
        if message.kind != NLMSG_ERROR || at > last {
            continue;
        }
        answers[at] = message.acknowledgement();
        if at == last {
            return true;
        }
    }
    false
}

/// Whether the same request may succeed a moment later, with nothing changed.
fn passes(refusal: &Refusal) -> bool {
    matches!(refusal.errno, EINTR | EAGAIN | EBUSY | ENOBUFS)
}

#[cfg(test)]
mod tests;
