//! Very many sessions on one thread: they connect, keep themselves alive, send what they have, and note what they are told.
//!
//! The thread looks at a [`Board`] for what it is to do, and writes there what it has seen. Bytes to send are ready before; what is
//! read is parsed and folded into a digest at once. A receiver's thread does nothing else, so that it is never the slowest part.

mod peer;

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use bench_support::place::Namespace;
use bench_support::usage;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use self::peer::{Phase, Session};
use crate::digest::Expected;
use crate::scene::Peer;

/// Connections that no answer has come to yet. A daemon's queue of connections to accept may be as short as four.
const WINDOW: usize = 4;
/// Room for one read.
const ROOM: usize = 1 << 18;
/// How long a session may take to come up, all its tries together.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a peer does.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Who it is.
    pub peer: Peer,
    /// What it announces.
    pub feed: Arc<Vec<u8>>,
    /// Announces as soon as its session is up, and not when it is told to.
    pub at_once: bool,
    /// What it has to hear; `None`: nobody looks.
    pub expected: Option<Arc<Expected>>,
}

/// When something happened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    /// The first connection was accepted by the kernel of the router.
    pub connected: Option<Instant>,
    /// The first byte of a feed was handed to the kernel.
    pub sent: Option<Instant>,
    /// The read came back that made every digest right.
    pub complete: Option<Instant>,
}

/// Between the thread of the sessions and others.
#[derive(Debug, Default)]
struct Board {
    established: AtomicUsize,
    start: AtomicBool,
    stop: AtomicBool,
    times: Mutex<Times>,
    failure: Mutex<Option<String>>,
}

impl Board {
    fn times(&self) -> MutexGuard<'_, Times> {
        self.times
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What is left at the end.
#[derive(Debug)]
pub struct Left {
    /// What each incomplete receiver lacks.
    pub differences: Vec<String>,
    /// Processor time of the thread.
    pub cpu: Duration,
}

/// The sessions of some peers.
#[derive(Debug)]
pub struct Sessions {
    board: Arc<Board>,
    thread: Option<JoinHandle<anyhow::Result<Left>>>,
    count: usize,
    listens: bool,
}

impl Sessions {
    /// Begins to connect all of them.
    pub fn start(namespace: &Namespace, plans: Vec<Plan>) -> anyhow::Result<Sessions> {
        let board = Arc::new(Board::default());
        let (count, listens) = (plans.len(), plans.iter().any(|plan| plan.expected.is_some()));
        let shared = board.clone();
        let thread = namespace.spawn(move || {
            let mut all: Vec<Session> = plans.into_iter().map(Session::new).collect();
            let done = run(&mut all, &shared);
            if let Err(error) = &done
                && let Ok(mut failure) = shared.failure.lock()
            {
                *failure = Some(format!("{error:#}"));
            }
            Ok(Left {
                differences: all.iter().filter_map(Session::differences).collect(),
                cpu: usage::of_this_thread()?,
            })
        })?;
        Ok(Sessions {
            board,
            thread: Some(thread),
            count,
            listens,
        })
    }

    /// Waits until all sessions are up.
    pub fn established(&self) -> anyhow::Result<()> {
        self.wait(PATIENCE, |board| {
            board.established.load(Ordering::Relaxed) == self.count
        })
        .with_context(|| {
            let up = self.board.established.load(Ordering::Relaxed);
            format!("{up} of {} sessions come up", self.count)
        })
    }

    /// Lets those that wait for it announce what they have.
    pub fn announce(&self) {
        self.board.start.store(true, Ordering::Relaxed);
    }

    /// When what happened.
    pub fn times(&self) -> Times {
        *self.board.times()
    }

    /// An error where the sessions have ended.
    pub fn alive(&self) -> anyhow::Result<()> {
        let failure = self.board.failure.lock();
        match failure.ok().and_then(|failure| failure.clone()) {
            Some(failure) => bail!(failure),
            None => Ok(()),
        }
    }

    /// Whether every receiver has what it has to have.
    pub fn done(&self) -> bool {
        !self.listens || self.times().complete.is_some()
    }

    fn wait(&self, patience: Duration, done: impl Fn(&Board) -> bool) -> anyhow::Result<()> {
        let began = Instant::now();
        while !done(&self.board) {
            self.alive()?;
            if began.elapsed() > patience {
                bail!("nothing more comes in {patience:?}");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Ends them.
    pub fn end(mut self) -> anyhow::Result<Left> {
        self.board.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("the sessions have ended before")?;
        thread
            .join()
            .map_err(|_| anyhow!("a thread of the benchmark panicked"))?
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        self.board.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What went wrong before is what is reported.
            let _ = thread.join();
        }
    }
}

fn run(all: &mut [Session], board: &Board) -> anyhow::Result<()> {
    let mut scratch = vec![0; ROOM];
    let due = all.iter().filter(|session| session.is_receiver()).count();
    let (mut complete, mut established) = (0_usize, 0_usize);
    while !board.stop.load(Ordering::Relaxed) {
        connect(all)?;
        let started = board.start.load(Ordering::Relaxed);
        for (at, ready) in wait(all, started)? {
            let session = &mut all[at];
            let before = (session.is_up(), session.is_complete());
            let now = session.serve(ready, started, &mut scratch)?;
            established = established + usize::from(session.is_up()) - usize::from(before.0);
            complete = complete + usize::from(session.is_complete()) - usize::from(before.1);
            note(board, session, now, due > 0 && complete == due);
        }
        board.established.store(established, Ordering::Relaxed);
    }
    Ok(())
}

/// Writes down what has happened first.
fn note(board: &Board, session: &Session, now: Instant, complete: bool) {
    let mut times = board.times();
    if session.connected() {
        times.connected.get_or_insert(now);
    }
    if let Some(sent) = session.began_to_send() {
        times.sent.get_or_insert(sent);
    }
    if complete {
        times.complete.get_or_insert(now);
    } else {
        times.complete = None;
    }
}

/// Begins connections, as many as the window has room for.
fn connect(all: &mut [Session]) -> anyhow::Result<()> {
    let under_way = all
        .iter()
        .filter(|session| matches!(session.phase, Phase::Connecting | Phase::OpenSent))
        .count();
    let now = Instant::now();
    let idle = all
        .iter_mut()
        .filter(|session| matches!(session.phase, Phase::Idle(since) if since <= now));
    for session in idle.take(WINDOW.saturating_sub(under_way)) {
        session.connect(now)?;
    }
    Ok(())
}

/// Waits a short time for sessions on which something can be done; says which, and what.
fn wait(all: &mut [Session], started: bool) -> anyhow::Result<Vec<(usize, PollFlags)>> {
    let now = Instant::now();
    let mut fds = Vec::with_capacity(all.len());
    let mut whose = Vec::with_capacity(all.len());
    for (at, session) in all.iter_mut().enumerate() {
        session.keep_alive(now);
        let wants = session.wants(started);
        if let Some(stream) = session.stream() {
            fds.push(PollFd::new(stream, wants));
            whose.push(at);
        }
    }
    poll(&mut fds, PollTimeout::from(10_u8)).context("poll")?;
    let ready = whose.into_iter().zip(&fds).filter_map(|(at, fd)| {
        let events = fd.revents().unwrap_or(PollFlags::empty());
        (!events.is_empty()).then_some((at, events))
    });
    Ok(ready.collect())
}

/// The socket of a session, for poll(2).
type Descriptor<'a> = BorrowedFd<'a>;
