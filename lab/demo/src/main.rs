//! `roadbed-demo`: runs the demonstration; see the library.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use demo::Options;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

fn main() -> ExitCode {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        if let Err(e) = signal_hook::flag::register(signal, stop.clone()) {
            eprintln!("roadbed-demo: cannot listen for signals: {e}");
            return ExitCode::FAILURE;
        }
    }
    let keep = std::env::var("KEEP").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "no"));
    let topology = std::env::args_os().nth(1).map(Into::into);
    let options = Options {
        topology,
        keep,
        stop: stop.clone(),
        ..Options::default()
    };
    let outcomes = demo::run(&options);
    let failed = demo::failed(&outcomes);
    if stop.load(Ordering::Relaxed) {
        eprintln!("demo: interrupted; everything was removed");
        return ExitCode::from(130);
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
