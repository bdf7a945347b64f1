//! `vxlanMode: Auto` with real agents: the fabric is used directly where it carries pod addresses, across subnets too; it is left
//! for the tunnel where it drops them, and used again when it heals. Under traffic: what is lost is lost before the break is
//! found out, and nothing is lost on the way back.

mod fabric;
mod offload;
mod restart;
mod strict;

use std::time::Duration;

use lab::traffic::{Report, Traffic};

use crate::support::{Fabric, check, eventually, view};
use fabric::{NODES, PODS, address, leads, metric, path, refuse, routed};

/// Packets a second in each direction.
const RATE: u32 = 200;
/// A second of them.
const SECOND: u64 = RATE as u64;
/// How long packets may be on their way, whatever the machine does besides.
const LONG: Duration = Duration::from_secs(60);
/// An interval of quiet times, five lost requests, and what a busy machine adds to that.
const DETECTION: Duration = Duration::from_secs(3 + 5 + 4);

/// Streams both ways between the pods p1 and p2.
struct Both([Traffic; 2]);

impl Both {
    fn start(fabric: &Fabric) -> Both {
        let stream = |from, to| {
            Traffic::start(fabric, from, to, address(fabric, to), RATE).unwrap_or_else(|e| panic!("{e}"))
        };
        let both = Both([stream("p1", "p2"), stream("p2", "p1")]);
        both.flow("before anything happens");
        both
    }

    /// Packets arrive both ways from now on.
    #[track_caller]
    fn flow(&self, when: &str) {
        for stream in &self.0 {
            stream
                .wait_arrived(SECOND, LONG)
                .unwrap_or_else(|e| panic!("{when}: {e}"));
        }
    }

    fn stop(self) -> [Report; 2] {
        self.0.map(Traffic::stop)
    }

    #[track_caller]
    fn stop_without_loss(self) {
        for report in self.stop() {
            assert_eq!(
                (report.lost - report.overflowed, report.refused),
                (0, 0),
                "{report:?}"
            );
        }
    }
}

/// Waits until all routes to the other node's pods lead here.
#[track_caller]
fn all_lead(fabric: &Fabric, devices: [&str; 2]) {
    for (node, blocks) in NODES {
        for (block, device) in blocks.into_iter().zip(devices) {
            leads(fabric, node, block, device);
        }
    }
}

#[test]
fn across_subnets_the_fabric_is_used_as_long_as_it_carries_pod_addresses() {
    let fabric = routed("auto-routed");
    let (direct, tunnel) = (["eth1"; 2], ["rb-vxlan", "rb-vxlan6"]);
    all_lead(&fabric, direct);
    let proven = path(&fabric, "n1");
    assert_eq!(proven.encapsulation, "direct");
    assert!(
        proven.reason.contains("behind gateway 192.0.2.1"),
        "{}",
        proven.reason
    );
    assert!(
        proven
            .probe
            .is_some_and(|probe| probe.contains("probes answered"))
    );

    let both = Both::start(&fabric);
    let broken = both.0[0].now();
    refuse(&fabric, "router", "inet", &PODS);
    all_lead(&fabric, tunnel);
    both.flow("in the tunnel");
    for report in both.stop() {
        assert!(report.lost > 0, "the fabric dropped nothing: {report:?}");
        let after = report.recovered_after(broken);
        assert!(after < DETECTION, "recovered after {after:?}: {report:?}");
    }
    let silent = path(&fabric, "n1");
    assert!(silent.reason.contains("probes are lost"), "{}", silent.reason);

    let both = Both::start(&fabric);
    refuse(&fabric, "router", "inet", &[]);
    all_lead(&fabric, direct);
    both.flow("by the healed fabric");
    both.stop_without_loss();
}

/// A fabric that drops the one direction silences the one direction: the sender decides, the receiver takes both forms.
#[test]
fn each_direction_is_proven_apart() {
    let fabric = routed("auto-oneway");
    all_lead(&fabric, ["eth1"; 2]);
    refuse(&fabric, "router", "inet", &["ip saddr 10.244.1.0/24"]);
    leads(&fabric, "n1", "10.244.2.0/24", "rb-vxlan");
    let both = Both::start(&fabric);
    // Long enough that the other direction would have been found silent too.
    both.0[0].wait_sent(10 * SECOND).expect("packets are sent");
    leads(&fabric, "n2", "10.244.1.0/24", "eth1");
    leads(&fabric, "n1", "2001:db8:244:2::/64", "eth1");
    both.stop_without_loss();
    let counts = |node| {
        view::status(&fabric, node)
            .expect("the status")
            .probes
            .expect("probes")
    };
    let (n1, n2) = (counts("n1"), counts("n2"));
    assert_eq!((n1.carries, n1.silent), (1, 1), "{n1:?}");
    assert_eq!((n2.carries, n2.silent), (2, 0), "{n2:?}");

    for (name, value) in [("proven", 1), ("silent", 1), ("unknown", 0)] {
        let found = metric(&fabric, "n1", &format!("roadbed_paths_{name}"));
        assert_eq!(found, Ok(value), "paths {name}");
    }
    let counted = ["sent", "answered"].map(|what| {
        metric(&fabric, "n1", &format!("roadbed_probes_{what}_total")).unwrap_or_else(|e| panic!("{e}"))
    });
    assert!(
        0 < counted[1] && counted[1] < counted[0],
        "sent and answered: {counted:?}"
    );

    // What probes leave in the kernel stays without the agent, and goes with `cleanup`.
    fabric.stop_agent("n1").expect("the agent ends");
    let rules = || fabric.run("n1", "ip rule show pref 82");
    assert!(rules().contains("0x52420000"), "{}", rules());
    let roadbed = fabric.roadbed().expect("the program of the lab");
    fabric.run("n1", &format!("{roadbed} cleanup"));
    assert_eq!(rules(), "");
    let table = fabric
        .exec("n1", &["ip", "route", "show", "table", "21058"])
        .expect("ip runs");
    assert_eq!(String::from_utf8_lossy(&table.stdout), "");
}

/// Small packets pass and those of the full size do not: pods would hang on such a path.
#[test]
fn a_link_that_is_too_narrow_on_the_way_is_found_out() {
    let fabric = routed("auto-narrow");
    all_lead(&fabric, ["eth1"; 2]);
    fabric.run("router", "ip link set eth2 mtu 1400");
    leads(&fabric, "n1", "10.244.2.0/24", "rb-vxlan");
    let said = eventually("the explanation", || {
        let said = fabric
            .roadbed_json("n1", &["explain", "n2"])
            .map_err(|e| e.to_string())?
            .to_string();
        check(said.contains("small ones arrive"), || said.clone())?;
        Ok(said)
    });
    for part in [
        "with 1500 bytes",
        "via 192.0.2.1 dev eth1",
        "1450 bytes: eth1 has 1500, VXLAN takes 50",
        "not proven direct: VXLAN",
    ] {
        assert!(said.contains(part), "no `{part}` in {said}");
    }
    fabric.run("router", "ip link set eth2 mtu 1500");
    leads(&fabric, "n1", "10.244.2.0/24", "eth1");
}
