//! Pods are no routers.

use std::net::Ipv6Addr;
use std::os::fd::AsRawFd;

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6, sendto, setsockopt, socket,
    sockopt,
};

use super::guard;
use crate::testing::{Node, Ns, until};

const LINK: &str = "rb0123456789a";

/// Sends an ICMPv6 message to all nodes of the link, from the link-local address and with hop limit 255, as RFC 4861 wants it.
fn say(pod: &Ns, message: &[u8]) {
    let message = message.to_vec();
    pod.run(move || {
        let raw = socket(
            AddressFamily::Inet6,
            SockType::Raw,
            SockFlag::empty(),
            SockProtocol::IcmpV6,
        )
        .expect("a raw socket");
        setsockopt(&raw, sockopt::Ipv6MulticastHops, &255).expect("hop limit");
        let link = nix::net::if_::if_nametoindex("eth0").expect("eth0");
        let all = std::net::SocketAddrV6::new(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1), 0, 0, link);
        sendto(
            raw.as_raw_fd(),
            &message,
            &SockaddrIn6::from(all),
            MsgFlags::empty(),
        )
        .expect("sent");
    });
}

/// A router advertisement with a lifetime of half an hour and nothing else (RFC 4861 section 4.2).
const ADVERTISEMENT: [u8; 16] = [134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
/// The beginning of a redirect (section 4.5).
const REDIRECT: [u8; 40] = {
    let mut message = [0; 40];
    message[0] = 137;
    message
};

#[test]
fn advertisements_of_pods_do_not_reach_the_node() {
    let node = Node::new();
    let pod = node.pod(LINK, 5);
    // As careless as can be: the plugin sets accept_ra to 0 on pods' links.
    node.ns.sh(&format!(
        "echo 2 > /proc/sys/net/ipv6/conf/{LINK}/accept_ra; ip -6 route del default"
    ));
    let default = || node.ns.sh("ip -6 route show default proto ra");
    say(&pod, &ADVERTISEMENT);
    until("the node believes it", || default().contains(LINK));
    node.ns.sh(&format!("ip -6 route del default dev {LINK}"));

    guard(&node.ns).expect("guarded");
    say(&pod, &ADVERTISEMENT);
    until("it is dropped", || node.count("router_advertisement") == 1);
    say(&pod, &REDIRECT);
    until("it is dropped", || node.count("redirect") == 1);
    assert_eq!(default(), "");
    assert!(node.counters().iter().all(
        |counter| counter.drops == (!matches!(counter.rule, "from_pods" | "unspecified" | "link_local"))
    ));
}
