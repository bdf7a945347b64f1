//! What tests need of a kernel, and which place has it: this machine's own kernel first, else the fastest machine that
//! can.

use std::process::Command;

use nix::sched::{CloneFlags, unshare};

use crate::machine::Machine;

/// Something that not every kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Tunnels of IPv4 in IPv4.
    Ipip,
    /// Links that go nowhere.
    Dummy,
    /// Routing tables bound to links.
    Vrf,
    /// Delay and loss on purpose.
    Netem,
    /// nftables for IPv4, IPv6 and both in one table.
    Nftables,
    /// WireGuard tunnels.
    Wireguard,
}

/// Where a test is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On this machine's own kernel.
    Here,
    /// Inside a machine.
    In(Machine),
}

impl Need {
    /// A command that succeeds in a fresh network namespace of a kernel that has it.
    fn trial(self) -> &'static str {
        match self {
            Need::Ipip => "ip link add t0 type ipip local 127.0.0.1 remote 127.0.0.2",
            Need::Dummy => "ip link add t0 type dummy",
            Need::Vrf => "ip link add t0 type vrf table 10",
            Need::Netem => "tc qdisc add dev lo root netem delay 1ms",
            Need::Nftables => "nft add table inet t",
            Need::Wireguard => "ip link add t0 type wireguard",
        }
    }

    /// The modules that bring it.
    pub fn modules(self) -> &'static [&'static str] {
        match self {
            Need::Ipip => &["ipip"],
            Need::Dummy => &["dummy"],
            Need::Vrf => &["vrf"],
            Need::Netem => &["sch_netem"],
            Need::Nftables => &["nf_tables"],
            Need::Wireguard => &["wireguard"],
        }
    }

    /// Whether user-mode Linux as distributed has it.
    fn in_uml(self) -> bool {
        !matches!(self, Need::Nftables | Need::Wireguard)
    }

    /// Whether the kernel that runs this has it.
    pub fn here(self) -> bool {
        let trial = std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).is_ok() && {
                let mut words = self.trial().split_whitespace();
                let mut command = Command::new(words.next().unwrap_or_default());
                command
                    .args(words)
                    .output()
                    .is_ok_and(|done| done.status.success())
            }
        });
        trial.join().unwrap_or(false)
    }
}

/// The place for tests with these needs.
pub fn where_has(needs: &[Need]) -> Place {
    let lacking: Vec<Need> = needs.iter().copied().filter(|need| !need.here()).collect();
    if lacking.is_empty() {
        Place::Here
    } else {
        Place::In(fastest(needs))
    }
}

/// The fastest machine with all of them. What this kernel has counts too: inside there is another one.
fn fastest(needs: &[Need]) -> Machine {
    if needs.iter().all(|need| need.in_uml()) {
        Machine::Uml
    } else {
        Machine::Qemu
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nftables_takes_a_whole_kernel() {
        assert_eq!(fastest(&[Need::Ipip, Need::Vrf]), Machine::Uml);
        assert_eq!(fastest(&[Need::Ipip, Need::Nftables]), Machine::Qemu);
    }

    #[test]
    fn what_is_here_is_used_here() {
        // Every kernel that can run the scenarios at all has nftables.
        assert_eq!(where_has(&[Need::Nftables]), Place::Here);
        assert_eq!(where_has(&[]), Place::Here);
    }

    #[test]
    fn a_trial_leaves_this_namespace_alone() {
        let links = || {
            Command::new("ip")
                .args(["-o", "link"])
                .output()
                .expect("ip runs")
                .stdout
        };
        let before = links();
        let _ = Need::Ipip.here();
        let _ = Need::Dummy.here();
        let name = |text: &[u8]| {
            let text = String::from_utf8_lossy(text).into_owned();
            text.lines().filter(|line| line.contains(" t0")).count()
        };
        assert_eq!(name(&before), name(&links()));
    }
}
