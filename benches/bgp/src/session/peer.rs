//! One session of the benchmark's: the end of a router's peer.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::poll::PollFlags;
use socket2::{Domain, Protocol, Socket, Type};

use super::{Descriptor, PATIENCE, Plan};
use crate::digest::Seen;
use crate::message::{self, HOLD, KEEPALIVE, NOTIFICATION, OPEN, UPDATE};
use crate::parse;
use crate::route::Attributes;

/// Pause before a connection is tried again.
const AGAIN: Duration = Duration::from_millis(50);
const PORT: u16 = 179;

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not connected; not before then.
    Idle(Instant),
    /// TCP is connecting.
    Connecting,
    /// Our OPEN is sent, the router's has not come.
    OpenSent,
    /// The router's KEEPALIVE has not come.
    OpenConfirm,
    /// Up.
    Established,
}

/// A session.
#[derive(Debug)]
pub struct Session {
    /// How far it is.
    pub phase: Phase,
    plan: Plan,
    socket: Option<Socket>,
    /// Short messages that go before anything else.
    pending: Vec<u8>,
    /// How much of the feed is sent.
    sent: usize,
    first_sent: Option<Instant>,
    last_sent: Instant,
    since: Instant,
    /// The part of a message that has come.
    rest: Vec<u8>,
    seen: Option<Seen>,
    attributes: Attributes,
}

impl Session {
    /// Not connected yet.
    pub fn new(plan: Plan) -> Session {
        let now = Instant::now();
        Session {
            phase: Phase::Idle(now),
            seen: plan.expected.clone().map(Seen::new),
            plan,
            socket: None,
            pending: Vec::new(),
            sent: 0,
            first_sent: None,
            last_sent: now,
            since: now,
            rest: Vec::new(),
            attributes: Attributes::default(),
        }
    }

    /// Whether somebody looks at what it is told.
    pub fn is_receiver(&self) -> bool {
        self.seen.is_some()
    }

    /// Whether it has been told everything.
    pub fn is_complete(&self) -> bool {
        self.seen.as_ref().is_some_and(Seen::complete)
    }

    /// Whether it is up.
    pub fn is_up(&self) -> bool {
        self.phase == Phase::Established
    }

    /// Whether TCP is connected.
    pub fn connected(&self) -> bool {
        !matches!(self.phase, Phase::Idle(_) | Phase::Connecting)
    }

    /// When the first byte of its feed went out.
    pub fn began_to_send(&self) -> Option<Instant> {
        self.first_sent
    }

    /// What it lacks.
    pub fn differences(&self) -> Option<String> {
        let seen = self.seen.as_ref().filter(|seen| !seen.complete())?;
        Some(format!("{}: {}", self.plan.peer.address, seen.differences()))
    }

    /// Its socket, for poll(2).
    pub fn stream(&self) -> Option<Descriptor<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Begins to connect.
    pub fn connect(&mut self, now: Instant) -> anyhow::Result<()> {
        if now - self.since > PATIENCE {
            bail!("{} does not come up in {PATIENCE:?}", self.plan.peer.address);
        }
        let peer = self.plan.peer;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).context("no socket")?;
        socket.set_nonblocking(true).context("cannot wait for a socket")?;
        socket.set_tcp_nodelay(true).context("cannot send at once")?;
        let own = SocketAddr::V4(SocketAddrV4::new(peer.address, 0));
        socket
            .bind(&own.into())
            .with_context(|| format!("no address {own}"))?;
        let router = SocketAddr::V4(SocketAddrV4::new(peer.router(), PORT));
        // The answer comes through poll(2), a refusal too.
        let _ = socket.connect(&router.into());
        self.socket = Some(socket);
        self.phase = Phase::Connecting;
        Ok(())
    }

    /// Queues a KEEPALIVE where one is due. While a feed is under way it is one itself.
    pub fn keep_alive(&mut self, now: Instant) {
        let feeding = self.sent > 0 && self.sent < self.plan.feed.len();
        let due = now.saturating_duration_since(self.last_sent) > Duration::from_secs(u64::from(HOLD) / 3);
        if self.is_up() && due && !feeding && self.pending.is_empty() {
            self.pending = message::keepalive();
        }
    }

    fn may_feed(&self, started: bool) -> bool {
        self.is_up() && (started || self.plan.at_once) && self.sent < self.plan.feed.len()
    }

    /// What it waits for.
    pub fn wants(&self, started: bool) -> PollFlags {
        let writes = self.phase == Phase::Connecting || !self.pending.is_empty() || self.may_feed(started);
        if writes {
            PollFlags::POLLIN | PollFlags::POLLOUT
        } else {
            PollFlags::POLLIN
        }
    }

    /// Does what can be done; when the bytes that were looked at had come.
    pub fn serve(&mut self, ready: PollFlags, started: bool, scratch: &mut [u8]) -> anyhow::Result<Instant> {
        let mut now = Instant::now();
        let done = self.work(ready, started, scratch, &mut now);
        match done {
            Ok(()) => {}
            Err(error) if self.is_up() => {
                return Err(error.context(format!("the session of {} is lost", self.plan.peer.address)));
            }
            // The daemon is not there yet, or has not set up this peer.
            Err(_) => {
                self.socket = None;
                self.pending.clear();
                self.rest.clear();
                self.phase = Phase::Idle(now + AGAIN);
            }
        }
        Ok(now)
    }

    fn work(
        &mut self,
        ready: PollFlags,
        started: bool,
        scratch: &mut [u8],
        now: &mut Instant,
    ) -> anyhow::Result<()> {
        let Some(mut socket) = self.socket.take() else {
            return Ok(());
        };
        if self.phase == Phase::Connecting {
            if let Some(error) = socket.take_error().context("no state of a socket")? {
                return Err(error.into());
            }
            self.phase = Phase::OpenSent;
            self.pending = message::open(self.plan.peer.asn, self.plan.peer.address.into());
        }
        if ready.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR) {
            self.read(&mut socket, scratch, now)?;
        }
        self.write(&mut socket, started)?;
        self.socket = Some(socket);
        Ok(())
    }

    fn write(&mut self, socket: &mut Socket, started: bool) -> anyhow::Result<()> {
        while !self.pending.is_empty() {
            let Some(count) = sent(socket.write(&self.pending))? else {
                return Ok(());
            };
            self.pending.drain(..count);
            self.last_sent = Instant::now();
        }
        while self.may_feed(started) {
            let now = Instant::now();
            self.first_sent.get_or_insert(now);
            let Some(count) = sent(socket.write(&self.plan.feed[self.sent..]))? else {
                return Ok(());
            };
            self.sent += count;
            self.last_sent = now;
        }
        Ok(())
    }

    fn read(&mut self, socket: &mut Socket, scratch: &mut [u8], now: &mut Instant) -> anyhow::Result<()> {
        let held = self.rest.len();
        scratch[..held].copy_from_slice(&self.rest);
        let count = match socket.read(&mut scratch[held..]) {
            Ok(0) => bail!("the router closes the connection"),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        *now = Instant::now();
        let mut bytes = &scratch[..held + count];
        while let Some((kind, body, length)) = parse::message(bytes)? {
            self.message(kind, body)?;
            bytes = &bytes[length..];
        }
        self.rest.clear();
        self.rest.extend(bytes);
        Ok(())
    }

    fn message(&mut self, kind: u8, body: &[u8]) -> anyhow::Result<()> {
        match (kind, self.phase) {
            (OPEN, Phase::OpenSent) => {
                self.pending.extend(message::keepalive());
                self.phase = Phase::OpenConfirm;
            }
            (KEEPALIVE, Phase::OpenConfirm) => self.phase = Phase::Established,
            (UPDATE, Phase::Established) => self.update(body)?,
            (KEEPALIVE, Phase::Established) => {}
            (NOTIFICATION, _) => bail!("the router sends NOTIFICATION {body:?}"),
            (other, phase) => bail!("message type {other} in {phase:?}"),
        }
        Ok(())
    }

    fn update(&mut self, body: &[u8]) -> anyhow::Result<()> {
        let Some(seen) = &mut self.seen else {
            return Ok(());
        };
        let update = parse::update(body)?;
        parse::prefixes(update.withdrawn, |prefix| seen.withdrawn(prefix))?;
        if update.announced.is_empty() {
            return Ok(());
        }
        let attributes = &mut self.attributes;
        update.attributes(attributes)?;
        if self.plan.peer.external() && attributes.path.contains(&self.plan.peer.asn) {
            // A loop: to its own speaker such a route is none (RFC 4271, section 9.1.2).
            return parse::prefixes(update.announced, |prefix| seen.withdrawn(prefix));
        }
        let number = seen.number(attributes);
        parse::prefixes(update.announced, |prefix| {
            seen.announced(prefix, number, attributes)
        })
    }
}

/// How many bytes were sent; `None`: there is no room now.
fn sent(result: std::io::Result<usize>) -> anyhow::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error.into()),
    }
}
