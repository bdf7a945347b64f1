//! The receiver of a stream: empties its socket now and then, and takes the kernel's word for when a packet came.

use std::io::{self, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

use super::{PACKET, Shared, number};

/// Room for several seconds of packets, whatever the machine does meanwhile.
const BUFFER: usize = 32 << 20;

/// How often the socket is emptied.
const PAUSE: Duration = Duration::from_millis(5);

/// How long the receiver stays for packets on their way.
const LINGER: Duration = Duration::from_millis(500);

/// Hours at the highest rates; a broken packet cannot make the list grow without bound.
const MOST: u64 = 100_000_000;

/// What the receiver noted.
#[derive(Debug, Default)]
pub struct Received {
    /// Which numbers came.
    pub seen: Vec<bool>,
    /// Distinct packets.
    pub count: u64,
    /// Packets that came once more.
    pub duplicates: u64,
    /// Packets that came after one of a higher number.
    pub reordered: u64,
    /// Longest time between two arrivals.
    pub longest: Duration,
    /// Packets that this socket had no room for.
    pub overflowed: u64,
    highest: u64,
    last: Duration,
}

/// Sets up the socket that packets arrive at.
pub fn prepare(socket: &UdpSocket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    setsockopt(socket, sockopt::ReceiveTimestampns, &true)?;
    setsockopt(socket, sockopt::RxqOvfl, &1)?;
    setsockopt(socket, sockopt::RcvBufForce, &BUFFER)?;
    Ok(())
}

/// Receives until it is told to stop and nothing has come for a while.
pub fn run(socket: &UdpSocket, stream: u64, shared: &Shared) -> Received {
    let mut note = Received::default();
    let mut quiet = Instant::now();
    loop {
        // Read before the socket is: what was sent before the order to stop is seen.
        let stop = shared.stop.load(Ordering::Relaxed);
        if drain(socket, stream, &mut note) > 0 {
            quiet = Instant::now();
            shared.arrived.store(note.count, Ordering::Relaxed);
        }
        if stop && quiet.elapsed() > LINGER {
            return note;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Takes what is there; how many packets.
fn drain(socket: &UdpSocket, stream: u64, note: &mut Received) -> u64 {
    let mut control = cmsg_space!(TimeSpec, u32);
    let mut taken = 0;
    loop {
        let mut bytes = [0; PACKET + 1];
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let got = recvmsg::<()>(
            socket.as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::MSG_DONTWAIT,
        );
        let (length, at) = match got {
            Ok(message) => (message.bytes, stamp(&message, note)),
            Err(Errno::EINTR) => continue,
            Err(_) => return taken,
        };
        taken += 1;
        if let Some(number) = number(stream, &bytes[..length]) {
            note.arrival(number, at);
        }
    }
}

/// When the kernel got the packet, and what it had to leave out before.
fn stamp(message: &nix::sys::socket::RecvMsg<'_, '_, ()>, note: &mut Received) -> Option<Duration> {
    let mut at = None;
    for control in message.cmsgs().ok()? {
        match control {
            ControlMessageOwned::ScmTimestampns(time) => at = Some(Duration::from(time)),
            ControlMessageOwned::RxqOvfl(count) => note.overflowed = u64::from(count),
            _ => {}
        }
    }
    at
}

impl Received {
    /// Notes a packet; `at` is on the wall clock.
    pub fn arrival(&mut self, number: u64, at: Option<Duration>) {
        let Some(index) = usize::try_from(number).ok().filter(|_| number < MOST) else {
            return;
        };
        if let Some(at) = at {
            if !self.last.is_zero() {
                self.longest = self.longest.max(at.saturating_sub(self.last));
            }
            self.last = at;
        }
        if self.seen.len() <= index {
            self.seen.resize(index + 1, false);
        }
        if std::mem::replace(&mut self.seen[index], true) {
            self.duplicates += 1;
            return;
        }
        self.count += 1;
        if self.count > 1 && number < self.highest {
            self.reordered += 1;
        }
        self.highest = self.highest.max(number);
    }
}
