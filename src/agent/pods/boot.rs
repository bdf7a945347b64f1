//! Whether the node was started anew since the agent ran last.
//!
//! A reboot takes every pod's link and namespace with it, and no runtime may ever delete those pods: podman forgets them.
//! Their leases stay, for a lease is given up only when someone says so; the log says how many there are. `status` and
//! `roadbed ipam check` name each whose link is gone, and the latter gives it back when asked.

use std::fs;
use std::io;
use std::path::Path;

use ipam::Lease;

/// The kernel's name of this run of it (random(4)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// Where the last one is remembered, in the folder of state.
const FILE: &str = "boot-id";

/// Says what the reboot left over, if there was one.
pub(super) fn note(state_dir: &Path, leases: &[Lease]) {
    match rebooted(state_dir, Path::new(BOOT_ID)) {
        Ok(true) if !leases.is_empty() => tracing::warn!(
            leases = leases.len(),
            "the node was started anew: the links of its pods are gone, and their addresses stay taken until their \
             runtime deletes them; `roadbed ipam check` names those that it does not"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "it cannot be told whether the node was started anew"),
    }
}

/// Whether the kernel is another one than the one remembered, which it is from then on.
fn rebooted(state_dir: &Path, boot_id: &Path) -> io::Result<bool> {
    let now = fs::read_to_string(boot_id)?;
    let file = state_dir.join(FILE);
    let known = match fs::read_to_string(&file) {
        Ok(known) => Some(known),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if known.as_ref() != Some(&now) {
        fs::write(&file, &now)?;
    }
    Ok(known.is_some_and(|known| known != now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_kernel_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let id = dir.path().join("id");
        let at = |text: &str| {
            fs::write(&id, text).unwrap();
            rebooted(dir.path(), &id).unwrap()
        };
        assert!(!at("one"), "the first start ever");
        assert!(!at("one"));
        assert!(at("two"));
        assert!(!at("two"));
    }
}
