//! `ipam` of another plugin's configuration: what `roadbed-ipam` is asked for (specification, "Delegated plugins").

use config::api::cni::IpamGateway;
use ipnet::IpNet;
use serde_json::{Map, Value};

use super::wishes::destination;
use super::{NetConf, read};
use crate::error::CniError;

/// The keys that we know. The section is ours alone: any other is a slip.
const KEYS: [&str; 7] = [
    "type", "socket", "stateDir", "pools", "sticky", "gateway", "routes",
];
/// What a route may have besides its destination (1.1.0); the result drops what an older version lacks.
const OF_ROUTES: [&str; 7] = ["dst", "gw", "mtu", "advmss", "priority", "table", "scope"];

/// The section.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Pools to take addresses from.
    pub pools: Vec<String>,
    /// Whether addresses follow their pods to other nodes.
    pub sticky: bool,
    /// Which gateway the pod is told.
    pub gateway: IpamGateway,
    /// For the result, as they are written.
    pub routes: Vec<Map<String, Value>>,
}

impl Section {
    /// Reads it for ADD.
    ///
    /// # Errors
    /// Code 2: an unknown key; 6: a value of the wrong type; 7: a wrong value, or no section.
    pub fn of(conf: &NetConf) -> Result<Section, CniError> {
        let section: Option<Map<String, Value>> = read(&conf.keys, "ipam")?;
        let Some(section) = section else {
            return Err(CniError::config(
                "ipam is missing",
                "this program is the IPAM of other plugins: name it in \"ipam\": {\"type\": ...} of one",
            ));
        };
        if let Some((key, value)) = section.iter().find(|(key, _)| !KEYS.contains(&key.as_str())) {
            let details = format!("addresses come from pools; the keys are {}", KEYS.join(", "));
            return Err(CniError::unsupported(&format!("ipam.{key}"), value, details));
        }
        Ok(Section {
            pools: read(&section, "pools")?.unwrap_or_default(),
            sticky: read(&section, "sticky")?.unwrap_or_default(),
            gateway: gateway(&conf.keys, &section)?,
            routes: routes(&section)?,
        })
    }
}

/// `gateway`. Without it, what the delegating plugin can work with: bridge and ptp put the gateway's address on the
/// node and cannot do without; the others attach to a network that has its own.
fn gateway(keys: &Map<String, Value>, section: &Map<String, Value>) -> Result<IpamGateway, CniError> {
    const RIGHT: &str = "it has to be \"block\", \"link-local\", \"none\", or a list like [\"192.0.2.1/24\"]";
    match section.get("gateway").unwrap_or(&Value::Null) {
        Value::Null => match keys.get("type").and_then(Value::as_str) {
            Some("bridge" | "ptp") => Ok(IpamGateway::Block),
            _ => Ok(IpamGateway::None),
        },
        Value::String(word) if word == "block" => Ok(IpamGateway::Block),
        Value::String(word) if word == "link-local" => Ok(IpamGateway::LinkLocal),
        Value::String(word) if word == "none" => Ok(IpamGateway::None),
        Value::Array(list) => given(list, RIGHT),
        other => Err(CniError::config(format!("ipam.gateway is {other}"), RIGHT)),
    }
}

/// Gateways of the network that the interface is attached to, one a family at most, each with the network's length.
fn given(list: &[Value], right: &str) -> Result<IpamGateway, CniError> {
    let mut gateways: Vec<IpNet> = Vec::new();
    for value in list {
        let wrong = |why: &str| CniError::config(format!("ipam.gateway has {value}"), why);
        let net: IpNet = value
            .as_str()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| wrong(right))?;
        // Of a network of two addresses (RFC 3021, RFC 6164), both are for hosts.
        let rest = net.max_prefix_len() - net.prefix_len();
        if rest == 0 || (rest > 1 && net.addr() == net.network()) {
            return Err(wrong(
                "write the gateway's address with the length of its network, like 192.0.2.1/24",
            ));
        }
        if gateways
            .iter()
            .any(|g| g.addr().is_ipv4() == net.addr().is_ipv4())
        {
            return Err(wrong("there is one of its family already"));
        }
        gateways.push(net);
    }
    match gateways.is_empty() {
        true => Ok(IpamGateway::None),
        false => Ok(IpamGateway::Given(gateways)),
    }
}

/// `routes`, as the reference IPAM plugins have them: the delegating plugin installs them.
fn routes(section: &Map<String, Value>) -> Result<Vec<Map<String, Value>>, CniError> {
    let all: Vec<Map<String, Value>> = read(section, "routes")?.unwrap_or_default();
    for route in &all {
        if let Some((key, value)) = route.iter().find(|(key, _)| !OF_ROUTES.contains(&key.as_str())) {
            let details = format!("a route has {}", OF_ROUTES.join(", "));
            return Err(CniError::unsupported(
                &format!("ipam.routes[].{key}"),
                value,
                details,
            ));
        }
        let dst = destination(route.get("dst").unwrap_or(&Value::Null))?;
        let gw = route.get("gw").filter(|gw| !gw.is_null());
        let good = |gw: &Value| {
            let gw = gw.as_str().and_then(|t| t.parse::<std::net::IpAddr>().ok());
            gw.is_some_and(|gw| gw.is_ipv4() == dst.addr().is_ipv4())
        };
        if let Some(gw) = gw.filter(|gw| !good(gw)) {
            return Err(CniError::config(
                format!("ipam.routes has gw: {gw} for {dst}"),
                "it has to be an address of the same family",
            ));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(kind: &str, ipam: Value) -> Result<Section, CniError> {
        let conf = json!({ "cniVersion": "1.0.0", "name": "n", "type": kind, "ipam": ipam });
        Section::of(&NetConf::parse(conf.to_string().as_bytes()).unwrap())
    }

    #[test]
    fn a_section_is_read() {
        let section = of(
            "macvlan",
            json!({
                "type": "roadbed-ipam", "pools": ["lan"], "sticky": true, "gateway": ["192.0.2.1/24", "2001:db8::1/64"],
                "routes": [{ "dst": "0.0.0.0/0" }, { "dst": "10.0.0.0/8", "gw": "192.0.2.9", "mtu": 1400 }],
            }),
        )
        .unwrap();
        let given = ["192.0.2.1/24", "2001:db8::1/64"].map(|g| g.parse().unwrap());
        assert_eq!(section.gateway, IpamGateway::Given(given.to_vec()));
        assert_eq!((section.pools.len(), section.sticky), (1, true));
        assert_eq!(section.routes[1]["gw"], "192.0.2.9");
    }

    #[test]
    fn the_gateway_follows_the_plugin_that_asks() {
        for (kind, word, gateway) in [
            ("bridge", Value::Null, IpamGateway::Block),
            ("ptp", Value::Null, IpamGateway::Block),
            ("macvlan", Value::Null, IpamGateway::None),
            ("bridge", json!("none"), IpamGateway::None),
            ("x", json!("link-local"), IpamGateway::LinkLocal),
            ("x", json!("block"), IpamGateway::Block),
            ("x", json!([]), IpamGateway::None),
        ] {
            let section = of(kind, json!({ "type": "roadbed-ipam", "gateway": word })).unwrap();
            assert_eq!(section.gateway, gateway, "{kind}");
        }
    }

    #[test]
    fn mistakes_are_answered_with_what_is_right() {
        for (ipam, code, hint) in [
            (Value::Null, 7, "IPAM of other plugins"),
            (json!([]), 6, "ipam"),
            (
                json!({ "subnet": "10.0.0.0/24" }),
                2,
                "ipam.subnet: \"10.0.0.0/24\"",
            ),
            (json!({ "gateway": "first" }), 7, "block"),
            (json!({ "gateway": ["192.0.2.1"] }), 7, "192.0.2.1"),
            (json!({ "gateway": ["192.0.2.0/24"] }), 7, "length"),
            (json!({ "gateway": ["192.0.2.1/32"] }), 7, "length"),
            (
                json!({ "gateway": ["192.0.2.1/24", "192.0.2.2/24"] }),
                7,
                "family",
            ),
            (json!({ "gateway": [7] }), 7, "192.0.2.1/24"),
            (json!({ "routes": ["0.0.0.0/0"] }), 6, "routes"),
            (json!({ "routes": [{ "gw": "10.0.0.1" }] }), 7, "dst"),
            (
                json!({ "routes": [{ "dst": "0.0.0.0/0", "gw": "::1" }] }),
                7,
                "family",
            ),
            (
                json!({ "routes": [{ "dst": "0.0.0.0/0", "via": "x" }] }),
                2,
                "via",
            ),
        ] {
            let error = of("bridge", ipam.clone()).unwrap_err();
            assert_eq!(error.code as u32, code, "{ipam}: {error:?}");
            let text = format!("{} {}", error.message, error.details);
            assert!(text.contains(hint), "{ipam}: {text}");
        }
    }
}
