use super::*;
use crate::names::host_ifname;

fn link(ifname: &str, addresses: &[&str], sysctls: &[(&str, &str)]) -> PodLink {
    PodLink {
        netns: "/run/netns/x".into(),
        ifname: ifname.into(),
        host_ifname: host_ifname("c", ifname),
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        mtu: 1500,
        mac: None,
        default_route: Default::default(),
        routes: Vec::new(),
        sysctls: sysctls
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect(),
    }
}

fn settings(link: &PodLink) -> Result<Vec<Setting>, Error> {
    pod(link, None)
}

fn paths(link: &PodLink) -> Vec<String> {
    let all = settings(link).unwrap();
    all.iter().map(|s| s.path.display().to_string()).collect()
}

#[test]
fn dots_in_the_name_of_an_interface_are_not_separators() {
    let asked = [
        ("net.ipv4.conf.IFNAME.arp_notify", "1"),
        ("net.ipv4.conf.other.200.arp_notify", "1"),
        ("net.ipv4.tcp_mtu_probing", "1"),
        ("net.core.somaxconn", "4096"),
    ];
    assert_eq!(
        paths(&link("eth0.100", &["10.0.0.1"], &asked)),
        [
            "/proc/sys/net/core/somaxconn",
            "/proc/sys/net/ipv4/conf/eth0.100/arp_notify",
            "/proc/sys/net/ipv4/conf/other.200/arp_notify",
            "/proc/sys/net/ipv4/tcp_mtu_probing",
        ]
    );
}

#[test]
fn what_is_of_all_interfaces_comes_first_and_what_is_asked_for_wins() {
    let asked = [
        ("net.ipv6.conf.IFNAME.accept_ra", "2"),
        ("net.ipv6.conf.all.forwarding", "1"),
    ];
    let all = settings(&link("eth0", &["2001:db8::1"], &asked)).unwrap();
    let of = |key: &str| all.iter().position(|s| s.path.ends_with(key)).unwrap();
    assert!(of("all/forwarding") < of("eth0/accept_ra"));
    let accept_ra: Vec<&str> = all
        .iter()
        .filter(|s| s.path.ends_with("accept_ra"))
        .map(|s| &*s.value)
        .collect();
    assert_eq!(accept_ra, ["2"]);
}

#[test]
fn what_is_not_a_sysctl_of_the_pods_network_is_refused_by_name() {
    for (name, value, words) in [
        (
            "kernel.shm_rmid_forced",
            "1",
            "only sysctls of the pod's own network",
        ),
        ("netx.ipv4.ip_forward", "1", "only sysctls"),
        ("net/ipv4/ip_forward", "1", "without slashes"),
        ("net.ipv4.conf.eth0/1.arp_notify", "1", "without slashes"),
        ("net.ipv4..ip_forward", "1", "single dots"),
        ("net.", "1", "not the name"),
        ("net.ipv4", "1", "not the name"),
        ("net.ipv4.", "1", "not the name"),
        ("net.ipv4.ip forward", "1", "not the name"),
        ("net.ipv4.ip_forward", "", "one line"),
        ("net.ipv4.ip_forward", "1\n0", "one line"),
        ("net.ipv6.conf.all.disable_ipv6", "1", "leave IPv6 on"),
        ("net.ipv6.conf.IFNAME.disable_ipv6", "1", "leave IPv6 on"),
    ] {
        let text = settings(&link("eth0", &["2001:db8::1"], &[(name, value)]))
            .unwrap_err()
            .to_string();
        assert!(
            text.contains(words) && text.contains(&format!("{name:?}")),
            "{name}: {text}"
        );
    }
    assert!(
        settings(&link(
            "eth0",
            &["10.0.0.1"],
            &[("net.ipv6.conf.all.disable_ipv6", "1")]
        ))
        .is_ok()
    );
}

#[test]
fn values_are_compared_as_the_kernel_writes_them() {
    let range = &settings(&link(
        "eth0",
        &["10.0.0.1"],
        &[("net.ipv4.ip_local_port_range", " 1024 65000")],
    ))
    .unwrap()[0];
    assert!(range.is_met_by("1024\t65000"));
    assert!(range.is_met_by("01024 65000"));
    assert!(!range.is_met_by("1024"));
    assert!(!range.is_met_by("1024 65001"));
}
