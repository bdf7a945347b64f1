//! Between the thread of BFD and the speaker: which sessions its peers want, and what its peers' paths have become.
//!
//! The engine calls, in each of its turns: [`Coupling::follow`] after anything that may have changed the speaker's wishes,
//! [`Coupling::news`] among what it waits for, and, where [`Coupling::waiting_since`] says that there is something,
//! [`Coupling::deliver`] when it has read what came from the peers. The order
//! matters: a peer that is killed closes its TCP connection long before its BFD is missed, and whose connection is closed
//! is taken to restart, not to be dead. So what the kernel already knows of a connection has to be heard first.

use super::{Bfd, Options, Report, Reports, View, Wish};
use bfd_proto::{Diag, Hops, Key, Settings, State, Why};
use bgpd_proto::speaker::{BfdConfig, BfdHops, BfdWish, PathChange, Speaker};
use bgpd_proto::types::PeerId;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// AdminDown is said three times in 40 ms; longer than this nobody waits for it.
const FAREWELL: Duration = Duration::from_millis(500);

/// BFD, seen from the engine.
#[derive(Debug)]
pub struct Coupling {
    bfd: Bfd,
    reports: Reports,
    /// Taken from the channel, and not yet the speaker's.
    waiting: VecDeque<Report>,
    peers: BTreeMap<Key, PeerId>,
}

impl Coupling {
    /// Prepares a thread, which starts with the first peer that wants it.
    ///
    /// # Errors
    /// When the kernel has no file descriptor left.
    pub fn new() -> io::Result<Self> {
        let (bfd, reports) = Bfd::new(Options::default())?;
        Ok(Self {
            bfd,
            reports,
            waiting: VecDeque::new(),
            peers: BTreeMap::new(),
        })
    }

    /// A way to look at it from elsewhere.
    pub fn view(&self) -> View {
        self.bfd.view()
    }

    /// Hands the speaker's wishes on, if they have changed.
    pub fn follow(&mut self, speaker: &mut Speaker) {
        let Some(wishes) = speaker.take_bfd_wishes() else {
            return;
        };
        let mut wanted = BTreeMap::new();
        self.peers.clear();
        for (peer, one) in wishes {
            let key = key(&one);
            self.peers.insert(key, peer);
            wanted.insert(key, wish(&one));
        }
        self.bfd.want(wanted);
    }

    /// Waits for a report; can be cancelled without loss.
    pub async fn news(&mut self) {
        match self.reports.next().await {
            Some(report) => self.waiting.push_back(report),
            // The thread could not be started.
            None => std::future::pending().await,
        }
    }

    /// When the first of the reports was made that wait for [`Coupling::deliver`].
    pub fn waiting_since(&mut self) -> Option<Instant> {
        if self.waiting.is_empty() {
            self.waiting.extend(self.reports.try_next());
        }
        self.waiting.front().map(|report| report.at)
    }

    /// Tells the speaker what has been reported. Everything that came from the peers until now must have been read.
    pub fn deliver(&mut self, speaker: &mut Speaker, now: Instant) {
        let more = std::iter::from_fn(|| self.reports.try_next());
        self.waiting.extend(more);
        for report in self.waiting.drain(..) {
            let Some(peer) = self.peers.get(&report.key) else {
                // It is not wanted any more.
                continue;
            };
            for change in changes(&report) {
                tracing::debug!(%peer, ?change, "BFD");
                speaker.handle_path(*peer, change, now);
            }
        }
    }

    /// Says AdminDown to all peers. Their TCP connections must be closed by now: see [`Bfd::leave`].
    pub async fn leave(self) {
        let Coupling { bfd, mut reports, .. } = self;
        if bfd.is_started() {
            bfd.leave();
            // The thread's end closes the channel.
            let _ = timeout(FAREWELL, async { while reports.next().await.is_some() {} }).await;
        }
    }
}

/// The session of the BFD thread that a wish is about.
fn key(wish: &BfdWish) -> Key {
    Key::new(wish.remote, wish.scope)
}

fn wish(wish: &BfdWish) -> Wish {
    let BfdConfig {
        hops,
        follow,
        transmit_interval,
        receive_interval,
        detect_multiplier,
    } = wish.config;
    let hops = match hops {
        BfdHops::Single => Hops::Single,
        BfdHops::Multi => Hops::Multi,
    };
    Wish {
        settings: Settings {
            hops,
            follow,
            min_tx: transmit_interval,
            min_rx: receive_interval,
            detect_mult: detect_multiplier,
        },
        local: wish.local,
    }
}

/// What a report says, in the order in which it happened.
fn changes(report: &Report) -> impl Iterator<Item = PathChange> {
    let lost = report.lost.map(|why| PathChange::Down(describe(why)));
    let off = report.switched_off.then_some(PathChange::SwitchedOff);
    let up = report.up.then_some(PathChange::Up);
    [lost, off, up].into_iter().flatten()
}

fn describe(why: Why) -> String {
    match why {
        Why::TimeExpired => "nothing was heard from the peer for the detection time".into(),
        Why::Peer(State::Down, Diag::TIME_EXPIRED) => "the peer hears nothing from us".into(),
        Why::Restarted => "the peer's BFD has begun anew".into(),
        Why::Peer(state, Diag::NONE) => format!("the peer says that it is {state}"),
        Why::Peer(state, diag) => format!("the peer says that it is {state}: {diag}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_is_over_is_told_all_the_same() {
        let report = Report {
            key: Key::new([192, 0, 2, 1].into(), 0),
            lost: Some(Why::Peer(State::Down, Diag::TIME_EXPIRED)),
            switched_off: false,
            up: true,
            at: Instant::now(),
        };
        let told: Vec<_> = changes(&report).collect();
        assert_eq!(
            told,
            [
                PathChange::Down("the peer hears nothing from us".into()),
                PathChange::Up
            ]
        );
    }
}
