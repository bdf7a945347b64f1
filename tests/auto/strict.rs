//! A switch with strict security: nodes are neighbours, and what carries other addresses than theirs is dropped.

use super::Both;
use super::fabric::{count, counted, leads, path, refuse, switched};
use crate::support::{SOON, check, eventually, view, within};

#[test]
fn neighbours_behind_a_strict_switch_are_reached_by_the_tunnel_until_it_relents() {
    let fabric = switched("auto-strict", &["ip saddr 10.244.0.0/16"]);
    let all = |device| {
        leads(&fabric, "n1", "10.244.2.0/24", device);
        leads(&fabric, "n2", "10.244.1.0/24", device);
    };
    all("rb-vxlan");
    let marked =
        ["oifname eth1", "oifname rb-vxlan meta l4proto udp"].map(|by| format!("meta mark 0x52420000 {by}"));
    count(&fabric, "n1", "output", &marked);
    eventually("a verdict", || {
        let reason = path(&fabric, "n1").reason;
        check(
            reason.contains("probes are lost") && reason.contains("on-link on eth1"),
            || reason.clone(),
        )
    });
    // The tunnel is in use, so its checksum offload is tested, and found sound.
    for node in ["n1", "n2"] {
        eventually("the test of the checksum offload", || {
            let found = view::status(&fabric, node)?.offloads;
            let sound = found
                .iter()
                .any(|o| o.device == "rb-vxlan" && o.finding == "sound");
            check(sound, || format!("{found:?}"))
        });
    }
    let seen = eventually("probes on the wire", || {
        let seen = counted(&fabric, "n1", "output");
        check(seen[0] > 5, || format!("{seen:?}"))?;
        Ok(seen)
    });
    assert_eq!(seen[1], 0, "probes took the tunnel");

    let both = Both::start(&fabric);
    refuse(&fabric, "switch", "bridge", &[]);
    all("eth1");
    both.flow("by the switch");
    both.stop_without_loss();
}

#[test]
fn a_switch_that_is_strict_at_one_port_makes_ways_that_differ_and_status_says_so() {
    let fabric = switched("auto-one-way", &["ip saddr 10.244.2.0/24"]);
    leads(&fabric, "n1", "10.244.2.0/24", "eth1");
    leads(&fabric, "n2", "10.244.1.0/24", "rb-vxlan");
    let both = Both::start(&fabric);
    let words = |node| {
        let status = view::status(&fabric, node)?;
        let differ = status.problems.into_iter().map(|issue| issue.message);
        Ok::<_, String>(
            differ
                .filter(|text| text.contains("one way only"))
                .collect::<Vec<_>>(),
        )
    };
    for (node, expected) in [
        (
            "n1",
            "n2 (IPv4): packets go there directly and come back through a tunnel",
        ),
        (
            "n2",
            "n1 (IPv4): packets go there through a tunnel and come back directly",
        ),
    ] {
        within(SOON * 2, "the ways are said to differ", || {
            let said = words(node)?;
            check(said.len() == 1 && said[0].starts_with(expected), || {
                format!("{said:?}")
            })
        });
    }
    let probe = path(&fabric, "n1").probe.unwrap_or_default();
    assert!(
        probe.ends_with("the node itself sends through a tunnel)"),
        "{probe}"
    );
    refuse(&fabric, "switch", "bridge", &[]);
    leads(&fabric, "n2", "10.244.1.0/24", "eth1");
    eventually("nothing differs any more", || {
        let said = [words("n1")?, words("n2")?].concat();
        check(said.is_empty(), || format!("{said:?}"))
    });
    both.stop_without_loss();
}
