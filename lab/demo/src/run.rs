//! The play from the first to the last scene.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use lab::Lab;

use crate::checks;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::sabotage::Sabotage;

/// How long the fabric may take until all sessions are up and all routes in the kernels.
const SETTLE: Duration = Duration::from_secs(40);

/// How long a check waits before it fails: with a fabric that has settled, only for what is asynchronous.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the demonstration is run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The topology; default: the example of this workspace.
    pub topology: Option<PathBuf>,
    /// Name and programs of the lab; the default name is `roadbed-demo`.
    pub lab: lab::Options,
    /// Breaks the fabric after it has settled and before the checks.
    pub before_checks: Option<Sabotage>,
    /// Leaves the fabric up.
    pub keep: bool,
    /// Says nothing.
    pub quiet: bool,
    /// Set from outside to end early; everything is cleaned up then too.
    pub stop: Arc<AtomicBool>,
}

impl Options {
    /// The topology file that is played.
    pub fn file(&self) -> PathBuf {
        let example = || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../examples/two-racks.clab.yml"
            ))
        };
        self.topology.clone().unwrap_or_else(example)
    }

    /// The lab's name.
    pub fn name(&self) -> &str {
        self.lab.name.as_deref().unwrap_or("roadbed-demo")
    }
}

/// Runs the demonstration and returns its checks. The lab is gone afterwards, unless it was to be kept.
pub fn run(options: &Options) -> Vec<Outcome> {
    let progress = Progress::new(options.quiet);
    let outcomes = play(options, &progress);
    progress.finish();
    outcomes
}

fn play(options: &Options, progress: &Progress) -> Vec<Outcome> {
    progress.step("bringing up two racks: 2 switches (FRR), 4 nodes (roadbed), 4 pods, 2 clients");
    let name = options.name().to_owned();
    let settings = lab::Options {
        name: Some(name.clone()),
        ..options.lab.clone()
    };
    let up = Lab::up(options.file(), &settings);
    let what = "switches, agents and pods start";
    let lab = match up {
        Ok(lab) => lab,
        Err(e) => {
            let outcome = Outcome {
                id: "fabric/up".into(),
                what: what.into(),
                result: Err(e.to_string()),
            };
            progress.outcome(&outcome);
            return vec![outcome];
        }
    };
    let mut context = Context {
        lab: &lab,
        progress,
        stop: &options.stop,
        patience: PATIENCE,
        outcomes: Vec::new(),
    };
    context.check("fabric/up", what, |c| {
        let report = c.lab.inspect().map_err(|e| e.to_string())?;
        match report.iter().find(|n| n.state != "up") {
            Some(node) => Err(format!("node {} is {}", node.name, node.state)),
            None => Ok(format!(
                "{} nodes up after {:.1} s",
                report.len(),
                progress.seconds()
            )),
        }
    });
    scenes(&mut context, options);
    let mut outcomes = std::mem::take(&mut context.outcomes);
    drop(context);
    end(options, progress, lab, &name, &mut outcomes);
    outcomes
}

fn scenes(context: &mut Context<'_>, options: &Options) {
    context.step("waiting for sessions and routes");
    checks::settle(context, SETTLE);
    if let Some(sabotage) = options.before_checks
        && let Err(e) = sabotage.commit(context)
    {
        context.check("sabotage", "the fabric is broken as wanted", |_| Err(e));
        return;
    }
    checks::sessions(context);
    checks::routes(context);
    checks::pings(context);
    checks::clients(context);
    checks::filters(context);
    checks::explain(context);
    checks::repair(context);
    checks::cut(context);
}

/// Takes the lab down and checks that nothing stays, or leaves it and says how to use it.
fn end(options: &Options, progress: &Progress, lab: Lab, name: &str, outcomes: &mut Vec<Outcome>) {
    let stopped = options.stop.load(std::sync::atomic::Ordering::Relaxed);
    if options.keep && !stopped {
        explain_keep(options, progress, &lab, name);
        lab.leave();
        return;
    }
    progress.step("taking everything down");
    let result = match lab.down() {
        Ok(complaints) if complaints.is_empty() => checks::nothing_left(name),
        Ok(complaints) => Err(complaints.join("; ")),
        Err(e) => Err(e.to_string()),
    };
    let what = "no namespace, mount, process or file stays".to_owned();
    let outcome = Outcome {
        id: "fabric/down".into(),
        what,
        result,
    };
    progress.outcome(&outcome);
    outcomes.push(outcome);
}

fn explain_keep(options: &Options, progress: &Progress, lab: &Lab, name: &str) {
    let roadbed = short(&PathBuf::from(lab.roadbed().unwrap_or_else(|_| "roadbed".into())));
    let target = format!("{} --name {name}", short(&options.file()));
    progress.waiting("");
    progress.line("");
    progress.line("The fabric stays up. To play with it (as root):");
    for inside in [
        "a1 -- roadbed status",
        "a1 -- roadbed explain 10.244.3.1",
        "tor1 -- vtysh -c 'show ip route'",
        "tor1 -- tcpdump -n -i eth3 udp port 4789",
        "pod-a1 -- ping 10.244.3.1",
    ] {
        progress.line(&format!("    {roadbed} lab exec {target} --node {inside}"));
    }
    progress.line(&format!("    {roadbed} lab inspect {target}"));
    progress.line("To remove it:");
    progress.line(&format!("    {roadbed} lab down {target}"));
    progress.line("");
}

/// A path as it is written from the current folder.
fn short(path: &Path) -> String {
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let here = std::env::current_dir().unwrap_or_default();
    full.strip_prefix(here).unwrap_or(&full).display().to_string()
}
