//! CNI CHECK: the ledger, the link with all that is on it, and the host route, each against what ADD made.

use std::collections::BTreeMap;
use std::net::IpAddr;

use attach::PodLink as Plug;
use config::api::cni::{CniCheck, CniChecked, CniDrift};
use config::api::{ApiError, ErrorKind};
use ipam::{Lease, Owner};
use ipnet::IpNet;
use routesync::{Protocol, RouteKey};

use super::Pods;
use super::answer::{default_route, mac, try_later};
use super::around::Around;
use super::link::in_kernel;
use crate::decide::Place;

impl Pods {
    /// CNI CHECK. Changes nothing.
    pub async fn check(&self, request: CniCheck, around: Around) -> Result<CniChecked, ApiError> {
        let owner = Owner::new(request.container_id.as_str(), request.ifname.as_str());
        let _held = self
            .turns
            .take(&attach::host_ifname(&owner.container_id, &owner.ifname))
            .await;
        let Some(lease) = self.ipam.lease(&owner) else {
            let drift = drift(format!("lease of {owner}"), "in the ledger of addresses", None);
            return Ok(CniChecked { drifts: vec![drift] });
        };
        let mut drifts = addresses(&request, &lease);
        if request.ipam_only || lease.is_address_only() {
            return Ok(CniChecked { drifts });
        }
        drifts.extend(self.link(&request, &lease, &around).await?);
        drifts.extend(host_routes(&lease, around.place(), around.route_protocol).await?);
        Ok(CniChecked { drifts })
    }

    async fn link(
        &self,
        request: &CniCheck,
        lease: &Lease,
        around: &Around,
    ) -> Result<Vec<CniDrift>, ApiError> {
        let path = around.path_mtu().ok_or_else(|| {
            try_later(
                "the agent has no configuration for this node yet",
                "see `roadbed status` for what is wrong with the resources",
            )
        })?;
        let plug = Plug {
            netns: request.netns.clone().into(),
            ifname: request.ifname.clone(),
            host_ifname: lease.host_ifname.clone(),
            addresses: lease.addresses.clone(),
            mtu: request.mtu.map_or(path, |asked| asked.min(path)),
            mac: mac(request.mac.as_deref())?,
            default_route: default_route(request.default_route),
            routes: request.routes.clone(),
            sysctls: request.sysctls.clone(),
        };
        match in_kernel(move || attach::check(&plug)).await {
            Ok(found) => Ok(found.into_iter().map(of_link).collect()),
            // The pod's namespace is gone: that is what CHECK asks about.
            Err(error) if error.kind == ErrorKind::NotFound => {
                let what = format!("network namespace {}", request.netns);
                Ok(vec![CniDrift {
                    what,
                    expected: "there".into(),
                    found: Some(error.message),
                }])
            }
            Err(error) => Err(error),
        }
    }
}

/// The addresses that the runtime remembers against those of the ledger.
fn addresses(request: &CniCheck, lease: &Lease) -> Vec<CniDrift> {
    let known = |address: IpAddr| request.addresses.iter().find(|net| net.addr() == address);
    let text = || {
        let all: Vec<String> = lease.addresses.iter().map(IpAddr::to_string).collect();
        all.join(", ")
    };
    let mut drifts: Vec<CniDrift> = (request.addresses.iter())
        .filter(|net| !lease.addresses.contains(&net.addr()))
        .map(|net| {
            let what = format!("address {} of {}", net.addr(), request.ifname);
            drift(what, "in the ledger of addresses", Some(text()))
        })
        .collect();
    let unknown = lease
        .addresses
        .iter()
        .filter(|address| known(**address).is_none());
    drifts.extend(unknown.map(|address| {
        let what = format!("address {address} of {}", request.ifname);
        drift(what, "in prevResult, as it is in the ledger", None)
    }));
    drifts
}

/// The pod's host routes as the kernel has them at this moment.
async fn host_routes(lease: &Lease, place: Place, protocol: u8) -> Result<Vec<CniDrift>, ApiError> {
    let installed = routesync::installed(Protocol(protocol))
        .await
        .map_err(|e| try_later(format!("the kernel's routes cannot be read: {e}"), ""))?;
    let installed: BTreeMap<RouteKey, Vec<String>> = installed.into_iter().collect();
    let wanted = [lease.host_ifname.clone()];
    let mut drifts = Vec::new();
    for address in &lease.addresses {
        let there = installed.get(&place.own(IpNet::from(*address)));
        if there.is_none_or(|links| *links != wanted) {
            let found = there.map(|links| format!("through {}", links.join(", ")));
            let expected = format!("through {}", lease.host_ifname);
            drifts.push(drift(format!("host route of {address}"), &expected, found));
        }
    }
    Ok(drifts)
}

fn of_link(found: attach::Drift) -> CniDrift {
    CniDrift {
        what: found.what,
        expected: found.expected,
        found: found.found,
    }
}

fn drift(what: String, expected: &str, found: Option<String>) -> CniDrift {
    CniDrift {
        what,
        expected: expected.into(),
        found,
    }
}
