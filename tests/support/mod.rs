//! What the scenarios share: a fabric made from a few lines, the programs under test, the kernel's and the
//! agent's view as JSON, and waiting that says what it saw.

pub mod fabric;
pub mod kernel;
pub mod pair;
pub mod plugin;
pub mod standin;
pub mod view;
pub mod watch;

use std::path::PathBuf;
use std::time::Duration;

pub use fabric::{Builder, Fabric};

/// Long enough for a session to come up on a busy machine.
pub const SOON: Duration = Duration::from_secs(30);

/// Waits for a condition, and fails the test with what was seen last.
#[track_caller]
pub fn eventually<T>(what: &str, probe: impl FnMut() -> Result<T, String>) -> T {
    within(SOON, what, probe)
}

/// The same with a deadline of one's own.
#[track_caller]
pub fn within<T>(deadline: Duration, what: &str, probe: impl FnMut() -> Result<T, String>) -> T {
    match lab::wait::until(deadline, what, probe) {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

/// Looks again and again for as long as `span` lasts: the condition holds all the time.
#[track_caller]
pub fn stays(span: Duration, what: &str, mut probe: impl FnMut() -> Result<(), String>) {
    let start = std::time::Instant::now();
    while start.elapsed() < span {
        if let Err(seen) = probe() {
            panic!(
                "{what} did not last: after {:.1} s: {seen}",
                start.elapsed().as_secs_f64()
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The condition, or a text that says what is there instead.
pub fn check(holds: bool, seen: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(seen()) }
}

/// The agent under test.
pub fn roadbed() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_roadbed"))
}

/// The CNI plugin under test: built by another package into the same folder.
pub fn cni() -> PathBuf {
    let path = roadbed().with_file_name("roadbed-cni");
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build --workspace --bins` first",
        path.display()
    );
    path
}

/// Fails where a program that the test needs is not installed.
pub fn require(program: &str, package: &str) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let found = folders.iter().any(|dir| dir.join(program).is_file());
    assert!(
        found,
        "this scenario needs {program}: install it with `apt-get install {package}`"
    );
}
