//! Pods that go while no agent runs: the plugin writes it down, the agent carries it out.

use serde_json::json;

use super::call::{Attachment, Plugins};
use crate::support::plugin::address;
use crate::support::{SOON, check, eventually, kernel, pair, view};

/// Where plugins of the node leave DELs.
const QUEUE: &str = "/var/lib/roadbed/cni-queue";

#[test]
fn a_pod_that_goes_while_the_agent_is_away_leaves_nothing_behind() {
    let fabric = pair::wire("cni-queue", 1).host("c1", &[]).host("c2", &[]).up();
    eventually("the agent is ready", || view::converged(&fabric, "n1", 0));
    let plugins = Plugins::install();
    let pods = json!({ "cniVersion": "1.0.0", "name": "pods", "type": "roadbed" });
    let of = |container| Attachment {
        fabric: &fabric,
        plugins: &plugins,
        container,
        ifname: "eth0",
    };
    let (goes, stays) = (of("c1").add(&pods, ""), of("c2").add(&pods, ""));
    let shell = |script: &str| {
        let done = fabric
            .exec("n1", &["sh", "-c", script])
            .unwrap_or_else(|e| panic!("{e}"));
        assert!(done.status.success(), "{done:?}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    };

    fabric.kill_agent("n1").expect("the agent is killed");
    let done = of("c1").call("DEL", &pods, "");
    assert!(done.status.success() && done.stdout.is_empty(), "{done:?}");
    assert!(
        shell(&format!("ls {QUEUE}")).contains(".json"),
        "nothing is queued"
    );
    shell(&format!("echo nonsense > {QUEUE}/ffff.json"));
    // The data plane outlives the agent, until it is told.
    kernel::route(&fabric, "n1", &address(&goes)).expect("the route of the pod that goes is still there");

    fabric.start_agent("n1").expect("the agent starts again");
    fabric.wait_agent("n1", SOON).expect("the agent answers");
    eventually(
        "the queue is carried out, and what cannot be read is set aside",
        || {
            let left = shell(&format!("ls {QUEUE}"));
            check(left.trim() == "ffff.bad", || left)
        },
    );
    assert_eq!(kernel::links(&fabric, "c1"), ["lo"]);
    eventually("its route goes", || {
        kernel::no_route(&fabric, "n1", &address(&goes))
    });
    kernel::route(&fabric, "n1", &address(&stays)).expect("the other pod's route stays");
    let leases = fabric
        .roadbed_json("n1", &["ipam", "show"])
        .expect("the agent tells its leases");
    let (goes, stays) = (address(&goes), address(&stays));
    let held = |address: &str| leases.to_string().contains(&format!("\"{address}\""));
    assert!(!held(&goes), "{leases}");
    let checked = of("c2").with_result("CHECK", &pods, &of("c2").add(&pods, ""));
    assert_eq!(checked, Ok(()), "{stays}");

    // The runtime's second DEL, and a queued one of an attachment that is added again.
    let again = of("c1").call("DEL", &pods, "");
    assert!(again.status.success(), "{again:?}");
    fabric.kill_agent("n1").expect("the agent is killed again");
    assert!(of("c2").call("DEL", &pods, "").status.success());
    fabric.start_agent("n1").expect("the agent starts again");
    fabric.wait_agent("n1", SOON).expect("the agent answers");
    let fresh = lab::wait::until(SOON, "ADD after the queued DEL", || {
        let done = of("c2").call("ADD", &pods, "");
        check(done.status.success(), || format!("{done:?}")).map(|()| crate::support::plugin::answer(&done))
    });
    let fresh = fresh.unwrap_or_else(|e| panic!("{e}"));
    assert_ne!(address(&fresh), stays, "the DEL was carried out before the ADD");
    eventually("nothing waits any more", || {
        let left = shell(&format!("ls {QUEUE}"));
        check(left.trim() == "ffff.bad", || left)
    });
    assert_eq!(of("c2").with_result("CHECK", &pods, &fresh), Ok(()));
}

#[test]
fn a_del_that_its_plugin_gave_up_is_not_carried_out_late() {
    let fabric = pair::wire("cni-late", 1).host("c1", &[]).up();
    eventually("the agent is ready", || view::converged(&fabric, "n1", 0));
    let plugins = Plugins::install();
    let pods = json!({ "cniVersion": "1.0.0", "name": "pods", "type": "roadbed" });
    let pod = Attachment {
        fabric: &fabric,
        plugins: &plugins,
        container: "c1",
        ifname: "eth0",
    };
    let result = pod.add(&pods, "");
    let shell = |script: &str| {
        let done = fabric.exec("n1", &["sh", "-c", script]);
        let done = done.unwrap_or_else(|e| panic!("{e}"));
        assert!(done.status.success(), "{done:?}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let agent = shell(
        "for p in /proc/[0-9]*; do [ \"$(readlink $p/ns/net)\" = \"$(readlink /proc/self/ns/net)\" ] \
         && [ \"$(cat $p/comm)\" = roadbed ] && echo ${p#/proc/}; done; true",
    );
    let agent = agent.trim();
    assert!(agent.parse::<u32>().is_ok(), "one agent: {agent:?}");

    // The agent stands still: the plugin gives up, and its call stays in the socket.
    shell(&format!("kill -STOP {agent}"));
    let done = pod.call("DEL", &pods, "");
    assert!(done.status.success() && done.stdout.is_empty(), "{done:?}");
    // As if the DEL on disk had been carried out and the pod added again.
    shell(&format!("rm {QUEUE}/*.json"));
    shell(&format!("kill -CONT {agent}"));
    eventually("the late call is told apart", || {
        check(fabric.log("n1", "agent").contains("its plugin has gone"), || {
            "not a word".to_owned()
        })
    });
    assert_eq!(pod.with_result("CHECK", &pods, &result), Ok(()));
}
