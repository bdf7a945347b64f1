//! What pods must not notice, at 1,000 numbered packets a second each way: the agent ended, killed and upgraded, the
//! encapsulation changed, the datastore away, a switch's sessions reset, a second way that comes back. Losses are counted by
//! number, and none is allowed. Where a loss cannot be avoided (a cut link), the traffic has to go on by the other way.
//!
//! `make bench-failover` measures the same things, and how long they take.

mod links;
mod planned;
mod racks;
mod sessions;
mod switches;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lab::traffic::{Report, Traffic};

use crate::support::Fabric;

/// Packets a second in each direction.
const RATE: u32 = 1_000;

/// Half a second of them.
const SETTLE: u64 = RATE as u64 / 2;

/// How long packets may be on their way, whatever the machine does besides.
const LONG: Duration = Duration::from_secs(60);

/// Streams both ways between two pods, and the word that no others run: what counts each packet has the machine for itself, as far
/// as that goes.
struct Both {
    streams: [Traffic; 2],
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::new(());

/// The ends of the streams: pods with their addresses.
type Ends<'a> = [(&'a str, IpAddr); 2];

/// The pods p1 and p2, where the lab plugged them in.
fn pods(fabric: &Fabric) -> Ends<'static> {
    ["p1", "p2"].map(|pod| (pod, fabric.pod_address(pod).expect("the pod has an address")))
}

impl Both {
    /// Starts them and waits until packets arrive both ways.
    fn start(fabric: &Fabric, [a, b]: Ends<'_>) -> Both {
        let stream = |(from, _): (&str, _), (to, address): (&str, _)| {
            Traffic::start(fabric, from, to, address, RATE).unwrap_or_else(|e| panic!("{e}"))
        };
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let streams = [stream(a, b), stream(b, a)];
        let both = Both {
            streams,
            _alone: alone,
        };
        both.flow("before anything happens");
        both
    }

    /// Half a second's worth of packets arrives both ways from now on.
    #[track_caller]
    fn flow(&self, when: &str) {
        for stream in &self.streams {
            stream
                .wait_arrived(SETTLE, LONG)
                .unwrap_or_else(|e| panic!("{when}: {e}"));
        }
    }

    /// Sends for this long, whether it arrives or not.
    fn last(&self, span: Duration) {
        let packets = span.as_secs() * u64::from(RATE);
        let sent = self.streams[0].sent();
        self.streams[0]
            .wait_sent(sent + packets)
            .expect("packets are sent");
    }

    fn stop(self) -> [Report; 2] {
        self.streams.map(Traffic::stop)
    }
}

/// Traffic flows, `act` happens, and no packet is lost. What is lost is a failure at once; a run in which a busy machine did not
/// send the full rate proves nothing, and is done again.
fn nothing_is_lost(fabric: &Fabric, ends: Ends<'_>, mut act: impl FnMut(&Both)) {
    let mut last = None;
    for _ in 0..6 {
        let both = Both::start(fabric, ends);
        act(&both);
        both.flow("after all that happened");
        let reports = both.stop();
        for (way, report) in ["there", "back"].iter().zip(&reports) {
            assert_eq!(
                (report.lost - report.overflowed, report.refused),
                (0, 0),
                "{way}: {report:?}"
            );
        }
        if reports.iter().all(Report::full_rate) {
            return;
        }
        last = Some(reports);
    }
    panic!("the machine is too busy to send {RATE} packets a second: {last:?}");
}
