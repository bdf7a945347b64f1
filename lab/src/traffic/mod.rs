//! Numbered UDP packets between two nodes or pods at a steady rate: what arrived, what was lost and when, in which
//! order.
//!
//! The sender keeps an absolute schedule, notes when each packet was really sent, and reports when it could not keep
//! the rate: a loss count means nothing unless the full rate was really sent. The receiver looks only now and then;
//! when a packet arrived is the kernel's word (`SO_TIMESTAMPNS`), so that a busy machine neither costs a wakeup for
//! each packet nor invents gaps. What the receiver's own socket had no room for is counted apart
//! (`SO_RXQ_OVFL`): the network did not lose it.
//!
//! `send` and `receive` are the two threads of a stream; `account` makes the [`Report`] from what both noted (pure).

mod account;
mod receive;
mod send;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::fabric::Lab;

pub use account::{Outage, Report};
use receive::Received;
use send::Sent;

/// Tells the streams of this machine apart: a stray datagram is not counted.
static STREAMS: AtomicU64 = AtomicU64::new(0);

/// A running stream.
#[derive(Debug)]
pub struct Traffic {
    shared: Arc<Shared>,
    sender: JoinHandle<Sent>,
    receiver: JoinHandle<Received>,
    began: Instant,
    rate: u32,
}

/// What both threads and the owner see.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    sent: AtomicU64,
    arrived: AtomicU64,
}

/// The bytes of one packet.
pub(crate) const PACKET: usize = 64;

/// The packet of that number of a stream: stream, number, zeros.
pub(crate) fn packet(stream: u64, number: u64) -> [u8; PACKET] {
    let mut bytes = [0; PACKET];
    bytes[..8].copy_from_slice(&stream.to_be_bytes());
    bytes[8..16].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// The number of a packet of this stream; `None` for anything else.
pub(crate) fn number(stream: u64, bytes: &[u8]) -> Option<u64> {
    let word =
        |at: usize| -> Option<u64> { Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?)) };
    (bytes.len() == PACKET && word(0)? == stream).then(|| word(8))?
}

impl Traffic {
    /// Starts `rate` packets a second from `from` to the address `to` of node `at`, and returns when the first
    /// has been sent. `at` and `from` are nodes or pods of the lab.
    pub fn start(lab: &Lab, from: &str, at: &str, to: IpAddr, rate: u32) -> Result<Traffic, Error> {
        let any: IpAddr = match to {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let bind = |node: &str, address: IpAddr| -> Result<UdpSocket, Error> {
            lab.in_namespace(node, || UdpSocket::bind((address, 0)))?
                .map_err(Error::system(format!("open a UDP socket on {node}")))
        };
        // A socket belongs to the namespace that it was opened in, whichever thread uses it.
        Traffic::between(bind(from, any)?, bind(at, to)?, to, rate)
    }

    /// The same between two sockets: `source` sends to `to` on the port of `sink`.
    pub fn between(source: UdpSocket, sink: UdpSocket, to: IpAddr, rate: u32) -> Result<Traffic, Error> {
        let port = sink
            .local_addr()
            .map_err(Error::system("open a UDP socket"))?
            .port();
        receive::prepare(&sink).map_err(Error::system("set up a UDP socket"))?;
        let stream = (u64::from(std::process::id()) << 32) | STREAMS.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::new(Shared::default());
        let began = Instant::now();
        let receiver = {
            let shared = shared.clone();
            std::thread::spawn(move || receive::run(&sink, stream, &shared))
        };
        let sender = {
            let shared = shared.clone();
            let to = SocketAddr::new(to, port);
            std::thread::spawn(move || send::run(&source, to, stream, rate, began, &shared))
        };
        let traffic = Traffic {
            shared,
            sender,
            receiver,
            began,
            rate,
        };
        traffic.wait_sent(1)?;
        Ok(traffic)
    }

    /// Waits until so many packets have been sent since the start.
    pub fn wait_sent(&self, packets: u64) -> Result<(), Error> {
        let deadline = Duration::from_secs(10) + Duration::from_secs(packets / u64::from(self.rate.max(1)));
        reaches(&self.shared.sent, packets, deadline, "sent")
    }

    /// Packets sent so far.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Distinct packets that have arrived so far.
    pub fn arrived(&self) -> u64 {
        self.shared.arrived.load(Ordering::Relaxed)
    }

    /// Waits until so many more packets have arrived.
    pub fn wait_arrived(&self, more: u64, deadline: Duration) -> Result<(), Error> {
        reaches(&self.shared.arrived, self.arrived() + more, deadline, "received")
    }

    /// The time of the stream: what the times of the report are measured in.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Ends the stream and says what became of it.
    pub fn stop(self) -> Report {
        self.shared.stop.store(true, Ordering::Relaxed);
        let sent = self.sender.join().unwrap_or_default();
        let received = self.receiver.join().unwrap_or_default();
        account::report(&sent, &received, self.rate)
    }
}

fn reaches(counter: &AtomicU64, wanted: u64, deadline: Duration, verb: &str) -> Result<(), Error> {
    crate::wait::until(deadline, format!("{wanted} packets {verb}"), || {
        let seen = counter.load(Ordering::Relaxed);
        if seen >= wanted {
            Ok(())
        } else {
            Err(format!("{seen} {verb}"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{PACKET, number, packet};

    #[test]
    fn a_packet_tells_its_number_to_its_own_stream_alone() {
        let bytes = packet(7, 0x0102_0304);
        assert_eq!(number(7, &bytes), Some(0x0102_0304));
        assert_eq!(number(8, &bytes), None);
        assert_eq!(number(7, &bytes[..PACKET - 1]), None);
        assert_eq!(number(7, &[]), None);
    }
}
