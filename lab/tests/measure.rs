//! Captures and numbered traffic between two hosts: they see what is there, and they see loss.
//! Needs root and tcpdump; without them these tests fail.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

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

/// What a production stream is measured with.
const RATE: u32 = 1_000;

/// Streams both ways at the full rate, again where a busy machine did not keep it.
fn both_ways(lab: &Lab, meanwhile: impl Fn(&[Traffic; 2])) -> [Report; 2] {
    for _ in 0..5 {
        let start = |from, at, to: &str| Traffic::start(lab, from, at, to.parse().unwrap(), RATE).unwrap();
        let streams = [start("a", "b", "192.0.2.2"), start("b", "a", "192.0.2.1")];
        meanwhile(&streams);
        let reports = streams.map(Traffic::stop);
        if reports.iter().all(Report::full_rate) {
            return reports;
        }
    }
    panic!("the machine is too busy to send {RATE} packets a second");
}

#[test]
fn a_thousand_packets_a_second_each_way_lose_nothing_on_a_whole_link() {
    let lab = pair("traffic");
    let reports = both_ways(&lab, |streams| {
        for stream in streams {
            stream.wait_sent(2 * u64::from(RATE)).unwrap();
        }
    });
    for report in reports {
        assert_eq!(
            (report.lost, report.refused, report.duplicates),
            (0, 0, 0),
            "{report:?}"
        );
        assert_eq!(report.reordered, 0, "{report:?}");
        assert_eq!(report.outages, []);
    }
}

#[test]
fn a_cut_is_counted_packet_by_packet_and_has_its_time() {
    let lab = pair("cut");
    let cut = std::sync::Mutex::new(None);
    let reports = both_ways(&lab, |streams| {
        streams[0].wait_arrived(100, Duration::from_secs(10)).unwrap();
        let began = streams[0].now();
        lab.set_link("b", "eth1", false).unwrap();
        let down = streams[0].now();
        let before = streams[0].sent();
        streams[0].wait_sent(before + u64::from(RATE) / 2).unwrap();
        let ended = streams[0].now();
        lab.set_link("b", "eth1", true).unwrap();
        for stream in streams {
            stream.wait_arrived(100, Duration::from_secs(20)).unwrap();
        }
        *cut.lock().unwrap() = Some((began, ended - down));
    });
    let (began, cut) = cut.lock().unwrap().unwrap();
    for report in &reports {
        assert_eq!(report.received + report.lost, report.sent + report.refused);
        assert_eq!(report.outages.iter().map(|o| o.lost).sum::<u64>(), report.lost);
        let longest = report
            .outages
            .iter()
            .map(lab::traffic::Outage::lasted)
            .max()
            .unwrap();
        // What is sent between the two commands is lost; how long they themselves take is not counted.
        assert!(longest + Duration::from_millis(300) >= cut, "{cut:?}: {report:?}");
        assert!(report.lost >= u64::from(RATE) / 4, "{report:?}");
        assert!(
            report.largest_gap + Duration::from_millis(300) >= cut,
            "{cut:?}: {report:?}"
        );
    }
    assert!(reports[0].recovered_after(began) >= cut / 2, "{:?}", reports[0]);
}

#[test]
fn a_single_lost_packet_is_seen() {
    let lab = pair("one");
    // The filter takes the packet by its number, which follows the UDP header and the stream's mark.
    lab.exec_ok("b", &["nft", "add table inet t"]).unwrap();
    lab.exec_ok(
        "b",
        &["nft", "add chain inet t c { type filter hook input priority 0; }"],
    )
    .unwrap();
    let rule = "add rule inet t c ip saddr 192.0.2.1 meta l4proto udp @th,128,64 300 counter drop";
    lab.exec_ok("b", &["nft", rule]).unwrap();
    let reports = both_ways(&lab, |streams| {
        for stream in streams {
            stream.wait_sent(u64::from(RATE)).unwrap();
        }
    });
    assert_eq!(reports[0].lost, 1, "{:?}", reports[0]);
    assert_eq!(
        (reports[0].outages[0].first, reports[0].outages[0].lost),
        (300, 1)
    );
    assert_eq!(reports[1].lost, 0, "{:?}", reports[1]);
}
