//! Who is seen by whom, and what happens to that while the agent runs, is killed, and is gone for good.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lab::traffic::Traffic;

use super::{WORLD, blocks, chain, converge, node, pod, resources, seen, seen_by, socket, wire, world_sees};
use crate::support::{Fabric, SOON, check, eventually, roadbed, view};

fn two(scenario: &str, nat: bool) -> Fabric {
    let fabric = wire(scenario, 2, nat).pod("p1", "n1").pod("p2", "n2").up();
    converge(&fabric, 2);
    fabric
}

fn switch(fabric: &Fabric, nat: bool) {
    for node in ["n1", "n2"] {
        fabric.edit(node, &resources(nat, &[blocks(1), blocks(2)]));
    }
}

fn explained(fabric: &Fabric, target: &str) -> String {
    fabric.run("n1", &format!("{} explain {target}", roadbed().display()))
}

#[test]
fn the_world_sees_the_node_and_pods_and_nodes_see_the_pod() {
    let fabric = two("leaving", true);
    world_sees(&fabric, &pod(1), &node(1));
    for (family, outside) in WORLD.into_iter().enumerate() {
        let own = &pod(1)[family];
        for (host, at) in [
            ("p2", &pod(2)[family]),
            ("n2", &node(2)[family]),
            ("n1", &node(1)[family]),
        ] {
            assert_eq!(&seen(&fabric, ("p1", own), (host, at)), own, "{host} at {at}");
        }
        // The other way: the pod sees the node's own address.
        assert_eq!(
            seen(&fabric, ("n2", &node(2)[family]), ("p1", own)),
            node(2)[family]
        );
        let text = explained(&fabric, outside);
        assert!(text.contains("appear as the address of the interface"), "{text}");
        for kept in [&pod(2)[family], &node(2)[family]] {
            let text = explained(&fabric, kept);
            assert!(text.contains("pods keep their own addresses"), "{text}");
        }
    }

    // A firewall manager starts from nothing.
    let before = chain(&fabric).expect("the chain");
    fabric.run("n1", "nft flush ruleset");
    eventually("the chain is back", || chain(&fabric));
    world_sees(&fabric, &pod(1), &node(1));
    let rules = |text: &str| -> Vec<String> {
        let rule = |line: &str| line.split(" # handle").next().unwrap_or_default().to_owned();
        text.lines().map(rule).collect()
    };
    assert_eq!(rules(&chain(&fabric).expect("the chain")), rules(&before));

    // For good: the table goes, and so does what it did.
    fabric.stop_agent("n1").expect("the agent ends");
    world_sees(&fabric, &pod(1), &node(1));
    fabric.run("n1", &format!("{} cleanup", roadbed().display()));
    assert!(!fabric.run("n1", "nft list tables").contains("roadbed"));
}

#[test]
fn a_pool_is_switched_on_and_off_while_its_pods_go_on_sending() {
    let fabric = two("switched", false);
    assert!(chain(&fabric).is_err(), "nothing is tracked because of us");
    world_sees(&fabric, &pod(1), &pod(1));
    // Somebody else tracks connections, as a proxy of Services does: flows keep what they began with.
    fabric.run("n1", "nft add table inet proxy");
    let other = "add chain inet proxy c { type filter hook forward priority 0 ; }";
    fabric.run("n1", &format!("nft {other}"));
    fabric.run("n1", "nft add rule inet proxy c ct state new accept");
    for (family, outside) in WORLD.into_iter().enumerate() {
        let (client, server) = (
            socket(&fabric, "p1", &pod(1)[family]),
            socket(&fabric, "world", outside),
        );
        let sees = |wanted: &str| {
            eventually("the world sees the flow so", || {
                let sender = seen_by(&client, &server)?;
                check(sender == wanted, || format!("as {sender}, not as {wanted}"))
            });
        };
        sees(&pod(1)[family]);
        switch(&fabric, true);
        sees(&node(1)[family]);
        world_sees(&fabric, &pod(1), &node(1));
        switch(&fabric, false);
        eventually("the chain goes", || {
            check(chain(&fabric).is_err(), || "it is there".into())
        });
        world_sees(&fabric, &pod(1), &pod(1));
    }
    assert!(fabric.run("n1", "nft list tables").contains("inet proxy"));
}

/// Answers each line, for one client.
fn echo(listener: TcpListener) {
    std::thread::spawn(move || {
        let Ok((mut stream, from)) = listener.accept() else {
            return;
        };
        let Ok(reader) = stream.try_clone() else { return };
        for _ in BufReader::new(reader).lines().map_while(Result::ok) {
            if writeln!(stream, "{}", from.ip()).is_err() {
                return;
            }
        }
    });
}

/// One line over the connection and its answer.
#[track_caller]
fn goes_on(stream: &TcpStream, wanted: &str) {
    let mut writer = stream;
    writeln!(writer, "and now?").expect("sent");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("an answer");
    assert_eq!(line.trim_end(), wanted);
}

/// 1,000 packets a second of one flow, a connection, and new flows all the time: none of them notices.
#[test]
fn an_agent_that_is_killed_and_started_again_costs_translated_flows_nothing() {
    let fabric = two("again", true);
    world_sees(&fabric, &pod(1), &node(1));
    let listener = fabric.in_namespace("world", || TcpListener::bind((WORLD[0], 0)));
    let listener = listener.expect("the namespace").expect("a listener");
    let at = listener.local_addr().expect("its address");
    echo(listener);
    let stream = fabric.in_namespace("p1", || TcpStream::connect_timeout(&at, SOON));
    let stream = stream.expect("the namespace").expect("a connection");
    stream.set_read_timeout(Some(SOON)).expect("a bound");
    goes_on(&stream, &node(1)[0]);
    let before = chain(&fabric).expect("the chain");

    let traffic = Traffic::start(
        &fabric,
        "p1",
        "world",
        WORLD[0].parse().expect("an address"),
        1000,
    );
    let traffic = traffic.unwrap_or_else(|e| panic!("{e}"));
    let over = AtomicBool::new(false);
    let new_flows = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let server = socket(&fabric, "world", WORLD[0]);
            server.set_read_timeout(Some(SOON)).expect("a bound");
            let mut flows = 0;
            while !over.load(Ordering::Relaxed) {
                let client = socket(&fabric, "p1", &pod(1)[0]);
                let sender = seen_by(&client, &server).unwrap_or_else(|e| panic!("new flow {flows}: {e}"));
                assert_eq!(sender, node(1)[0], "new flow {flows}");
                flows += 1;
            }
            flows
        });
        fabric.kill_agent("n1").expect("the agent is killed");
        traffic.wait_arrived(500, SOON).unwrap_or_else(|e| panic!("{e}"));
        fabric.start_agent("n1").expect("the agent starts");
        fabric.wait_agent("n1", SOON).expect("the agent answers");
        eventually("the session", || view::converged(&fabric, "n1", 1));
        traffic
            .wait_arrived(500, Duration::from_secs(60))
            .unwrap_or_else(|e| panic!("{e}"));
        over.store(true, Ordering::Relaxed);
        asking.join()
    });
    let new_flows: u32 = new_flows.expect("every new flow was translated");
    assert!(new_flows > 10, "{new_flows}");
    goes_on(&stream, &node(1)[0]);
    let report = traffic.stop();
    assert_eq!(
        (report.lost - report.overflowed, report.refused),
        (0, 0),
        "{report:?}"
    );
    assert_eq!(
        chain(&fabric).expect("the chain"),
        before,
        "the same rules, not new ones"
    );
}
