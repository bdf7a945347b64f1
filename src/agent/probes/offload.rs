//! When the checksum offload of a tunnel device is tested: once for each device, soon after it is made and a node is reached
//! through it; again, ever more rarely and with another node, while nothing can be said.
//!
//! [`Plan`] says what is due (pure); the task runs one test after the other, so that none is in the way of decisions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;
use tunnel::Device;
use tunnel::offload::{self, Check};

use crate::decide::probes::OffloadTest;

/// From the first sight of a device to its test: the other node may be making its own just now.
const FIRST: Duration = Duration::from_secs(1);
/// From a test that said nothing to the next; twice as long each time.
const AGAIN: Duration = Duration::from_secs(3);
/// The longest of these.
const AGAIN_MOST: Duration = Duration::from_secs(600);

/// What a test has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Packets arrive whoever computes their checksum.
    Sound,
    /// They did not, and the offload is turned off.
    TurnedOff,
    /// Nothing can be said yet.
    Undecided,
    /// The test could not be made, or the offload not be turned off.
    Failed,
}

/// A test that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// What was found.
    pub finding: Finding,
    /// The same with its counts.
    pub text: String,
    /// When it was made.
    pub at: SystemTime,
}

type Wanted = BTreeMap<Device, OffloadTest>;
type Found = BTreeMap<Device, Tested>;

/// The way to the task. It ends with the last clone.
#[derive(Clone)]
pub struct Handle {
    wanted: Arc<watch::Sender<Wanted>>,
    found: watch::Receiver<Found>,
}

impl Handle {
    /// Replaces what is to be tested.
    pub fn publish(&self, wanted: Wanted) {
        self.wanted.send_replace(wanted);
    }

    /// What was found of the devices that are there.
    pub fn tested(&self) -> Found {
        self.found.borrow().clone()
    }
}

/// Starts the task.
pub fn start() -> Handle {
    let (wanted, receiver) = watch::channel(Wanted::new());
    let (sender, found) = watch::channel(Found::new());
    tokio::spawn(run(receiver, sender));
    Handle {
        wanted: Arc::new(wanted),
        found,
    }
}

async fn run(mut wanted: watch::Receiver<Wanted>, found: watch::Sender<Found>) {
    let begin = Instant::now();
    let mut plan = Plan::default();
    loop {
        plan.set(&wanted.borrow_and_update(), begin.elapsed());
        found.send_modify(|found| found.retain(|device, _| plan.0.contains_key(device)));
        if let Some((device, check)) = plan.due(begin.elapsed()) {
            let tested = test(device, &check).await;
            plan.tested(device, tested.finding, begin.elapsed());
            found.send_modify(|found| drop(found.insert(device, tested)));
            continue;
        }
        let pause = async {
            match plan.wake() {
                Some(wake) => tokio::time::sleep_until(begin + wake).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return },
            () = pause => {}
        }
    }
}

async fn test(device: Device, check: &Check) -> Tested {
    let (finding, text) = match offload::cure(device, check).await {
        Ok(report) => {
            let finding = match (report.found, report.after) {
                (offload::Finding::Sound(_), _) => Finding::Sound,
                (offload::Finding::Corrupts(_), Some(offload::Finding::Corrupts(_))) => Finding::Failed,
                (offload::Finding::Corrupts(_), _) => Finding::TurnedOff,
                (offload::Finding::Undecided(_), _) => Finding::Undecided,
            };
            (finding, report.to_string())
        }
        Err(error) => (
            Finding::Failed,
            format!("{device}: cannot test checksum offload: {error}"),
        ),
    };
    tracing::debug!("{text}");
    Tested {
        finding,
        text,
        at: SystemTime::now(),
    }
}

/// What stands before one device.
#[derive(Debug, Clone)]
struct Turn {
    test: OffloadTest,
    /// When; none: never again.
    next: Option<Duration>,
    /// From the next test to the one after it.
    again: Duration,
    /// Tests made.
    made: usize,
}

/// The devices, with when each is tested. Times count from any fixed moment.
#[derive(Debug, Default)]
struct Plan(BTreeMap<Device, Turn>);

impl Plan {
    /// Takes up what is wanted: a device that is new, or was made anew, is tested anew.
    fn set(&mut self, wanted: &Wanted, now: Duration) {
        self.0.retain(|device, _| wanted.contains_key(device));
        for (device, test) in wanted {
            match self.0.get_mut(device) {
                Some(turn) if turn.test.index == test.index => turn.test = test.clone(),
                _ => {
                    let turn = Turn {
                        test: test.clone(),
                        next: Some(now + FIRST),
                        again: AGAIN,
                        made: 0,
                    };
                    self.0.insert(*device, turn);
                }
            }
        }
    }

    fn wake(&self) -> Option<Duration> {
        let turns = self.0.values().filter(|turn| !turn.test.checks.is_empty());
        turns.filter_map(|turn| turn.next).min()
    }

    /// The test that is due: each time with the next of the nodes.
    fn due(&self, now: Duration) -> Option<(Device, Check)> {
        let mut due = self
            .0
            .iter()
            .filter(|(_, turn)| turn.next.is_some_and(|next| next <= now));
        due.find_map(|(device, turn)| {
            let mut checks = turn.test.checks.iter().cycle();
            let check = checks.nth(turn.made % turn.test.checks.len().max(1))?;
            Some((*device, check.clone()))
        })
    }

    fn tested(&mut self, device: Device, finding: Finding, now: Duration) {
        let Some(turn) = self.0.get_mut(&device) else {
            return;
        };
        turn.made += 1;
        turn.next = match finding {
            Finding::Sound | Finding::TurnedOff => None,
            Finding::Undecided | Finding::Failed => Some(now + turn.again),
        };
        turn.again = turn.again.saturating_mul(2).min(AGAIN_MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(index: u32, nodes: &[&str]) -> Wanted {
        let check = |node: &&str| Check {
            from: "10.244.1.0".parse().unwrap(),
            to: node.parse().unwrap(),
            nodes: Vec::new(),
            port: 9179,
            size: 500,
        };
        let checks = nodes.iter().map(check).collect();
        [(Device::Vxlan, OffloadTest { index, checks })].into()
    }

    fn to(plan: &Plan, now: Duration) -> Option<String> {
        plan.due(now).map(|(_, check)| check.to.to_string())
    }

    #[test]
    fn a_device_is_tested_once_if_the_test_says_anything() {
        let mut plan = Plan::default();
        plan.set(&wanted(3, &["10.244.2.0"]), Duration::ZERO);
        assert_eq!((to(&plan, Duration::ZERO), plan.wake()), (None, Some(FIRST)));
        assert_eq!(to(&plan, FIRST).as_deref(), Some("10.244.2.0"));
        plan.tested(Device::Vxlan, Finding::Sound, FIRST);
        assert_eq!((to(&plan, FIRST), plan.wake()), (None, None));
        plan.set(&wanted(3, &["10.244.3.0"]), FIRST);
        assert_eq!(plan.wake(), None, "the same device, another node");
        plan.set(&wanted(4, &["10.244.3.0"]), FIRST);
        assert_eq!(plan.wake(), Some(FIRST * 2), "made anew");
        plan.set(&Wanted::new(), FIRST);
        assert_eq!(plan.wake(), None, "gone");
    }

    #[test]
    fn what_said_nothing_is_made_again_more_and_more_rarely_with_each_node_in_turn() {
        let mut plan = Plan::default();
        plan.set(&wanted(3, &["10.244.2.0", "10.244.3.0"]), Duration::ZERO);
        let (mut now, mut pauses, mut nodes) = (FIRST, Vec::new(), Vec::new());
        for _ in 0..10 {
            nodes.push(to(&plan, now).unwrap());
            plan.tested(Device::Vxlan, Finding::Undecided, now);
            let next = plan.wake().unwrap();
            pauses.push((next - now).as_secs());
            now = next;
        }
        assert_eq!(pauses, [3, 6, 12, 24, 48, 96, 192, 384, 600, 600]);
        assert_eq!(nodes[..3], ["10.244.2.0", "10.244.3.0", "10.244.2.0"]);
    }

    #[test]
    fn without_nodes_nothing_is_due() {
        let mut plan = Plan::default();
        plan.set(&wanted(3, &[]), Duration::ZERO);
        assert_eq!((to(&plan, FIRST), plan.wake()), (None, None));
    }
}
