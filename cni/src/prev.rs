//! `prevResult`: what plugins before us made (ADD in a chain), or what the whole chain made (CHECK).
//!
//! Entries are kept as they are written: what we do not know belongs to others and is passed on.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Map, Value};

use crate::error::CniError;
use crate::netconf::{NetConf, read};

/// One JSON object of a result.
pub type Object = Map<String, Value>;

/// A result that was given to us.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Previous {
    pub interfaces: Vec<Object>,
    pub ips: Vec<Object>,
    pub routes: Vec<Object>,
    pub dns: Object,
}

impl Previous {
    /// Reads it; `None` where there is none.
    ///
    /// # Errors
    /// Code 6: it is not of the form of a result; 7: an address that is none, or that is on an interface that is not listed.
    pub fn of(conf: &NetConf) -> Result<Option<Previous>, CniError> {
        let Some(result) = read::<Object>(&conf.keys, "prevResult")? else {
            return Ok(None);
        };
        let list = |key: &str| -> Result<Vec<Object>, CniError> {
            read(&result, key)
                .map(Option::unwrap_or_default)
                .map_err(in_result)
        };
        let previous = Previous {
            interfaces: list("interfaces")?,
            ips: list("ips")?,
            routes: list("routes")?,
            dns: read(&result, "dns").map_err(in_result)?.unwrap_or_default(),
        };
        previous.check()?;
        Ok(Some(previous))
    }

    fn check(&self) -> Result<(), CniError> {
        for ip in &self.ips {
            if address_of(ip).is_none() {
                return Err(wrong(ip, "has no address with a length"));
            }
            let index = ip.get("interface").filter(|index| !index.is_null());
            if index.is_some() && index_of(ip).is_none_or(|index| index >= self.interfaces.len()) {
                return Err(wrong(ip, "is on an interface that is not listed"));
            }
        }
        Ok(())
    }

    /// The index of a container's interface by its name; where two namespaces have one, that in `netns`.
    pub fn interface(&self, ifname: &str, netns: &str) -> Option<usize> {
        let text = |index: usize, key: &str| self.interfaces[index].get(key).and_then(Value::as_str);
        let inside = |index: &usize| text(*index, "sandbox").is_some_and(|sandbox| !sandbox.is_empty());
        let named = (0..self.interfaces.len()).filter(|index| text(*index, "name") == Some(ifname));
        let candidates: Vec<usize> = named.filter(inside).collect();
        let exact = candidates
            .iter()
            .find(|index| text(**index, "sandbox") == Some(netns));
        exact.or(candidates.first()).copied()
    }

    /// A text of an interface, such as its `mac`.
    pub fn text(&self, interface: usize, key: &str) -> Option<&str> {
        self.interfaces.get(interface)?.get(key)?.as_str()
    }

    /// The MTU of an interface, where the result has it (1.1.0).
    pub fn mtu(&self, interface: usize) -> Option<u32> {
        let mtu = self.interfaces.get(interface)?.get("mtu")?.as_u64()?;
        u32::try_from(mtu).ok().filter(|mtu| *mtu != 0)
    }

    /// The addresses of an interface.
    pub fn addresses(&self, interface: usize) -> Vec<IpNet> {
        let on = |ip: &&Object| index_of(ip) == Some(interface);
        self.ips.iter().filter(on).filter_map(address_of).collect()
    }

    /// The addresses that name no interface.
    pub fn unplaced(&self) -> Vec<IpNet> {
        let nowhere = |ip: &&Object| index_of(ip).is_none();
        self.ips.iter().filter(nowhere).filter_map(address_of).collect()
    }
}

fn in_result(error: CniError) -> CniError {
    CniError {
        message: format!("prevResult: {}", error.message),
        ..error
    }
}

fn wrong(ip: &Object, why: &str) -> CniError {
    let ip = Value::Object(ip.clone());
    let details = "the plugin before this one, or the runtime, wrote it";
    CniError::config(format!("prevResult has {ip} in ips, which {why}"), details)
}

/// The address of an entry of `ips`.
pub fn address_of(ip: &Object) -> Option<IpNet> {
    let text = ip.get("address")?.as_str()?;
    let bare = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(bare)
}

fn index_of(ip: &Object) -> Option<usize> {
    usize::try_from(ip.get("interface")?.as_u64()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(result: Value) -> Result<Option<Previous>, CniError> {
        let conf = json!({ "cniVersion": "1.0.0", "name": "n", "prevResult": result });
        Previous::of(&NetConf::parse(conf.to_string().as_bytes()).unwrap())
    }

    #[test]
    fn an_interface_is_found_by_name_and_namespace() {
        let result = json!({
            "interfaces": [
                { "name": "eth0" }, { "name": "eth0", "sandbox": "/a", "mac": "m", "mtu": 1400 },
                { "name": "eth0", "sandbox": "/b" },
            ],
            "ips": [
                { "address": "10.0.0.5/32", "interface": 1 }, { "address": "10.0.0.6/24", "interface": 2 },
                { "address": "10.0.0.7/24" },
            ],
        });
        let previous = of(result).unwrap().unwrap();
        assert_eq!(previous.interface("eth0", "/b"), Some(2));
        assert_eq!(previous.interface("eth0", "/c"), Some(1));
        assert_eq!(previous.interface("eth1", "/a"), None);
        assert_eq!(
            (previous.text(1, "mac"), previous.mtu(1)),
            (Some("m"), Some(1400))
        );
        assert_eq!(previous.addresses(1), ["10.0.0.5/32".parse().unwrap()]);
        assert_eq!(previous.unplaced(), ["10.0.0.7/24".parse().unwrap()]);
    }

    #[test]
    fn none_is_told_from_one_that_says_nothing() {
        assert_eq!(of(Value::Null).unwrap(), None);
        assert_eq!(of(json!({ "ips": null })).unwrap(), Some(Previous::default()));
    }

    #[test]
    fn what_is_no_result_is_refused() {
        for (result, code) in [
            (json!([]), 6),
            (json!({ "interfaces": {} }), 6),
            (json!({ "ips": ["10.0.0.1"] }), 6),
            (json!({ "ips": [{ "address": "ten" }] }), 7),
            (
                json!({ "ips": [{ "address": "10.0.0.1/24", "interface": 0 }] }),
                7,
            ),
            (
                json!({ "ips": [{ "address": "10.0.0.1/24", "interface": -1 }] }),
                7,
            ),
        ] {
            let error = of(result.clone()).unwrap_err();
            assert_eq!(error.code as u32, code, "{result}: {error:?}");
            assert!(error.message.contains("prevResult"), "{error:?}");
        }
    }
}
