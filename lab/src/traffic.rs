//! A steady stream of numbered UDP packets between two nodes or pods: what arrived, what was lost, how long the
//! largest gap was.
//!
//! The sender keeps an absolute schedule and reports when it could not keep it: a loss count means nothing
//! unless the full rate was really sent. Its thread asks for the lowest of the real-time priorities, so that a machine that is busy
//! with other things still lets it send on time: it needs a few microseconds a packet.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::fabric::Lab;

/// How late a packet may be sent before the rate counts as not kept.
const LATE: Duration = Duration::from_millis(250);

/// How long the receiver stays for packets on their way.
const LINGER: Duration = Duration::from_millis(500);

/// A running stream.
#[derive(Debug)]
pub struct Traffic {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    arrived: Arc<AtomicU64>,
    sender: JoinHandle<Sent>,
    receiver: JoinHandle<Received>,
    rate: u32,
}

#[derive(Debug, Default)]
struct Sent {
    count: u64,
    refused: u64,
    latest: Duration,
    took: Duration,
}

#[derive(Debug, Default)]
struct Received {
    seen: Vec<bool>,
    count: u64,
    longest: Duration,
}

/// What became of the packets.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Packets handed to the kernel.
    pub sent: u64,
    /// Packets that the sender's kernel refused, for want of a route for instance; they count as lost too.
    pub refused: u64,
    /// Distinct packets that arrived.
    pub received: u64,
    /// Packets sent or refused that never arrived.
    pub lost: u64,
    /// Longest time between two arrivals.
    pub largest_gap: Duration,
    /// How long was sent.
    pub took: Duration,
    /// Packets that the rate asks for in that time.
    pub expected: u64,
    /// The longest that a packet was sent behind its time.
    pub latest: Duration,
}

impl Report {
    /// The full rate was really sent: no packet much behind its time, none left out.
    pub fn full_rate(&self) -> bool {
        self.latest <= LATE && self.sent + self.refused >= self.expected && self.expected > 0
    }
}

impl Traffic {
    /// Starts `rate` packets a second from `from` to the address `to` of node `at`, and returns when the first
    /// has been sent. `at` and `from` are nodes or pods of the lab.
    pub fn start(lab: &Lab, from: &str, at: &str, to: IpAddr, rate: u32) -> Result<Traffic, Error> {
        let any: IpAddr = if to.is_ipv4() {
            Ipv4Addr::UNSPECIFIED.into()
        } else {
            std::net::Ipv6Addr::UNSPECIFIED.into()
        };
        let bind = |node: &str, address: IpAddr| -> Result<UdpSocket, Error> {
            lab.in_namespace(node, || UdpSocket::bind((address, 0)))?
                .map_err(Error::system(format!("open a UDP socket on {node}")))
        };
        // A socket belongs to the namespace that it was opened in, whichever thread uses it.
        let (source, sink) = (bind(from, any)?, bind(at, to)?);
        let port = sink
            .local_addr()
            .map_err(Error::system("open a UDP socket"))?
            .port();
        sink.set_read_timeout(Some(Duration::from_millis(50)))
            .map_err(Error::system("set up a UDP socket"))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (sent, arrived) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let receiver = {
            let (stop, arrived) = (stop.clone(), arrived.clone());
            std::thread::spawn(move || receive(&sink, &stop, &arrived))
        };
        let sender = {
            let (stop, sent) = (stop.clone(), sent.clone());
            std::thread::spawn(move || send(&source, SocketAddr::new(to, port), rate, &stop, &sent))
        };
        let traffic = Traffic {
            stop,
            sent,
            arrived,
            sender,
            receiver,
            rate,
        };
        traffic.wait_sent(1)?;
        Ok(traffic)
    }

    /// Waits until so many packets have been sent since the start.
    pub fn wait_sent(&self, packets: u64) -> Result<(), Error> {
        let deadline = Duration::from_secs(10) + Duration::from_secs(packets / u64::from(self.rate.max(1)));
        crate::wait::until(deadline, format!("{packets} packets sent"), || {
            let sent = self.sent.load(Ordering::Relaxed);
            if sent >= packets {
                Ok(())
            } else {
                Err(format!("{sent} sent"))
            }
        })
    }

    /// Packets sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Distinct packets that have arrived so far.
    pub fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Relaxed)
    }

    /// Waits until so many more packets have arrived.
    pub fn wait_arrived(&self, more: u64, deadline: Duration) -> Result<(), Error> {
        let wanted = self.arrived() + more;
        crate::wait::until(deadline, format!("{wanted} packets received"), || {
            let arrived = self.arrived();
            if arrived >= wanted {
                Ok(())
            } else {
                Err(format!("{arrived} received"))
            }
        })
    }

    /// Ends the stream and says what became of it.
    pub fn stop(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.sender.join().unwrap_or_default();
        let received = self.receiver.join().unwrap_or_default();
        Report {
            sent: sent.count,
            refused: sent.refused,
            received: received.count,
            lost: (sent.count + sent.refused).saturating_sub(received.count),
            largest_gap: received.longest,
            took: sent.took,
            expected: (sent.took.as_secs_f64() * f64::from(self.rate)).floor() as u64,
            latest: sent.latest,
        }
    }
}

fn send(socket: &UdpSocket, to: SocketAddr, rate: u32, stop: &AtomicBool, sent: &AtomicU64) -> Sent {
    urgent();
    let interval = Duration::from_secs(1) / rate.max(1);
    let start = Instant::now();
    let mut report = Sent::default();
    let mut due = start;
    for number in 0u64.. {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        report.latest = report.latest.max(due.elapsed());
        match socket.send_to(&number.to_be_bytes(), to) {
            Ok(_) => report.count += 1,
            Err(_) => report.refused += 1,
        }
        sent.fetch_add(1, Ordering::Relaxed);
        due += interval;
        // The schedule is finished first: a sender that is told to stop while it is behind would look as if it had
        // left packets out.
        let now = start.elapsed();
        if stop.load(Ordering::Relaxed) && due - start > now {
            report.took = now;
            break;
        }
    }
    report
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
    // Refused: the rate is kept as well as the machine allows, and the report says how late it was.
    drop(done);
}

fn receive(socket: &UdpSocket, stop: &AtomicBool, arrived: &AtomicU64) -> Received {
    let mut report = Received::default();
    let mut last: Option<Instant> = None;
    let mut stopped: Option<Instant> = None;
    let mut buffer = [0; 64];
    loop {
        if let Ok(8) = socket.recv(&mut buffer) {
            let now = Instant::now();
            if let Some(before) = last.replace(now) {
                report.longest = report.longest.max(now - before);
            }
            let mut number = [0; 8];
            number.copy_from_slice(&buffer[..8]);
            note(&mut report, u64::from_be_bytes(number));
            arrived.store(report.count, Ordering::Relaxed);
        }
        if stop.load(Ordering::Relaxed) && stopped.get_or_insert_with(Instant::now).elapsed() > LINGER {
            return report;
        }
    }
}

/// Counts each number once.
fn note(report: &mut Received, number: u64) {
    let Ok(index) = usize::try_from(number) else {
        return;
    };
    // Hours at the highest rates; a stray datagram cannot make this grow without bound.
    if index >= 100_000_000 {
        return;
    }
    if report.seen.len() <= index {
        report.seen.resize(index + 1, false);
    }
    if !std::mem::replace(&mut report.seen[index], true) {
        report.count += 1;
    }
}
