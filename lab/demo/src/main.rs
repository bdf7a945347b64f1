//! `roadbed-demo`: runs the demonstration; see the library.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use demo::Options;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Two racks of real kernel network stacks: brings them up, shows and checks that they work, takes them down.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The topology; default: the two racks of this workspace
    topology: Option<PathBuf>,
    /// Name of the lab
    #[arg(long, default_value = "roadbed-demo")]
    name: String,
    /// Leave the fabric up and say how to use it; the same as KEEP=1 in the environment
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        if let Err(e) = signal_hook::flag::register(signal, stop.clone()) {
            eprintln!("roadbed-demo: cannot listen for signals: {e}");
            return ExitCode::FAILURE;
        }
    }
    let keep = std::env::var("KEEP").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "no"));
    let outcomes = demo::run(&Options {
        topology: arguments.topology,
        lab: lab::Options::named(arguments.name),
        keep: keep || arguments.keep,
        stop: stop.clone(),
        ..Options::default()
    });
    let failed = demo::failed(&outcomes);
    if stop.load(Ordering::Relaxed) {
        return interrupted(&outcomes);
    }
    for id in &failed {
        println!("failed: {id}");
    }
    println!(
        "demo: {} checks passed, {} failed",
        outcomes.len() - failed.len(),
        failed.len()
    );
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Says whether everything is gone; 130 is what shells give a program that was interrupted.
fn interrupted(outcomes: &[demo::Outcome]) -> ExitCode {
    match outcomes.iter().find(|o| o.id == "fabric/down" && !o.passed()) {
        None => eprintln!("demo: interrupted; everything was removed"),
        Some(down) => eprintln!(
            "demo: interrupted; not removed: {}",
            down.result.as_ref().err().map_or("", |e| e)
        ),
    }
    ExitCode::from(130)
}
