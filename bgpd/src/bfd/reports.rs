//! The way of news from the thread to whoever listens: bounded, and yet nothing that counts is lost. What the channel
//! does not take is merged by session: the newest state, and that it was lost in between.

use bfd_proto::{Event, Key, State, Why};
use std::collections::BTreeMap;
use std::time::Instant;
use tokio::sync::mpsc;

/// Reports that may wait before they are merged.
const WAITING: usize = 256;

/// What has become of a session since the last report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whose.
    pub key: Key,
    /// The path failed: why, the last time.
    pub lost: Option<Why>,
    /// It left Up although the path did not fail: the peer was switched off, or its BFD has begun anew.
    pub switched_off: bool,
    /// Whether it is Up now.
    pub up: bool,
    /// When the last of it happened.
    pub at: Instant,
}

impl Report {
    /// `None` for what nobody but the two ends needs to know.
    fn of(event: &Event) -> Option<Self> {
        let left = event.from == State::Up;
        let failure = event.why.is_failure();
        let report = Self {
            key: event.key,
            lost: (left && failure).then_some(event.why),
            switched_off: left && !failure,
            up: event.to == State::Up,
            at: event.at,
        };
        (left || report.up).then_some(report)
    }

    fn merge(&mut self, later: &Report) {
        self.lost = later.lost.or(self.lost);
        self.switched_off |= later.switched_off;
        self.up = later.up;
        self.at = later.at;
    }
}

pub(super) fn channel() -> (Outbox, Reports) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let outbox = Outbox {
        sender,
        backlog: BTreeMap::new(),
    };
    (outbox, Reports(receiver))
}

/// The receiving end.
#[derive(Debug)]
pub struct Reports(mpsc::Receiver<Report>);

impl Reports {
    /// The next; `None` when the thread has ended, or was never started and never will be.
    pub async fn next(&mut self) -> Option<Report> {
        self.0.recv().await
    }

    /// The next, if one is there.
    pub fn try_next(&mut self) -> Option<Report> {
        self.0.try_recv().ok()
    }
}

/// The sending end: never waits.
#[derive(Debug)]
pub(super) struct Outbox {
    sender: mpsc::Sender<Report>,
    /// What the channel did not take.
    backlog: BTreeMap<Key, Report>,
}

impl Outbox {
    pub fn tell(&mut self, event: &Event) {
        let Some(report) = Report::of(event) else {
            return;
        };
        if self.backlog.is_empty() && self.sender.try_send(report).is_ok() {
            return;
        }
        self.backlog
            .entry(report.key)
            .and_modify(|waiting| waiting.merge(&report))
            .or_insert(report);
    }

    /// Offers the backlog again; false: something still waits.
    pub fn flush(&mut self) -> bool {
        while let Some(entry) = self.backlog.first_entry() {
            if self.sender.try_send(*entry.get()).is_err() {
                // Closed: nobody listens any more, and nothing is worth keeping.
                if self.sender.is_closed() {
                    self.backlog.clear();
                }
                return self.backlog.is_empty();
            }
            entry.remove();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bfd_proto::Diag;

    fn event(number: u8, from: State, to: State, why: Why) -> Event {
        Event {
            key: Key::new([192, 0, 2, number].into(), 0),
            from,
            to,
            why,
            at: Instant::now(),
        }
    }

    #[test]
    fn a_full_channel_loses_no_loss() {
        let (mut outbox, mut reports) = channel();
        let said = |state| Why::Peer(state, Diag::NONE);
        for _ in 0..WAITING {
            outbox.tell(&event(1, State::Init, State::Up, said(State::Up)));
        }
        outbox.tell(&event(2, State::Up, State::Down, Why::TimeExpired));
        outbox.tell(&event(2, State::Down, State::Init, said(State::Down)));
        outbox.tell(&event(2, State::Init, State::Up, said(State::Up)));
        outbox.tell(&event(3, State::Up, State::Down, said(State::AdminDown)));
        assert!(!outbox.flush());
        for _ in 0..WAITING {
            assert!(reports.try_next().is_some_and(|report| report.up));
        }
        assert_eq!(reports.try_next(), None);
        assert!(outbox.flush());
        let second = reports.try_next().unwrap();
        assert_eq!(
            (second.lost, second.up),
            (Some(Why::TimeExpired), true),
            "it was lost in between"
        );
        let third = reports.try_next().unwrap();
        assert_eq!((third.lost, third.switched_off, third.up), (None, true, false));
    }

    #[test]
    fn the_way_to_up_is_no_news() {
        let (mut outbox, mut reports) = channel();
        outbox.tell(&event(
            1,
            State::Down,
            State::Init,
            Why::Peer(State::Down, Diag::NONE),
        ));
        outbox.tell(&event(1, State::Init, State::Down, Why::TimeExpired));
        assert_eq!(reports.try_next(), None);
    }
}
