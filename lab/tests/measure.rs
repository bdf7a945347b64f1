//! Captures and numbered traffic between two hosts: they see what is there, and they see loss.
//! Needs root and tcpdump; without them these tests fail.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::IpAddr;
use std::time::{Duration, Instant};

use lab::capture::Capture;
use lab::traffic::{Report, Traffic};
use lab::{Lab, Options};

/// The neighbour is a permanent one: a link that is cut loses what is sent. Where it had to be resolved, the kernel
/// would keep hundreds of packets in its queue and deliver them late.
const TEXT: &str = "
name: m
topology:
  nodes:
    a:
      kind: linux
      exec:
        - ip addr add 192.0.2.1/24 dev eth1
        - ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 nud permanent dev eth1
    b: { kind: linux, exec: ['ip link set eth1 address 02:00:00:00:00:02', 'ip addr add 192.0.2.2/24 dev eth1'] }
  links:
    - endpoints: ['a:eth1', 'b:eth1']
";

fn pair(name: &str) -> Lab {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("m.clab.yml");
    std::fs::write(&file, TEXT).unwrap();
    Lab::up(&file, &Options::named(format!("t{}-{name}", std::process::id()))).unwrap()
}

#[test]
fn a_capture_counts_what_was_on_the_wire() {
    let lab = pair("cap");
    let mut capture = Capture::start(&lab, "b", "eth1", "").unwrap();
    lab.exec_ok("a", &["ping", "-c", "3", "-i", "0.1", "192.0.2.2"])
        .unwrap();
    capture.wait_for("icmp", 6, Duration::from_secs(5)).unwrap();
    capture.end();
    assert_eq!(
        capture
            .count("icmp[icmptype] == icmp-echo and src 192.0.2.1")
            .unwrap(),
        3
    );
    assert_eq!(capture.count("udp port 4789").unwrap(), 0);
    assert!(capture.packets("icmp").unwrap()[0].contains("192.0.2.1 > 192.0.2.2"));
    assert!(capture.count("no such filter").is_err());
}

/// One second at the full rate, again where a busy machine did not keep it.
fn whole(lab: &Lab, to: IpAddr) -> Report {
    for _ in 0..5 {
        let whole = Traffic::start(lab, "a", "b", to, 200).unwrap();
        whole.wait_sent(200).unwrap();
        let report = whole.stop();
        if report.full_rate() {
            return report;
        }
    }
    panic!("the machine is too busy to send 200 packets a second");
}

#[test]
fn traffic_loses_nothing_on_a_whole_link_and_sees_the_gap_of_a_cut_one() {
    let lab = pair("traffic");
    let to = "192.0.2.2".parse().unwrap();
    let report = whole(&lab, to);
    assert_eq!(report.lost, 0, "{report:?}");

    let cut = Traffic::start(&lab, "a", "b", to, 200).unwrap();
    cut.wait_sent(50).unwrap();
    lab.set_link("b", "eth1", false).unwrap();
    let (before, began) = (cut.sent(), Instant::now());
    cut.wait_sent(before + 100).unwrap();
    let lasted = began.elapsed();
    lab.set_link("b", "eth1", true).unwrap();
    cut.wait_arrived(50, Duration::from_secs(10)).unwrap();
    let report = cut.stop();
    assert!(report.lost > 0, "{report:?}");
    // The receiver has its own delays on a busy machine.
    assert!(
        report.largest_gap + Duration::from_millis(200) >= lasted,
        "{lasted:?}: {report:?}"
    );
    assert!(report.lost >= 50, "{report:?}");
    assert_eq!(report.received + report.lost, report.sent + report.refused);
}
