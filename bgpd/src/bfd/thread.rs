//! The thread: wait, read everything, let expire what has expired, take orders, send, report.
//!
//! The order is the point. Whoever is woken late reads what came meanwhile before declaring anybody dead; and what is
//! sent follows from what was read.

use super::reports::Outbox;
use super::sockets::{Receiver, Sender};
use super::{End, Health, Options, Shared, Wish};
use bfd_proto::{Hops, Key, PACKET_LEN, Settings, Table};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Datagrams read from a socket before others have their turn: a flood costs bounded time.
const DRAIN: usize = 64;

/// Longer than any packet we read; the rest is cut.
const BUFFER: usize = 128;

/// How old what others see may be.
const PUBLISH: Duration = Duration::from_millis(500);

/// Pause before what could not be handed over is offered again.
const AGAIN: Duration = Duration::from_millis(20);

/// How often AdminDown is said before we go, and the pause between.
const FAREWELLS: u32 = 3;
const FAREWELL_PAUSE: Duration = Duration::from_millis(20);

const STACK: usize = 256 * 1024;

/// What the thread starts with.
pub struct Start {
    pub shared: Arc<Shared>,
    pub options: Options,
    pub outbox: Outbox,
}

impl Start {
    pub fn spawn(self) -> io::Result<()> {
        let builder = std::thread::Builder::new().name("bfd".into()).stack_size(STACK);
        builder.spawn(move || Worker::new(self).run()).map(drop)
    }
}

struct Worker {
    shared: Arc<Shared>,
    options: Options,
    outbox: Outbox,
    table: Table,
    wanted: BTreeMap<Key, Wish>,
    receivers: Vec<Receiver>,
    senders: BTreeMap<Key, Sender>,
    /// The ports are asked for then.
    open_at: Option<Instant>,
    health: Health,
    send_errors: u64,
    priority: bool,
    /// Somebody held a lock, or the channel was full.
    unfinished: bool,
    published: Option<Instant>,
}

impl Worker {
    fn new(start: Start) -> Self {
        let priority = super::priority::raise();
        Self {
            shared: start.shared,
            options: start.options,
            outbox: start.outbox,
            table: Table::new(random()),
            wanted: BTreeMap::new(),
            receivers: Vec::new(),
            senders: BTreeMap::new(),
            open_at: None,
            health: Health::Idle,
            send_errors: 0,
            priority,
            unfinished: false,
            published: None,
        }
    }

    fn run(mut self) {
        loop {
            self.wait();
            self.read();
            self.table.handle_timeout(Instant::now());
            self.unfinished = false;
            let end = self.take_orders();
            self.open();
            if end == Some(End::Leave) {
                return self.farewell();
            } else if end.is_some() {
                return;
            }
            self.send();
            let changed = self.report();
            self.publish(changed);
        }
    }

    fn wait(&self) {
        let now = Instant::now();
        let again = self.unfinished.then(|| now + AGAIN);
        let deadline = [self.table.poll_timeout(), self.open_at, again]
            .into_iter()
            .flatten()
            .min();
        let timeout = deadline.map(|at| {
            let left = at.saturating_duration_since(now);
            Timespec {
                tv_sec: left.as_secs() as i64,
                tv_nsec: i64::from(left.subsec_nanos()),
            }
        });
        let bell = PollFd::new(&self.shared.bell, PollFlags::IN);
        let mut fds = [bell.clone(), bell.clone(), bell.clone(), bell.clone(), bell];
        for (place, receiver) in fds[1..].iter_mut().zip(&self.receivers) {
            *place = PollFd::new(&receiver.socket, PollFlags::IN);
        }
        // Interrupted: the turn finds nothing to do.
        let _ = poll(&mut fds[..=self.receivers.len().min(4)], timeout.as_ref());
        let mut rings = [0; 8];
        let _ = rustix::io::read(&self.shared.bell, &mut rings);
    }

    /// Reads what has come, before anything is declared dead.
    fn read(&mut self) {
        let mut buffer = [0; BUFFER];
        for receiver in &mut self.receivers {
            for _ in 0..DRAIN {
                let Some((length, from)) = receiver.receive(&mut buffer) else {
                    break;
                };
                self.table.receive(&buffer[..length], from, Instant::now());
            }
        }
    }

    fn take_orders(&mut self) -> Option<End> {
        let Ok(mut orders) = self.shared.orders.try_lock() else {
            self.unfinished = true;
            return None;
        };
        let (wanted, end) = (orders.wanted.take(), orders.end);
        drop(orders);
        if let Some(wanted) = wanted {
            let moved = |key: &Key| self.wanted.get(key).map(|w| w.local) != wanted.get(key).map(|w| w.local);
            self.senders
                .retain(|key, _| !wanted.contains_key(key) || !moved(key));
            self.wanted = wanted;
            self.open_at.get_or_insert_with(Instant::now);
        }
        end
    }

    /// Has the table want what is wanted, once the ports are ours.
    fn open(&mut self) {
        let now = Instant::now();
        if self.open_at.is_none_or(|at| at > now) {
            return;
        }
        if self.wanted.is_empty() {
            self.open_at = None;
        } else if self.receivers.is_empty() {
            match open_all(&self.options.listen) {
                Ok(receivers) => self.receivers = receivers,
                Err(why) => {
                    self.health = Health::Failed(why);
                    self.open_at = Some(now + self.options.retry);
                    return;
                }
            }
        }
        self.open_at = None;
        self.health = if self.wanted.is_empty() {
            Health::Idle
        } else {
            Health::Running
        };
        let settings: BTreeMap<Key, Settings> = self
            .wanted
            .iter()
            .map(|(key, wish)| (*key, wish.settings))
            .collect();
        self.table.want(settings, now);
        self.published = None;
    }

    fn send(&mut self) {
        while let Some((key, hops, packet)) = self.table.poll_transmit(Instant::now()) {
            if self.send_one(key, hops, &packet).is_err() {
                self.send_errors += 1;
            }
        }
    }

    fn send_one(&mut self, key: Key, hops: Hops, packet: &[u8; PACKET_LEN]) -> io::Result<()> {
        if !self.senders.contains_key(&key) {
            let local = self.wanted.get(&key).and_then(|wish| wish.local);
            self.senders
                .insert(key, Sender::open(key, local, random() as u16)?);
        }
        match self.senders.get(&key) {
            Some(sender) => sender.send(hops, packet),
            None => Ok(()),
        }
    }

    fn report(&mut self) -> bool {
        let mut changed = false;
        while let Some(event) = self.table.poll_event() {
            changed = true;
            self.outbox.tell(&event);
        }
        self.unfinished |= !self.outbox.flush();
        changed
    }

    /// Shows how things are, if somebody may want to see that it has changed, and nobody is looking.
    fn publish(&mut self, changed: bool) {
        let now = Instant::now();
        if !changed && self.published.is_some_and(|at| now < at + PUBLISH) {
            return;
        }
        let Ok(mut status) = self.shared.status.try_lock() else {
            self.unfinished = true;
            self.published = None;
            return;
        };
        status.sessions.clear();
        status.sessions.extend(self.table.statuses());
        status.rejects = *self.table.rejects();
        status.send_errors = self.send_errors;
        status.priority = self.priority;
        if status.health != self.health {
            status.health = self.health.clone();
        }
        drop(status);
        self.published = Some(now);
        self.senders.retain(|key, _| self.table.contains(*key));
        if self.table.is_empty() && self.wanted.is_empty() {
            self.receivers.clear();
        }
    }

    fn farewell(mut self) {
        for round in 0..FAREWELLS {
            if round > 0 {
                std::thread::sleep(FAREWELL_PAUSE);
            }
            self.table.administratively_down(Instant::now());
            self.send();
        }
    }
}

fn open_all(addresses: &[IpAddr]) -> Result<Vec<Receiver>, String> {
    let mut receivers = Vec::with_capacity(4);
    for address in addresses {
        for hops in [Hops::Single, Hops::Multi] {
            let port = hops.port();
            match Receiver::open(*address, hops) {
                Ok(receiver) => receivers.push(receiver),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    return Err(format!(
                        "UDP port {port} is another program's: BFD is off, and BGP goes on by its hold timer"
                    ));
                }
                // A node without IPv6 has no need of it.
                Err(error) if address.is_ipv6() && no_ipv6(&error) => {}
                Err(error) => return Err(format!("cannot take UDP port {port} on {address}: {error}")),
            }
        }
    }
    Ok(receivers)
}

fn no_ipv6(error: &io::Error) -> bool {
    let missing = [rustix::io::Errno::AFNOSUPPORT, rustix::io::Errno::ADDRNOTAVAIL];
    missing
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// From the system's random source, by way of the hasher's keys.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
