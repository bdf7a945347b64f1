//! What the network configuration and its runtime ask of an interface: keys of ours, the capabilities `ips`, `mac` and
//! `dns`, and `args.cni` (conventions of CNI, "Dynamic plugin specific fields").

use std::collections::BTreeMap;
use std::net::IpAddr;

use config::MacAddress;
use ipnet::IpNet;
use serde_json::{Map, Value};

use super::{NetConf, read};
use crate::args::address;
use crate::error::CniError;

/// The least MTU of IPv4 (RFC 791), and the most that a veth takes.
const MTU: std::ops::RangeInclusive<u32> = 68..=65535;

/// Capabilities that other plugins grant, with the plugin to chain.
const OF_OTHERS: [(&str, &str); 6] = [
    ("portMappings", "portmap"),
    ("bandwidth", "bandwidth"),
    ("ipRanges", "host-local, or name pools of Roadbed with \"pools\""),
    ("aliases", "dnsname"),
    ("infinibandGUID", "ib-sriov"),
    ("deviceID", "sriov or host-device"),
];

/// What is asked of an interface of ours.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wishes {
    /// MTU in bytes; `None`: that of the path.
    pub mtu: Option<u32>,
    /// Pools to take addresses from.
    pub pools: Vec<String>,
    /// Whether addresses follow their pods to other nodes.
    pub sticky: bool,
    /// Addresses asked for by the runtime.
    pub ips: Vec<IpAddr>,
    /// Hardware address asked for by the runtime.
    pub mac: Option<MacAddress>,
    /// Whether the default route goes through the interface.
    pub default_route: Option<bool>,
    /// Further destinations.
    pub routes: Vec<IpNet>,
    /// Sysctls of the pod's namespace.
    pub sysctls: BTreeMap<String, String>,
    /// Whether the answer waits for the announcement.
    pub wait_announced: bool,
    /// Resolver settings, for the result.
    pub dns: Option<Value>,
}

impl Wishes {
    /// Reads them for ADD.
    ///
    /// # Errors
    /// Code 6: a value is of the wrong type; 7: it says something wrong; 2: it is another plugin's to grant.
    pub fn of(conf: &NetConf) -> Result<Wishes, CniError> {
        let keys = &conf.keys;
        refuse_ipam(keys)?;
        let runtime = runtime_config(keys)?;
        refuse_others(&runtime)?;
        Ok(Wishes {
            mtu: mtu(conf)?,
            pools: read(keys, "pools")?.unwrap_or_default(),
            sticky: read(keys, "sticky")?.unwrap_or_default(),
            ips: ips(conf)?,
            mac: mac(keys, &runtime)?,
            default_route: default_route(conf)?,
            routes: routes(conf)?,
            sysctls: sysctls(conf)?,
            wait_announced: wait(keys)?,
            dns: dns(keys, &runtime)?,
        })
    }
}

/// `runtimeConfig`, empty where there is none.
fn runtime_config(keys: &Map<String, Value>) -> Result<Map<String, Value>, CniError> {
    Ok(read(keys, "runtimeConfig")?.unwrap_or_default())
}

/// Addresses come from the node's blocks; another plugin's would not be announced.
fn refuse_ipam(keys: &Map<String, Value>) -> Result<(), CniError> {
    let empty = |value: &Value| value.is_null() || value.as_object().is_some_and(Map::is_empty);
    match keys.get("ipam").filter(|value| !empty(value)) {
        Some(ipam) => Err(CniError::unsupported(
            "ipam",
            ipam,
            "remove it: addresses come from the node's blocks; name pools with \"pools\"",
        )),
        None => Ok(()),
    }
}

/// A capability on our own entry that we do not have: what it asks for would silently not be done.
fn refuse_others(runtime: &Map<String, Value>) -> Result<(), CniError> {
    let asked = |value: &Value| match value {
        Value::Null => false,
        Value::Array(all) => !all.is_empty(),
        Value::Object(all) => !all.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => true,
    };
    for (key, plugin) in OF_OTHERS {
        if let Some(value) = runtime.get(key).filter(|value| asked(value)) {
            let details =
                format!("chain the plugin {plugin} and declare the capability there, not on roadbed's entry");
            return Err(CniError::unsupported(
                &format!("runtimeConfig.{key}"),
                value,
                details,
            ));
        }
    }
    Ok(())
}

/// `mtu`; 0 means none, as it does for the reference plugins.
pub fn mtu(conf: &NetConf) -> Result<Option<u32>, CniError> {
    let asked: Option<u32> = read(&conf.keys, "mtu")?;
    match asked.filter(|mtu| *mtu != 0) {
        Some(mtu) if !MTU.contains(&mtu) => Err(CniError::config(
            format!("mtu is {mtu}"),
            format!("it has to be from {} to {} bytes", MTU.start(), MTU.end()),
        )),
        asked => Ok(asked),
    }
}

/// Addresses that the runtime asks for: the capability `ips`, and `args.cni.ips`.
pub fn ips(conf: &NetConf) -> Result<Vec<IpAddr>, CniError> {
    let runtime = runtime_config(&conf.keys)?;
    let mut all = Vec::new();
    for (from, keys) in [("runtimeConfig", &runtime), ("args.cni", &args_cni(&conf.keys))] {
        let texts: Vec<String> = read(keys, "ips")?.unwrap_or_default();
        for text in texts {
            let ip = address(&text)
                .ok_or_else(|| CniError::config(format!("{from}.ips has {text:?}"), "which is no address"))?;
            if !all.contains(&ip) {
                all.push(ip);
            }
        }
    }
    Ok(all)
}

/// `args.cni` (conventions of CNI); what is not of that form is somebody else's.
fn args_cni(keys: &Map<String, Value>) -> Map<String, Value> {
    let args = keys.get("args").and_then(|args| args.get("cni"));
    args.and_then(Value::as_object).cloned().unwrap_or_default()
}

/// The capability `mac`, else `args.cni.mac`: in the reference plugins' order.
fn mac(keys: &Map<String, Value>, runtime: &Map<String, Value>) -> Result<Option<MacAddress>, CniError> {
    for (from, keys) in [("runtimeConfig", runtime), ("args.cni", &args_cni(keys))] {
        let text: Option<String> = read(keys, "mac")?;
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            return text.parse().map(Some).map_err(|_| {
                CniError::config(
                    format!("{from}.mac is {text:?}"),
                    "it has to be the address of one interface, like 02:00:00:00:00:01",
                )
            });
        }
    }
    Ok(None)
}

/// `defaultRoute`.
pub fn default_route(conf: &NetConf) -> Result<Option<bool>, CniError> {
    read(&conf.keys, "defaultRoute")
}

/// `routes`: networks, or objects with `dst`. Our gateway is the only one on the link.
pub fn routes(conf: &NetConf) -> Result<Vec<IpNet>, CniError> {
    let all: Vec<Value> = read(&conf.keys, "routes")?.unwrap_or_default();
    let mut routes = Vec::new();
    for one in &all {
        if let Some(gw) = one.get("gw").filter(|gw| !gw.is_null()) {
            let details = "remove it: the gateway of an interface of Roadbed is always its own";
            return Err(CniError::unsupported("routes[].gw", gw, details));
        }
        let dst = destination(one.get("dst").unwrap_or(one))?;
        if dst.prefix_len() == 0 {
            return Err(CniError::config(
                format!("routes has {dst}"),
                "write \"defaultRoute\": true for the default route",
            ));
        }
        if !routes.contains(&dst) {
            routes.push(dst);
        }
    }
    Ok(routes)
}

/// A network, without bits behind its length.
pub fn destination(value: &Value) -> Result<IpNet, CniError> {
    let wrong = |right: String| CniError::config(format!("routes has {value}"), right);
    let text = value.as_str().unwrap_or_default();
    let net: IpNet = text
        .parse()
        .map_err(|_| wrong("a route is \"10.0.0.0/8\" or {\"dst\": \"10.0.0.0/8\"}".into()))?;
    match net == net.trunc() {
        true => Ok(net),
        false => Err(wrong(format!(
            "{net} has bits behind its length: write {}",
            net.trunc()
        ))),
    }
}

/// `sysctl`: names of `net.` with dots, as the tuning plugin has them. A number or a truth value may be written bare.
pub fn sysctls(conf: &NetConf) -> Result<BTreeMap<String, String>, CniError> {
    let all: Map<String, Value> = read(&conf.keys, "sysctl")?.unwrap_or_default();
    let mut sysctls = BTreeMap::new();
    for (name, value) in all {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if !name.starts_with("net.") || name.split('.').any(str::is_empty) || !name.bytes().all(allowed) {
            return Err(CniError::config(
                format!("sysctl has {name:?}"),
                "only those of the pod's network are set: net., with dots, like net.ipv4.conf.IFNAME.arp_filter",
            ));
        }
        let value = match value {
            Value::String(text) if !text.contains(char::is_control) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(on) => u8::from(on).to_string(),
            other => {
                return Err(CniError::config(
                    format!("sysctl has {name}: {other}"),
                    "a value is one line of text or a number",
                ));
            }
        };
        sysctls.insert(name, value);
    }
    Ok(sysctls)
}

fn wait(keys: &Map<String, Value>) -> Result<bool, CniError> {
    let asked: Option<String> = read(keys, "waitFor")?;
    match asked.as_deref() {
        None | Some("") => Ok(false),
        Some("announced") => Ok(true),
        Some(other) => Err(CniError::config(
            format!("waitFor is {other:?}"),
            "it has to be \"announced\", or not there: then ADD answers when the kernel has the pod's route",
        )),
    }
}

/// `dns` of the configuration; what the runtime says (capability `dns`) takes its place, field by field.
fn dns(keys: &Map<String, Value>, runtime: &Map<String, Value>) -> Result<Option<Value>, CniError> {
    let mut dns: Map<String, Value> = read(keys, "dns")?.unwrap_or_default();
    let theirs: Map<String, Value> = read(runtime, "dns")?.unwrap_or_default();
    for (from, to) in [
        ("servers", "nameservers"),
        ("searches", "search"),
        ("options", "options"),
    ] {
        let list = theirs.get(from).and_then(Value::as_array);
        if let Some(list) = list.filter(|list| !list.is_empty()) {
            dns.insert(to.into(), list.clone().into());
        }
    }
    Ok((!dns.is_empty()).then_some(Value::Object(dns)))
}

#[cfg(test)]
mod tests;
