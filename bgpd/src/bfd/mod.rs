//! BFD on a thread of its own: the sessions of `bfd-proto`, their sockets, and nothing else, so that no amount of work
//! with routes delays a packet or has a peer taken for dead.
//!
//! ```text
//!  Bfd::want (complete set) ─► Mutex, eventfd ─► thread: ppoll ─► read all ─► expire ─► send
//!  Reports ◄─ channel; merged, never lost ◄────────┘  └─► Mutex (copied when free) ─► Bfd::status
//! ```
//!
//! The thread never waits for anybody: it takes locks only when they are free, logs nothing (stderr may block), and what
//! the channel does not take is merged and offered again. It is started with the first session that is wanted, and asks
//! for real-time scheduling (`CAP_SYS_NICE`); without, it goes on as it is.

mod coupling;
mod priority;
mod reports;
mod sockets;
mod thread;

pub(crate) use coupling::Coupling;
pub use reports::{Report, Reports};

pub use bfd_proto::{Hops, SessionStatus, State};

use bfd_proto::{Key, Rejects, Settings};
use bgpd_proto::speaker::PeerStatus;
use rustix::event::EventfdFlags;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io};

/// A session that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// How it is kept.
    pub settings: Settings,
    /// Address that our packets start from; `None` lets the kernel choose.
    pub local: Option<IpAddr>,
}

/// How the thread works.
#[derive(Clone, Debug)]
pub struct Options {
    /// Addresses to receive on, ports 3784 and 4784 of each.
    pub listen: Vec<IpAddr>,
    /// Pause before the ports are asked for again when another program has them.
    pub retry: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
            retry: Duration::from_secs(10),
        }
    }
}

/// How the thread is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// No session is wanted: no ports are taken.
    #[default]
    Idle,
    /// At work.
    Running,
    /// It cannot work, and why, for people. It tries again.
    Failed(String),
}

/// What is to be seen of it, half a second old at most.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Whether it works at all.
    pub health: Health,
    /// All sessions, by key.
    pub sessions: Vec<SessionStatus>,
    /// Packets that were dropped, by reason.
    pub rejects: Rejects,
    /// Packets that the kernel did not take: mostly that there was no route.
    pub send_errors: u64,
    /// Whether the thread was given its priority.
    pub priority: bool,
}

impl Status {
    /// The session that watches the path to a peer.
    pub fn of(&self, peer: &PeerStatus) -> Option<&SessionStatus> {
        let remote = peer.remote_address;
        let scope = match remote {
            Some(SocketAddr::V6(v6)) => v6.scope_id(),
            _ => 0,
        };
        let address = peer.id.address().or(remote.map(|end| end.ip()))?;
        self.session(Key::new(address, scope))
    }

    /// The session with a peer.
    pub fn session(&self, key: Key) -> Option<&SessionStatus> {
        self.sessions.iter().find(|session| session.key == key)
    }
}

/// What the thread is to do.
#[derive(Debug, Default)]
struct Orders {
    wanted: Option<BTreeMap<Key, Wish>>,
    end: Option<End>,
}

/// How to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Say AdminDown before.
    Leave,
    /// At once and without a word, as if the process were killed.
    Silently,
}

#[derive(Debug)]
struct Shared {
    orders: Mutex<Orders>,
    status: Mutex<Status>,
    /// Written after an order.
    bell: OwnedFd,
}

impl Shared {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        // Full: it rings already.
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
    }
}

/// A way to look at it.
#[derive(Clone, Debug)]
pub struct View(Arc<Shared>);

impl View {
    /// See [`Status`].
    pub fn status(&self) -> Status {
        self.0.status().clone()
    }
}

/// The thread, from outside. Dropped, it ends without a word: peers see a process that died.
pub struct Bfd {
    shared: Arc<Shared>,
    /// What the thread starts with, until it does.
    start: Option<thread::Start>,
}

impl fmt::Debug for Bfd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bfd")
            .field("started", &self.start.is_none())
            .finish()
    }
}

impl Bfd {
    /// Prepares the thread; the first [`Bfd::want`] with a session starts it.
    ///
    /// # Errors
    /// When the kernel has no file descriptor left.
    pub fn new(options: Options) -> io::Result<(Self, Reports)> {
        let bell = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let shared = Arc::new(Shared {
            orders: Mutex::default(),
            status: Mutex::default(),
            bell,
        });
        let (outbox, reports) = reports::channel();
        let start = Some(thread::Start {
            shared: Arc::clone(&shared),
            options,
            outbox,
        });
        Ok((Self { shared, start }, reports))
    }

    /// A way to look at it from elsewhere.
    pub fn view(&self) -> View {
        View(Arc::clone(&self.shared))
    }

    /// Sets all sessions. What is absent says AdminDown and goes.
    pub fn want(&mut self, wanted: BTreeMap<Key, Wish>) {
        if wanted.is_empty() && self.start.is_some() {
            return;
        }
        self.shared.orders().wanted = Some(wanted);
        self.shared.ring();
        if let Some(start) = self.start.take()
            && let Err(error) = start.spawn()
        {
            self.shared.status().health = Health::Failed(format!("cannot start the thread of BFD: {error}"));
        }
    }

    /// Whether a session has ever been wanted.
    pub fn is_started(&self) -> bool {
        self.start.is_none()
    }

    /// Says AdminDown to all peers, three times in 40 ms, and ends; [`Reports::next`] gives `None` when it has.
    /// Close the TCP connections before: to BIRD, AdminDown while BGP is up is the end of the routes.
    pub fn leave(self) {
        self.shared.orders().end = Some(End::Leave);
        self.shared.ring();
    }
}

impl Drop for Bfd {
    fn drop(&mut self) {
        self.shared.orders().end.get_or_insert(End::Silently);
        self.shared.ring();
    }
}
