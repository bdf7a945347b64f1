//! The case in which nothing happens: all contenders at the same time, each in namespaces of its own, and what they use meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bench_support::place::Program;
use bench_support::{logs, memory, usage};

use crate::Args;
use crate::cases::{Case, Setup};
use crate::contenders::{Agent, Contender, Started};
use crate::outcome::{Outcome, Row, Sample, Table};
use crate::rounds::{numbers, reason, settled};
use crate::scene::{MARK, Place};
use crate::session::Sessions;

/// Parts of the time, each a figure of its own.
const WINDOWS: u32 = 5;
/// The slowest of them need so long for a hundred peers.
const PATIENCE: Duration = Duration::from_secs(600);

/// A contender with its peers; what has to go first stands first.
struct Running {
    sessions: Sessions,
    programs: Vec<Program>,
    _place: Place,
    folder: tempfile::TempDir,
}

/// Plays it.
pub fn play(args: &Args, contenders: &[Contender], seed: u64, agent: &Agent) -> Table {
    let setup = Case::Idle.setup(seed, args.quick);
    let mut rows = Vec::new();
    for contender in contenders.iter().filter(|contender| contender.routes()) {
        eprintln!("idle: {} comes up", contender.name());
        let up = up(&setup, *contender, agent).unwrap_or_else(|error| Err(Outcome::Void(reason(&error))));
        rows.push((*contender, up));
    }
    let minutes = args.idle_minutes();
    eprintln!("idle: {minutes} minutes of silence");
    let window = Duration::from_secs_f64(minutes * 60.0) / WINDOWS;
    let mut taken: Vec<Vec<Duration>> = vec![Vec::new(); rows.len()];
    for _ in 0..=WINDOWS {
        let began = Instant::now();
        for ((_, up), taken) in rows.iter_mut().zip(&mut taken) {
            if let Ok(running) = up {
                match usage::fine(&numbers(&running.programs)) {
                    Ok(spent) => taken.push(spent),
                    Err(error) => *up = Err(Outcome::Void(reason(&error))),
                }
            }
        }
        if taken.iter().all(|taken| taken.len() <= WINDOWS as usize) {
            std::thread::sleep(window.saturating_sub(began.elapsed()));
        }
    }
    let rows = rows
        .into_iter()
        .zip(taken)
        .map(|((contender, up), taken)| Row {
            contender,
            outcomes: match up {
                Ok(running) => outcomes(running, contender, &taken),
                Err(outcome) => {
                    eprintln!("    {}: {outcome:?}", contender.name());
                    vec![outcome]
                }
            },
        })
        .collect();
    let words = format!(
        "{}; processor time is of each of {WINDOWS} windows of {:.0} s, memory of the whole run; all daemons stand there at the same time",
        setup.words,
        window.as_secs_f64()
    );
    Table {
        case: Case::Idle,
        words,
        rows,
    }
}

/// Starts one and waits until everybody has heard everything.
fn up(setup: &Setup, contender: Contender, agent: &Agent) -> anyhow::Result<Result<Running, Outcome>> {
    let folder = MARK.folder()?;
    let place = Place::new(contender.name(), &setup.scene, folder.path())?;
    let programs = match contender.start(&place, &setup.scene, folder.path(), agent)? {
        Started::Running(programs) => programs,
        Started::NotAble(why) => return Ok(Err(Outcome::NotAble(why))),
    };
    let sessions = Sessions::start(&place.peers, setup.feeders.of(true))?;
    let began = Instant::now();
    while !sessions.done() {
        sessions
            .alive()
            .with_context(|| logs::ends(contender.name(), folder.path()))?;
        if began.elapsed() > PATIENCE {
            let lacks = sessions.end()?.differences;
            bail!(
                "not everything is heard: {}",
                lacks.first().cloned().unwrap_or_default()
            );
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    settled(&numbers(&programs))?;
    Ok(Ok(Running {
        sessions,
        programs,
        _place: place,
        folder,
    }))
}

/// One outcome for each window.
fn outcomes(running: Running, contender: Contender, taken: &[Duration]) -> Vec<Outcome> {
    let all = || -> anyhow::Result<Vec<Outcome>> {
        running.sessions.alive()?;
        let processes = numbers(&running.programs);
        let (peak, at_end) = (memory::peak(&processes)?, memory::now(&processes)?);
        let left = running.sessions.end()?;
        if let Some(lacks) = left.differences.first() {
            bail!("not everything is there any more: {lacks}");
        }
        let windows = taken.windows(2).map(|pair| {
            let cpu = pair[1].saturating_sub(pair[0]);
            Outcome::Measured(Sample {
                took: None,
                cpu,
                peak,
                at_end,
                listening: left.cpu,
            })
        });
        Ok(windows.collect())
    };
    let folder = running.folder.path().to_owned();
    all()
        .with_context(|| logs::ends(contender.name(), &folder))
        .unwrap_or_else(|error| vec![Outcome::Void(reason(&error))])
}
