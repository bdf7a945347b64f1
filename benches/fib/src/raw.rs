//! The limit: netlink with nothing around it. Batches of ready-made messages, an answer for the last of each, and a listener for
//! notifications as beside the routers.

use std::time::Instant;

use anyhow::{Context, bail, ensure};
use bench_support::usage;
use ipnet::IpNet;
use netlink_sys::{Socket, SocketAddr};

use crate::bgp::Family;
use crate::figures::Sample;
use crate::message::{self, ACK, Target};
use crate::place::Place;
use crate::watch::{self, Change, Watch};

const NLMSG_ERROR: u16 = 2;
/// Messages in a datagram; more than this gain nothing.
const BATCH: usize = 128;
const OBJECT: u32 = 77;

/// A namespace for the raw loop.
#[derive(Debug)]
pub struct Raw {
    watch: Watch,
    socket: Socket,
    link: u32,
    _place: Place,
}

impl Raw {
    /// Makes the namespace.
    pub fn new() -> anyhow::Result<Raw> {
        let place = Place::new("raw")?;
        let (watch, link) = (Watch::open(&place)?, place.link_index()?);
        let socket = place.at_router(watch::open)?;
        Ok(Raw {
            watch,
            socket,
            link,
            _place: place,
        })
    }

    /// Adds the prefixes through a gateway, or by a nexthop object.
    pub fn fill(&mut self, family: Family, count: u32, object: bool) -> anyhow::Result<Sample> {
        let mut target = Target::Via(family.gateway(), self.link);
        if object {
            let mut out = Vec::new();
            message::add_object(&mut out, OBJECT, family.gateway(), self.link, 1);
            exchange(&self.socket, &out, 1)?;
            target = Target::Object(OBJECT);
        }
        self.run(family, Change::Added, count, |out, prefix, flags, sequence| {
            message::add(out, prefix, target, flags, sequence);
        })
    }

    /// Deletes the prefixes, and the object.
    pub fn empty(&mut self, family: Family, count: u32, object: bool) -> anyhow::Result<Sample> {
        let sample = self.run(family, Change::Removed, count, |out, prefix, flags, sequence| {
            message::delete(out, prefix, None, flags, sequence);
        })?;
        if object {
            let mut out = Vec::new();
            message::delete_object(&mut out, OBJECT, 1);
            exchange(&self.socket, &out, 1)?;
        }
        Ok(sample)
    }

    /// Adds and deletes one prefix; how long until the listener has it.
    pub fn one(&mut self, family: Family, number: u32) -> anyhow::Result<[std::time::Duration; 2]> {
        let prefix = family.prefix(number);
        let mut took = [std::time::Duration::ZERO; 2];
        for (took, change) in took.iter_mut().zip([Change::Added, Change::Removed]) {
            let mut out = Vec::new();
            match change {
                Change::Added => {
                    message::add(
                        &mut out,
                        &prefix,
                        Target::Via(family.gateway(), self.link),
                        ACK,
                        1,
                    );
                }
                Change::Removed => message::delete(&mut out, &prefix, None, ACK, 1),
            }
            let began = Instant::now();
            exchange(&self.socket, &out, 1)?;
            *took = self.watch.wait(change, &prefix, 1)? - began;
        }
        Ok(took)
    }

    /// Reads all routes, and looks into none.
    pub fn dump(&mut self, family: Family) -> anyhow::Result<Sample> {
        let (began, before) = (Instant::now(), usage::of_this_thread()?);
        let mut buffer = Vec::with_capacity(1 << 16);
        watch::dump(&self.socket, &mut buffer, &family.space(), |_| true)?;
        Ok(Sample {
            took: began.elapsed(),
            cpu: usage::of_this_thread()?.saturating_sub(before),
        })
    }

    fn run(
        &mut self,
        family: Family,
        change: Change,
        count: u32,
        append: impl Fn(&mut Vec<u8>, &IpNet, u16, u32) + Sync,
    ) -> anyhow::Result<Sample> {
        let (socket, watch, space) = (&self.socket, &mut self.watch, family.space());
        watch.skip()?;
        std::thread::scope(|scope| {
            let listening = scope.spawn(move || watch.wait(change, &space, count as usize));
            let (began, before) = (Instant::now(), usage::of_this_thread()?);
            send_all(socket, (0..count).map(|n| family.prefix(n)), append)?;
            let took = began.elapsed();
            let cpu = usage::of_this_thread()?.saturating_sub(before);
            match listening.join() {
                Ok(seen) => seen.map(|_| Sample { took, cpu }),
                Err(_) => bail!("the listener has panicked"),
            }
        })
    }
}

/// Deletes every one of the prefixes in the namespace of the place, whoever owns the routes.
pub fn delete_all(place: &Place, family: Family, count: u32, protocol: u8) -> anyhow::Result<()> {
    let socket = place.at_router(watch::open)?;
    let prefixes = (0..count).map(|n| family.prefix(n));
    send_all(&socket, prefixes, |out, prefix, flags, sequence| {
        message::delete(out, prefix, Some(protocol), flags, sequence);
    })
}

/// Writes something for each of the prefixes, in batches.
pub fn send_all(
    socket: &Socket,
    prefixes: impl Iterator<Item = IpNet>,
    append: impl Fn(&mut Vec<u8>, &IpNet, u16, u32),
) -> anyhow::Result<()> {
    let (mut out, mut held, mut sequence) = (Vec::with_capacity(1 << 16), 0, 0_u32);
    let mut prefixes = prefixes.peekable();
    while let Some(prefix) = prefixes.next() {
        sequence += 1;
        held += 1;
        let last = held == BATCH || prefixes.peek().is_none();
        append(&mut out, &prefix, if last { ACK } else { 0 }, sequence);
        if last {
            exchange(socket, &out, sequence)?;
            out.clear();
            held = 0;
        }
    }
    Ok(())
}

/// Sends a datagram and waits for the answer to its last message.
pub fn exchange(socket: &Socket, out: &[u8], last: u32) -> anyhow::Result<()> {
    socket
        .send_to(out, &SocketAddr::new(0, 0), 0)
        .context("cannot write")?;
    let mut buffer = Vec::with_capacity(1 << 14);
    loop {
        buffer.clear();
        socket.recv(&mut buffer, 0).context("an answer was lost")?;
        for (kind, sequence, payload) in watch::messages(&buffer) {
            if kind != NLMSG_ERROR {
                continue;
            }
            let code = payload.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
            ensure!(
                code == 0,
                "the kernel refuses: {}",
                std::io::Error::from_raw_os_error(-code)
            );
            if sequence == last {
                return Ok(());
            }
        }
    }
}
