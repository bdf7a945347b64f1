//! The routers: each with its configuration, started in a namespace of its own, and one established session.

mod configs;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bench_support::place::Program;
use bench_support::{logs, usage};
use tempfile::TempDir;

use crate::bgp::{self, Family};
use crate::feeder::{Feeder, Waiting};
use crate::figures::Sample;
use crate::place::{MARK, Place};
use crate::watch::{Change, Watch};

/// Long enough for any daemon to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running router.
#[derive(Debug)]
pub struct Router {
    /// What it is called in the report.
    pub name: String,
    /// The listener in its namespace.
    pub watch: Watch,
    /// Its end of the session.
    pub feeder: Feeder,
    /// Its namespaces.
    pub place: Place,
    programs: Vec<Program>,
    folder: TempDir,
}

impl Router {
    /// Starts one of `roadbed`, `roadbed-plain`, `bird` and `frr`, and waits until a route from the feeder is in its kernel.
    pub fn start(name: &str, agent: &Path, settings: &[String]) -> anyhow::Result<Router> {
        let folder = MARK.folder()?;
        let place = Place::new(name)?;
        let waiting = Waiting::open(&place)?;
        let watch = Watch::open(&place)?;
        let programs = match name {
            "roadbed" => configs::roadbed(&place, folder.path(), agent, settings)?,
            "roadbed-plain" => {
                let settings = [settings, &["nexthopObjects: off".to_owned()]].concat();
                configs::roadbed(&place, folder.path(), agent, &settings)?
            }
            "bird" => configs::bird(&place, folder.path())?,
            "frr" => configs::frr(&place, folder.path())?,
            other => bail!("there is no router {other}: roadbed, roadbed-plain, bird, frr"),
        };
        let feeder = waiting
            .establish()
            .with_context(|| logs::ends(name, folder.path()))?;
        let mut router = Router {
            name: name.to_owned(),
            watch,
            feeder,
            place,
            programs,
            folder,
        };
        for family in [Family::V4, Family::V6] {
            router
                .one(family, bgp::SINGLE)
                .with_context(|| logs::ends(name, router.folder.path()))?;
        }
        router.feeder.send(&bgp::announce(Family::V4, bgp::STANDING))?;
        Ok(router)
    }

    /// Processor time of all its processes so far.
    pub fn spent(&self) -> anyhow::Result<Duration> {
        let processes: Vec<u32> = self.programs.iter().map(Program::pid).collect();
        usage::of(&processes).with_context(|| logs::ends(&self.name, self.folder.path()))
    }

    /// The same, when it has come to rest.
    pub fn settled(&self) -> anyhow::Result<Duration> {
        usage::settled(Duration::from_millis(150), PATIENCE, || self.spent())
    }

    /// Announces or withdraws so many prefixes and waits until the kernel has followed.
    pub fn bulk(&mut self, family: Family, change: Change, count: u32) -> anyhow::Result<Sample> {
        let messages = match change {
            Change::Added => bgp::announce(family, 0..count),
            Change::Removed => bgp::withdraw(family, 0..count),
        };
        let (space, before) = (family.space(), self.settled()?);
        self.watch.skip()?;
        let began = Instant::now();
        let ended = std::thread::scope(|scope| {
            let feeder = &self.feeder;
            let sending = scope.spawn(move || feeder.send(&messages));
            let ended = self.watch.wait(change, &space, count as usize);
            match sending.join() {
                Ok(sent) => sent.and(ended),
                Err(_) => bail!("the feeder has panicked"),
            }
        })
        .with_context(|| format!("{}: {count} routes {change:?}", self.name))?;
        let cpu = self.settled()?.saturating_sub(before);
        let has = self.watch.count(&space)?;
        let wanted = if change == Change::Added {
            count as usize
        } else {
            0
        };
        ensure!(
            has == wanted,
            "{}: the kernel has {has} routes and not {wanted}",
            self.name
        );
        Ok(Sample {
            took: ended - began,
            cpu,
        })
    }

    /// Someone else deletes the routes: how long until the last one is back.
    pub fn repaired(
        &mut self,
        family: Family,
        count: u32,
        delete: impl FnOnce(&Place) -> anyhow::Result<()> + Send,
    ) -> anyhow::Result<Sample> {
        let (space, before) = (family.space(), self.settled()?);
        self.watch.skip()?;
        let began = Instant::now();
        let ended = std::thread::scope(|scope| {
            let place = &self.place;
            let deleting = scope.spawn(move || delete(place));
            let ended = self.watch.wait(Change::Added, &space, count as usize);
            match deleting.join() {
                Ok(deleted) => deleted.and(ended),
                Err(_) => bail!("a thread has panicked"),
            }
        })
        .with_context(|| format!("{}: repair", self.name))?;
        let cpu = self.settled()?.saturating_sub(before);
        Ok(Sample {
            took: ended - began,
            cpu,
        })
    }

    /// One prefix from its announcement to the kernel, and from its withdrawal.
    pub fn one(&mut self, family: Family, number: u32) -> anyhow::Result<[Duration; 2]> {
        let prefix = family.prefix(number);
        let steps = [
            (Change::Added, bgp::announce(family, [number].into_iter())),
            (Change::Removed, bgp::withdraw(family, [number].into_iter())),
        ];
        let mut took = [Duration::ZERO; 2];
        for (took, (change, messages)) in took.iter_mut().zip(steps) {
            let began = Instant::now();
            self.feeder.send(&messages)?;
            *took = self.watch.wait(change, &prefix, 1)? - began;
        }
        Ok(took)
    }
}
