//! Takes a lab down by its record alone: pods out, processes ended, namespaces, mounts and files removed.

use std::path::Path;
use std::time::Duration;

use nix::mount::{MntFlags, umount2};

use crate::error::Error;
use crate::fabric::record::{ROOT, Record};
use crate::fabric::{agent, pods};
use crate::kernel::namespaces::{self, NETNS_DIR};
use crate::kernel::process;

/// How long processes may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(3);

/// Removes everything that the record names. Returns what did not go as it should; the lab is gone all the same.
pub fn take_down(record: &mut Record) -> Result<Vec<String>, Error> {
    let complaints = unplug(record);
    let recorded: Vec<_> = record
        .state
        .nodes
        .values()
        .flat_map(|n| &n.processes)
        .map(|p| p.id)
        .collect();
    process::end_all(&recorded, GRACE);
    // What else is inside the lab's own namespaces was started there through `exec` or by a daemon.
    let strays: Vec<_> = record
        .state
        .nodes
        .values()
        .flat_map(|n| process::inside(&n.namespaces.net))
        .collect();
    process::end_all(&strays, GRACE);
    for node in record.state.nodes.values() {
        node.namespaces.remove();
    }
    let _lock = namespaces::lock(Path::new(NETNS_DIR))?;
    while umount2(&record.namespace_dir(), MntFlags::MNT_DETACH).is_ok() {}
    match std::fs::remove_dir_all(record.dir()) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::system(format!("remove {}", record.dir().display()))(e));
        }
        _ => {}
    }
    // Fails as long as there are other labs.
    let _ = std::fs::remove_dir(ROOT);
    Ok(complaints)
}

/// DEL for each pod whose node has an agent that answers.
fn unplug(record: &mut Record) -> Vec<String> {
    let plugged = |(name, node): (&String, &crate::fabric::record::NodeState)| {
        let pod = node.pod.as_ref().filter(|p| p.address.is_some())?;
        Some((name.clone(), pod.on.clone()))
    };
    let pods: Vec<_> = record.state.nodes.iter().filter_map(plugged).collect();
    let mut complaints = Vec::new();
    for (pod, on) in pods {
        if agent::answers(record, &on).unwrap_or(false)
            && let Err(e) = pods::del(record, &pod)
        {
            complaints.push(e.to_string());
        }
    }
    complaints
}
