//! The agent is away: pods keep their network, new pods wait, pods that go are not forgotten.

use std::collections::BTreeSet;
use std::process::Child;

use cri_testbed::{Error, Pod};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cluster::{self, Running, conflist, plain};
use crate::support::{Fabric, SOON, eventually, require, view, within};

/// What a container does that is only there to talk.
const IDLE: [&str; 2] = ["/bin/sleep", "1000"];

#[test]
fn pods_outlive_the_agent_and_the_runtime_tries_again() {
    require("ping", "iputils-ping");
    let cluster = cluster::up("cri-outage", &conflist(&plain(), &[]));
    let fabric = &cluster.fabric;
    let empty = cluster.traces("n1");
    let (stays, goes) = (
        cluster.run("n1", &Pod::new("stays"), &IDLE),
        cluster.run("n1", &Pod::new("goes"), &IDLE),
    );
    let peer = cluster.run("n2", &Pod::new("peer"), &IDLE);
    cluster.pings("n2", &peer, &stays.ipv4);

    // Not a packet is lost while the agent is killed, is away, and starts.
    let stream = Pings::start(fabric, "n2", &peer, &stays.ipv4);
    stream.arrived_since(0);
    fabric.kill_agent("n1").expect("the agent is killed");

    // A new pod fails with our words, and the kubelet's next try, with the agent back, succeeds.
    let late = Pod::new("late");
    let refused = cluster
        .client("n1")
        .run_pod(&late)
        .expect_err("there is no agent");
    says_what_to_do(&refused);
    assert_eq!(
        cluster.client("n1").pods().expect("the list").len(),
        2,
        "{refused}"
    );
    // A pod that goes may go: the runtime is not held up, and its address is given back later.
    let client = cluster.client("n1");
    client
        .stop_pod(&goes.sandbox)
        .expect("StopPodSandbox without an agent");
    client
        .remove_pod(&goes.sandbox)
        .expect("RemovePodSandbox without an agent");
    stream.arrived_since(stream.last());

    fabric.start_agent("n1").expect("the agent starts");
    fabric.wait_agent("n1", SOON).expect("the agent answers");
    eventually("the session is back", || view::converged(fabric, "n1", 1));
    let late = within(SOON, "the new pod", || {
        client.run_pod(&late).map_err(|e| e.to_string())
    });
    stream.arrived_since(stream.last());
    stream.none_lost();

    // What was queued is carried out; then everything goes.
    let route = |address: &str| crate::support::kernel::no_route(fabric, "n1", address);
    eventually("the host route of the pod that went", || route(&goes.ipv4));
    client.stop_pod(&late).expect("StopPodSandbox");
    client.remove_pod(&late).expect("RemovePodSandbox");
    cluster.remove("n1", &stays);
    cluster.leaves("n1", &empty);
}

/// The kubelet's event has to say what is wrong and what helps.
fn says_what_to_do(refused: &Error) {
    let text = refused.to_string();
    for word in ["plugin type=\"roadbed\"", "agent", "/run/roadbed/agent.sock"] {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

/// Numbered echo requests from inside a pod, fifty a second.
struct Pings {
    child: Child,
    output: std::path::PathBuf,
}

impl Pings {
    fn start(fabric: &Fabric, node: &str, from: &Running, to: &str) -> Pings {
        let output = std::path::PathBuf::from(fabric.file("pings", ""));
        let enter = format!("--net={}", from.netns);
        let file = std::fs::File::create(&output).expect("a file for the output");
        let words = ["nsenter", &enter, "stdbuf", "-oL", "ping", "-n", "-i", "0.02", to];
        let child = fabric.spawn_with(node, &words, |command| {
            command.stdin(std::process::Stdio::null()).stdout(file);
        });
        Pings {
            child: child.unwrap_or_else(|e| panic!("{e}")),
            output,
        }
    }

    /// Numbers of the requests that were answered so far.
    fn answered(&self) -> BTreeSet<u32> {
        let text = std::fs::read_to_string(&self.output).unwrap_or_default();
        let number = |line: &str| line.split_once("icmp_seq=")?.1.split(' ').next()?.parse().ok();
        text.lines().filter_map(number).collect()
    }

    fn last(&self) -> u32 {
        self.answered().last().copied().unwrap_or(0)
    }

    /// Waits for twenty answers more.
    #[track_caller]
    fn arrived_since(&self, number: u32) {
        eventually("answers to the pings", || {
            let last = self.last();
            crate::support::check(last >= number + 20, || format!("{last} of {}", number + 20))
        });
    }

    /// Every request up to the last answer has been answered, and that was the end of the stream.
    #[track_caller]
    fn none_lost(&self) {
        let answered = self.answered();
        let last = *answered.last().expect("there were answers");
        let lost: Vec<u32> = (1..=last).filter(|n| !answered.contains(n)).collect();
        assert!(lost.is_empty(), "of {last} pings these were lost: {lost:?}");
    }
}

impl Drop for Pings {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}
