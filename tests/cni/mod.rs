//! The real plugin binary, executed as a container runtime does: parameters in the environment, the network
//! configuration on stdin, a result or an error object on stdout (CNI specification 1.0.0).

mod addresses_only;
mod call;
mod gone_agent;
mod lifecycle;

use std::time::Duration;

use serde_json::Value;

use crate::support::plugin::{add, address, answer, call, netns, network};
use crate::support::{Fabric, SOON, check, eventually, kernel, pair, view};

/// "Try again later" of the specification.
const TRY_LATER: u64 = 11;

/// Two nodes and two containers, whose namespaces are not plugged into anything yet.
fn fabric() -> Fabric {
    let fabric = pair::wire("cni", 2).host("c1", &[]).host("c2", &[]).up();
    for node in ["n1", "n2"] {
        eventually("the session of the nodes", || view::converged(&fabric, node, 1));
    }
    fabric
}

/// Addresses of the node's block that are in use, the node's own included.
fn used(fabric: &Fabric, node: &str) -> u64 {
    view::status(fabric, node)
        .expect("the agent answers")
        .blocks
        .iter()
        .map(|b| b.used)
        .sum()
}

#[test]
fn a_pod_reaches_the_other_nodes_pod_and_leaves_nothing_behind() {
    let fabric = fabric();
    let (links, unused) = (kernel::links(&fabric, "n1"), used(&fabric, "n1"));
    let first = add(&fabric, "n1", "c1");
    let second = add(&fabric, "n2", "c2");

    // The result says what is there.
    assert_eq!(first["cniVersion"], "1.0.0");
    let (here, there) = (address(&first), address(&second));
    assert!(
        here.starts_with("10.244.1.") && there.starts_with("10.244.2."),
        "{here} {there}"
    );
    let inside = kernel::json(&fabric, "c1", &["ip", "-j", "addr", "show", "dev", "eth0"]);
    assert!(
        inside[0].to_string().contains(&format!("\"local\":\"{here}\"")),
        "{inside:?}"
    );
    let index = first
        .pointer("/ips/0/interface")
        .and_then(Value::as_u64)
        .expect("the address has an interface");
    let pod_end = &first["interfaces"][usize::try_from(index).expect("a small number")];
    assert_eq!(
        (&pod_end["name"], &pod_end["mac"]),
        (&Value::from("eth0"), &inside[0]["address"])
    );
    assert_eq!(pod_end["sandbox"], Value::from(netns(&fabric, "c1")));

    // The kernel had the host route when the answer came.
    let route = kernel::route(&fabric, "n1", &here).expect("the pod's host route");
    assert!(kernel::text(&route, "dev").starts_with("rb"), "{route}");
    eventually("the route to the other node", || {
        kernel::route(&fabric, "n1", "10.244.2.0/24")
    });
    eventually("the route back", || kernel::route(&fabric, "n2", "10.244.1.0/24"));
    fabric.run("c1", &format!("ping -c 3 -i 0.2 -W 2 {there}"));
    fabric.run("c2", &format!("ping -c 3 -i 0.2 -W 2 {here}"));

    // DEL with the result, and again as runtimes do, without a namespace and without a result.
    let mut config = network();
    config["prevResult"] = first;
    for (netns, config) in [(netns(&fabric, "c1"), &config), (String::new(), &network())] {
        let done = call(&fabric, "n1", "DEL", "c1", &netns, config);
        assert!(done.status.success() && done.stdout.is_empty(), "{done:?}");
    }
    assert_eq!(kernel::links(&fabric, "n1"), links, "links of the node");
    assert_eq!(kernel::links(&fabric, "c1"), ["lo"], "links of the pod");
    eventually("the host route is gone", || {
        kernel::no_route(&fabric, "n1", &here)
    });
    assert_eq!(used(&fabric, "n1"), unused, "addresses in use");
}

#[test]
fn a_repeated_add_gives_the_same_answer() {
    let fabric = fabric();
    let first = add(&fabric, "n1", "c1");
    let leases = used(&fabric, "n1");
    assert_eq!(add(&fabric, "n1", "c1"), first);
    assert_eq!(used(&fabric, "n1"), leases);
    let other = add(&fabric, "n1", "c2");
    assert_ne!(address(&other), address(&first));
    fabric.run("c1", &format!("ping -c 1 -W 2 {}", address(&other)));
}

#[test]
fn without_an_agent_the_runtime_is_told_to_try_later_and_the_pod_keeps_working() {
    let fabric = fabric();
    let first = add(&fabric, "n1", "c1");
    let there = address(&add(&fabric, "n2", "c2"));
    eventually("the pods reach each other", || {
        let done = fabric
            .exec("c1", &["ping", "-c", "1", "-W", "1", &there])
            .map_err(|e| e.to_string())?;
        check(done.status.success(), || format!("{done:?}"))
    });
    fabric.kill_agent("n1").expect("the agent is killed");

    let done = call(&fabric, "n1", "ADD", "c9", &netns(&fabric, "c2"), &network());
    assert!(!done.status.success(), "{done:?}");
    let error = answer(&done);
    assert_eq!(error["code"], Value::from(TRY_LATER), "{error}");
    assert!(error["msg"].as_str().is_some_and(|m| !m.is_empty()), "{error}");
    fabric.run("c1", &format!("ping -c 1 -W 2 {there}"));

    // The ledger survived: the same pod gets the same answer, and goes when it is told to.
    fabric.start_agent("n1").expect("the agent starts again");
    fabric.wait_agent("n1", SOON).expect("the agent answers");
    let again = lab::wait::until(Duration::from_secs(15), "ADD after the restart", || {
        let done = call(&fabric, "n1", "ADD", "c1", &netns(&fabric, "c1"), &network());
        check(done.status.success(), || format!("{done:?}")).map(|()| answer(&done))
    });
    assert_eq!(again.unwrap_or_else(|e| panic!("{e}")), first);
    let done = call(&fabric, "n1", "DEL", "c1", &netns(&fabric, "c1"), &network());
    assert!(done.status.success(), "{done:?}");
    assert_eq!(kernel::links(&fabric, "c1"), ["lo"]);
}
