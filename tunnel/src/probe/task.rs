//! The one task that probes: it holds the sockets, and the rule and table in the kernel.
//!
//! It wakes on a new desired state, when a request is due or lost, when a packet arrives, and at the audit, which reads
//! rule and table again. What it does with all that is decided by the pure parts: [`Schedule`], [`Peers`] and
//! [`kernel::changes`].

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::handle::{Handle, Published, Settings, Verdicts};
use super::kernel::{self, Hop, State};
use super::model::{DesiredProbes, ProbeKey};
use super::peers::{Peers, arrival};
use super::schedule::{Request, Schedule};
use super::socket::{Received, Sockets};
use super::verdict::{ProbeVerdict, Way};
use super::wire::{Arrival, LENGTH, Nonces, Packet};
use crate::error::Error;
use crate::family::Family;
use crate::netlink::Netlink;

/// How often rule and table are read again.
const AUDIT: Duration = Duration::from_secs(30);
/// How often it is tried again what did not work.
const RETRY: Duration = Duration::from_secs(2);
const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// Starts the task on the current tokio runtime, in the network namespace of the calling thread. Until the first
/// [`Handle::publish`] it touches nothing.
///
/// # Errors
/// If a netlink socket cannot be opened.
pub fn start(settings: Settings) -> Result<Handle, Error> {
    let (desired_sender, desired) = watch::channel(Published::default());
    let (verdict_sender, verdicts) = watch::channel(Verdicts::default());
    let task = Task {
        settings,
        netlink: Netlink::open()?,
        desired,
        verdicts: verdict_sender,
        begin: Instant::now(),
        schedule: Schedule::new(settings.tuning, RandomState::new().hash_one(())),
        nonces: Nonces::default(),
        peers: Peers::default(),
        sockets: BTreeMap::new(),
        audit: None,
    };
    tokio::spawn(task.run());
    Ok(Handle {
        desired: Arc::new(desired_sender),
        verdicts,
    })
}

/// Removes the rule and the table of probes of both families, in the network namespace of the calling thread. Returns how many
/// things were removed.
///
/// # Errors
/// If the kernel refuses.
pub async fn cleanup() -> Result<usize, Error> {
    kernel::sweep(&Netlink::open()?).await
}

struct Task {
    settings: Settings,
    netlink: Netlink,
    desired: watch::Receiver<Published>,
    verdicts: watch::Sender<Verdicts>,
    /// Times count from here.
    begin: Instant,
    schedule: Schedule,
    nonces: Nonces,
    peers: Peers,
    sockets: BTreeMap<Family, Sockets>,
    /// None before the first desired state.
    audit: Option<Instant>,
}

enum Cause {
    Wanted,
    Dropped,
    Due,
    Packet(Family, std::io::Result<Received>),
}

impl Task {
    async fn run(mut self) {
        loop {
            match self.wait().await {
                Cause::Dropped => return,
                Cause::Wanted => self.reconcile().await,
                Cause::Due => self.send_due(),
                Cause::Packet(family, Ok(packet)) => self.handle(family, &packet),
                Cause::Packet(family, Err(error)) => {
                    tracing::warn!(%error, "the {family} socket of probes failed; it is opened again");
                    self.sockets.remove(&family);
                    self.audit = Some(Instant::now() + RETRY);
                }
            }
            self.publish(None);
        }
    }

    async fn wait(&mut self) -> Cause {
        let due = self.schedule.wake().and_then(|wake| self.begin.checked_add(wake));
        let (v4, v6) = (self.sockets.get(&Family::Ipv4), self.sockets.get(&Family::Ipv6));
        tokio::select! {
            changed = self.desired.changed() => if changed.is_ok() { Cause::Wanted } else { Cause::Dropped },
            () = at(self.audit) => Cause::Wanted,
            () = at(due) => Cause::Due,
            packet = receive(v4) => Cause::Packet(Family::Ipv4, packet),
            packet = receive(v6) => Cause::Packet(Family::Ipv6, packet),
        }
    }

    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Brings sockets, kernel, schedule and peers to the desired state.
    async fn reconcile(&mut self) {
        let Published {
            generation,
            desired,
            carried,
        } = self.desired.borrow_and_update().clone();
        let mut problems = Vec::new();
        let mut ways = BTreeMap::new();
        for family in FAMILIES {
            match self.bring(family, &desired, &mut problems).await {
                Ok(found) => ways.extend(found),
                Err(error) => problems.push(error.to_string()),
            }
        }
        self.peers.update(&desired);
        let now = self.now();
        self.schedule.set(&ways, &carried, now);
        self.audit = Some(Instant::now() + if problems.is_empty() { AUDIT } else { RETRY });
        self.publish(Some((generation, &desired, problems)));
    }

    /// Brings the sockets and the kernel's state of `family`; returns the ways that can be probed.
    async fn bring(
        &mut self,
        family: Family,
        desired: &DesiredProbes,
        problems: &mut Vec<String>,
    ) -> Result<BTreeMap<ProbeKey, Arc<Way>>, Error> {
        let Some(local) = desired.local.get(&family) else {
            self.sockets.remove(&family);
            self.bring_kernel(family, &State::default(), problems).await?;
            return Ok(BTreeMap::new());
        };
        if !self.sockets.contains_key(&family) {
            let port = self.settings.port;
            let sockets = Sockets::open(family, port).map_err(|source| {
                Error::netlink(
                    format!("cannot open the {family} sockets of probes (UDP port {port})"),
                    source,
                )
            })?;
            self.sockets.insert(family, sockets);
        }
        let (ways, routes) = self.ways(family, local.pod, desired, problems);
        // Who only answers needs neither rule nor table.
        let wanted = if routes.is_empty() {
            State::default()
        } else {
            State::probing(routes)
        };
        let kept = self.bring_kernel(family, &wanted, problems).await?;
        // Without rule and end of table a request could take a tunnel: better none.
        Ok(if kept { ways } else { BTreeMap::new() })
    }

    fn ways(
        &self,
        family: Family,
        from: IpAddr,
        desired: &DesiredProbes,
        problems: &mut Vec<String>,
    ) -> (BTreeMap<ProbeKey, Arc<Way>>, BTreeMap<IpAddr, Hop>) {
        let mut indexes: BTreeMap<&str, Option<u32>> = BTreeMap::new();
        let (mut ways, mut routes) = (BTreeMap::new(), BTreeMap::new());
        for (key, peer) in desired.peers.iter().filter(|(key, _)| key.family == family) {
            let Some(hop) = &peer.hop else { continue };
            let sockets = self.sockets.get(&family);
            let look_up = || sockets.and_then(|sockets| sockets.index_of(&hop.interface).ok());
            let Some(index) = *indexes.entry(&hop.interface).or_insert_with(look_up) else {
                continue;
            };
            let way = Way {
                from,
                to: peer.pod,
                others: peer.others.clone(),
                gateway: hop.gateway,
                interface: hop.interface.clone(),
                size: peer.size,
            };
            ways.insert(key.clone(), Arc::new(way));
            let gateway = hop.gateway;
            for pod in [peer.pod].iter().chain(&peer.others) {
                routes.insert(*pod, Hop { gateway, index });
            }
        }
        let missing = indexes.iter().filter(|(_, index)| index.is_none());
        problems.extend(
            missing.map(|(name, _)| format!("the link {name}, by which nodes are probed, is not there")),
        );
        (ways, routes)
    }

    /// Whether rule and end of the table are as wanted afterwards.
    async fn bring_kernel(
        &self,
        family: Family,
        wanted: &State,
        problems: &mut Vec<String>,
    ) -> Result<bool, Error> {
        let mut actual = kernel::read(&self.netlink, family).await?;
        let steps = kernel::changes(&actual, wanted);
        if !steps.is_empty() {
            let errors = kernel::apply(&self.netlink, family, &steps).await;
            problems.extend(errors.iter().map(ToString::to_string));
            if !errors.is_empty() {
                actual = kernel::read(&self.netlink, family).await?;
                return Ok((actual.rule, actual.end) == (wanted.rule, wanted.end));
            }
        }
        Ok(true)
    }

    fn send_due(&mut self) {
        for request in self.schedule.poll(self.now()) {
            let error = self
                .send(&request)
                .err()
                .map(|error| Arc::from(error.to_string()));
            self.schedule.attempted(&request.key, error);
        }
    }

    fn send(&self, request: &Request) -> std::io::Result<()> {
        let Some(sockets) = self.sockets.get(&request.key.family) else {
            return Err(std::io::ErrorKind::NotConnected.into());
        };
        let size = if request.full { request.way.size } else { 0 };
        let way = self.schedule.taken(&request.key, self.now());
        let packet = Packet::Request(self.nonces.token(request.sequence), way);
        let size = usize::try_from(size).unwrap_or(LENGTH);
        sockets.request(request.way.from, request.way.to, packet, size)
    }

    fn handle(&mut self, family: Family, received: &Received) {
        let now = self.now();
        let Some(sockets) = self.sockets.get(&family) else {
            return;
        };
        let Received { from, to, .. } = *received;
        match received.packet {
            Packet::Request(token, _) | Packet::Check(token) => {
                let Some((source, target)) = self.peers.answer_to(from, to, now) else {
                    tracing::trace!(%from, %to, "a probe that is not answered");
                    return;
                };
                let link = sockets.name_of(received.interface).ok();
                let asker = self.peers.asked_by(from);
                let way = asker.and_then(|key| self.schedule.taken(key, now));
                let answer = Packet::Answer(token, arrival(link.as_deref()), way);
                let port = match received.packet {
                    Packet::Check(_) => received.port,
                    _ => self.settings.port,
                };
                if let Err(error) = sockets.answer(source, SocketAddr::new(target, port), answer) {
                    tracing::debug!(%error, %target, "cannot answer a probe");
                }
                if let (Packet::Request(_, theirs), Some(key)) = (received.packet, asker) {
                    self.schedule.said(key, theirs);
                }
            }
            Packet::Answer(token, arrival, theirs) => {
                if received.port != self.settings.port || !self.nonces.knows(token) {
                    return;
                }
                if let Some(key) = self.peers.answered_by(from, to).cloned() {
                    if arrival == Arrival::Tunnel {
                        // Somebody may have removed our rule.
                        let soon = Instant::now() + RETRY;
                        self.audit = self.audit.map(|audit| audit.min(soon));
                    }
                    self.schedule.answered(now, &key, token.sequence, arrival);
                    self.schedule.said(&key, theirs);
                }
            }
        }
    }

    /// Writes down what has changed; wakes who waits for it if anything but counts has.
    fn publish(&mut self, reconciled: Option<(u64, &DesiredProbes, Vec<String>)>) {
        let changes = self.schedule.changes(self.now());
        let (sent, answered) = self.schedule.counts();
        self.verdicts.send_if_modified(|verdicts| {
            (verdicts.sent, verdicts.answered) = (sent, answered);
            let mut news = false;
            for (key, verdict) in changes {
                news |= note(&mut verdicts.peers, key, verdict);
            }
            let Some((generation, desired, problems)) = reconciled else {
                return news;
            };
            let before = verdicts.peers.len();
            verdicts.peers.retain(|key, _| desired.peers.contains_key(key));
            news |= verdicts.peers.len() != before;
            for key in desired
                .peers
                .keys()
                .filter(|key| desired.local.contains_key(&key.family))
            {
                if !verdicts.peers.contains_key(key) {
                    verdicts.peers.insert(key.clone(), ProbeVerdict::default());
                    news = true;
                }
            }
            for problem in problems
                .iter()
                .filter(|problem| !verdicts.problems.contains(problem))
            {
                tracing::error!("{problem}");
            }
            news |= verdicts.problems != problems || verdicts.generation != generation;
            verdicts.problems = problems;
            verdicts.generation = generation;
            news
        });
    }
}

/// Whether the verdict is another than before. A peer that is not probed any more is unknown until it is not wanted either.
fn note(
    verdicts: &mut BTreeMap<ProbeKey, ProbeVerdict>,
    key: ProbeKey,
    verdict: Option<ProbeVerdict>,
) -> bool {
    let verdict = verdict.unwrap_or_default();
    let old = verdicts.insert(key.clone(), verdict.clone());
    let news = old.as_ref().is_none_or(|old| old.proof() != verdict.proof());
    match old {
        // That a way is fit at the first try is no news in a log, least of all a thousand times.
        Some(ProbeVerdict::Unknown(_)) | None if !matches!(verdict, ProbeVerdict::Silent(..)) => {}
        _ if news => tracing::info!("{key}: {verdict}"),
        _ => {}
    }
    news
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

async fn receive(sockets: Option<&Sockets>) -> std::io::Result<Received> {
    match sockets {
        Some(sockets) => sockets.receive().await,
        None => std::future::pending().await,
    }
}
