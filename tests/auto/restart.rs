//! An agent that is killed and started again while the fabric is used directly: no packet is lost, and none takes the tunnel.

use super::fabric::{NODES, count, counted, leads, routed};
use super::{Both, all_lead};
use crate::support::{SOON, check, eventually, view};

#[test]
fn a_restart_moves_no_traffic() {
    let fabric = routed("auto-restart");
    all_lead(&fabric, ["eth1"; 2]);
    let pods = ["eth1", "rb-vxlan"].map(|by| format!("ip saddr 10.244.0.0/16 oifname {by}"));
    for (node, _) in NODES {
        count(&fabric, node, "forward", &pods);
    }
    let both = Both::start(&fabric);
    fabric.kill_agent("n1").expect("the agent is killed");
    both.flow("without the agent");
    fabric.start_agent("n1").expect("the agent starts again");
    fabric.wait_agent("n1", SOON).expect("the agent answers");
    eventually("the session of the nodes", || view::converged(&fabric, "n1", 1));
    eventually("verdicts of its own", || {
        let probes = view::status(&fabric, "n1")?.probes;
        let proven = probes.as_ref().is_some_and(|p| p.carries == 2 && p.answered > 10);
        check(proven, || format!("{probes:?}"))
    });
    both.flow("with the agent");
    leads(&fabric, "n1", "10.244.2.0/24", "eth1");
    both.stop_without_loss();
    for (node, _) in NODES {
        let by = counted(&fabric, node, "forward");
        assert!(
            by[0] > 0 && by[1] == 0,
            "packets by the fabric and by the tunnel: {by:?}"
        );
    }
}
