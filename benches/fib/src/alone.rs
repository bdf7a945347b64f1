//! `routesync` with nothing before it: what the wish costs on its way into the kernel, without BGP and without the agent.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bench_support::usage;
use routesync::{
    DesiredFib, DesiredNexthops, DesiredRoute, Handle, Hop, Metric, NexthopSet, RouteKey, Settings,
};

use crate::bgp::Family;
use crate::figures::Sample;
use crate::place::{LINK, Place};

const PATIENCE: Duration = Duration::from_secs(60);

/// One round.
#[derive(Debug)]
pub struct Round {
    /// All routes in.
    pub fill: Sample,
    /// Started again beside them: everything read and compared, nothing to write.
    pub resync: Sample,
    /// All routes out.
    pub empty: Sample,
}

/// Takes the routes in, looks at them again from nothing, and takes them out; each with its hop in it, or over a set of hops.
pub fn round(place: &Place, family: Family, count: u32, sets: bool) -> anyhow::Result<Round> {
    place.at_router(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("no runtime")?;
        let gateway = Some(family.gateway());
        let hop = Hop {
            gateway,
            interface: LINK.into(),
            onlink: false,
            weight: 1,
        };
        let route = if sets {
            DesiredRoute::via("feeder".into())
        } else {
            DesiredRoute::forward(vec![hop.clone()])
        };
        let begin = || -> anyhow::Result<Handle> {
            let handle = start()?;
            let all = [("feeder".into(), NexthopSet::of(vec![hop.clone()]))];
            handle.publish_nexthops(DesiredNexthops { sets: all.into() });
            Ok(handle)
        };
        let routes: BTreeMap<RouteKey, DesiredRoute> = (0..count)
            .map(|n| (RouteKey::main(family.prefix(n), Metric(50)), route.clone()))
            .collect();
        runtime.block_on(async {
            let wish = |routes| DesiredFib { routes, sweep: true };
            let first = begin()?;
            ready(&first).await?;
            let filling = wish(routes.clone());
            let ((), fill) = timed(async || carried_out(&first, filling).await).await?;
            drop(first);
            tokio::task::yield_now().await;
            let again = wish(routes);
            let (second, resync) = timed(async || {
                let second = begin()?;
                carried_out(&second, again).await?;
                Ok(second)
            })
            .await?;
            let ((), empty) = timed(async || carried_out(&second, wish(BTreeMap::new())).await).await?;
            Ok(Round { fill, resync, empty })
        })
    })
}

/// Starts route synchronisation.
pub fn start() -> anyhow::Result<Handle> {
    routesync::start(Settings::default()).context("cannot start routesync")
}

/// How long it takes, and the processor time of this thread.
pub async fn timed<T>(work: impl AsyncFnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Sample)> {
    let (began, before) = (Instant::now(), usage::of_this_thread()?);
    let value = work().await?;
    let sample = Sample {
        took: began.elapsed(),
        cpu: usage::of_this_thread()?.saturating_sub(before),
    };
    Ok((value, sample))
}

/// Waits for the first look at the kernel.
async fn ready(handle: &Handle) -> anyhow::Result<()> {
    let mut view = handle.view();
    let seen = tokio::time::timeout(PATIENCE, view.wait_for(|view| view.generation > 0)).await;
    seen.context("routesync has not read the kernel's state")?
        .context("routesync has stopped")?;
    Ok(())
}

/// Publishes and waits until the kernel has it.
pub async fn carried_out(handle: &Handle, wish: DesiredFib) -> anyhow::Result<()> {
    let wanted = wish.routes.len();
    let generation = handle.publish(wish);
    let mut status = handle.status();
    let done = status.wait_for(|status| status.in_sync_with >= generation && status.installed == wanted);
    let done = tokio::time::timeout(PATIENCE, done).await;
    let done = done
        .context("routesync does not come to an end")?
        .context("routesync has stopped")?;
    ensure!(
        done.failed.is_empty(),
        "routes were refused: {:?}",
        done.failed.first()
    );
    Ok(())
}
