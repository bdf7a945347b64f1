//! What a pod asks for by its annotations, and its namespace's: [`of`] is pure, [`ask`] finds the pod first.
//!
//! Each wish has an annotation of ours and one of Calico's; on the same object ours wins, and the pod's win over its
//! namespace's (which may say pools and stickiness only). A wish that makes no sense is an error that names the object
//! and the annotation: a pod that asked for a certain address must not come up with another one.

mod ask;

pub(crate) use ask::Asker;
pub use ask::WishError;

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::model::{Namespace, ObjectName, Pod};

/// Addresses, separated by commas; at most one of each family.
pub const ADDRESSES: &str = "roadbed.dev/addresses";
/// Names of pools, separated by commas, the first choice first.
pub const POOLS: &str = "roadbed.dev/pools";
/// `"true"`: the pod keeps its addresses when it is made anew.
pub const STICKY: &str = "roadbed.dev/sticky";
/// The hardware address inside the pod.
pub const MAC: &str = "roadbed.dev/mac";

const CALICO_ADDRESSES: &str = "cni.projectcalico.org/ipAddrs";
const CALICO_NO_IPAM: &str = "cni.projectcalico.org/ipAddrsNoIpam";
const CALICO_POOLS: [&str; 2] = [
    "cni.projectcalico.org/ipv4pools",
    "cni.projectcalico.org/ipv6pools",
];
const CALICO_MAC: &str = "cni.projectcalico.org/hwAddr";

/// What a pod asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Addresses, at most one of each family. They follow whoever names them: another node's block may have to lend them.
    pub addresses: Vec<IpAddr>,
    /// Pools, the first choice first: names, or CIDRs where Calico's annotations have some.
    pub pools: Vec<String>,
    /// The pod keeps what addresses it gets.
    pub sticky: bool,
    /// Hardware address, `aa:bb:cc:dd:ee:ff`.
    pub mac: Option<String>,
    /// Labels of the pod's namespace.
    pub namespace_labels: BTreeMap<String, String>,
}

/// What this pod of this namespace asks for.
///
/// # Errors
/// The annotation that makes no sense, whose it is, and what would be right.
pub fn of(name: &ObjectName, pod: &Pod, namespace: &Namespace) -> Result<Wishes, String> {
    let pod = Notes {
        whose: format!("pod {name}"),
        notes: &pod.annotations,
    };
    let around = Notes {
        whose: format!("namespace {}", name.namespace),
        notes: &namespace.annotations,
    };
    if pod.get(CALICO_NO_IPAM).is_some() {
        return Err(pod.wrong(
            CALICO_NO_IPAM,
            "addresses past the pools are not given; take roadbed.dev/addresses with addresses of a pool",
        ));
    }
    Ok(Wishes {
        addresses: pod.addresses()?,
        pools: pools(&pod, &around)?,
        sticky: pod.sticky()?.or(around.sticky()?).unwrap_or(false),
        mac: pod.mac()?,
        namespace_labels: namespace.labels.clone(),
    })
}

/// The pod's of ours, else the pod's of Calico's (a family that it does not name by the namespace's), and so on.
fn pools(pod: &Notes<'_>, around: &Notes<'_>) -> Result<Vec<String>, String> {
    if let Some(pools) = pod.pools()? {
        return Ok(pools);
    }
    let pods = pod.calico_pools()?;
    let theirs = around.calico_pools()?;
    let ours = around.pools()?;
    if pods.iter().all(Option::is_none)
        && let Some(pools) = ours
    {
        return Ok(pools);
    }
    let families = pods.into_iter().zip(theirs);
    Ok(families
        .filter_map(|(pods, theirs)| pods.or(theirs))
        .flatten()
        .collect())
}

/// The annotations of one object.
struct Notes<'a> {
    whose: String,
    notes: &'a BTreeMap<String, String>,
}

impl Notes<'_> {
    /// One that says something.
    fn get(&self, key: &str) -> Option<&str> {
        self.notes
            .get(key)
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
    }

    fn wrong(&self, key: &str, what: impl std::fmt::Display) -> String {
        format!("{}: annotation {key}: {what}", self.whose)
    }

    fn addresses(&self) -> Result<Vec<IpAddr>, String> {
        let (key, items) = match self.list(ADDRESSES)? {
            Some(items) => (ADDRESSES, items),
            None => (
                CALICO_ADDRESSES,
                self.json_list(CALICO_ADDRESSES)?.unwrap_or_default(),
            ),
        };
        let mut addresses: Vec<IpAddr> = Vec::new();
        for item in items {
            let address: IpAddr = item.parse().map_err(|_| {
                self.wrong(
                    key,
                    format_args!("{item:?} is not an IP address (10.244.1.5, 2001:db8::5)"),
                )
            })?;
            if address.is_unspecified() || address.is_multicast() || address.is_loopback() {
                return Err(self.wrong(key, format_args!("{address} cannot be the address of a pod")));
            }
            if addresses.iter().any(|other| other.is_ipv4() == address.is_ipv4()) {
                return Err(self.wrong(key, "more than one address of a family; a pod has one of each"));
            }
            addresses.push(address);
        }
        Ok(addresses)
    }

    fn pools(&self) -> Result<Option<Vec<String>>, String> {
        self.list(POOLS)
    }

    fn calico_pools(&self) -> Result<[Option<Vec<String>>; 2], String> {
        let [four, six] = CALICO_POOLS;
        Ok([self.json_list(four)?, self.json_list(six)?])
    }

    fn sticky(&self) -> Result<Option<bool>, String> {
        match self.get(STICKY) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(self.wrong(
                STICKY,
                format_args!("{other:?} is neither \"true\" nor \"false\""),
            )),
        }
    }

    fn mac(&self) -> Result<Option<String>, String> {
        for key in [MAC, CALICO_MAC] {
            if let Some(text) = self.get(key) {
                return mac(text).map(Some).map_err(|what| self.wrong(key, what));
            }
        }
        Ok(None)
    }

    /// `a,b`; none where there is none.
    fn list(&self, key: &str) -> Result<Option<Vec<String>>, String> {
        let Some(text) = self.get(key) else {
            return Ok(None);
        };
        let items: Vec<String> = text.split(',').map(|item| item.trim().to_owned()).collect();
        match items.iter().any(String::is_empty) {
            true => Err(self.wrong(
                key,
                format_args!("{text:?} has an empty place between its commas"),
            )),
            false => Ok(Some(items)),
        }
    }

    /// `["a","b"]`, as Calico has it; none where there is none, or nothing in it.
    fn json_list(&self, key: &str) -> Result<Option<Vec<String>>, String> {
        let Some(text) = self.get(key) else {
            return Ok(None);
        };
        let items: Vec<String> = serde_json::from_str(text).map_err(|_| {
            self.wrong(
                key,
                format_args!("{text:?} is not a JSON list of strings, [\"one\",\"two\"]"),
            )
        })?;
        let items: Vec<String> = items.iter().map(|item| item.trim().to_owned()).collect();
        if items.iter().any(String::is_empty) {
            return Err(self.wrong(key, "an element is empty"));
        }
        Ok(Some(items).filter(|items| !items.is_empty()))
    }
}

/// Six octets in hexadecimal, with colons or dashes, of one station; in lower case with colons.
fn mac(text: &str) -> Result<String, String> {
    let octets: Vec<u8> = (text.split([':', '-']))
        .map_while(|octet| match octet.len() {
            1 | 2 if octet.bytes().all(|byte| byte.is_ascii_hexdigit()) => u8::from_str_radix(octet, 16).ok(),
            _ => None,
        })
        .collect();
    let right = "write six octets, like 02:00:5e:10:00:01";
    if octets.len() != 6 || text.split([':', '-']).count() != 6 {
        return Err(format!("{text:?} is not a hardware address; {right}"));
    }
    if octets[0] & 1 == 1 || octets.iter().all(|octet| *octet == 0) {
        return Err(format!(
            "{text} is not the hardware address of one station (a group address, or zero)"
        ));
    }
    let octets: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    Ok(octets.join(":"))
}

#[cfg(test)]
mod tests;
