//! What happened to the routes of a node, not only what is: `ip monitor` from the start of the watch on.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Fabric, check, eventually};

/// A running watch.
pub struct RouteWatch<'a> {
    fabric: &'a Fabric,
    node: String,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

/// A route that the watch makes and removes to know that it has seen everything up to now.
const MARK: &str = "192.0.0.0/29";

impl<'a> RouteWatch<'a> {
    /// Starts, and returns when the watch really sees changes.
    pub fn start(fabric: &'a Fabric, node: &str) -> RouteWatch<'a> {
        let mut child = fabric
            .spawn(node, &["ip", "monitor", "route"])
            .unwrap_or_else(|e| panic!("{e}"));
        let stdout = child.stdout.take().expect("its output is piped");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                sink.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        let watch = RouteWatch {
            fabric,
            node: node.to_owned(),
            child,
            lines,
        };
        watch.catch_up();
        watch
    }

    /// The deletions of a route since the start.
    pub fn deletions_of(&self, destination: &str) -> Vec<String> {
        self.catch_up();
        let wanted = format!("{destination} ");
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let deleted = lines
            .iter()
            .filter(|l| l.strip_prefix("Deleted ").is_some_and(|l| l.contains(&wanted)));
        deleted.cloned().collect()
    }

    /// Waits until the watch has seen a change that is made now.
    fn catch_up(&self) {
        let marks = || {
            let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.iter().filter(|line| line.contains(MARK)).count()
        };
        let before = marks();
        eventually("the watch on the routes", || {
            self.fabric
                .run(&self.node, &format!("ip route add unreachable {MARK}"));
            self.fabric
                .run(&self.node, &format!("ip route del unreachable {MARK}"));
            check(marks() > before, || "it sees nothing".to_owned())
        });
    }
}

impl Drop for RouteWatch<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
