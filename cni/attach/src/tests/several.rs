//! Several interfaces in one pod: who has the default route, and that each can be used.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use ipnet::IpNet;

use super::namespaces::{NODE_V4, NODE_V6, Ns, host_routes, pod_link, talk};
use crate::{DefaultRoute, Error, PodLink, add, check, forget, host_ifname, remove};

fn second(first: &PodLink, ifname: &str, addresses: &[&str]) -> PodLink {
    PodLink {
        ifname: ifname.into(),
        host_ifname: host_ifname("several", ifname),
        ..pod_link(&first.netns, "several", addresses)
    }
}

fn pair(pod: &Ns) -> [PodLink; 2] {
    let first = pod_link(&pod.path, "several", &["10.1.0.5", "2001:db8:1::5"]);
    let second = second(&first, "net1", &["10.1.0.6", "2001:db8:1::6"]);
    [first, second]
}

/// What a command prints in a namespace.
fn shell(ns: &Ns, line: &str) -> String {
    let line = line.to_owned();
    ns.run(move || {
        let done = Command::new("sh").args(["-c", &line]).output().unwrap();
        assert!(
            done.status.success(),
            "{line}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8(done.stdout).unwrap()
    })
}

/// A connection from the node to the pod; false: no answer in time.
fn answers(node: &Ns, pod: &Ns, address: &str, patience: Duration) -> bool {
    let address: IpAddr = address.parse().unwrap();
    let listener = pod.run(move || TcpListener::bind(SocketAddr::new(address, 0)).unwrap());
    let target = listener.local_addr().unwrap();
    let result = node.run(move || {
        let mut stream = TcpStream::connect_timeout(&target, patience)?;
        stream.write_all(b"!")
    });
    if result.is_ok() {
        listener.accept().unwrap().0.read_exact(&mut [0]).unwrap();
    }
    result.is_ok()
}

#[test]
fn the_first_has_the_default_route_and_the_second_is_usable_nevertheless() {
    let (node, pod) = (Ns::node(), Ns::new());
    let links = pair(&pod);
    let wanted = links.clone();
    let [first, second] = node.run(move || {
        let attached = wanted.each_ref().map(|link| add(link).unwrap());
        wanted.iter().for_each(host_routes);
        attached
    });
    let text: Vec<String> = first
        .routes
        .iter()
        .map(|(net, via)| format!("{net} {via:?}"))
        .collect();
    assert_eq!(
        text,
        [
            "169.254.1.1/32 None",
            "0.0.0.0/0 Some(169.254.1.1)",
            "::/0 Some(fe80::1)"
        ]
    );
    assert_eq!(second.routes, []);
    assert!(shell(&pod, "ip route show default").starts_with("default via 169.254.1.1 dev eth0"));
    assert!(shell(&pod, "ip -6 route show default").starts_with("default via fe80::1 dev eth0"));
    for address in ["10.1.0.5", "2001:db8:1::5", "10.1.0.6", "2001:db8:1::6"] {
        assert!(
            answers(&node, &pod, address, Duration::from_secs(5)),
            "{address} does not answer"
        );
    }
    for address in [NODE_V4, NODE_V6] {
        talk(&pod, &node, address);
    }
    // Without the rule the answer leaves through the first interface, and strict reverse path drops it there.
    shell(&pod, "ip rule del from 10.1.0.6");
    assert!(!answers(&node, &pod, "10.1.0.6", Duration::from_millis(700)));
    let again = links[1].clone();
    node.run(move || add(&again).map(drop).unwrap());
    assert!(answers(&node, &pod, "10.1.0.6", Duration::from_secs(5)));
}

#[test]
fn rules_go_with_the_interface_where_the_pod_stays() {
    let (node, pod) = (Ns::node(), Ns::new());
    let [eth0, net1] = pair(&pod);
    let before = [shell(&pod, "ip rule"), shell(&pod, "ip -6 rule")];
    node.run(move || {
        add(&eth0).unwrap();
        add(&net1).unwrap();
        remove(&net1.host_ifname).unwrap();
        forget(&net1.netns, &net1.host_ifname).unwrap();
        forget(&net1.netns, &net1.host_ifname).unwrap();
        forget(std::path::Path::new("/nowhere/at/all"), &net1.host_ifname).unwrap();
        assert!(matches!(forget(&net1.netns, "eth0"), Err(Error::NotOurs(_))));
    });
    assert_eq!([shell(&pod, "ip rule"), shell(&pod, "ip -6 rule")], before);
}

#[test]
fn an_interface_keeps_what_it_has_and_changes_when_told() {
    let (node, pod) = (Ns::node(), Ns::new());
    let links = pair(&pod);
    let defaults = |at: &str| {
        shell(
            &pod,
            &format!("ip route show default dev {at}; ip -6 route show default dev {at}"),
        )
    };
    let again = |link: &PodLink| {
        let link = link.clone();
        node.run(move || {
            let attached = add(&link).unwrap();
            assert_eq!(check(&link).unwrap(), []);
            attached
        })
    };
    links.iter().for_each(|link| drop(again(link)));
    // The second one does not take what the first one lost; the first one gets it back.
    shell(&pod, "ip route del default; ip -6 route del default");
    assert_eq!(again(&links[1]).routes, []);
    assert_eq!(again(&links[0]).routes.len(), 3);
    // Told to have none, it gives it back and has rules instead; the second one is told to take it.
    let none = PodLink {
        default_route: DefaultRoute::No,
        ..links[0].clone()
    };
    assert_eq!(again(&none).routes, []);
    assert_eq!(defaults("eth0"), "");
    let yes = PodLink {
        default_route: DefaultRoute::Yes,
        ..links[1].clone()
    };
    assert_eq!(again(&yes).routes.len(), 3);
    assert_eq!(defaults("net1").lines().count(), 2);
    assert!(
        !shell(&pod, "ip rule; ip -6 rule").contains("::6"),
        "the rules of the second one are gone"
    );
    // And the first one cannot have it any more.
    let taken = PodLink {
        default_route: DefaultRoute::Yes,
        ..links[0].clone()
    };
    assert!(matches!(
        node.run(move || add(&taken)),
        Err(Error::OtherDefault { .. })
    ));
    assert_eq!(again(&none).routes, []);
}

#[test]
fn families_are_apart() {
    let (node, pod) = (Ns::node(), Ns::new());
    let first = pod_link(&pod.path, "several", &["10.1.0.5"]);
    let second = second(&first, "net1", &["10.1.0.6", "2001:db8:1::6"]);
    let routes = node.run(move || {
        add(&first).unwrap();
        add(&second).unwrap().routes
    });
    let default: IpNet = "::/0".parse().unwrap();
    assert_eq!(routes, [(default, Some("fe80::1".parse().unwrap()))]);
}

#[test]
fn further_routes_lead_through_their_interface() {
    let (node, pod) = (Ns::node(), Ns::new());
    let [eth0, mut net1] = pair(&pod);
    net1.routes = ["10.60.1.2/16", "2001:db8:60::/48", "10.60.0.0/16"]
        .map(|net| net.parse().unwrap())
        .into();
    let mut clash = second(&eth0, "net2", &["10.1.0.7"]);
    clash.routes = vec!["10.60.0.0/16".parse().unwrap()];
    let mut fewer = net1.clone();
    fewer.routes.pop();
    fewer.routes.remove(0);
    let (routes, error, fewer) = node.run(move || {
        add(&eth0).unwrap();
        let routes = add(&net1).unwrap().routes;
        (routes, add(&clash).unwrap_err(), add(&fewer).unwrap().routes)
    });
    let text: Vec<String> = routes
        .iter()
        .map(|(net, via)| format!("{net} {}", via.unwrap()))
        .collect();
    assert_eq!(text, ["10.60.0.0/16 169.254.1.1", "2001:db8:60::/48 fe80::1"]);
    assert!(matches!(error, Error::OtherRoute { .. }), "{error}");
    assert!(error.to_string().contains("10.60.0.0/16"), "{error}");
    assert_eq!(fewer.len(), 1);
    assert_eq!(
        shell(&pod, "ip route show 10.60.0.0/16"),
        "",
        "a route that is not wanted any more is taken away"
    );
    assert!(!shell(&pod, "ip link").contains("net2"));
}

#[test]
fn a_default_route_of_somebody_else_counts() {
    let (node, pod) = (Ns::node(), Ns::new());
    let [_, net1] = pair(&pod);
    shell(
        &pod,
        "ip link set lo up && ip link add other type veth peer name rehto && ip link set other up && ip link set rehto up \
         && ip addr add 192.168.7.2/24 dev other && ip route add default via 192.168.7.1 metric 50",
    );
    let routes = node.run(move || add(&net1).unwrap().routes);
    assert_eq!(
        routes.iter().map(|(net, _)| net.to_string()).collect::<Vec<_>>(),
        ["::/0"]
    );
    assert!(shell(&pod, "ip rule").contains("10.1.0.6"));
}

#[test]
fn a_default_route_is_not_asked_for_and_refused_at_once() {
    let (node, pod) = (Ns::node(), Ns::new());
    let [mut eth0, mut net1] = pair(&pod);
    net1.routes = vec!["0.0.0.0/0".parse().unwrap()];
    net1.default_route = DefaultRoute::No;
    let wanted = net1.clone();
    let error = node.run(move || add(&wanted).unwrap_err());
    assert!(error.to_string().contains("defaultRoute: false"), "{error}");
    // Alone it is another way to say that the default route goes here.
    net1.default_route = DefaultRoute::IfFree;
    eth0.default_route = DefaultRoute::No;
    let routes = node.run(move || {
        add(&eth0).unwrap();
        add(&net1).unwrap().routes
    });
    assert_eq!(routes.len(), 3);
}

#[test]
fn names_with_dots_have_their_sysctls() {
    let (node, pod) = (Ns::node(), Ns::new());
    let mut link = pod_link(&pod.path, "several", &["10.1.0.5", "2001:db8:1::5"]);
    link.ifname = "eth0.100".into();
    link.sysctls = [("net.ipv4.conf.IFNAME.arp_notify".to_owned(), "1".to_owned())].into();
    let mut unknown = link.clone();
    unknown.sysctls = [("net.ipv4.no_such_thing".to_owned(), "1".to_owned())].into();
    let mut value = link.clone();
    value.sysctls = [("net.ipv4.ip_local_port_range".to_owned(), "x".to_owned())].into();
    let (unknown, value, drifts) = node.run(move || {
        let errors = (
            add(&unknown).unwrap_err().to_string(),
            add(&value).unwrap_err().to_string(),
        );
        assert_eq!(crate::list().unwrap().len(), 0);
        add(&link).unwrap();
        (errors.0, errors.1, check(&link).unwrap())
    });
    assert!(unknown.contains("no such sysctl"), "{unknown}");
    assert!(value.contains("refuses the value"), "{value}");
    assert_eq!(drifts, []);
    assert_eq!(
        shell(&pod, "cat /proc/sys/net/ipv4/conf/eth0.100/arp_notify"),
        "1\n"
    );
}
