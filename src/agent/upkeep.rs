//! What an operator asks about blocks and addresses: how full they are, what is wrong with them, and their release by
//! hand. Gathers what there is to see; the pure functions of `ipam::cluster` judge it, and what they say is carried
//! out step by step.

use std::sync::Arc;
use std::time::SystemTime;

use config::api::ipam::{IpamCheck, IpamFinding, IpamRelease, IpamReleased, IpamShow};
use config::intent::Intent;
use config::problem::Severity;
use datastore::{Outcome, Revision, Space, SpaceView};
use ipam::cluster::check::{self, Fix, KernelFacts};
use ipam::cluster::{self, ClusterView, Release, Settings};
use ipam::keeper::Claims;
use ipam::local::LocalView;

use super::parts::Parts;

/// Links of pods begin so.
const POD_LINK: &str = "rb";

/// Everything that there is to see, at about one moment.
struct Scene {
    view: ClusterView,
    local: LocalView,
    settings: Settings,
    /// The mirror, or why it cannot be read.
    mirror: Result<SpaceView, String>,
    kernel: Result<KernelFacts, String>,
}

impl Scene {
    async fn of(parts: &Parts, routes: u8) -> Result<Scene, String> {
        let intent = parts.store.state().borrow().intent.clone();
        let intent: Arc<Intent> = intent.ok_or("this node has no resources yet; see `roadbed status`")?;
        let empty = || SpaceView {
            items: Default::default(),
            revision: Revision::new(""),
        };
        let space = |known: &Option<Arc<SpaceView>>| known.as_deref().cloned().unwrap_or_else(empty);
        let resources = space(&parts.store.resources().borrow());
        let ownership = space(&parts.store.ownership().borrow());
        let store = parts.store.datastore();
        let mirror = match parts.shared_out {
            true => store
                .list(Space::Addresses)
                .await
                .map(SpaceView::from)
                .map_err(|e| e.to_string()),
            false => Err("this datastore keeps no mirror of addresses".to_owned()),
        };
        let atomic = Claims::of(&*store).is_atomic();
        Ok(Scene {
            view: ClusterView::new(&resources, &intent, &ownership).0,
            // After the mirror: what is in it and not in the ledger has then had its time to leave.
            local: parts.pods.local(),
            settings: Settings::new(parts.node.clone(), atomic, &intent.ipam),
            mirror,
            kernel: kernel(parts, routes).await,
        })
    }
}

async fn kernel(parts: &Parts, protocol: u8) -> Result<KernelFacts, String> {
    let view = parts.fib.view().borrow().clone();
    let routes = routesync::installed(routesync::Protocol(protocol))
        .await
        .map_err(|e| e.to_string())?;
    let host_route = |(key, links): (routesync::RouteKey, Vec<String>)| {
        let single = key.destination.prefix_len() == key.destination.max_prefix_len();
        let link = links
            .into_iter()
            .find(|link| link.starts_with(POD_LINK) && !link.contains('-'));
        link.filter(|_| single).map(|link| (key.destination.addr(), link))
    };
    Ok(KernelFacts {
        links: view.links.values().map(|link| link.name.to_string()).collect(),
        routes: routes.into_iter().filter_map(host_route).collect(),
    })
}

/// How full everything is.
pub async fn show(parts: &Parts, routes: u8) -> Result<IpamShow, String> {
    let scene = Scene::of(parts, routes).await?;
    let used = scene.mirror.as_ref().ok().map(cluster::in_use);
    let mut shown = cluster::show(&scene.view, &parts.node, &scene.local, used.as_ref());
    shown.local.mirror_behind = parts.keeper.status().borrow().mirror.behind as u64;
    Ok(shown)
}

/// What is wrong, and with `fix` the repair of what is safe to repair.
pub async fn check(parts: &Parts, routes: u8, fix: bool) -> Result<IpamCheck, String> {
    let scene = Scene::of(parts, routes).await?;
    let found = check::check(
        &scene.view,
        &scene.local,
        &scene.settings,
        scene.mirror.as_ref().ok(),
        scene.kernel.as_ref().ok(),
    );
    let mut missing: Vec<String> = Vec::new();
    missing.extend(scene.kernel.err().map(|why| format!("the kernel: {why}")));
    if parts.shared_out {
        missing.extend(
            scene
                .mirror
                .err()
                .map(|why| format!("the mirror of addresses: {why}")),
        );
        let away = parts.store.contact().borrow().clone();
        missing.extend(
            away.away_since
                .map(|_| "the datastore is away: what it said last was looked at".to_owned()),
        );
    }
    let mut findings = Vec::with_capacity(found.len());
    for finding in found {
        let repair = finding.fix.as_ref().map(Fix::describe);
        let mut message = finding.message;
        let mut fixed = false;
        if let Some(fix) = finding.fix.filter(|_| fix) {
            match carry_out(parts, fix).await {
                Ok(()) => fixed = true,
                Err(why) => message = format!("{message}; it could not be repaired: {why}"),
            }
        }
        findings.push(IpamFinding {
            kind: finding.kind.as_str().into(),
            severity: match finding.severity {
                Severity::Error => "error".into(),
                Severity::Warning => "warning".into(),
            },
            subject: finding.subject,
            message,
            fix: repair,
            fixed,
        });
    }
    Ok(IpamCheck {
        findings,
        complete: missing.is_empty(),
        missing,
    })
}

/// Releases an address or a block.
pub async fn release(parts: &Parts, routes: u8, request: &IpamRelease) -> Result<IpamReleased, String> {
    let scene = Scene::of(parts, routes).await?;
    let (view, local, settings) = (&scene.view, &scene.local, &scene.settings);
    let kernel = scene.kernel.as_ref().ok();
    let planned = match (request.address, request.block) {
        (Some(address), None) => {
            cluster::release_address(view, local, settings, kernel, address, request.force)
        }
        (None, Some(block)) => cluster::release_block(view, local, settings, block),
        _ => return Err("exactly one of address and block has to be given".into()),
    };
    let Release { fixes, message } = planned.map_err(|trouble| trouble.to_string())?;
    for fix in fixes {
        carry_out(parts, fix).await?;
    }
    tracing::info!(address = ?request.address, block = ?request.block, message, "released by hand");
    Ok(IpamReleased {
        addresses: request.address.into_iter().collect(),
        blocks: request.block.into_iter().collect(),
        message,
    })
}

async fn carry_out(parts: &Parts, fix: Fix) -> Result<(), String> {
    let ledger = parts.pods.ipam();
    let now = SystemTime::now();
    match fix {
        Fix::Ledger(steps) => {
            let done = tokio::task::spawn_blocking(move || ledger.apply(&steps, now)).await;
            let done = done.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
            match done.iter().all(|done| *done) {
                true => Ok(()),
                false => Err("the ledger refuses it: an address is in use".into()),
            }
        }
        Fix::Lease(owner) => {
            let done = tokio::task::spawn_blocking(move || ledger.release(&owner, now)).await;
            done.map_err(|e| e.to_string())?
                .map_err(|e| e.to_string())
                .map(drop)
        }
        Fix::Commit(_, transaction) => {
            let store = parts.store.datastore();
            match Claims::of(&*store).commit(&transaction).await {
                Ok(Outcome::Done(_)) => Ok(()),
                Ok(Outcome::Conflict) => Err("something has moved meanwhile; look again".into()),
                Err(error) => Err(error.to_string()),
            }
        }
    }
}
