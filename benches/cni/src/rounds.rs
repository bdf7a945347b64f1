//! The rounds: serial, 32 at once, and the density of a node. The plugins take turns, so that what the machine does besides hits
//! both.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::Args;
use crate::plugin::Plugin;
use crate::report::{self, Sample};
use crate::usage::spent;

/// Calls of the plugin that take place at the same time.
const AT_ONCE: usize = 32;

/// Measures, and prints as it goes.
pub fn run(folder: &Path, args: &Args) -> anyhow::Result<()> {
    let plugins = [
        Plugin::ours(folder, &args.lab)?,
        Plugin::reference(folder, &args.lab),
    ];
    // What is done once only does not count.
    for plugin in &plugins {
        plugin.call("ADD", 0)?;
        plugin.call("DEL", 0)?;
    }
    let rounds = if args.quick { 3 } else { 10 };
    report::title("one pod after the other");
    measure(&plugins, rounds, args.agent, |plugin, verb| {
        (0..AT_ONCE).map(|pod| plugin.call(verb, pod)).collect()
    })?;
    report::title("32 pods at once");
    measure(&plugins, rounds, args.agent, at_once)?;
    report::title("density: ADD of each hundred pods on a node that keeps them all");
    density(&plugins, args.pods, args.agent)
}

/// `rounds` times, in turns: every pod's ADD, then every pod's DEL.
fn measure(
    plugins: &[Plugin],
    rounds: usize,
    agent: i32,
    work: impl Fn(&Plugin, &str) -> anyhow::Result<Vec<Duration>>,
) -> anyhow::Result<()> {
    let mut samples = [("ADD", 0), ("ADD", 1), ("DEL", 0), ("DEL", 1)].map(|at| (at, Sample::default()));
    for _ in 0..rounds {
        for (which, plugin) in plugins.iter().enumerate() {
            for verb in ["ADD", "DEL"] {
                let before = spent(agent)?;
                let took = work(plugin, verb)?;
                let cpu = spent(agent)?.saturating_sub(before);
                let sample = samples.iter_mut().find(|(at, _)| *at == (verb, which));
                if let Some((_, sample)) = sample {
                    sample.add(took, cpu);
                }
            }
        }
    }
    for pair in samples.chunks(2) {
        let [((verb, _), ours), (_, theirs)] = pair else {
            continue;
        };
        report::pair(verb, plugins, ours, theirs);
    }
    Ok(())
}

fn at_once(plugin: &Plugin, verb: &str) -> anyhow::Result<Vec<Duration>> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let calls: Vec<_> = (0..AT_ONCE)
            .map(|_| scope.spawn(|| plugin.call(verb, next.fetch_add(1, Ordering::Relaxed))))
            .collect();
        calls
            .into_iter()
            .map(|call| call.join().map_err(|_| anyhow::anyhow!("a call was lost"))?)
            .collect()
    })
}

fn density(plugins: &[Plugin], pods: usize, agent: i32) -> anyhow::Result<()> {
    for plugin in plugins {
        for verb in ["ADD", "DEL"] {
            let mut hundreds = Vec::new();
            for first in (0..pods).step_by(100) {
                let before = spent(agent)?;
                let took: anyhow::Result<Vec<Duration>> = (first..pods.min(first + 100))
                    .map(|pod| plugin.call(verb, pod))
                    .collect();
                let mut sample = Sample::default();
                sample.add(took?, spent(agent)?.saturating_sub(before));
                hundreds.push(sample);
            }
            report::slope(plugin.name, verb, &hundreds);
        }
    }
    Ok(())
}
