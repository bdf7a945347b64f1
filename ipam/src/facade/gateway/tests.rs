//! Gateways of other plugins' bridges.

use std::net::IpAddr;
use std::time::SystemTime;

use ipnet::IpNet;

use crate::error::Error;
use crate::facade::Ipam;
use crate::lease::{Lease, Owner, Request};
use crate::local::LedgerStep;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000)
}

fn open(blocks: &[&str]) -> (tempfile::TempDir, Ipam) {
    let dir = tempfile::tempdir().unwrap();
    let ipam = Ipam::open(dir.path()).unwrap();
    let given = blocks
        .iter()
        .map(|b| (b.parse::<IpNet>().unwrap(), None))
        .collect();
    ipam.set_given(given, now()).unwrap();
    ipam.apply(&[LedgerStep::Known], now()).unwrap();
    (dir, ipam)
}

fn request(container: &str, network: &str, wanted: &[&str]) -> Request {
    Request {
        owner: Owner::new(container, "eth0"),
        network: network.into(),
        pod: None,
        netns: "/run/netns/x".into(),
        host_ifname: String::new(),
        wanted: wanted.iter().map(|a| a.parse().unwrap()).collect(),
        pools: Vec::new(),
        sticky: None,
    }
}

fn add(ipam: &Ipam, container: &str, network: &str, wanted: &[&str]) -> Result<(String, String), Error> {
    let (lease, gateways) = ipam.assign_with_gateways(&request(container, network, wanted), now())?;
    let text = |all: Vec<String>| all.join(" ");
    Ok((
        text(lease.addresses.iter().map(IpAddr::to_string).collect()),
        text(gateways.iter().map(|g| g.address.to_string()).collect()),
    ))
}

fn gateways(ipam: &Ipam) -> Vec<IpAddr> {
    let all = ipam.leases().into_iter();
    all.filter(|lease| lease.owner.is_gateway())
        .flat_map(|lease: Lease| lease.addresses)
        .collect()
}

fn pair(one: &str, two: &str) -> (String, String) {
    (one.into(), two.into())
}

#[test]
fn the_gateway_is_beside_the_blocks_own_address_and_goes_with_the_last_pod() {
    let (_dir, ipam) = open(&["10.0.0.0/29", "2001:db8::/125"]);
    let first = add(&ipam, "a", "bridged", &[]).unwrap();
    assert_eq!(first, pair("10.0.0.2 2001:db8::2", "10.0.0.1 2001:db8::1"));
    assert_eq!(add(&ipam, "a", "bridged", &[]).unwrap(), first, "again");
    assert_eq!(add(&ipam, "b", "bridged", &["10.0.0.6"]).unwrap().1, first.1);
    assert_eq!(gateways(&ipam).len(), 2);
    // Nobody gets it, and a network of its own has one of its own.
    let taken = add(&ipam, "c", "bridged", &["10.0.0.1"]).unwrap_err();
    assert!(matches!(taken, Error::Taken { .. }), "{taken}");
    assert_eq!(add(&ipam, "d", "other", &[]).unwrap().1, "10.0.0.4 2001:db8::5");
    let release = |container| ipam.release(&Owner::new(container, "eth0"), now()).unwrap();
    release("a");
    assert_eq!(gateways(&ipam).len(), 4);
    release("b");
    assert_eq!(gateways(&ipam).len(), 2);
    release("d");
    assert!(ipam.leases().is_empty(), "{:?}", ipam.leases());
}

#[test]
fn what_is_taken_is_stepped_over_and_a_full_block_says_so() {
    let (_dir, ipam) = open(&["10.0.0.0/29"]);
    // Pods of ours do not care.
    let plain = Request {
        host_ifname: "rb0".into(),
        ..request("plain", "pods", &["10.0.0.1"])
    };
    ipam.assign(&plain, now()).unwrap();
    let told = |container| add(&ipam, container, "bridged", &[]);
    assert_eq!(told("a").unwrap(), pair("10.0.0.2", "10.0.0.3"));
    for (container, address) in [("b", "10.0.0.4"), ("c", "10.0.0.5"), ("d", "10.0.0.6")] {
        assert_eq!(told(container).unwrap(), pair(address, "10.0.0.3"));
    }
    let full = told("e").unwrap_err();
    assert!(matches!(full, Error::Full(_)), "{full}");
    for container in ["a", "b", "c", "d"] {
        ipam.release(&Owner::new(container, "eth0"), now()).unwrap();
    }
    assert_eq!(ipam.leases().len(), 1);

    let (_dir, ipam) = open(&["10.0.0.0/31"]);
    // The one that is left is for the pod or for its gateway, not for both.
    let error = add(&ipam, "a", "bridged", &["10.0.0.1"]).unwrap_err();
    assert!(matches!(error, Error::NoGateway { .. }), "{error}");
    assert!(ipam.leases().is_empty(), "what fails leaves nothing");
}

#[test]
fn the_broadcast_address_of_a_bridges_subnet_is_nobodys() {
    let (_dir, ipam) = open(&["10.0.0.0/30"]);
    let error = add(&ipam, "a", "bridged", &["10.0.0.3"]).unwrap_err();
    assert!(error.to_string().contains("broadcast"), "{error}");
    assert_eq!(
        add(&ipam, "a", "bridged", &[]).unwrap(),
        pair("10.0.0.2", "10.0.0.1")
    );
    let full = add(&ipam, "b", "bridged", &[]).unwrap_err();
    assert!(matches!(full, Error::Full(_)), "{full}");
    // A pod of ours has it as a host route, and can.
    let plain = Request {
        host_ifname: "rb0".into(),
        ..request("plain", "pods", &[])
    };
    assert_eq!(
        ipam.assign(&plain, now()).unwrap().addresses[0].to_string(),
        "10.0.0.3"
    );
}

#[test]
fn gateways_out_of_our_hands_are_left_free() {
    let (_dir, ipam) = open(&["10.0.0.0/30"]);
    let aside = ["10.0.0.1".parse().unwrap()];
    let given = |container| {
        ipam.assign_beside(&request(container, "lan", &[]), &aside, now())
            .map(|lease| lease.addresses[0].to_string())
    };
    assert_eq!(
        (given("a").unwrap(), given("b").unwrap()),
        pair("10.0.0.2", "10.0.0.3")
    );
    assert!(given("c").is_err());
}
