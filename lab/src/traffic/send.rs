//! The sender of a stream: an absolute schedule, and a note of when each packet was really sent.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Shared, packet};

/// What the sender noted.
#[derive(Debug, Default)]
pub struct Sent {
    /// When each packet was sent, by its number, in the stream's time.
    pub at: Vec<Duration>,
    /// Numbers of the packets that the kernel refused, ascending.
    pub refused: Vec<u64>,
    /// The longest that a packet was behind its time.
    pub latest: Duration,
    /// From the start of the stream to its end.
    pub took: Duration,
}

/// Sends until it is told to stop.
pub fn run(
    socket: &UdpSocket,
    to: SocketAddr,
    stream: u64,
    rate: u32,
    began: Instant,
    shared: &Shared,
) -> Sent {
    let interval = Duration::from_secs(1) / rate.max(1);
    let mut note = Sent::default();
    let mut due = began.elapsed();
    for number in 0u64.. {
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        let at = began.elapsed();
        note.latest = note.latest.max(at.saturating_sub(due));
        note.at.push(at);
        if socket.send_to(&packet(stream, number), to).is_err() {
            note.refused.push(number);
        }
        shared.sent.fetch_add(1, Ordering::Relaxed);
        due += interval;
        // The schedule is finished first: a sender that is told to stop while it is behind would look as if it had
        // left packets out.
        let now = began.elapsed();
        if shared.stop.load(Ordering::Relaxed) && due > now {
            note.took = now;
            break;
        }
    }
    note
}
