//! What may be asked for, and how mistakes are answered.

use serde_json::json;

use super::*;

fn of(more: Value) -> Result<Wishes, CniError> {
    let mut conf = json!({ "cniVersion": "1.0.0", "name": "pods", "type": "roadbed" });
    let keys = conf.as_object_mut().unwrap();
    keys.extend(more.as_object().unwrap().clone());
    Wishes::of(&NetConf::parse(conf.to_string().as_bytes()).unwrap())
}

#[test]
fn nothing_asked_for_is_nothing() {
    assert_eq!(of(json!({})).unwrap(), Wishes::default());
    let nulls = json!({
        "mtu": null, "pools": null, "sticky": null, "routes": null, "sysctl": null, "dns": null, "args": null,
        "runtimeConfig": null, "ipam": {}, "defaultRoute": null, "waitFor": "",
    });
    assert_eq!(of(nulls).unwrap(), Wishes::default());
    let empty = json!({ "mtu": 0, "runtimeConfig": { "portMappings": [], "bandwidth": {}, "ips": null } });
    assert_eq!(of(empty).unwrap(), Wishes::default());
}

#[test]
fn every_key_of_ours_is_read() {
    let wishes = of(json!({
        "mtu": 1400, "pools": ["a"], "sticky": true, "defaultRoute": false, "waitFor": "announced",
        "routes": ["10.0.0.0/8", { "dst": "2001:db8::/32" }, { "dst": "10.0.0.0/8", "gw": null }],
        "sysctl": { "net.ipv4.conf.IFNAME.arp_filter": "1", "net.core.somaxconn": 512, "net.ipv4.ip_forward": true },
    }))
    .unwrap();
    let sysctl = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = Wishes {
        mtu: Some(1400),
        pools: vec!["a".into()],
        sticky: true,
        default_route: Some(false),
        routes: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        sysctls: [
            sysctl("net.ipv4.conf.IFNAME.arp_filter", "1"),
            sysctl("net.core.somaxconn", "512"),
            sysctl("net.ipv4.ip_forward", "1"),
        ]
        .into(),
        wait_announced: true,
        ..Wishes::default()
    };
    assert_eq!(wishes, expected);
}

#[test]
fn the_runtime_asks_for_addresses_and_a_mac() {
    let wishes = of(json!({
        "runtimeConfig": { "ips": ["10.0.0.9/24"], "mac": "02:00:00:00:00:01" },
        "args": { "cni": { "ips": ["10.0.0.9", "2001:db8::9"], "mac": "02:00:00:00:00:02" }, "other": 1 },
    }))
    .unwrap();
    assert_eq!(
        wishes.ips,
        ["10.0.0.9", "2001:db8::9"].map(|a| a.parse::<IpAddr>().unwrap())
    );
    assert_eq!(wishes.mac.unwrap().to_string(), "02:00:00:00:00:01");
    let less = of(json!({ "args": { "cni": { "mac": "02:00:00:00:00:02" } } })).unwrap();
    assert_eq!(less.mac.unwrap().to_string(), "02:00:00:00:00:02");
}

#[test]
fn resolver_settings_come_from_both() {
    let wishes = of(json!({
        "dns": { "nameservers": ["10.0.0.2"], "domain": "a.example" },
        "runtimeConfig": { "dns": { "servers": ["10.0.0.3"], "searches": ["b.example"], "options": [] } },
    }))
    .unwrap();
    let expected = json!({ "nameservers": ["10.0.0.3"], "search": ["b.example"], "domain": "a.example" });
    assert_eq!(wishes.dns, Some(expected));
}

#[test]
fn what_is_another_plugins_is_named_with_its_value() {
    for (more, key) in [
        (json!({ "ipam": { "type": "host-local" } }), "ipam"),
        (
            json!({ "runtimeConfig": { "portMappings": [{ "hostPort": 80 }] } }),
            "portMappings",
        ),
        (
            json!({ "runtimeConfig": { "bandwidth": { "ingressRate": 1 } } }),
            "bandwidth",
        ),
        (
            json!({ "routes": [{ "dst": "10.0.0.0/8", "gw": "10.0.0.1" }] }),
            "gw",
        ),
    ] {
        let error = of(more).unwrap_err();
        assert_eq!(error.code as u32, 2, "{error:?}");
        assert!(error.message.contains(key), "{error:?}");
    }
}

#[test]
fn mistakes_are_told_from_wrong_types() {
    for (more, code, hint) in [
        (json!({ "mtu": -1 }), 6, "mtu"),
        (json!({ "mtu": 67 }), 7, "68"),
        (json!({ "mtu": 70000 }), 7, "65535"),
        (json!({ "pools": "a" }), 6, "pools"),
        (json!({ "sticky": "yes" }), 6, "sticky"),
        (json!({ "routes": ["10.0.0.1/8"] }), 7, "10.0.0.0/8"),
        (json!({ "routes": ["ten"] }), 7, "dst"),
        (json!({ "routes": [7] }), 7, "dst"),
        (json!({ "routes": ["::/0"] }), 7, "defaultRoute"),
        (json!({ "sysctl": { "kernel.hostname": "x" } }), 7, "net."),
        (json!({ "sysctl": { "net/ipv4/ip_forward": "1" } }), 7, "net."),
        (json!({ "sysctl": { "net.ipv4..x": "1" } }), 7, "net."),
        (json!({ "sysctl": { "net.../x": "1" } }), 7, "net."),
        (json!({ "sysctl": { "net.x": "a\nb" } }), 7, "line"),
        (json!({ "waitFor": "ready" }), 7, "announced"),
        (json!({ "runtimeConfig": { "ips": ["ten"] } }), 7, "ten"),
        (
            json!({ "runtimeConfig": { "mac": "ff:ff:ff:ff:ff:ff" } }),
            7,
            "mac",
        ),
        (json!({ "runtimeConfig": [] }), 6, "runtimeConfig"),
        (json!({ "dns": "10.0.0.2" }), 6, "dns"),
    ] {
        let error = of(more.clone()).unwrap_err();
        assert_eq!(error.code as u32, code, "{more}: {error:?}");
        let text = format!("{} {}", error.message, error.details);
        assert!(text.contains(hint), "{more}: {text}");
    }
}
