//! A pool that always tunnels has its checksum offload tested too: its nodes answer, and send no probes.

use crate::support::{check, eventually, pair, view};

#[test]
fn offload_is_tested_without_auto_and_nothing_else_is_probed() {
    let fabric = pair::wire_with("auto-always", 2, "Always").up();
    for node in ["n1", "n2"] {
        eventually("a sound offload", || {
            let status = view::status(&fabric, node)?;
            let sound = status
                .offloads
                .iter()
                .any(|o| o.finding == "sound" && o.detail.contains("answered"));
            check(sound && status.problems.is_empty(), || {
                format!("{:?} {:?}", status.offloads, status.problems)
            })
        });
        assert_eq!(view::status(&fabric, node).expect("the status").probes, None);
        assert_eq!(fabric.run(node, "ip rule show pref 82"), "");
    }
    // A device that is made anew is tested anew.
    let age = || view::status(&fabric, "n1").map(|s| s.offloads.first().map(|o| o.age_seconds));
    eventually("a test that is some seconds old", || {
        let age = age()?;
        check(age.is_some_and(|age| age >= 5), || format!("{age:?}"))
    });
    fabric.run("n1", "ip link del rb-vxlan");
    eventually("a new test", || {
        let status = view::status(&fabric, "n1")?;
        let young = status
            .offloads
            .iter()
            .any(|o| o.finding == "sound" && o.age_seconds < 5);
        check(young, || format!("{:?}", status.offloads))
    });
}
