//! The sender of a stream: an absolute schedule, and a note of when each packet was really sent.
//!
//! Its thread asks for the lowest of the real-time priorities, so that a machine that is busy with other things (compilers,
//! other fabrics) still lets it send on time: it needs a few microseconds a packet. Where that is refused it sends as it can, and
//! the report says how late it was.

use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
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
    urgent();
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

/// Puts this thread before all that is not real-time. A program does it, because the system call has no safe form here.
fn urgent() {
    let thread = nix::unistd::gettid().to_string();
    let done = Command::new("chrt")
        .args(["--fifo", "--pid", "1", &thread])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    // Refused: the rate is kept as well as the machine allows.
    drop(done);
}
