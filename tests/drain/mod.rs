//! A node is taken out of service, and for good: what a router that would keep its routes over a restart makes of it.

use std::time::Duration;

use crate::interop::fabric::{
    NODE, OURS, ROUTER, Session, THEIR_ADDRESS, addresses, both_blocks, builder, only_peer, ours_known,
    resources, site,
};
use crate::interop::makes::{Frr, Router};
use crate::support::{Fabric, check, eventually, kernel, roadbed, stays, view, within};

const SESSION: Session = Session::External;

/// By far less than the restart time and the hold time.
const AT_ONCE: Duration = Duration::from_secs(3);

/// A router that keeps routes over a restart, and knows ours.
fn up(scenario: &str) -> Fabric {
    let builder = builder(scenario).resources(&resources(&both_blocks(), &only_peer(SESSION)));
    let mut site = site(SESSION);
    site.graceful = true;
    let exec = addresses(THEIR_ADDRESS);
    let exec = exec.each_ref().map(String::as_str);
    let fabric = Frr.add(builder, &site, &exec).up();
    Frr.settle(&fabric, &site);
    eventually("the session", || {
        view::established(&fabric, NODE, SESSION.theirs())
    });
    eventually("our route at the router", || {
        ours_known(&fabric, &Frr, SESSION, 0)
    });
    fabric
}

fn say(fabric: &Fabric, words: &str) {
    fabric.run(NODE, &format!("{} {words}", roadbed().display()));
}

/// Whether the router has our route, with the community that asks for other ways.
fn marked(fabric: &Fabric, wanted: bool) -> Result<(), String> {
    let learned = Frr.learned(fabric, ROUTER, OURS[0])?;
    let marked = learned.communities.iter().any(|c| c == "graceful-shutdown");
    check(marked == wanted, || format!("{learned:?}"))
}

fn gone(fabric: &Fabric) -> Result<(), String> {
    match Frr.learned(fabric, ROUTER, OURS[0]) {
        Ok(learned) => Err(format!("{learned:?}")),
        Err(_) => Ok(()),
    }
}

/// What the router says about its session.
fn told(fabric: &Fabric, words: &str) -> Result<(), String> {
    let text = (fabric.exec_ok(ROUTER, &["vtysh", "-c", "show bgp neighbors json"])).expect("FRR answers");
    check(text.contains(words), || text.clone())
}

fn restart(fabric: &Fabric) {
    fabric.stop_agent(NODE).expect("the agent ends");
    fabric.start_agent(NODE).expect("the agent starts again");
}

#[test]
fn a_drained_node_stays_drained_until_it_is_taken_back() {
    let fabric = up("drain");
    let flaps = view::peer(&fabric, NODE, SESSION.theirs())
        .expect("the peer")
        .flaps;
    say(&fabric, "drain");
    eventually("other ways are asked for", || marked(&fabric, true));
    let peer = view::established(&fabric, NODE, SESSION.theirs()).expect("the session stays");
    assert_eq!(peer.flaps, flaps);
    let text = fabric.run(NODE, &format!("{} status", roadbed().display()));
    assert!(text.contains("undrain"), "{text}");

    restart(&fabric);
    eventually("the session is back", || {
        view::established(&fabric, NODE, SESSION.theirs())
    });
    stays(Duration::from_secs(2), "other ways are asked for", || {
        marked(&fabric, true)
    });

    say(&fabric, "drain --shutdown --after 0s --message disks-are-changed");
    within(AT_ONCE, "our routes go", || gone(&fabric));
    eventually("the router's operator reads why", || {
        told(&fabric, "disks-are-changed")
    });
    restart(&fabric);
    let withheld = || {
        let peer = view::down(&fabric, NODE, SESSION.theirs())?;
        let why = peer.last_error.clone().unwrap_or_default();
        check(why.contains("disks-are-changed"), || format!("{peer:?}"))
    };
    eventually("the agent knows its peers", withheld);
    stays(Duration::from_secs(3), "the session is down", withheld);
    gone(&fabric).expect("no route of ours");

    say(&fabric, "undrain");
    eventually("our route is back, as any", || marked(&fabric, false));
}

#[test]
fn a_node_that_leaves_for_good_says_so() {
    let fabric = up("leave");
    say(&fabric, "cleanup --stop --message moved-to-another-rack");
    within(AT_ONCE, "our routes go", || gone(&fabric));
    eventually("the router's operator reads why", || {
        told(&fabric, "moved-to-another-rack")
    });
    assert!(kernel::ours(&fabric, NODE).is_empty());
    let report = fabric.inspect().expect("the lab can be inspected");
    let node = report.iter().find(|node| node.name == NODE).expect("the node");
    assert!(node.processes.iter().all(|process| !process.running), "{node:?}");
    // Without an agent, the same is no error.
    say(&fabric, "cleanup --stop");
}
