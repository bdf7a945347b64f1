//! The rounds: in each, every contender plays the case once, in an order that changes from round to round, with a new feed for the
//! round and a new daemon for the run.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bench_support::place::Program;
use bench_support::{logs, memory, usage};

use crate::Args;
use crate::cases::{Case, Setup};
use crate::contenders::{Agent, Contender, Started};
use crate::outcome::{Outcome, Row, Sample, Table};
use crate::rng::Rng;
use crate::scene::{MARK, Place};
use crate::session::Sessions;

/// Who has done nothing for so long will not go on.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a daemon takes of the processor in that time when it does nothing.
const IDLE: Duration = Duration::from_millis(300);
/// A daemon has come to rest when it used no tick of the processor for so long.
const QUIET: Duration = Duration::from_millis(500);
const SETTLED: Duration = Duration::from_secs(60);

/// Plays a case.
pub fn play(case: Case, args: &Args, contenders: &[Contender], seed: u64, agent: &Agent) -> Table {
    let mut rows: Vec<Row> = contenders
        .iter()
        .map(|contender| Row {
            contender: *contender,
            outcomes: Vec::new(),
        })
        .collect();
    let mut words = String::new();
    for round in 1..=args.rounds() {
        let round_seed = seed.wrapping_add(round as u64);
        let setup = case.setup(round_seed, args.quick);
        words.clone_from(&setup.words);
        let mut order: Vec<usize> = (0..rows.len()).collect();
        Rng::new(round_seed, 2).shuffle(&mut order);
        for at in order {
            let contender = rows[at].contender;
            eprintln!(
                "{}, round {round} of {}: {}",
                case.name(),
                args.rounds(),
                contender.name()
            );
            let outcome = once(&setup, contender, args, agent);
            tell(&outcome);
            rows[at].outcomes.push(outcome);
        }
    }
    Table { case, words, rows }
}

fn tell(outcome: &Outcome) {
    match outcome {
        Outcome::Measured(sample) => eprintln!(
            "    {:.2} s, processor {:.2} s, peak {} MiB (at the end {}); listening took {:.2} s of the processor",
            sample.took.unwrap_or_default().as_secs_f64(),
            sample.cpu.as_secs_f64(),
            sample.peak >> 20,
            sample.at_end >> 20,
            sample.listening.as_secs_f64()
        ),
        Outcome::Void(why) => eprintln!("    void: {why}"),
        Outcome::NotAble(why) => eprintln!("    not able: {why}"),
    }
}

fn once(setup: &Setup, contender: Contender, args: &Args, agent: &Agent) -> Outcome {
    let run = || -> anyhow::Result<Outcome> {
        let folder = MARK.folder()?;
        let place = Place::new(contender.name(), &setup.scene, folder.path())?;
        match contender.start(&place, &setup.scene, folder.path(), agent)? {
            Started::NotAble(why) => Ok(Outcome::NotAble(why)),
            Started::Running(programs) => measured(setup, contender, args, &place, &programs)
                .map(Outcome::Measured)
                .with_context(|| logs::ends(contender.name(), folder.path())),
        }
    };
    run().unwrap_or_else(|error| Outcome::Void(reason(&error)))
}

/// The cause first, then where.
pub fn reason(error: &anyhow::Error) -> String {
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    chain
        .iter()
        .rev()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The numbers of the processes.
pub fn numbers(programs: &[Program]) -> Vec<u32> {
    programs.iter().map(Program::pid).collect()
}

/// Processor time of the processes when they have come to rest.
pub fn settled(processes: &[u32]) -> anyhow::Result<Duration> {
    // Timers tick in every daemon: rest is when coarse ticks stand still; what is counted is finer.
    usage::settled(QUIET, SETTLED, || usage::of(processes))?;
    usage::fine(processes)
}

fn measured(
    setup: &Setup,
    contender: Contender,
    args: &Args,
    place: &Place,
    programs: &[Program],
) -> anyhow::Result<Sample> {
    let processes = numbers(programs);
    let routes = contender.routes();
    let receivers = Sessions::start(&place.peers, setup.receivers.of(routes))?;
    receivers.established()?;
    let feed = || Sessions::start(&place.peers, setup.feeders.of(routes));
    let ready = || {
        let before = settled(&processes)?;
        pause(args, &processes, "everything is up: on Enter the peers announce")?;
        anyhow::Ok(before)
    };
    let (before, feeders) = if setup.from_connection {
        (ready()?, feed()?)
    } else {
        let feeders = feed()?;
        feeders.established()?;
        (ready()?, feeders)
    };
    feeders.announce();
    let most = match wait(&receivers, &feeders, &processes, args.sample_memory) {
        Ok(most) => most,
        Err(error) => {
            let lacks = [receivers.end()?.differences, feeders.end()?.differences].concat();
            let lacks: Vec<String> = lacks.into_iter().take(3).collect();
            return Err(error.context(lacks.join("\n")));
        }
    };
    let (told, heard) = (feeders.times(), receivers.times());
    let began = if setup.from_connection {
        told.connected
    } else {
        told.sent
    };
    let ended = [told.complete, heard.complete].into_iter().flatten().max();
    let (began, ended) = (
        began.context("no time of the beginning")?,
        ended.context("no time of the end")?,
    );
    let cpu = settled(&processes)?.saturating_sub(before);
    pause(args, &processes, "everything is heard: on Enter it ends")?;
    let (peak, at_end) = (memory::peak(&processes)?, memory::now(&processes)?);
    if args.sample_memory {
        eprintln!(
            "    peak {} KiB without sampling, {} KiB in samples",
            peak >> 10,
            most >> 10
        );
    }
    let mut left = receivers.end()?;
    left.differences.extend(feeders.end()?.differences);
    ensure!(
        left.differences.is_empty(),
        "changed again afterwards: {}",
        left.differences.join("; ")
    );
    Ok(Sample {
        took: Some(ended.saturating_duration_since(began)),
        cpu,
        peak,
        at_end,
        listening: left.cpu,
    })
}

/// Waits until everybody has everything; the most memory that was seen meanwhile, if it is looked at.
fn wait(receivers: &Sessions, feeders: &Sessions, processes: &[u32], sample: bool) -> anyhow::Result<u64> {
    let mut most = 0;
    let (mut spent, mut since) = (Duration::ZERO, Instant::now());
    loop {
        let done = receivers.done() && feeders.done();
        for sessions in [receivers, feeders] {
            if let Err(error) = sessions.alive() {
                bail!(error);
            }
        }
        if sample {
            most = memory::now(processes)?.max(most);
        }
        if done {
            return Ok(most);
        }
        let now = usage::of(processes)?;
        if now > spent + IDLE {
            (spent, since) = (now, Instant::now());
        }
        if since.elapsed() > PATIENCE {
            bail!("not everything is heard, and the daemon does nothing any more");
        }
        std::thread::sleep(Duration::from_millis(if sample { 100 } else { 20 }));
    }
}

/// With `--hold`: names the processes and waits for a line.
fn pause(args: &Args, processes: &[u32], words: &str) -> anyhow::Result<()> {
    if args.hold.is_some() {
        eprintln!("processes {processes:?}; {words}");
        std::io::stdin()
            .read_line(&mut String::new())
            .context("no terminal")?;
    }
    Ok(())
}
