//! Very many routes that lead over one next hop, and it goes: what it costs to lead them elsewhere, by every way that the kernel
//! offers, and by `routesync`. A listener for route notifications is there as in every node with a second routing program.
//!
//! Each way is measured with `net.ipv4.nexthop_compat_mode` as it is by default (1: the kernel shows the hops of an object with
//! each route, and tells of each route when they change), and with 0.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use anyhow::Context;
use bench_support::usage;
use netlink_sys::Socket;
use routesync::{DesiredFib, DesiredNexthops, DesiredRoute, Handle, Hop, Metric, NexthopSet, RouteKey};

use crate::alone;
use crate::bgp::Family;
use crate::figures::{Figures, Kind, Sample};
use crate::message::{self, Target};
use crate::place::{LINK, Place};
use crate::raw::{exchange, send_all};
use crate::watch::{self, Watch};

const GROUP: u32 = 100;
const FIRST: u32 = 1;
const SECOND: u32 = 2;
const SPARE: u32 = 3;

/// Neighbours that are never asked for: nothing is sent.
fn gateway(family: Family, number: u8) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(192, 0, 2, 100 + number).into(),
        Family::V6 => Ipv6Addr::new(0xfd00, 0xb, 0, 0, 0, 0, 1, u16::from(number)).into(),
    }
}

/// One round of all of it.
pub fn round(figures: &mut Figures, count: u32) -> anyhow::Result<()> {
    for family in [Family::V4, Family::V6] {
        for compat in [true, false] {
            let name = if family == Family::V4 { "IPv4" } else { "IPv6" };
            let mode = if compat {
                "as by default"
            } else {
                "nexthopCompat: off"
            };
            let step = format!("{},000 {name} routes off a dead next hop, {mode}", count / 1000);
            let mut add = |contender: &str, sample| figures.series(&step, Kind::Bulk, contender).add(sample);
            kernel(family, compat, count, &mut add)?;
            synchronised(family, compat, count, &mut add)?;
        }
    }
    Ok(())
}

fn sample(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Sample> {
    let (began, before) = (Instant::now(), usage::of_this_thread()?);
    work()?;
    Ok(Sample {
        took: began.elapsed(),
        cpu: usage::of_this_thread()?.saturating_sub(before),
    })
}

/// Appends one message.
type Write<'a> = &'a dyn Fn(&mut Vec<u8>);

/// The ways that the kernel offers.
fn kernel(
    family: Family,
    compat: bool,
    count: u32,
    add: &mut impl FnMut(&str, Sample),
) -> anyhow::Result<()> {
    let place = Place::new("moves")?;
    place.set_compat(compat)?;
    let (mut watch, link) = (Watch::open(&place)?, place.link_index()?);
    let socket = place.at_router(watch::open)?;
    let one = |append: Write<'_>| {
        let mut out = Vec::new();
        append(&mut out);
        exchange(&socket, &out, 1)
    };
    for (id, number) in [(FIRST, 1), (SECOND, 2), (SPARE, 3)] {
        one(&|out| message::add_object(out, id, gateway(family, number), link, 1))?;
    }
    one(&|out| message::group(out, GROUP, &[FIRST], false, 1))?;
    fill(&socket, family, count, Target::Object(GROUP))?;
    watch.skip()?;
    let ways: [(&str, Write<'_>); 4] = [
        ("raw: another group in place of it", &|out| {
            message::group(out, GROUP, &[SECOND], true, 1);
        }),
        ("raw: another object in place of the group's", &|out| {
            message::replace_object(out, SECOND, gateway(family, 4), link, 1);
        }),
        ("raw: an object more in the group", &|out| {
            message::group(out, GROUP, &[SECOND, SPARE], true, 1);
        }),
        ("raw: the object removed, others remain", &|out| {
            message::delete_object(out, SECOND, 1);
        }),
    ];
    for (name, way) in ways {
        add(name, sample(|| one(way))?);
        watch.skip()?;
    }
    // Its routes go with the last object.
    one(&|out| message::delete_object(out, GROUP, 1))?;
    fill(&socket, family, count, Target::Via(gateway(family, 1), link))?;
    watch.skip()?;
    let rewritten = sample(|| {
        send_all(
            &socket,
            (0..count).map(|n| family.prefix(n)),
            |out, prefix, flags, sequence| {
                message::replace(out, prefix, gateway(family, 2), link, flags, sequence);
            },
        )
    })?;
    add("raw: every route rewritten", rewritten);
    Ok(())
}

fn fill(socket: &Socket, family: Family, count: u32, target: Target) -> anyhow::Result<()> {
    let prefixes = (0..count).map(|n| family.prefix(n));
    send_all(socket, prefixes, |out, prefix, flags, sequence| {
        message::add(out, prefix, target, flags, sequence);
    })
}

/// `routesync`, from the new wish to its being carried out.
fn synchronised(
    family: Family,
    compat: bool,
    count: u32,
    add: &mut impl FnMut(&str, Sample),
) -> anyhow::Result<()> {
    let place = Place::new("moves")?;
    place.set_compat(compat)?;
    let watch = Watch::open(&place)?;
    let samples = place.at_router(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("no runtime")?;
        runtime.block_on(async {
            let handle = alone::start()?;
            publish(&handle, family, &[1, 2]);
            let route = DesiredRoute::via("node".into());
            let routes: BTreeMap<_, _> = (0..count)
                .map(|n| (RouteKey::main(family.prefix(n), Metric(50)), route.clone()))
                .collect();
            alone::carried_out(&handle, DesiredFib { routes, sweep: true }).await?;
            let ((), lost) = alone::timed(async || moved(&handle, family, &[2]).await).await?;
            let ((), moved) = alone::timed(async || moved(&handle, family, &[3]).await).await?;
            Ok([
                ("routesync: one of two hops lost", lost),
                ("routesync: to another hop", moved),
            ])
        })
    })?;
    drop(watch);
    for (name, sample) in samples {
        add(name, sample);
    }
    Ok(())
}

fn publish(handle: &Handle, family: Family, gateways: &[u8]) -> u64 {
    let hop = |number: &u8| Hop {
        gateway: Some(gateway(family, *number)),
        interface: LINK.into(),
        onlink: false,
        weight: 1,
    };
    let set = NexthopSet::of(gateways.iter().map(hop).collect());
    handle.publish_nexthops(DesiredNexthops {
        sets: [("node".into(), set)].into(),
    })
}

async fn moved(handle: &Handle, family: Family, gateways: &[u8]) -> anyhow::Result<()> {
    let generation = publish(handle, family, gateways);
    let mut status = handle.status();
    let done = status.wait_for(|status| status.in_sync_with >= generation).await;
    done.context("routesync has stopped").map(drop)
}
