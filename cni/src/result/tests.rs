//! The forms, version by version.

use config::api::cni::CniRoute;
use proptest::prelude::*;

use super::*;
use crate::netconf::NetConf;

fn sample() -> CniAdded {
    let interface = |name: &str, mac: &str| CniInterface {
        name: name.into(),
        mac: mac.into(),
    };
    CniAdded {
        host_interface: interface("rb0123456789a", "02:00:00:00:00:01"),
        pod_interface: interface("eth0", "02:00:00:00:00:02"),
        addresses: vec![
            CniAddress {
                address: "10.0.0.5/32".parse().unwrap(),
                gateway: Some("169.254.1.1".parse().unwrap()),
            },
            CniAddress {
                address: "2001:db8::5/128".parse().unwrap(),
                gateway: None,
            },
        ],
        routes: vec![CniRoute {
            dst: "0.0.0.0/0".parse().unwrap(),
            gw: Some("169.254.1.1".parse().unwrap()),
        }],
        mtu: 1450,
    }
}

#[test]
fn the_result_has_the_form_of_1_0_0() {
    let json = added(Version::V1_0_0, &sample(), "/run/netns/x", None, None);
    let expected = json!({
        "cniVersion": "1.0.0",
        "interfaces": [
            { "name": "rb0123456789a", "mac": "02:00:00:00:00:01" },
            { "name": "eth0", "mac": "02:00:00:00:00:02", "sandbox": "/run/netns/x" },
        ],
        "ips": [
            { "address": "10.0.0.5/32", "gateway": "169.254.1.1", "interface": 1 },
            { "address": "2001:db8::5/128", "interface": 1 },
        ],
        "routes": [{ "dst": "0.0.0.0/0", "gw": "169.254.1.1" }],
        "dns": {},
    });
    assert_eq!(json, expected);
}

#[test]
fn the_newest_has_the_mtu() {
    let json = added(Version::V1_1_0, &sample(), "/n", None, None);
    for index in [0, 1] {
        assert_eq!(json["interfaces"][index]["mtu"], 1450);
    }
    let older = added(Version::V1_0_0, &sample(), "/n", None, None);
    assert!(!older.to_string().contains("mtu"), "{older}");
}

#[test]
fn versions_before_1_0_0_name_the_family() {
    for version in [Version::V0_3_0, Version::V0_3_1, Version::V0_4_0] {
        let dns = json!({ "nameservers": ["10.0.0.2"] });
        let json = added(version, &sample(), "/n", None, Some(dns.clone()));
        assert_eq!(json["cniVersion"], version.as_str());
        assert_eq!(
            (&json["ips"][0]["version"], &json["ips"][1]["version"]),
            (&json!("4"), &json!("6"))
        );
        assert_eq!(json["dns"], dns);
    }
}

#[test]
fn what_plugins_before_us_made_stays_in_front() {
    let conf = json!({ "cniVersion": "1.1.0", "name": "n", "prevResult": {
        "interfaces": [{ "name": "net0", "sandbox": "/n", "mtu": 9000, "pciID": "0000:00:1f.6" }],
        "ips": [{ "address": "192.0.2.5/24", "gateway": "192.0.2.1", "interface": 0, "version": "4" }],
        "routes": [{ "dst": "10.0.0.0/8", "gw": "192.0.2.1", "advmss": 1400 }],
        "dns": { "domain": "a.example" },
    } });
    let previous = || Previous::of(&NetConf::parse(conf.to_string().as_bytes()).unwrap()).unwrap();

    let json = added(Version::V1_1_0, &sample(), "/n", previous(), None);
    assert_eq!(
        json["interfaces"][0],
        json!({ "name": "net0", "sandbox": "/n", "mtu": 9000, "pciID": "0000:00:1f.6" })
    );
    assert_eq!(json["interfaces"][2]["name"], "eth0");
    assert_eq!(
        json["ips"][0],
        json!({ "address": "192.0.2.5/24", "gateway": "192.0.2.1", "interface": 0 })
    );
    assert_eq!(json["ips"][1]["interface"], 2);
    assert_eq!(json["routes"][0]["advmss"], 1400);
    assert_eq!(json["routes"][1]["dst"], "0.0.0.0/0");
    assert_eq!(json["dns"]["domain"], "a.example");

    let older = added(Version::V0_4_0, &sample(), "/n", previous(), Some(json!({})));
    assert_eq!(older["interfaces"][0], json!({ "name": "net0", "sandbox": "/n" }));
    assert_eq!(older["ips"][0]["version"], "4");
    assert_eq!(
        older["routes"][0],
        json!({ "dst": "10.0.0.0/8", "gw": "192.0.2.1" })
    );
}

#[test]
fn the_ipam_plugins_result_has_no_interfaces() {
    let given = CniIpamAdded {
        addresses: vec![CniAddress {
            address: "10.0.0.5/26".parse().unwrap(),
            gateway: Some("10.0.0.1".parse().unwrap()),
        }],
    };
    let route = json!({ "dst": "0.0.0.0/0", "mtu": 1400 });
    let routes = || vec![route.as_object().unwrap().clone()];
    assert_eq!(
        leased(Version::V1_0_0, &given, routes()),
        json!({
            "cniVersion": "1.0.0", "ips": [{ "address": "10.0.0.5/26", "gateway": "10.0.0.1" }],
            "routes": [{ "dst": "0.0.0.0/0" }], "dns": {},
        })
    );
    let newest = leased(Version::V1_1_0, &given, routes());
    assert_eq!(newest["routes"][0]["mtu"], 1400);
    assert_eq!(
        leased(Version::V0_3_1, &given, routes())["ips"][0]["version"],
        "4"
    );
}

/// A result of plugins before us: interfaces by name, and addresses, each on one of them or on none.
fn earlier() -> impl Strategy<Value = (Vec<String>, Vec<Option<usize>>)> {
    proptest::collection::vec("[a-z]{1,8}", 0..4).prop_flat_map(|names| {
        let on = match names.len() {
            0 => Just(None).boxed(),
            all => proptest::option::of(0..all).boxed(),
        };
        (Just(names), proptest::collection::vec(on, 0..5))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A chain never moves an address to another interface, in no version.
    #[test]
    fn every_address_stays_on_its_interface((names, on) in earlier(), number in 0..SUPPORTED.len()) {
        let version = SUPPORTED[number];
        let interfaces: Vec<Value> = names.iter().map(|name| json!({ "name": name, "sandbox": "/n" })).collect();
        let ips: Vec<Value> = on.iter().enumerate().map(|(n, on)| match on {
            Some(index) => json!({ "address": format!("192.0.2.{n}/24"), "interface": index }),
            None => json!({ "address": format!("192.0.2.{n}/24") }),
        }).collect();
        let conf = json!({ "cniVersion": version.as_str(), "name": "n", "prevResult": { "interfaces": interfaces, "ips": ips } });
        let previous = Previous::of(&NetConf::parse(conf.to_string().as_bytes()).unwrap()).unwrap();
        let result = added(version, &sample(), "/n", previous, None);

        let name_of = |ip: &Value| ip["interface"].as_u64().map(|index| {
            result["interfaces"][usize::try_from(index).unwrap()]["name"].as_str().unwrap().to_owned()
        });
        let placed: Vec<Option<String>> = result["ips"].as_array().unwrap().iter().map(name_of).collect();
        let expected: Vec<Option<String>> = on.iter().map(|on| on.map(|index| names[index].clone())).collect();
        let ours = [Some("eth0".to_owned()), Some("eth0".to_owned())];
        prop_assert_eq!(placed, [expected.as_slice(), ours.as_slice()].concat());
        prop_assert_eq!(result["interfaces"].as_array().unwrap().len(), names.len() + 2);

        // What is printed is a result that the next plugin, or CHECK, can read.
        let next = json!({ "cniVersion": version.as_str(), "name": "n", "prevResult": result });
        prop_assert!(Previous::of(&NetConf::parse(next.to_string().as_bytes()).unwrap()).is_ok());
    }
}
