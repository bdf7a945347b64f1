//! The task that owns the [`Speaker`]: carries commands and reports in, actions and bytes out, and keeps the time.
//!
//! One turn: wait for a command, a report or a deadline; take in all reports that are waiting; let the timers expire;
//! carry out what the speaker asks for; hand each idle connection its next buffer. Input comes before timers so that a
//! hold timer never expires while the peer's KEEPALIVE lies unread in our own queue.

use crate::connection::{self, Ends, LAST_WORDS, Order, Report};
use crate::handle::{Command, Handle, News, RibState, Shutdown};
use crate::{listener, socket};
use bgpd_proto::rib::Originated;
use bgpd_proto::speaker::{Action, Event, Speaker, SpeakerConfig};
use bgpd_proto::types::ConnId;
use ipnet::IpNet;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

/// Commands that may wait before callers do.
const COMMANDS: usize = 64;

/// Reports that may wait before connection tasks do: bounds both memory and how long timers wait for input.
const REPORTS: usize = 32;

/// Bytes handed to a connection at once. A KEEPALIVE waits behind no more than this.
const BUDGET: usize = 64 * 1024;

/// A deadline seen this late means that the machine stood still: see [`Engine::catch_up`].
const STALL: Duration = Duration::from_millis(250);

/// The engine's end of a connection task.
struct Link {
    orders: mpsc::Sender<Order>,
    /// A buffer is with the task.
    writing: bool,
    /// The buffer of the last write, to be used again.
    spare: Vec<u8>,
}

struct Engine {
    speaker: Speaker,
    links: HashMap<ConnId, Link>,
    /// Connection tasks; dropping the set ends them all.
    tasks: JoinSet<()>,
    /// Accept loops, likewise.
    listeners: JoinSet<()>,
    reports: mpsc::Receiver<Report>,
    reporter: mpsc::Sender<Report>,
    state: watch::Sender<RibState>,
}

/// Starts the engine.
pub fn spawn(
    config: SpeakerConfig,
    originated: BTreeMap<IpNet, Originated>,
    listeners: Vec<TcpListener>,
) -> Handle {
    let now = Instant::now();
    let mut speaker = Speaker::new(config, now);
    speaker.originate(originated, now);
    let (commands, command_queue) = mpsc::channel(COMMANDS);
    let (reporter, reports) = mpsc::channel(REPORTS);
    let (state, watcher) = watch::channel(RibState::default());
    let listening: Arc<[SocketAddr]> = listeners.iter().filter_map(|l| l.local_addr().ok()).collect();
    let mut accepting = JoinSet::new();
    for socket in listeners {
        accepting.spawn(listener::accept(socket, reporter.clone()));
    }
    let engine = Engine {
        speaker,
        links: HashMap::new(),
        tasks: JoinSet::new(),
        listeners: accepting,
        reports,
        reporter,
        state,
    };
    tokio::spawn(engine.run(command_queue));
    Handle {
        commands,
        state: watcher,
        listening,
    }
}

impl Engine {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            self.turn();
            let deadline = self.speaker.poll_timeout();
            tokio::select! {
                command = commands.recv() => match command {
                    None => return,
                    Some(Command::Shutdown(mode, done)) => return self.shut_down(mode, done).await,
                    Some(command) => self.command(command),
                },
                Some(report) = self.reports.recv() => {
                    self.report(report);
                    self.take_reports();
                }
                Some(ended) = self.tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a BGP connection task failed");
                    }
                    continue;
                }
                () = until(deadline) => {}
            }
            self.catch_up(deadline).await;
        }
    }

    /// Lets timers expire. If we come late, the whole process was stopped or starved, and what the peers sent
    /// meanwhile may still lie in the sockets: the connection tasks get a moment to bring it first.
    async fn catch_up(&mut self, deadline: Option<Instant>) {
        if deadline.is_some_and(|at| at.elapsed() > STALL) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.take_reports();
        }
        let now = Instant::now();
        if self.speaker.poll_timeout().is_some_and(|at| at <= now) {
            self.speaker.handle_timeout(now);
        }
    }

    fn take_reports(&mut self) {
        for _ in 0..self.reports.len() {
            let Ok(report) = self.reports.try_recv() else {
                return;
            };
            self.report(report);
        }
    }

    fn command(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Configure(config) => self.speaker.reconfigure(config, now),
            Command::Originate(routes) => self.speaker.originate(routes, now),
            Command::NextHops(table) => self.speaker.set_next_hops(table, now),
            Command::News(reply) => {
                let news = News {
                    loc_rib: self.speaker.take_loc_rib_changes(),
                    tracked: self.speaker.tracked_next_hops(),
                    fully_fed: self.speaker.fully_fed(),
                };
                if reply.send(news).is_err() {
                    self.speaker.forget_loc_rib_changes();
                }
            }
            Command::Query(question) => question(&self.speaker, now),
            Command::Shutdown(..) => {}
        }
    }

    fn report(&mut self, report: Report) {
        let now = Instant::now();
        match report {
            Report::Accepted { stream, remote } => self.accepted(stream, remote, now),
            Report::Connected { conn, local } => self.speaker.handle_connected(conn, local, now),
            Report::ConnectFailed { conn, error } => {
                self.links.remove(&conn);
                self.speaker.handle_connect_failed(conn, error, now);
            }
            Report::Bytes { conn, bytes } => self.speaker.handle_bytes(conn, &bytes, now),
            Report::Drained { conn, buffer } => {
                if let Some(link) = self.links.get_mut(&conn) {
                    link.writing = false;
                    link.spare = buffer;
                }
            }
            Report::Closed { conn, reason } => {
                self.links.remove(&conn);
                self.speaker.handle_closed(conn, reason, now);
            }
        }
    }

    fn accepted(&mut self, stream: TcpStream, remote: SocketAddr, now: Instant) {
        let Some(ttl) = self.speaker.ttl(remote.ip()) else {
            tracing::debug!(%remote, "refused a BGP connection: no such peer is configured");
            return;
        };
        let set_up = socket::accepted(&stream, remote.ip(), ttl).and_then(|()| stream.local_addr());
        let local = match set_up {
            Ok(local) => local,
            Err(error) => return tracing::debug!(%remote, %error, "BGP connection lost at once"),
        };
        let conn = self.speaker.next_conn();
        let ends = self.link(conn);
        self.tasks.spawn(connection::serve(ends, stream));
        self.speaker.handle_incoming(conn, local, remote, now);
    }

    fn link(&mut self, conn: ConnId) -> Ends {
        // Two slots: one buffer to write, and the order to close.
        let (sender, orders) = mpsc::channel(2);
        self.links.insert(
            conn,
            Link {
                orders: sender,
                writing: false,
                spare: Vec::new(),
            },
        );
        Ends {
            conn,
            orders,
            reports: self.reporter.clone(),
        }
    }

    /// Carries out what the speaker wants.
    fn turn(&mut self) {
        while let Some(action) = self.speaker.poll_action() {
            match action {
                Action::Connect {
                    conn,
                    local,
                    remote,
                    ttl,
                    ..
                } => {
                    let ends = self.link(conn);
                    self.tasks.spawn(connection::dial(ends, local, remote, ttl));
                }
                Action::Close { conn, last_words } => {
                    if let Some(link) = self.links.remove(&conn) {
                        // Full or closed: the task is about to end anyway.
                        let _ = link.orders.try_send(Order::Close(last_words));
                    }
                }
            }
        }
        self.transmit();
        self.publish();
    }

    fn transmit(&mut self) {
        let now = Instant::now();
        for conn in self.speaker.wants_transmit() {
            let Some(link) = self.links.get_mut(&conn) else {
                continue;
            };
            if link.writing {
                continue;
            }
            let mut buffer = std::mem::take(&mut link.spare);
            self.speaker.transmit(conn, &mut buffer, BUDGET, now);
            if !buffer.is_empty() {
                // A task that has ended reports so; its bytes are nobody's loss.
                link.writing = link.orders.try_send(Order::Write(buffer)).is_ok();
            }
        }
    }

    fn publish(&mut self) {
        let mut changed = false;
        while let Some(event) = self.speaker.poll_event() {
            changed = true;
            match event {
                Event::Up { peer } => tracing::info!(peer = %peer.0, "BGP session established"),
                Event::Down { peer, reason } => tracing::warn!(peer = %peer.0, reason, "BGP session down"),
                Event::RibChanged => {}
            }
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
            self.turn();
            // The tasks have their last orders; what they still report interests nobody.
            self.links.clear();
            self.reports.close();
            let closed = async { while self.tasks.join_next().await.is_some() {} };
            let _ = timeout(LAST_WORDS * 3, closed).await;
        }
        self.tasks.shutdown().await;
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
