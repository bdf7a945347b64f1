//! Nothing is left: by an ADD that fails at any step, by many ADDs and DELs.

use std::collections::BTreeSet;
use std::process::Command;

use super::namespaces::{Ns, eventually, links, pod_link};
use crate::fault::{Plan, current};
use crate::{Attached, DefaultRoute, Error, PodLink, add, check, forget, host_ifname, list, remove};

/// Everything in a namespace that an attachment could leave; without the link-local addresses that the kernel makes
/// by itself and takes into use when it has time.
fn state(ns: &Ns) -> String {
    let text = ns.run(|| {
        let line = "ip -o link; ip rule; ip -6 rule; ip route show table all; ip -6 route show table all; ip neigh; \
                    ip addr";
        let done = Command::new("sh").args(["-c", line]).output().unwrap();
        String::from_utf8(done.stdout).unwrap()
    });
    assert!(text.contains("lo"));
    let own = |line: &&str| !(line.contains("fe80::") && line.contains("ff:fe"));
    text.lines().filter(own).collect::<Vec<_>>().join("\n")
}

/// Waits until the kernel has taken the gateway's address on so many links into use.
fn settle(node: &Ns, links: usize) {
    let gateways = || {
        let text = state(node);
        let lines: BTreeSet<&str> = text
            .lines()
            .filter(|l| l.starts_with("local fe80::1 dev rb"))
            .collect();
        lines.len()
    };
    eventually("the gateways' addresses are in use", || gateways() == links);
}

/// An ADD whose step with this number fails; the step's name, where there are so many.
fn add_failing_at(link: &PodLink, step: usize) -> (Result<Attached, Error>, Option<String>) {
    let plan = Plan::fail_after(step);
    plan.clone().take_over();
    let result = add(link);
    let failed = current().failed();
    Plan::none().take_over();
    (result, failed)
}

/// A second interface with everything.
fn full(pod: &Ns) -> [PodLink; 2] {
    let mut first = pod_link(&pod.path, "leaks", &["10.1.0.5", "2001:db8:1::5"]);
    first.default_route = DefaultRoute::Yes;
    let mut second = pod_link(&pod.path, "leaks", &["10.1.0.6", "2001:db8:1::6"]);
    second.ifname = "net1".into();
    second.host_ifname = host_ifname("leaks", "net1");
    second.routes = vec!["10.60.0.0/16".parse().unwrap()];
    second.sysctls = [("net.ipv4.conf.IFNAME.arp_notify".to_owned(), "1".to_owned())].into();
    [first, second]
}

#[test]
fn an_add_that_fails_at_any_step_leaves_nothing() {
    let (node, pod) = (Ns::node(), Ns::new());
    let [first, second] = full(&pod);
    node.run(move || add(&first).map(drop).unwrap());
    settle(&node, 1);
    let before = (state(&node), state(&pod));
    let mut steps = Vec::new();
    loop {
        let (wanted, nth) = (second.clone(), steps.len());
        let (result, failed) = node.run(move || add_failing_at(&wanted, nth));
        let Some(step) = failed else {
            result.unwrap();
            break;
        };
        assert!(result.is_err(), "step {nth}, {step}, failed unnoticed");
        assert_eq!(state(&node), before.0, "after {step}");
        assert_eq!(state(&pod), before.1, "after step {nth}, {step}");
        steps.push(step);
    }
    // Every kind of step was among them.
    for part in [
        "make the veth pair",
        "set net.ipv6",
        "set rb",
        "neighbour",
        "address",
        "route",
        "rule",
        "ask",
        "tables",
    ] {
        assert!(
            steps.iter().any(|s| s.contains(part)),
            "no step {part:?} in {steps:?}"
        );
    }
    assert!(steps.len() > 30, "{steps:?}");
    let wanted = second.clone();
    assert_eq!(node.run(move || check(&wanted).unwrap()), []);
}

#[test]
fn an_add_again_that_fails_leaves_what_was_there() {
    let (node, pod) = (Ns::node(), Ns::new());
    let [first, second] = full(&pod);
    let both = [first.clone(), second.clone()];
    node.run(move || both.iter().for_each(|link| drop(add(link).unwrap())));
    settle(&node, 2);
    let before = (state(&node), state(&pod));
    let mut nth = 0;
    loop {
        let wanted = second.clone();
        let (_, failed) = node.run(move || add_failing_at(&wanted, nth));
        assert_eq!((state(&node), state(&pod)), before, "after {failed:?}");
        if failed.is_none() {
            break;
        }
        nth += 1;
    }
    assert!(nth > 30);
}

#[test]
fn two_hundred_times_in_one_namespace() {
    let (node, pod) = (Ns::node(), Ns::new());
    let [first, second] = full(&pod);
    let once = first.clone();
    // The first one sets the pod's loopback up for good.
    node.run(move || {
        add(&once).unwrap();
        remove(&once.host_ifname).unwrap();
    });
    let before = (state(&node), state(&pod));
    let names = node.run(move || {
        let mut names = BTreeSet::new();
        for _ in 0..200 {
            add(&first).unwrap();
            add(&second).unwrap();
            let mut listed = list().unwrap();
            listed.sort();
            names.insert(listed);
            for link in [&second, &first] {
                forget(&link.netns, &link.host_ifname).unwrap();
                remove(&link.host_ifname).unwrap();
            }
        }
        names
    });
    assert_eq!(names.len(), 1, "names are stable: {names:?}");
    assert!(names.iter().all(|all| all.len() == 2));
    assert_eq!((state(&node), state(&pod)), before);
    assert!(links(&node).is_empty() && links(&pod).is_empty());
}
