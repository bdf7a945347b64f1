//! What an attachment asks of the ledger: what the runtime says, and what annotations say where it leaves that open.
//!
//! The caller (`CNI_ARGS`, `runtimeConfig`) wins over annotations, annotations over the network's configuration.
//! Addresses and the hardware address of a pod are those of its first interface, `eth0`: a second network of the same
//! pod cannot have them as well. An address that an annotation names follows whoever names it, in that namespace: it
//! is kept when the pod goes, and another node's block lends it when the pod comes back there.

use std::net::IpAddr;

use config::api::cni::{CniAdd, CniIpamAdd, PodRef};
use config::api::{ApiError, ErrorKind};
use ipam::{Family, Owner, Request};
use kubernetes::WishError;
use kubernetes::wishes::Wishes;

use super::Pods;
use super::answer::try_later;

/// The interface that is a pod's own: what the kubelet's runtimes call it.
const FIRST: &str = "eth0";

/// What the runtime says.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    pub owner: Owner,
    pub network: String,
    pub pod: Option<PodRef>,
    pub netns: String,
    /// Empty where another plugin makes the interface.
    pub host_ifname: String,
    pub ips: Vec<IpAddr>,
    pub pools: Vec<String>,
    pub pools_of_network: bool,
    pub sticky: bool,
}

impl From<&CniAdd> for Asking {
    fn from(add: &CniAdd) -> Self {
        Asking {
            owner: Owner::new(add.container_id.as_str(), add.ifname.as_str()),
            network: add.network.clone(),
            pod: add.pod.clone(),
            netns: add.netns.clone(),
            host_ifname: attach::host_ifname(&add.container_id, &add.ifname),
            ips: add.ips.clone(),
            pools: add.pools.clone(),
            pools_of_network: add.pools_of_network,
            sticky: add.sticky,
        }
    }
}

impl From<&CniIpamAdd> for Asking {
    fn from(add: &CniIpamAdd) -> Self {
        Asking {
            owner: Owner::new(add.container_id.as_str(), add.ifname.as_str()),
            network: add.network.clone(),
            pod: add.pod.clone(),
            netns: add.netns.clone(),
            host_ifname: String::new(),
            ips: add.ips.clone(),
            pools: add.pools.clone(),
            pools_of_network: add.pools_of_network,
            sticky: add.sticky,
        }
    }
}

/// What is asked of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub request: Request,
    /// The addresses are those that the workload had: any others would do as well.
    pub follows: bool,
    /// Hardware address that the pod's annotation names.
    pub mac: Option<String>,
}

/// Puts together what is asked for. `holds`: the attachment has a lease already, which stays as it is; only what the
/// caller names is compared with it.
pub(super) fn wanted(asking: &Asking, wishes: &Wishes, pools: Vec<String>, holds: bool) -> Wanted {
    let first = asking.owner.ifname == FIRST;
    let mut addresses = asking.ips.clone();
    let named = |family: Family| asking.ips.iter().any(|a| Family::of(*a) == family);
    let annotated: Vec<IpAddr> = match first {
        true => (wishes.addresses.iter().copied())
            .filter(|a| !named(Family::of(*a)))
            .collect(),
        false => Vec::new(),
    };
    if !holds {
        addresses.extend(&annotated);
    }
    let sticky = match &asking.pod {
        Some(pod) if asking.sticky || wishes.sticky => Some(workload(pod, &asking.owner.ifname)),
        Some(pod) => annotated.first().map(|address| named_by(pod, *address)),
        None => None,
    };
    Wanted {
        request: Request {
            owner: asking.owner.clone(),
            network: asking.network.clone(),
            pod: asking.pod.clone(),
            netns: asking.netns.clone(),
            host_ifname: asking.host_ifname.clone(),
            wanted: addresses,
            pools,
            sticky,
        },
        follows: false,
        mac: wishes.mac.clone().filter(|_| first),
    }
}

/// The pools that are named, by the first who names some; empty for none.
pub(super) fn pools<'a>(asking: &'a Asking, wishes: &'a Wishes) -> &'a [String] {
    let open = asking.pools.is_empty() || asking.pools_of_network;
    match open && !wishes.pools.is_empty() {
        true => &wishes.pools,
        false => &asking.pools,
    }
}

/// The workload whose address stays with it: the pod, and its interface where it is a further one.
fn workload(pod: &PodRef, ifname: &str) -> String {
    match ifname {
        FIRST => format!("{}.{}", pod.namespace, pod.name),
        other => format!("{}.{}.{other}", pod.namespace, pod.name),
    }
}

/// The workload of an address that annotations name: pods of a Deployment have another name each time, and what their
/// template says is the same.
fn named_by(pod: &PodRef, address: IpAddr) -> String {
    let text = match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => v6.segments().map(|part| format!("{part:x}")).join("-"),
    };
    format!("{}.at-{text}", pod.namespace)
}

impl Pods {
    /// What the pod's annotations ask for. While Kubernetes is away, a pod whose address is known to follow it has it
    /// nevertheless; the others go without.
    pub(super) async fn wishes(&self, asking: &Asking) -> Result<Wishes, ApiError> {
        let (Some(kubernetes), Some(pod)) = (self.kubernetes.get(), &asking.pod) else {
            return Ok(Wishes::default());
        };
        match kubernetes
            .wishes(&pod.namespace, &pod.name, pod.uid.as_deref())
            .await
        {
            Ok(wishes) => Ok(wishes.unwrap_or_default()),
            Err(WishError::Invalid(why)) => {
                let message = format!("pod {}/{}: {why}", pod.namespace, pod.name);
                Err(ApiError::new(
                    ErrorKind::Invalid,
                    message,
                    "correct the annotation",
                ))
            }
            Err(WishError::Away(why)) => {
                let sticky = self.is_followed(&workload(pod, &asking.owner.ifname));
                tracing::warn!(
                    pod = format!("{}/{}", pod.namespace, pod.name),
                    why,
                    sticky,
                    "the pod is plugged in without its annotations"
                );
                Ok(Wishes {
                    sticky,
                    ..Wishes::default()
                })
            }
        }
    }

    /// What is asked of the ledger, annotations included.
    pub(super) async fn wanted(&self, asking: &Asking) -> Result<Wanted, ApiError> {
        let wishes = self.wishes(asking).await?;
        let namespace = asking.pod.as_ref().map(|pod| pod.namespace.as_str());
        let pools = self.pools(namespace, &wishes.namespace_labels, pools(asking, &wishes))?;
        let holds = self.ipam.lease(&asking.owner).is_some();
        let mut wanted = wanted(asking, &wishes, pools, holds);
        if let (Some(workload), true, false) =
            (&wanted.request.sticky, wanted.request.wanted.is_empty(), holds)
        {
            wanted.request.wanted = self.following(workload).await;
            wanted.follows = true;
        }
        Ok(wanted)
    }

    fn pools(
        &self,
        namespace: Option<&str>,
        labels: &std::collections::BTreeMap<String, String>,
        named: &[String],
    ) -> Result<Vec<String>, ApiError> {
        let Some((intent, node)) = self.known_intent() else {
            return match named {
                [] => Err(try_later(
                    "the agent has no configuration for this node yet",
                    "see `roadbed status` for what is wrong with the resources",
                )),
                named => Ok(named.to_vec()),
            };
        };
        if !named.is_empty() {
            return Ok(super::rules::by_name(&intent, named));
        }
        let fit = super::rules::pools_for(&intent, &node, namespace, labels);
        fit.map_err(|e| ApiError::new(ErrorKind::Invalid, e, "see the namespaceSelectors of the pools"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(ifname: &str) -> Asking {
        Asking {
            owner: Owner::new("c1", ifname),
            network: "pods".into(),
            pod: Some(PodRef {
                namespace: "shop".into(),
                name: "web-0".into(),
                uid: None,
            }),
            netns: "/run/netns/x".into(),
            host_ifname: "rb0123456789a".into(),
            ips: Vec::new(),
            pools: Vec::new(),
            pools_of_network: false,
            sticky: false,
        }
    }

    fn wishes() -> Wishes {
        Wishes {
            addresses: vec!["10.1.0.5".parse().unwrap(), "2001:db8::5".parse().unwrap()],
            pools: vec!["b".into()],
            mac: Some("02:00:00:00:00:05".into()),
            ..Wishes::default()
        }
    }

    #[test]
    fn annotated_addresses_follow_whoever_names_them() {
        let found = wanted(&asking("eth0"), &wishes(), vec!["b".into()], false);
        assert_eq!(found.request.wanted, wishes().addresses);
        assert_eq!(found.request.sticky.as_deref(), Some("shop.at-10.1.0.5"));
        assert_eq!(found.mac.as_deref(), Some("02:00:00:00:00:05"));
        let six = Wishes {
            addresses: vec!["2001:db8::5".parse().unwrap()],
            ..wishes()
        };
        let found = wanted(&asking("eth0"), &six, Vec::new(), false);
        assert_eq!(
            found.request.sticky.as_deref(),
            Some("shop.at-2001-db8-0-0-0-0-0-5")
        );
        // A pod that asks to keep its addresses keeps them by its own name.
        let sticky = Wishes {
            sticky: true,
            ..wishes()
        };
        let found = wanted(&asking("eth0"), &sticky, Vec::new(), false);
        assert_eq!(found.request.sticky.as_deref(), Some("shop.web-0"));
    }

    #[test]
    fn the_caller_wins_over_annotations_family_by_family() {
        let mut asking = asking("eth0");
        asking.ips = vec!["10.1.0.9".parse().unwrap()];
        let found = wanted(&asking, &wishes(), Vec::new(), false);
        let texts: Vec<String> = found.request.wanted.iter().map(IpAddr::to_string).collect();
        assert_eq!(texts, ["10.1.0.9", "2001:db8::5"]);
    }

    #[test]
    fn a_second_network_of_the_pod_has_addresses_of_its_own() {
        let found = wanted(&asking("net1"), &wishes(), Vec::new(), false);
        assert_eq!(
            (found.request.wanted, found.request.sticky, found.mac),
            (Vec::new(), None, None)
        );
        let mut sticky = asking("net1");
        sticky.sticky = true;
        let found = wanted(&sticky, &Wishes::default(), Vec::new(), false);
        assert_eq!(found.request.sticky.as_deref(), Some("shop.web-0.net1"));
    }

    #[test]
    fn a_pod_that_has_its_lease_is_not_held_against_annotations_that_changed() {
        let found = wanted(&asking("eth0"), &wishes(), Vec::new(), true);
        assert_eq!(found.request.wanted, Vec::<IpAddr>::new());
        assert!(found.request.sticky.is_some());
    }

    #[test]
    fn pools_by_the_caller_then_the_annotation_then_the_network() {
        let mut asking = asking("eth0");
        assert_eq!(pools(&asking, &wishes()), ["b"]);
        asking.pools = vec!["a".into()];
        assert_eq!(pools(&asking, &wishes()), ["a"]);
        asking.pools_of_network = true;
        assert_eq!(pools(&asking, &wishes()), ["b"]);
        assert_eq!(pools(&asking, &Wishes::default()), ["a"]);
    }
}
