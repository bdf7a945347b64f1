//! Results as the CNI specification wants them ("Success", "Delegated plugins (IPAM)", "Version Success"), each in the
//! form of the version asked for.
//!
//! Everything is built in the form of the newest version, together with what plugins before us made, and then loses
//! what an older version does not have: so the two never differ but in form.

use std::net::IpAddr;

use config::api::cni::{CniAdded, CniAddress, CniInterface, CniIpamAdded};
use serde_json::{Map, Value, json};

use crate::prev::{Object, Previous, address_of};
use crate::version::{NEWEST, SUPPORTED, Version};

/// What 1.1.0 brought to interfaces.
const INTERFACES_1_1: [&str; 3] = ["mtu", "socketPath", "pciID"];
/// What 1.1.0 brought to routes.
const ROUTES_1_1: [&str; 5] = ["mtu", "advmss", "priority", "table", "scope"];

/// The result of ADD: what plugins before us made, and then what we made.
pub fn added(
    version: Version,
    added: &CniAdded,
    netns: &str,
    previous: Option<Previous>,
    dns: Option<Value>,
) -> Value {
    let mut all = previous.unwrap_or_default();
    let pod = all.interfaces.len() + 1;
    all.interfaces
        .push(interface(&added.host_interface, added.mtu, None));
    all.interfaces
        .push(interface(&added.pod_interface, added.mtu, Some(netns)));
    all.ips.extend(added.addresses.iter().map(|given| {
        let mut ip = ip(given);
        ip.insert("interface".into(), pod.into());
        ip
    }));
    all.routes.extend(added.routes.iter().map(|route| {
        let mut one = Map::new();
        one.insert("dst".into(), route.dst.to_string().into());
        insert(&mut one, "gw", route.gw);
        one
    }));
    if let Some(Value::Object(dns)) = dns {
        all.dns = dns;
    }
    let interfaces = std::mem::take(&mut all.interfaces);
    let mut result = shared(version, all);
    let without = |one| without(version, one, &INTERFACES_1_1);
    result["interfaces"] = interfaces.into_iter().map(without).collect();
    result
}

/// The result of the IPAM plugin's ADD: it knows of no interfaces.
pub fn leased(version: Version, added: &CniIpamAdded, routes: Vec<Object>) -> Value {
    let ips = added.addresses.iter().map(ip).collect();
    let all = Previous {
        ips,
        routes,
        ..Previous::default()
    };
    shared(version, all)
}

/// The answer to VERSION; `asked` is the version on stdin, echoed as the specification says.
pub fn versions(asked: Option<&str>) -> Value {
    let supported = SUPPORTED.map(Version::as_str);
    json!({ "cniVersion": asked.unwrap_or(NEWEST.as_str()), "supportedVersions": supported })
}

/// What the results of all plugins have.
fn shared(version: Version, all: Previous) -> Value {
    let ips = all.ips.into_iter().map(|ip| with_family(version, ip));
    let routes = all.routes.into_iter();
    let routes = routes.map(|route| without(version, route, &ROUTES_1_1));
    json!({
        "cniVersion": version.as_str(),
        "ips": ips.collect::<Vec<Object>>(),
        "routes": routes.collect::<Vec<Object>>(),
        "dns": all.dns,
    })
}

fn interface(of: &CniInterface, mtu: u32, sandbox: Option<&str>) -> Object {
    let mut one = Map::new();
    one.insert("name".into(), of.name.clone().into());
    one.insert("mac".into(), of.mac.clone().into());
    one.insert("mtu".into(), mtu.into());
    if let Some(netns) = sandbox {
        one.insert("sandbox".into(), netns.into());
    }
    one
}

fn ip(given: &CniAddress) -> Object {
    let mut ip = Map::new();
    ip.insert("address".into(), given.address.to_string().into());
    insert(&mut ip, "gateway", given.gateway);
    ip
}

/// Before 1.0.0 each address names its family.
fn with_family(version: Version, mut ip: Object) -> Object {
    ip.remove("version");
    if version < Version::V1_0_0
        && let Some(address) = address_of(&ip)
    {
        let family = if address.addr().is_ipv4() { "4" } else { "6" };
        ip.insert("version".into(), family.into());
    }
    ip
}

/// Without what came with 1.1.0, for versions before it.
fn without(version: Version, mut one: Object, keys: &[&str]) -> Object {
    if version < Version::V1_1_0 {
        one.retain(|key, _| !keys.contains(&key.as_str()));
    }
    one
}

fn insert(object: &mut Object, key: &str, address: Option<IpAddr>) {
    if let Some(address) = address {
        object.insert(key.into(), address.to_string().into());
    }
}

#[cfg(test)]
mod tests;
