//! Names and hardware addresses that follow from what CNI calls the interface.
//!
//! Both are functions of the container id and the interface's name alone, so a repeated ADD and a DEL after a
//! restart find the same pair without asking anyone. Hardware addresses are set when the pair is made: the
//! kernel then marks them as set, and udev's MAC policy leaves them alone.

use sha1::{Digest, Sha1};

use crate::error::Error;
use crate::model::{DefaultRoute, Mac, PodLink};

const PREFIX: &str = "rb";
const HEX_DIGITS: usize = 11;

/// The name on the node of the interface `ifname` of a container: `rb` and 11 hex digits of a SHA-1.
pub fn host_ifname(container_id: &str, ifname: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(container_id.as_bytes());
    hash.update([0]);
    hash.update(ifname.as_bytes());
    let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{PREFIX}{}", &hex[..HEX_DIGITS])
}

/// True for a name of the form that [`host_ifname`] gives.
pub fn is_ours(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|digits| {
        digits.len() == HEX_DIGITS && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// The two ends of a pair: the node's and the pod's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Macs {
    pub host: Mac,
    pub pod: Mac,
}

/// Hardware addresses of the pair: locally administered unicast, or what the request asks for in the pod.
pub(crate) fn macs(link: &PodLink) -> Macs {
    let derived = |end: &str| {
        let digest = Sha1::digest(format!("{}/{end}", link.host_ifname).as_bytes());
        Mac([0x02, digest[0], digest[1], digest[2], digest[3], digest[4]])
    };
    Macs {
        host: derived("host"),
        pod: link.mac.unwrap_or_else(|| derived("pod")),
    }
}

/// Refuses what the kernel would refuse with less clear words, or misread.
pub(crate) fn check(link: &PodLink) -> Result<(), Error> {
    let invalid = |text: String| Err(Error::Invalid(text));
    let name = &link.ifname;
    let bad_char = |c: char| c == '/' || c == ':' || c == '%' || c.is_whitespace() || c.is_control();
    if name.is_empty()
        || name.len() > 15
        || name == "."
        || name == ".."
        || name == "lo"
        || name.contains(bad_char)
    {
        return invalid(format!(
            "{name:?} cannot be the name of a pod interface; see CNI_IFNAME"
        ));
    }
    if !is_ours(&link.host_ifname) {
        return Err(Error::NotOurs(link.host_ifname.clone()));
    }
    if link.addresses.is_empty() {
        return invalid(format!(
            "interface {name} has no address; a pod needs at least one"
        ));
    }
    let least = if link.addresses.iter().any(|a| a.is_ipv6()) {
        1280
    } else {
        68
    };
    if !(least..=65535).contains(&link.mtu) {
        return invalid(format!(
            "MTU {} is outside {least} to 65535 bytes; correct it in the network configuration",
            link.mtu
        ));
    }
    if link.mac.is_some_and(|mac| mac.0[0] & 1 == 1 || mac.0 == [0; 6]) {
        return invalid("the hardware address asked for is not a unicast address".into());
    }
    let listed = link.routes.iter().any(|net| net.prefix_len() == 0);
    if listed && link.default_route == DefaultRoute::No {
        return invalid(format!(
            "the routes of {name} have a default route, and its network says defaultRoute: false; take one of them out"
        ));
    }
    crate::sysctl::pod(link, None)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable_and_fit_the_kernel() {
        // printf 'c0ffee\0eth0' | sha1sum
        let name = host_ifname("c0ffee", "eth0");
        assert_eq!(name, "rb48d36029a6c");
        assert!(is_ours(&name));
        assert_ne!(name, host_ifname("c0ffee", "eth1"));
        assert_ne!(host_ifname("ab", "c"), host_ifname("a", "bc"));
    }

    #[test]
    fn only_our_form_is_ours() {
        for other in [
            "rb-vxlan",
            "rb0123456789",
            "rb0123456789aa",
            "rb0123456789G",
            "rb0123456789A",
            "eth0",
            "",
        ] {
            assert!(!is_ours(other), "{other}");
        }
        assert!(is_ours("rb0123456789a"));
    }

    #[test]
    fn what_cannot_be_is_refused_before_anything_is_made() {
        let good = PodLink {
            netns: "/run/netns/x".into(),
            ifname: "eth0".into(),
            host_ifname: host_ifname("c", "eth0"),
            addresses: vec!["10.0.0.1".parse().unwrap()],
            mtu: 1500,
            mac: None,
            default_route: Default::default(),
            routes: Vec::new(),
            sysctls: Default::default(),
        };
        assert!(check(&good).is_ok());
        let m = macs(&good);
        assert_ne!(m.host, m.pod);
        assert_eq!((m.host.0[0], m.pod.0[0]), (2, 2));
        let bad = [
            PodLink {
                ifname: "a/b".into(),
                ..good.clone()
            },
            PodLink {
                ifname: "lo".into(),
                ..good.clone()
            },
            PodLink {
                ifname: "abcdefghijklmnop".into(),
                ..good.clone()
            },
            PodLink {
                host_ifname: "eth0".into(),
                ..good.clone()
            },
            PodLink {
                addresses: vec![],
                ..good.clone()
            },
            PodLink {
                mtu: 67,
                ..good.clone()
            },
            PodLink {
                mtu: 70_000,
                ..good.clone()
            },
            PodLink {
                mtu: 1279,
                addresses: vec!["2001:db8::1".parse().unwrap()],
                ..good.clone()
            },
            PodLink {
                mac: Some(Mac([1, 0, 0, 0, 0, 1])),
                ..good
            },
        ];
        for link in bad {
            assert!(check(&link).is_err(), "{link:?}");
        }
    }
}
