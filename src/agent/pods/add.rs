//! CNI ADD: lease → link → host route in the kernel → announced, if asked → the answer. What fails on the way is taken
//! back in the opposite order; what was there before the call stays.

use std::time::Duration;

use attach::PodLink as Plug;
use config::api::cni::{CniAdd, CniAdded};
use config::api::{ApiError, ErrorKind};
use ipam::Lease;
use ipnet::IpNet;
use routesync::{DesiredRoute, Target};

use super::answer::{answer, mac, try_later};
use super::around::Around;
use super::caller::Caller;
use super::link::{forget_rules, in_kernel};
use super::wishes::Asking;
use super::{Pods, announced};
use crate::agent::snapshot::Snapshot;

/// How long ADD waits for the kernel to have the host route before it gives up and takes everything back.
const ROUTE_DEADLINE: Duration = Duration::from_secs(10);

impl Pods {
    /// CNI ADD of an interface of ours.
    pub async fn add(
        &self,
        request: CniAdd,
        mut around: Around,
        caller: &Caller,
    ) -> Result<CniAdded, ApiError> {
        let asking = Asking::from(&request);
        let path = around.path_mtu().ok_or_else(no_configuration)?;
        let mtu = request.mtu.map_or(path, |asked| asked.min(path));
        self.queue_was_read().await?;
        let _held = self.turns.take(&asking.host_ifname).await;
        // The DEL that follows an ADD that was given up may have been carried out already.
        caller.refuse_if_gone("ADD")?;
        self.del_queued_of(&asking.owner).await?;
        let before = self.ipam.lease(&asking.owner);
        refuse_other_plugin(before.as_ref())?;
        let wanted = self.wanted(&asking).await?;
        let mac = mac(request.mac.as_deref().or(wanted.mac.as_deref()))?;
        let lease = self
            .assign(wanted, |ipam, request, now| ipam.assign(request, now))
            .await?;
        let plug = Plug {
            mac,
            ..plug(&request, &lease, mtu)
        };
        match self
            .plug_in(plug, &lease, request.wait_announced, &mut around)
            .await
        {
            Ok(attached) => {
                tracing::info!(addresses = ?lease.addresses, interface = %lease.host_ifname, "pod plugged in");
                Ok(answer(&request, &lease, &attached, mtu))
            }
            Err(error) if before.is_some() => {
                tracing::error!(%error, interface = %lease.host_ifname, "a repeated ADD failed; what was there stays");
                Err(with_something_left(error))
            }
            Err(error) => {
                tracing::error!(%error, interface = %lease.host_ifname, "a pod could not be plugged in");
                self.take_back(&lease).await;
                Err(error)
            }
        }
    }

    /// The link, its host route, and the announcement if asked.
    async fn plug_in(
        &self,
        plug: Plug,
        lease: &Lease,
        wait_announced: bool,
        around: &mut Around,
    ) -> Result<attach::Attached, ApiError> {
        let attached = in_kernel(move || attach::add(&plug)).await?;
        self.touch();
        wait_for_routes(lease, around).await?;
        if wait_announced {
            announced::wait(&lease.addresses, around).await?;
        }
        Ok(attached)
    }

    /// Takes back what an ADD made. A link that does not go keeps its address: given to another pod, both had it.
    async fn take_back(&self, lease: &Lease) {
        let link = lease.host_ifname.clone();
        let removed = in_kernel(move || attach::remove(&link)).await;
        let outcome = match removed {
            Ok(()) => self.release(&lease.owner).await.map(drop),
            Err(error) => Err(error),
        };
        // A pod that lives on with its other interfaces would keep them.
        forget_rules(lease).await;
        self.touch();
        if let Err(error) = outcome {
            tracing::error!(%error, interface = %lease.host_ifname, "what ADD made is not all taken back; DEL does the rest");
        }
    }
}

fn no_configuration() -> ApiError {
    try_later(
        "the agent has no configuration for this node yet",
        "see `roadbed status` for what is wrong with the resources",
    )
}

/// One name in one container is one interface.
fn refuse_other_plugin(before: Option<&Lease>) -> Result<(), ApiError> {
    let Some(lease) = before.filter(|lease| lease.is_address_only()) else {
        return Ok(());
    };
    let message = format!(
        "{} is an interface of another plugin's, with an address of ours; give this one another name",
        lease.owner
    );
    Err(ApiError::new(ErrorKind::Conflict, message, ""))
}

/// Code 3 of the specification says that there is nothing to clean up, and here the lease stays until its DEL.
fn with_something_left(error: ApiError) -> ApiError {
    match error.kind {
        ErrorKind::NotFound => ApiError {
            kind: ErrorKind::Conflict,
            ..error
        },
        _ => error,
    }
}

fn plug(request: &CniAdd, lease: &Lease, mtu: u32) -> Plug {
    Plug {
        netns: request.netns.clone().into(),
        ifname: request.ifname.clone(),
        host_ifname: lease.host_ifname.clone(),
        addresses: lease.addresses.clone(),
        mtu,
        mac: None,
        default_route: super::answer::default_route(request.default_route),
        routes: request.routes.clone(),
        sysctls: request.sysctls.clone(),
    }
}

/// Waits until the reconciler has decided the pod's routes and the kernel has them.
async fn wait_for_routes(lease: &Lease, around: &mut Around) -> Result<(), ApiError> {
    let prefixes: Vec<IpNet> = lease.addresses.iter().map(|a| IpNet::from(*a)).collect();
    // A pod that had the address before may still have the route.
    let decided = |s: &Snapshot| {
        s.decisions.as_ref().is_some_and(|d| {
            prefixes.iter().all(|prefix| {
                let own = d.outline.own.get(prefix).and_then(|own| own.kernel.as_ref());
                own.is_some_and(|r| leads_to(&r.route, &lease.host_ifname))
            })
        })
    };
    let generation = match tokio::time::timeout(ROUTE_DEADLINE, around.snapshots.wait_for(decided)).await {
        Ok(Ok(snapshot)) => snapshot.fib_generation,
        _ => {
            return Err(try_later(
                "the pod's host route was not decided in time",
                "see the agent's log",
            ));
        }
    };
    let place = around.place();
    for prefix in prefixes {
        let key = place.own(prefix);
        let installed = around.fib.installed(generation, &key, ROUTE_DEADLINE).await;
        installed.map_err(|e| {
            try_later(
                format!("the kernel did not take the pod's host route: {e}"),
                "see the agent's log",
            )
        })?;
    }
    Ok(())
}

fn leads_to(route: &DesiredRoute, link: &str) -> bool {
    matches!(&route.target, Target::Forward(hops) if hops.iter().all(|hop| *hop.interface == *link))
}
