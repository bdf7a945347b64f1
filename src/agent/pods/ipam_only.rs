//! ADD of the IPAM plugin: addresses for an interface that another plugin makes (bridge, ptp, macvlan ...).
//!
//! The lease names no interface of the node, so no link is looked for and no host route is made. CHECK, DEL and GC are
//! those of all leases.

use std::net::IpAddr;

use config::api::cni::{CniAddress, CniIpamAdd, CniIpamAdded, IpamGateway};
use config::api::{ApiError, ErrorKind};
use ipam::{Lease, blocks};
use ipnet::IpNet;

use super::Pods;
use super::caller::Caller;
use super::wishes::Asking;

impl Pods {
    /// CNI ADD of the IPAM plugin.
    pub async fn ipam_add(&self, request: CniIpamAdd, caller: &Caller) -> Result<CniIpamAdded, ApiError> {
        let asking = Asking::from(&request);
        let owner = asking.owner.clone();
        self.queue_was_read().await?;
        let _held = self
            .turns
            .take(&attach::host_ifname(&owner.container_id, &owner.ifname))
            .await;
        caller.refuse_if_gone("ADD")?;
        self.del_queued_of(&owner).await?;
        let before = self.ipam.lease(&owner);
        if before.as_ref().is_some_and(|lease| !lease.is_address_only()) {
            let message = format!("{owner} is an interface of Roadbed's own; give this one another name");
            return Err(ApiError::new(ErrorKind::Conflict, message, ""));
        }
        let wanted = self.wanted(&asking).await?;
        let (lease, addresses) = match &request.gateway {
            IpamGateway::Block => {
                let take =
                    |ipam: &ipam::Ipam, request: &ipam::Request, now| ipam.assign_with_gateways(request, now);
                let (lease, gateways) = self.assign(wanted, take).await?;
                let addresses = (lease.addresses.iter().zip(&gateways))
                    .filter_map(|(address, gateway)| {
                        with_gateway(*address, gateway.block.prefix_len(), Some(gateway.address))
                    })
                    .collect();
                (lease, Ok(addresses))
            }
            other => {
                let aside = gateways(other);
                refuse_gateways(&wanted.request.wanted, &aside)?;
                let take = move |ipam: &ipam::Ipam, request: &ipam::Request, now| {
                    ipam.assign_beside(request, &aside, now)
                };
                let lease = self.assign(wanted, take).await?;
                let addresses = lease.addresses.iter().map(|a| beside(*a, other)).collect();
                (lease, addresses)
            }
        };
        self.touch();
        match addresses {
            Ok(addresses) => {
                tracing::info!(addresses = ?lease.addresses, network = lease.network, "addresses given to another plugin");
                Ok(CniIpamAdded { addresses })
            }
            Err(error) => {
                self.give_back(&lease, before.is_some()).await;
                Err(error)
            }
        }
    }

    async fn give_back(&self, lease: &Lease, was_there: bool) {
        if was_there {
            return;
        }
        if let Err(error) = self.release(&lease.owner).await {
            tracing::error!(%error, owner = %lease.owner, "an address that no one uses is not released; DEL does it");
        }
        self.touch();
    }
}

/// Gateways that are somebody else's, and what no host can have in their networks: the first and the last address of one
/// of IPv4 mean all hosts, but for point-to-point networks (RFC 1122 section 3.2.1.3, RFC 3021).
fn gateways(gateway: &IpamGateway) -> Vec<IpAddr> {
    let IpamGateway::Given(networks) = gateway else {
        return Vec::new();
    };
    let mut aside = Vec::new();
    for network in networks {
        aside.push(network.addr());
        if let Some(broadcast) = blocks::broadcast(*network) {
            aside.extend([network.network(), broadcast]);
        }
    }
    aside
}

fn refuse_gateways(wanted: &[IpAddr], gateways: &[IpAddr]) -> Result<(), ApiError> {
    match wanted.iter().find(|address| gateways.contains(address)) {
        None => Ok(()),
        Some(address) => Err(ApiError::new(
            ErrorKind::Invalid,
            format!("address {address} is a gateway of the network, or its first or last address"),
            "ask for another one",
        )),
    }
}

/// An address with the gateway that it has where that is none of its block's.
fn beside(address: IpAddr, gateway: &IpamGateway) -> Result<CniAddress, ApiError> {
    let host = IpNet::from(address);
    match gateway {
        IpamGateway::Given(networks) => {
            let network = networks.iter().find(|network| network.contains(&address));
            let told = network.and_then(|net| with_gateway(address, net.prefix_len(), Some(net.addr())));
            told.ok_or_else(|| {
                ApiError::new(
                    ErrorKind::Invalid,
                    format!("address {address} lies in none of the networks that ipam.gateway names"),
                    "name the pool that these networks belong to in ipam.pools, or add the network of the address",
                )
            })
        }
        IpamGateway::LinkLocal => Ok(CniAddress {
            address: host,
            gateway: Some(attach::gateway(address)),
        }),
        IpamGateway::Block | IpamGateway::None => Ok(CniAddress {
            address: host,
            gateway: None,
        }),
    }
}

fn with_gateway(address: IpAddr, length: u8, gateway: Option<IpAddr>) -> Option<CniAddress> {
    // The length is that of a network of the same family, so it fits.
    let address = IpNet::new(address, length).ok()?;
    Some(CniAddress { address, gateway })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(address: &str, gateway: &IpamGateway) -> Result<(String, Option<String>), String> {
        let told = beside(address.parse().unwrap(), gateway).map_err(|e| e.to_string())?;
        Ok((told.address.to_string(), told.gateway.map(|g| g.to_string())))
    }

    #[test]
    fn each_gateway_has_its_length() {
        let ok = |address: &str, gateway: Option<&str>| Ok((address.to_owned(), gateway.map(String::from)));
        let given = IpamGateway::Given(vec![
            "192.0.2.1/24".parse().unwrap(),
            "2001:db8::1/64".parse().unwrap(),
        ]);
        assert_eq!(told("192.0.2.9", &given), ok("192.0.2.9/24", Some("192.0.2.1")));
        assert_eq!(
            told("2001:db8::9", &given),
            ok("2001:db8::9/64", Some("2001:db8::1"))
        );
        assert!(told("10.0.0.1", &given).unwrap_err().contains("10.0.0.1"));
        let local = IpamGateway::LinkLocal;
        assert_eq!(told("10.0.0.1", &local), ok("10.0.0.1/32", Some("169.254.1.1")));
        assert_eq!(
            told("2001:db8::9", &IpamGateway::None),
            ok("2001:db8::9/128", None)
        );
        assert!(refuse_gateways(&["192.0.2.1".parse().unwrap()], &gateways(&given)).is_err());
        assert!(refuse_gateways(&["192.0.2.2".parse().unwrap()], &gateways(&given)).is_ok());
        for all_hosts in ["192.0.2.0", "192.0.2.255"] {
            assert!(refuse_gateways(&[all_hosts.parse().unwrap()], &gateways(&given)).is_err());
        }
        let two = IpamGateway::Given(vec!["192.0.2.0/31".parse().unwrap()]);
        assert!(refuse_gateways(&["192.0.2.1".parse().unwrap()], &gateways(&two)).is_ok());
    }
}
