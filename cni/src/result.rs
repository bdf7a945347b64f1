//! Results as the CNI specification wants them ("Success", "Version Success").

use std::net::IpAddr;

use config::api::cni::CniAdded;
use serde_json::{Map, Value, json};

/// The versions that we speak.
pub const SUPPORTED: [&str; 3] = ["0.3.1", "0.4.0", "1.0.0"];
/// The newest of them.
pub const NEWEST: &str = "1.0.0";

/// The result of ADD. Versions before 1.0.0 want the IP version of each address named.
pub fn added(version: &str, added: &CniAdded, netns: &str, dns: Option<&Value>) -> Value {
    let ips: Vec<Value> = added
        .addresses
        .iter()
        .map(|given| {
            let mut ip = Map::new();
            if version != NEWEST {
                let family = if given.address.addr().is_ipv4() { "4" } else { "6" };
                ip.insert("version".into(), family.into());
            }
            ip.insert("address".into(), given.address.to_string().into());
            insert_address(&mut ip, "gateway", given.gateway);
            // Index into `interfaces`: the pod's end.
            ip.insert("interface".into(), 1.into());
            Value::Object(ip)
        })
        .collect();
    let routes: Vec<Value> = added
        .routes
        .iter()
        .map(|route| {
            let mut one = Map::new();
            one.insert("dst".into(), route.dst.to_string().into());
            insert_address(&mut one, "gw", route.gw);
            Value::Object(one)
        })
        .collect();
    json!({
        "cniVersion": version,
        "interfaces": [
            { "name": added.host_interface.name, "mac": added.host_interface.mac },
            { "name": added.pod_interface.name, "mac": added.pod_interface.mac, "sandbox": netns },
        ],
        "ips": ips,
        "routes": routes,
        "dns": dns.filter(|d| d.is_object()).cloned().unwrap_or_else(|| json!({})),
    })
}

/// The answer to VERSION; `asked` is the version on stdin, echoed as the specification says.
pub fn versions(asked: Option<&str>) -> Value {
    json!({ "cniVersion": asked.unwrap_or(NEWEST), "supportedVersions": SUPPORTED })
}

fn insert_address(object: &mut Map<String, Value>, key: &str, address: Option<IpAddr>) {
    if let Some(address) = address {
        object.insert(key.into(), address.to_string().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::api::cni::{CniAddress, CniInterface, CniRoute};

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
        let json = added("1.0.0", &sample(), "/run/netns/x", None);
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
    fn older_versions_name_the_family() {
        for version in ["0.3.1", "0.4.0"] {
            let dns = json!({ "nameservers": ["10.0.0.2"] });
            let json = added(version, &sample(), "/n", Some(&dns));
            assert_eq!(json["cniVersion"], version);
            assert_eq!(
                (&json["ips"][0]["version"], &json["ips"][1]["version"]),
                (&json!("4"), &json!("6"))
            );
            assert_eq!(json["dns"], dns);
        }
    }
}
