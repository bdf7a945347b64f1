//! The encapsulation of traffic to one owner node, chosen from the pool's mode and the path that the kernel has to it.
//!
//! [`choose`] is a pure function of [`PoolModes`] and [`Facts`]; it returns the verdict together with the check that
//! decided it, so that `explain` and `status` show the reason and nobody has to reconstruct it. `CrossSubnet` is direct exactly
//! where the kernel's route to the node's address, our own routes left aside, has no gateway. `Auto` is direct exactly where a
//! probe has proven that the fabric carries pod addresses to the node; what is not known yet counts as not proven, for a
//! tunnel carries wherever the node's own address is reached. The sender decides; the receiver takes both forms.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::family::Family;
use crate::probe::Proof;

/// When a pool's traffic to a node is put into a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Mode {
    /// Never.
    #[default]
    Never,
    /// Always.
    Always,
    /// Where a router stands between this node and the other.
    CrossSubnet,
    /// Where the fabric is not proven to carry pod addresses.
    Auto,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "Never",
            Self::Always => "Always",
            Self::CrossSubnet => "CrossSubnet",
            Self::Auto => "Auto",
        })
    }
}

/// A pool's tunnel modes. Validation lets at most one of them differ from `Never`; if both do, VXLAN is looked at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolModes {
    /// `vxlanMode`.
    pub vxlan: Mode,
    /// `ipipMode`.
    pub ipip: Mode,
}

/// The way to a node's address by the kernel's routes, those of our own left aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum L2Path {
    /// The route has no gateway: the node is a neighbour on this link.
    OnLink {
        /// The link.
        interface: Arc<str>,
    },
    /// The route goes through a router.
    Routed {
        /// The router.
        gateway: IpAddr,
        /// The link to the router.
        interface: Arc<str>,
    },
    /// The kernel has no usable route; the text says why.
    NoRoute(String),
}

impl fmt::Display for L2Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnLink { interface } => write!(f, "on-link on {interface}"),
            Self::Routed { gateway, interface } => write!(f, "behind gateway {gateway} on {interface}"),
            Self::NoRoute(why) => write!(f, "without a route ({why})"),
        }
    }
}

/// What is known about an owner node when the choice is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The pool's family.
    pub family: Family,
    /// The node's name.
    pub node: Arc<str>,
    /// The node's BGP address, which is its tunnel end too.
    pub endpoint: IpAddr,
    /// The way there.
    pub path: L2Path,
    /// What the probe of the direct way has proven; only `Auto` looks at it.
    pub probe: Proof,
}

/// How packets to a node travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encapsulation {
    /// As they are.
    Direct,
    /// In VXLAN (RFC 7348).
    Vxlan,
    /// In IPv4 (RFC 2003).
    Ipip,
}

impl fmt::Display for Encapsulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "direct",
            Self::Vxlan => "VXLAN",
            Self::Ipip => "IPIP",
        })
    }
}

/// The check that decided, with the values that it looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Neither tunnel mode of the pool is on.
    Never,
    /// The pool's mode is `Always`.
    Always {
        /// The tunnel.
        tunnel: Encapsulation,
    },
    /// `CrossSubnet`, and the kernel's route has no gateway.
    OnLink {
        /// The node.
        node: Arc<str>,
        /// Its address.
        endpoint: IpAddr,
        /// The link that both stand on.
        interface: Arc<str>,
    },
    /// `CrossSubnet`, and the kernel's route has a gateway.
    Routed {
        /// The node.
        node: Arc<str>,
        /// Its address.
        endpoint: IpAddr,
        /// The router between.
        gateway: IpAddr,
        /// The link to the router.
        interface: Arc<str>,
        /// The tunnel.
        tunnel: Encapsulation,
    },
    /// `CrossSubnet`, and the kernel has no route: not proven direct, so a tunnel, which will carry once there is one.
    NoRoute {
        /// The node.
        node: Arc<str>,
        /// Its address.
        endpoint: IpAddr,
        /// Why there is none.
        why: String,
        /// The tunnel.
        tunnel: Encapsulation,
    },
    /// `Auto`, and the probe has decided: direct where it proves that the fabric carries pod addresses, else a tunnel.
    Probed {
        /// The node.
        node: Arc<str>,
        /// Its address.
        endpoint: IpAddr,
        /// The kernel's way there, which decides nothing here.
        path: L2Path,
        /// What the probe has proven.
        probe: Proof,
        /// What follows.
        encapsulation: Encapsulation,
    },
    /// The tunnel is new in the cluster, and the way before is kept for a moment ([`crate::Settle`]).
    Settling {
        /// The way before.
        used: Encapsulation,
        /// For how long yet.
        left: Duration,
        /// What will decide then.
        wanted: Box<Reason>,
    },
    /// IPIP is asked for what it cannot carry.
    IpipIsIpv4 {
        /// The pool's mode.
        mode: Mode,
        /// The pool's family.
        family: Family,
        /// The node.
        node: Arc<str>,
        /// Its address.
        endpoint: IpAddr,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => write!(f, "Never: the pool has neither vxlanMode nor ipipMode: direct"),
            Self::Always { tunnel } => write!(f, "Always: the pool wants a tunnel to every node: {tunnel}"),
            Self::OnLink {
                node,
                endpoint,
                interface,
            } => write!(
                f,
                "CrossSubnet: the kernel's route to {node} ({endpoint}) has no gateway (on-link, {interface}): direct"
            ),
            Self::Routed {
                node,
                endpoint,
                gateway,
                interface,
                tunnel,
            } => write!(
                f,
                "CrossSubnet: the kernel's route to {node} ({endpoint}) goes through gateway {gateway} on {interface}: \
                 {tunnel}"
            ),
            Self::NoRoute {
                node,
                endpoint,
                why,
                tunnel,
            } => write!(
                f,
                "CrossSubnet: the kernel has no route to {node} ({endpoint}): {why}; not proven direct: {tunnel}"
            ),
            Self::Probed {
                node,
                endpoint,
                path,
                probe,
                encapsulation,
            } => write!(
                f,
                "Auto: to {node} ({endpoint}), which is {path}, {probe}: {}{encapsulation}",
                if *probe == Proof::Carries {
                    ""
                } else {
                    "not proven direct: "
                }
            ),
            Self::Settling { used, left, wanted } => write!(
                f,
                "{wanted}; the tunnel is new, and other nodes may not have it yet: {used} for another {:.1} s",
                left.as_secs_f64()
            ),
            Self::IpipIsIpv4 {
                mode,
                family,
                node,
                endpoint,
            } => write!(
                f,
                "ipipMode {mode}: IPIP carries IPv4 in IPv4 only, and this is {family} to {node} ({endpoint}): direct; use \
                 vxlanMode for this pool"
            ),
        }
    }
}

/// An encapsulation and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// How packets travel.
    pub encapsulation: Encapsulation,
    /// Why.
    pub reason: Reason,
}

/// Chooses how packets of a pool with `modes` travel to the node that `facts` describe.
pub fn choose(modes: PoolModes, facts: &Facts) -> Choice {
    let (mode, tunnel) = match (modes.vxlan, modes.ipip) {
        (Mode::Never, Mode::Never) => return direct(Reason::Never),
        (Mode::Never, ipip) => (ipip, Encapsulation::Ipip),
        (vxlan, _) => (vxlan, Encapsulation::Vxlan),
    };
    if tunnel == Encapsulation::Ipip && (facts.family == Family::Ipv6 || facts.endpoint.is_ipv6()) {
        let Facts {
            family,
            node,
            endpoint,
            ..
        } = facts.clone();
        return direct(Reason::IpipIsIpv4 {
            mode,
            family,
            node,
            endpoint,
        });
    }
    match mode {
        Mode::Never => direct(Reason::Never),
        Mode::Always => Choice {
            encapsulation: tunnel,
            reason: Reason::Always { tunnel },
        },
        Mode::CrossSubnet => cross_subnet(tunnel, facts),
        Mode::Auto => auto(tunnel, facts),
    }
}

/// Hysteresis is the probe's: a verdict changes only after it held for a while, so this follows it at once.
fn auto(tunnel: Encapsulation, facts: &Facts) -> Choice {
    let Facts {
        node,
        endpoint,
        path,
        probe,
        ..
    } = facts.clone();
    let encapsulation = match probe == Proof::Carries {
        true => Encapsulation::Direct,
        false => tunnel,
    };
    Choice {
        encapsulation,
        reason: Reason::Probed {
            node,
            endpoint,
            path,
            probe,
            encapsulation,
        },
    }
}

fn cross_subnet(tunnel: Encapsulation, facts: &Facts) -> Choice {
    let Facts {
        node, endpoint, path, ..
    } = facts.clone();
    match path {
        L2Path::OnLink { interface } => direct(Reason::OnLink {
            node,
            endpoint,
            interface,
        }),
        L2Path::Routed { gateway, interface } => Choice {
            encapsulation: tunnel,
            reason: Reason::Routed {
                node,
                endpoint,
                gateway,
                interface,
                tunnel,
            },
        },
        L2Path::NoRoute(why) => Choice {
            encapsulation: tunnel,
            reason: Reason::NoRoute {
                node,
                endpoint,
                why,
                tunnel,
            },
        },
    }
}

fn direct(reason: Reason) -> Choice {
    Choice {
        encapsulation: Encapsulation::Direct,
        reason,
    }
}

#[cfg(test)]
mod tests;
