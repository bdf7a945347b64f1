//! Sysctls of a network namespace: names with dots, and their files below `/proc/sys/net`, which shows the namespace
//! of the thread that opens them (`ip-sysctl.rst` of the kernel, sysctl(8)).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::fault;
use crate::model::PodLink;
use crate::requests::Ipv6Settings;

/// A sysctl and the value that it shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// For people, with dots.
    pub name: String,
    path: PathBuf,
    pub value: String,
    /// What the kernel said of it with the link: it need not be read. A lookup in `/proc/sys` takes longer the more
    /// namespaces there are.
    known: Option<i32>,
}

/// Of one interface: `net.FAMILY.TABLE.IFNAME.KEY`.
fn of_interface(family: &str, table: &str, ifname: &str, key: &str, value: &str) -> Setting {
    Setting {
        name: format!("net.{family}.{table}.{ifname}.{key}"),
        path: PathBuf::from(format!("/proc/sys/net/{family}/{table}/{ifname}/{key}")),
        value: value.to_owned(),
        known: None,
    }
}

fn ipv6(ifname: &str, key: &str, value: &str, known: Option<i32>) -> Setting {
    Setting {
        known,
        ..of_interface("ipv6", "conf", ifname, key, value)
    }
}

/// What the node's end must have beside [`router`]; with IPv6 as far as the kernel has it for the interface.
///
/// `proxy_delay`: a question for the gateway's hardware address is answered at once. Nothing is learned from the pod.
pub(crate) fn host(link: &PodLink, now: Option<Ipv6Settings>) -> Vec<Setting> {
    let name = link.host_ifname.as_str();
    let mut all = vec![of_interface("ipv4", "neigh", name, "proxy_delay", "0")];
    if let Some(now) = now {
        all.push(ipv6(name, "accept_ra", "0", Some(now.accept_ra)));
        if link.addresses.iter().any(|a| a.is_ipv6()) {
            all.push(ipv6(name, "disable_ipv6", "0", Some(now.disable_ipv6)));
            all.push(ipv6(name, "forwarding", "1", Some(now.forwarding)));
        }
    }
    all
}

/// What the node's end must have in IPv4; set with [`Change::router`](crate::requests::Change::router).
pub(crate) fn router(link: &PodLink) -> [Setting; 3] {
    ["forwarding", "proxy_arp", "rp_filter"]
        .map(|key| of_interface("ipv4", "conf", &link.host_ifname, key, "1"))
}

/// What the pod must have: what its addresses need, and what was asked for, which wins. Settings of all interfaces
/// come before those of one.
///
/// # Errors
/// A name or a value that cannot be.
pub(crate) fn pod(link: &PodLink, now: Option<Ipv6Settings>) -> Result<Vec<Setting>, Error> {
    let mut all = Vec::new();
    if link.addresses.iter().any(|a| a.is_ipv6()) {
        // Runtimes switch IPv6 off in new namespaces; a pod that has an IPv6 address wants it.
        let name = link.ifname.as_str();
        all.push(ipv6("lo", "disable_ipv6", "0", None));
        all.push(ipv6(name, "disable_ipv6", "0", now.map(|n| n.disable_ipv6)));
        all.push(ipv6(name, "accept_ra", "0", now.map(|n| n.accept_ra)));
    }
    let asked: Result<Vec<Setting>, Error> = link
        .sysctls
        .iter()
        .map(|(name, value)| asked(name, value, link))
        .collect();
    let mut asked = asked?;
    let of_all = |s: &Setting| {
        s.path
            .components()
            .any(|c| c.as_os_str() == "all" || c.as_os_str() == "default")
    };
    asked.sort_by_key(|setting| !of_all(setting));
    all.retain(|ours| asked.iter().all(|theirs| theirs.path != ours.path));
    all.extend(asked);
    Ok(all)
}

/// A sysctl that was asked for. In `net.X.conf.INTERFACE.KEY` and `net.X.neigh.INTERFACE.KEY` the interface may have
/// dots.
fn asked(name: &str, value: &str, link: &PodLink) -> Result<Setting, Error> {
    let refuse = |why: &str| Err(Error::Invalid(format!("sysctl {name:?}: {why}")));
    if name.contains('/') || name.contains("..") {
        return refuse("write it with single dots and without slashes, for example net.ipv4.tcp_mtu_probing");
    }
    let Some(rest) = name.strip_prefix("net.") else {
        return refuse(
            "only sysctls of the pod's own network (net.) can be set here; others belong to the pod's spec",
        );
    };
    let parts: Vec<&str> = rest.split('.').collect();
    let odd = |part: &&str| part.is_empty() || !part.bytes().all(|b| b.is_ascii_graphic());
    if parts.len() < 2 || parts.iter().any(odd) {
        return refuse("this is not the name of a sysctl");
    }
    if value.trim().is_empty() || value.chars().any(|c| c.is_control() && c != '\t') {
        return refuse("its value has to be one line of text");
    }
    let parts: Vec<&str> = parts
        .into_iter()
        .map(|part| {
            if part == "IFNAME" {
                link.ifname.as_str()
            } else {
                part
            }
        })
        .collect();
    let mut path = PathBuf::from("/proc/sys/net");
    match parts.as_slice() {
        [family, table @ ("conf" | "neigh"), interface @ .., key] if !interface.is_empty() => {
            path.extend([*family, *table, &interface.join("."), *key]);
        }
        all => path.extend(all),
    }
    let switch =
        ["all", &link.ifname].map(|of| Path::new("/proc/sys/net/ipv6/conf").join(of).join("disable_ipv6"));
    if switch.contains(&path) && value.trim() != "0" && link.addresses.iter().any(|a| a.is_ipv6()) {
        return refuse("the pod has an IPv6 address; take the IPv6 pool from the network or leave IPv6 on");
    }
    Ok(Setting {
        name: format!("net.{}", parts.join(".")),
        path,
        value: value.trim().to_owned(),
        known: None,
    })
}

impl Setting {
    /// Its value in the namespace of the calling thread; `None`: there is no such sysctl.
    pub(crate) fn read(&self) -> Result<Option<String>, Error> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::at(format!("read {}", self.name))(source)),
        }
    }

    /// The value is what it shall be, whatever the kernel puts between numbers.
    pub(crate) fn is_met_by(&self, found: &str) -> bool {
        let same = |(a, b): (&str, &str)| match (a.parse::<i64>(), b.parse::<i64>()) {
            (Ok(a), Ok(b)) => a == b,
            _ => a == b,
        };
        let (wanted, found) = (self.value.split_whitespace(), found.split_whitespace());
        wanted.clone().count() == found.clone().count() && wanted.zip(found).all(same)
    }

    /// Sets it in the namespace of the calling thread, unless it is so already: some writes take the kernel's lock of
    /// all links, and try again and again while another has it.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the kernel has no such sysctl, or not for a namespace, or refuses the value.
    pub(crate) fn set(&self) -> Result<(), Error> {
        let step = format!("set {} to {}", self.name, self.value);
        fault::point(&step).map_err(Error::at(&step))?;
        let there = match self.known {
            Some(known) => Some(known.to_string()),
            None => self.read()?,
        };
        if there.is_some_and(|found| self.is_met_by(&found)) {
            return Ok(());
        }
        let refused = match fs::write(&self.path, &self.value) {
            Ok(()) => return Ok(()),
            Err(e) => e,
        };
        match refused.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Err(Error::Invalid(format!(
                "cannot {step}: the kernel has no such sysctl, or it is not one of a pod's own network"
            ))),
            io::ErrorKind::InvalidInput => Err(Error::Invalid(format!(
                "cannot {step}: the kernel refuses the value"
            ))),
            _ => Err(Error::at(step)(refused)),
        }
    }
}

#[cfg(test)]
mod tests;
