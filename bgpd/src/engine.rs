//! The owner of the [`Speaker`]: carries commands and bytes in, actions and bytes out, and keeps the time.
//!
//! It has a thread of its own, so that neither the agent's other work delays a KEEPALIVE nor a full table delays the
//! agent. One turn: carry out what the speaker asks for (`act`), write (`output`), publish; look for news, or wait for it;
//! take commands and connections in; read, then let timers expire (`input`). Reading and writing take a [`SLICE`] of
//! time each at most: with a thousand busy peers everything else still gets its turn.

use crate::bfd::Coupling;
use crate::farewell::LAST_WORDS;
use crate::gate::Gate;
use crate::handle::{Command, Handle, News, RibState, Shutdown};
use crate::input::Input;
use crate::journal::Journal;
use crate::keys::{self, Keys};
use crate::links::{Dialled, Links};
use crate::listener::{self, Accepted};
use crate::output::Output;
use crate::signatures::Signatures;
use crate::unnumbered::{self, Discovery, Found};
use crate::{Error, socket};
use bgpd_proto::rib::{LocRibChanges, Originated};
use bgpd_proto::speaker::{Action, Speaker, SpeakerConfig};
use bgpd_proto::types::{ConnId, InterfaceName, PeerId};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinSet, coop::unconstrained, yield_now};
use tokio::time::{sleep_until, timeout};

/// Reading, and writing, for this long at a stretch.
pub const SLICE: Duration = Duration::from_millis(5);

/// Commands that may wait before callers do, and that are taken in one turn.
const COMMANDS: usize = 64;

/// Accepted connections that may wait before listeners do, and that are taken in one turn.
const ACCEPTED: usize = 32;

/// The state of the thread. `input` and `output` have their parts of its work.
pub struct Engine {
    pub speaker: Speaker,
    pub links: Links,
    pub input: Input,
    pub output: Output,
    /// Connections that could not be written to, and why.
    pub broken: Vec<(ConnId, String)>,
    gate: Gate,
    accepted: mpsc::Receiver<Accepted>,
    /// Accept loops; dropping the set ends them all.
    listeners: JoinSet<()>,
    keys: Keys,
    neighbours: Discovery,
    /// Whom it has found.
    on_links: BTreeMap<InterfaceName, Ipv6Addr>,
    signatures: Signatures,
    journal: Journal,
    state: watch::Sender<RibState>,
    pub bfd: Coupling,
}

/// The last command.
type Stop = Option<(Shutdown, oneshot::Sender<()>)>;

/// Starts the engine on a thread of its own.
pub async fn spawn(
    config: SpeakerConfig,
    originated: BTreeMap<IpNet, Originated>,
    listeners: Vec<std::net::TcpListener>,
) -> Result<Handle, Error> {
    let addresses = listeners.iter().filter_map(|l| l.local_addr().ok());
    let listening: Arc<[SocketAddr]> = addresses.collect();
    let bfd = Coupling::new().map_err(Error::Start)?;
    let bfd_view = bfd.view();
    let (commands, command_queue) = mpsc::channel(COMMANDS);
    let (state, watcher) = watch::channel(RibState::default());
    let (report, started) = oneshot::channel();
    let work = move || {
        let runtime = match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(report.send(Err(error))),
        };
        runtime.block_on(unconstrained(async move {
            match Engine::new(config, originated, listeners, state, bfd) {
                Ok(engine) => {
                    // Whoever started it may be gone: then the commands end as well.
                    let _ = report.send(Ok(()));
                    engine.run(command_queue).await;
                }
                Err(error) => drop(report.send(Err(error))),
            }
        }));
    };
    let thread = std::thread::Builder::new().name("bgp".into());
    thread.spawn(work).map_err(Error::Start)?;
    started.await.map_err(|_| Error::Stopped)?.map_err(Error::Start)?;
    Ok(Handle {
        commands,
        state: watcher,
        listening,
        bfd: bfd_view,
    })
}

impl Engine {
    /// Must be called inside the runtime that will run it.
    fn new(
        config: SpeakerConfig,
        originated: BTreeMap<IpNet, Originated>,
        sockets: Vec<std::net::TcpListener>,
        state: watch::Sender<RibState>,
        bfd: Coupling,
    ) -> io::Result<Self> {
        let now = Instant::now();
        let mut speaker = Speaker::new(config, now);
        speaker.originate(originated, now);
        let gate = Gate::default();
        let (accept, accepted) = mpsc::channel(ACCEPTED);
        let mut listeners = JoinSet::new();
        let mut listening = Vec::new();
        for socket in sockets {
            let listener = Arc::new(TcpListener::from_std(socket)?);
            listening.push((listener.local_addr()?, Arc::clone(&listener)));
            listeners.spawn(listener::accept(listener, gate.clone(), accept.clone()));
        }
        let mut engine = Self {
            speaker,
            links: Links::default(),
            input: Input::new(now),
            output: Output::default(),
            broken: Vec::new(),
            gate,
            accepted,
            listeners,
            keys: Keys::new(listening),
            neighbours: Discovery::default(),
            on_links: BTreeMap::new(),
            signatures: Signatures::look(),
            journal: Journal::default(),
            state,
            bfd,
        };
        engine.configured();
        Ok(engine)
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            self.act();
            self.write();
            self.act();
            self.publish();
            let stop = if self.input.is_busy() || self.output.is_busy() {
                // The runtime looks at the sockets meanwhile.
                yield_now().await;
                None
            } else {
                self.wait(&mut commands).await
            };
            match stop.or_else(|| self.take_waiting(&mut commands)) {
                None => {}
                Some(None) => return,
                Some(Some((mode, done))) => return self.shut_down(mode, done).await,
            }
            self.read();
            self.expire();
            self.paths();
        }
    }

    /// Waits for anything at all, and takes it in.
    async fn wait(&mut self, commands: &mut mpsc::Receiver<Command>) -> Option<Stop> {
        let deadline = self.speaker.poll_timeout();
        let ready = self.links.ready.clone();
        tokio::select! {
            command = commands.recv() => return command.map_or(Some(None), |command| self.command(command)),
            Some(accepted) = self.accepted.recv() => self.incoming(accepted),
            dialled = self.links.dialled() => self.dialled(dialled),
            found = self.neighbours.found() => self.found(found),
            () = ready.called() => {}
            () = self.bfd.news() => {}
            () = until(deadline) => {}
        }
        None
    }

    /// Takes in what waits already.
    fn take_waiting(&mut self, commands: &mut mpsc::Receiver<Command>) -> Option<Stop> {
        for _ in 0..ACCEPTED {
            let Ok(accepted) = self.accepted.try_recv() else {
                break;
            };
            self.incoming(accepted);
        }
        while let Some(dialled) = self.links.try_dialled() {
            self.dialled(dialled);
        }
        for _ in 0..COMMANDS {
            let stop = match commands.try_recv() {
                Ok(command) => self.command(command),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => Some(None),
            };
            if stop.is_some() {
                return stop;
            }
        }
        None
    }

    fn command(&mut self, command: Command) -> Option<Stop> {
        let now = Instant::now();
        match command {
            Command::Configure(config) => {
                self.speaker.reconfigure(config, now);
                self.configured();
            }
            Command::Originate(routes) => self.speaker.originate(routes, now),
            Command::NextHops(table) => self.speaker.set_next_hops(table, now),
            Command::Interfaces(interfaces) => self.speaker.set_interfaces(interfaces, now),
            Command::News(routes, reply) => {
                let loc_rib = match routes {
                    true => self.speaker.take_loc_rib_changes(),
                    false => LocRibChanges {
                        whole: self.speaker.forget_loc_rib_changes(),
                        routes: Vec::new(),
                    },
                };
                let news = News {
                    loc_rib,
                    prefixes: self.speaker.rib().loc_rib_len(),
                    tracked: self.speaker.tracked_next_hops(),
                    fully_fed: self.speaker.fully_fed(),
                };
                if reply.send(news).is_err() {
                    self.speaker.forget_loc_rib_changes();
                }
            }
            Command::Refresh(peer, reply) => {
                // The one who asked may have given up.
                let _ = reply.send(self.speaker.request_refresh(peer, now));
            }
            Command::Query(question) => question(&self.speaker, now),
            Command::Shutdown(mode, done) => return Some(Some((mode, done))),
        }
        None
    }

    /// What follows from the configuration outside of the speaker.
    fn configured(&mut self) {
        let config = self.speaker.config();
        let peers = &config.peers;
        let known = peers.keys().filter_map(PeerId::address);
        let ranges = config.ranges.iter().map(|range| range.prefix);
        self.gate.set_known(
            known.map(|address| address.to_canonical()).collect(),
            ranges.collect(),
            peers.keys().any(|id| id.interface().is_some()),
        );
        let places = peers
            .iter()
            .filter_map(|(id, peer)| Some((id.interface()?, peer.neighbour)));
        let places: unnumbered::Places = places.collect();
        self.on_links
            .retain(|interface, _| places.contains_key(interface));
        self.neighbours.listen_on(places);
        self.journal.retain(|peer| peers.contains_key(&peer));
        if self
            .keys
            .apply(keys::wanted(self.speaker.config(), &self.on_links))
        {
            let speaker = &self.speaker;
            self.links.rekey(|remote| speaker.transport(remote)?.password);
        }
    }

    /// The neighbour on a link is found, or lost.
    fn found(&mut self, Found { interface, neighbour }: Found) {
        let address = neighbour.map(|at| *at.ip());
        let before = match address {
            Some(address) => self.on_links.insert(interface, address),
            None => self.on_links.remove(&interface),
        };
        if before != address {
            tracing::debug!(%interface, ?address, "the neighbour on this link");
            self.keys
                .apply(keys::wanted(self.speaker.config(), &self.on_links));
        }
        self.speaker.set_link_peer(interface, neighbour, Instant::now());
    }

    fn dialled(&mut self, dialled: Dialled) {
        let Dialled { conn, remote, result } = dialled;
        let now = Instant::now();
        match result {
            Ok((stream, local)) => {
                self.links.adopt(conn, stream, remote);
                self.speaker.handle_connected(conn, local, now);
            }
            Err(error) => {
                let hint = self.signatures.hint().map(|hint| format!("; {hint}"));
                let error = format!("cannot connect to {remote}: {error}{}", hint.unwrap_or_default());
                self.speaker.handle_connect_failed(conn, error, now);
            }
        }
    }

    fn incoming(&mut self, Accepted { stream, remote }: Accepted) {
        let link = match remote {
            SocketAddr::V6(v6) => unnumbered::interface_of(v6),
            SocketAddr::V4(_) => None,
        };
        let speaker = &self.speaker;
        // A neighbour may be configured by its interface or, where it is the only one of that address, by its address.
        let link = link.filter(|interface| speaker.transport_on(*interface).is_some());
        let expected = link.and_then(|interface| {
            let peer = speaker.config().peers.get(&PeerId::Interface(interface))?;
            peer.neighbour
        });
        if expected.is_some_and(|expected| remote.ip() != expected) {
            return tracing::debug!(%remote, "refused a BGP connection: another neighbour is configured");
        }
        let transport = match link {
            Some(interface) => speaker.transport_on(interface),
            None => speaker.transport(remote.ip()),
        };
        let Some(transport) = transport else {
            return tracing::debug!(%remote, "refused a BGP connection: no such peer is configured");
        };
        let set_up = socket::accepted(&stream, remote.ip(), &transport).and_then(|()| stream.local_addr());
        let local = match set_up {
            Ok(local) => local,
            Err(error) => return tracing::debug!(%remote, %error, "BGP connection lost at once"),
        };
        let conn = self.speaker.next_conn();
        self.links.adopt(conn, stream, remote);
        let now = Instant::now();
        match link {
            Some(interface) => self
                .speaker
                .handle_incoming_on(interface, conn, local, remote, now),
            None => self.speaker.handle_incoming(conn, local, remote, now),
        }
    }

    /// Carries out what the speaker wants.
    pub fn act(&mut self) {
        while let Some(action) = self.speaker.poll_action() {
            match action {
                Action::Connect {
                    peer,
                    conn,
                    local,
                    remote,
                    transport,
                } => self.links.dial((peer, conn), local, remote, transport),
                Action::Close { conn, last_words } => {
                    if let Some(peer) = self.links.close(conn, last_words)
                        && let Some(hint) = self.signatures.hint()
                    {
                        self.speaker.note_attempt(peer, format!("no answer; {hint}"));
                    }
                }
            }
        }
        self.bfd.follow(&mut self.speaker);
    }

    fn publish(&mut self) {
        let mut changed = false;
        while let Some(event) = self.speaker.poll_event() {
            changed = true;
            self.journal.note(&event, Instant::now());
        }
        let fully_fed = self.speaker.fully_fed();
        if changed || fully_fed != self.state.borrow().fully_fed {
            self.state.send_modify(|state| {
                state.generation += 1;
                state.fully_fed = fully_fed;
            });
        }
    }

    async fn shut_down(mut self, mode: Shutdown, done: oneshot::Sender<()>) {
        self.listeners.shutdown().await;
        if let Shutdown::Cease(communication) = mode {
            self.speaker.shutdown(communication, Instant::now());
            self.act();
            let _ = timeout(LAST_WORDS * 3, self.links.finish()).await;
        }
        let bfd = self.bfd;
        // With these every connection closes.
        drop((self.links, self.speaker));
        // TCP first: see `Bfd::leave`.
        bfd.leave().await;
        // The caller may have stopped waiting.
        let _ = done.send(());
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
