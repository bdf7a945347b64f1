//! A network namespace for a test, and what is set up in it. The tests inside the crate have this file too.

use nix::sched::{CloneFlags, unshare};
use std::process::Command;

/// Runs `work` on a thread with a network namespace of its own, which has `addresses` on its loopback device. What is started
/// there lives there. The namespace goes with its threads and sockets.
pub fn in_namespace<F: Future<Output = ()>>(addresses: &[&str], work: impl FnOnce() -> F + Send + 'static) {
    let addresses: Vec<String> = addresses.iter().map(|address| (*address).to_owned()).collect();
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("root, to make network namespaces");
        ip("link set lo up");
        for address in addresses {
            ip(&format!("address add {address} dev lo nodad"));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(work());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `ip` in the namespace of this thread.
pub fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {error}");
}
