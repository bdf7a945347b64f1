//! Next-hop resolution: where does a packet to this address leave the host, our own kernel routes left aside?
//!
//! The lookup runs over the kernel's routes that are not ours ([`KernelView`]) and over the learned routes that the caller gives
//! (its own non-pod routes, by prefix and next hops). The longest prefix wins; for the same prefix the kernel's route wins over
//! a learned one, and the lower metric over the higher. A kernel route ends the search; a learned route leads on to its next
//! hops, at most [`MAX_DEPTH`] times. RFC 4271 section 9.1.2.1: a route never resolves its own next hop, and routes that would
//! resolve through each other make it unreachable. Links without carrier resolve nothing. A link-local address is a neighbour on
//! the link that is given with it, and nothing without one.

use std::{collections::BTreeMap, fmt, net::IpAddr, sync::Arc};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::model::{ForeignRoute, KernelView, Metric, NextHop, Protocol, RouteKind};

/// Learned routes lead on this often at most.
pub const MAX_DEPTH: usize = 8;

/// A next hop as it was learned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LearnedHop {
    /// Its address.
    pub address: IpAddr,
    /// The link that a link-local address is on, by name.
    pub link: Option<Arc<str>>,
}

impl<A: Into<IpAddr>> From<A> for LearnedHop {
    fn from(address: A) -> Self {
        LearnedHop {
            address: address.into(),
            link: None,
        }
    }
}

impl fmt::Display for LearnedHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.link {
            None => self.address.fmt(f),
            Some(link) => write!(f, "{}%{link}", self.address),
        }
    }
}

/// Learned routes that next hops may be resolved over.
pub type LearnedRoutes = BTreeMap<IpNet, Vec<LearnedHop>>;

/// Where an address leads, and how that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The result.
    pub outcome: Outcome,
    /// Every way of equal worth, the outcome's own first; empty where unreachable.
    pub hops: Vec<ResolvedHop>,
    /// The routes used, in order: each step's route leads to the next one's address.
    pub trace: Vec<Step>,
}

/// The result of a resolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The address is a neighbour on this link.
    OnLink {
        /// The link's name.
        interface: Arc<str>,
        /// The link's index.
        index: u32,
    },
    /// The address is behind this on-link gateway.
    Via {
        /// The gateway, a neighbour on the link.
        gateway: IpAddr,
        /// The link's name.
        interface: Arc<str>,
        /// The link's index.
        index: u32,
        /// The metric of the kernel route used at the end.
        metric: Metric,
        /// How many learned routes led there.
        depth: usize,
    },
    /// It leads nowhere.
    Unreachable(Why),
}

/// One on-link way out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResolvedHop {
    /// The neighbour to send to; `None`: the address itself.
    pub gateway: Option<IpAddr>,
    /// The link's name.
    pub interface: Arc<str>,
    /// The link's index.
    pub index: u32,
}

/// Why an address is unreachable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// No route covers it.
    #[error("no route to {0}")]
    NoRoute(IpAddr),
    /// A route of the kernel refuses it.
    #[error("{0} is under the {1} route {2}")]
    Refused(IpAddr, RouteKind, IpNet),
    /// The route's links are down or without carrier.
    #[error("every link of the route {0} is down")]
    LinkDown(IpNet),
    /// It is this host.
    #[error("{0} is an address of this host itself")]
    Local(IpAddr),
    /// Learned routes resolve through each other.
    #[error("the learned routes {0} and {1} lead to each other")]
    Mutual(IpNet, IpNet),
    /// Learned routes lead on and on.
    #[error("more than {MAX_DEPTH} learned routes lead from one to the next")]
    TooDeep,
    /// A link-local address means nothing without a link.
    #[error("{0} is link-local and no link is given with it")]
    LinkLocal(IpAddr),
    /// The link of a link-local address is not there, down, or without carrier.
    #[error("the link of {0} is down")]
    NoLink(LearnedHop),
    /// A learned route has no next hop.
    #[error("the learned route {0} has no next hop")]
    NoNextHop(IpNet),
}

/// One route on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The address looked up.
    pub address: IpAddr,
    /// The route's prefix.
    pub prefix: IpNet,
    /// Where the route comes from.
    pub source: Source,
}

/// Where a route on the way comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The kernel's main table.
    Kernel {
        /// Who installed it.
        protocol: Protocol,
        /// Its metric.
        metric: Metric,
        /// What the kernel does.
        kind: RouteKind,
    },
    /// Learned, with this next hop.
    Learned {
        /// The next hop that was followed.
        next_hop: LearnedHop,
    },
    /// Not needed: a neighbour on a link that is known.
    Link(Arc<str>),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Step {
            address,
            prefix,
            source,
        } = self;
        match source {
            Source::Kernel {
                protocol,
                metric,
                kind,
            } => {
                write!(
                    f,
                    "{address}: kernel {kind} route {prefix} (protocol {protocol}, metric {})",
                    metric.0
                )
            }
            Source::Learned { next_hop } => write!(f, "{address}: learned route {prefix} via {next_hop}"),
            Source::Link(link) => write!(f, "{address}: a neighbour on {link}"),
        }
    }
}

/// Resolves an address. See the module for the rules.
pub fn resolve(view: &KernelView, learned: &LearnedRoutes, hop: impl Into<LearnedHop>) -> Resolution {
    let hop = hop.into();
    let address = hop.address;
    let mut search = Search {
        view,
        learned,
        trace: Vec::new(),
    };
    let found = search.from(&hop, 0);
    let trace = search.trace;
    match found {
        Err(why) => Resolution {
            outcome: Outcome::Unreachable(why),
            hops: Vec::new(),
            trace,
        },
        Ok(Found { hops, metric, depth }) => {
            let outcome = match hops.first() {
                None => Outcome::Unreachable(Why::NoRoute(address)),
                Some(ResolvedHop {
                    gateway: Some(gateway),
                    interface,
                    index,
                }) => Outcome::Via {
                    gateway: *gateway,
                    interface: interface.clone(),
                    index: *index,
                    metric,
                    depth,
                },
                Some(ResolvedHop {
                    gateway: None,
                    interface,
                    index,
                }) => Outcome::OnLink {
                    interface: interface.clone(),
                    index: *index,
                },
            };
            Resolution { outcome, hops, trace }
        }
    }
}

struct Search<'a> {
    view: &'a KernelView,
    learned: &'a LearnedRoutes,
    /// The steps of the path that is being followed; of the first that succeeds, or of the last that failed.
    trace: Vec<Step>,
}

struct Found {
    hops: Vec<ResolvedHop>,
    metric: Metric,
    depth: usize,
}

impl Search<'_> {
    fn from(&mut self, hop: &LearnedHop, depth: usize) -> Result<Found, Why> {
        let address = hop.address;
        if matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()) {
            return self.on_link(hop, depth);
        }
        if self.view.is_local(address) {
            return Err(Why::Local(address));
        }
        let kernel = best_foreign(self.view, address);
        let learned = best_learned(self.learned, address);
        match (kernel, learned) {
            (None, None) => Err(Why::NoRoute(address)),
            (kernel, Some((prefix, next_hops)))
                if kernel.is_none_or(|route| route.destination.prefix_len() < prefix.prefix_len()) =>
            {
                self.follow_learned(address, prefix, next_hops, depth)
            }
            (Some(route), _) => self.end(address, route, depth),
            (None, Some((prefix, next_hops))) => self.follow_learned(address, prefix, next_hops, depth),
        }
    }

    /// A link-local address, which no route says anything about that its link does not.
    fn on_link(&mut self, hop: &LearnedHop, depth: usize) -> Result<Found, Why> {
        let address = hop.address;
        let Some(interface) = &hop.link else {
            return Err(Why::LinkLocal(address));
        };
        let mut links = self.view.links.iter();
        let up = links.find(|(_, link)| link.name == *interface && link.up && link.carrier);
        let (index, _) = up.ok_or_else(|| Why::NoLink(hop.clone()))?;
        self.trace.push(Step {
            address,
            prefix: address.into(),
            source: Source::Link(interface.clone()),
        });
        let hop = ResolvedHop {
            gateway: (depth > 0).then_some(address),
            interface: interface.clone(),
            index: *index,
        };
        Ok(Found {
            hops: vec![hop],
            metric: Metric(0),
            depth,
        })
    }

    /// A kernel route ends the search, one way or the other.
    fn end(&mut self, address: IpAddr, best: &ForeignRoute, depth: usize) -> Result<Found, Why> {
        let same = self
            .view
            .foreign
            .iter()
            .filter(|route| route.destination == best.destination);
        let mut same: Vec<_> = same.collect();
        same.sort_by_key(|route| route.metric);
        for route in same {
            let source = Source::Kernel {
                protocol: route.protocol,
                metric: route.metric,
                kind: route.kind,
            };
            let step = Step {
                address,
                prefix: route.destination,
                source,
            };
            if route.kind != RouteKind::Unicast {
                self.trace.push(step);
                return Err(Why::Refused(address, route.kind, route.destination));
            }
            let hops: Vec<_> = route
                .hops
                .iter()
                .filter_map(|hop| usable(self.view, hop))
                .collect();
            if !hops.is_empty() {
                self.trace.push(step);
                // Addresses beyond the first lookup are gateways of learned routes: reached as themselves.
                let on_link = |hop: ResolvedHop| match (hop.gateway, depth) {
                    (None, 1..) => ResolvedHop {
                        gateway: Some(address),
                        ..hop
                    },
                    _ => hop,
                };
                return Ok(Found {
                    hops: hops.into_iter().map(on_link).collect(),
                    metric: route.metric,
                    depth,
                });
            }
        }
        Err(Why::LinkDown(best.destination))
    }

    /// A learned route leads on: all its next hops count, the first that resolves is the outcome's.
    fn follow_learned(
        &mut self,
        address: IpAddr,
        prefix: IpNet,
        next_hops: &[LearnedHop],
        depth: usize,
    ) -> Result<Found, Why> {
        if let Some(last) = self.trace.last()
            && self.trace.iter().any(|step| step.prefix == prefix)
        {
            return Err(Why::Mutual(last.prefix, prefix));
        }
        if depth >= MAX_DEPTH {
            return Err(Why::TooDeep);
        }
        let mut best: Option<(Found, Vec<Step>)> = None;
        let mut failure = Why::NoNextHop(prefix);
        let mut failed_trace = self.trace.clone();
        for next_hop in next_hops {
            let mark = self.trace.len();
            self.trace.push(Step {
                address,
                prefix,
                source: Source::Learned {
                    next_hop: next_hop.clone(),
                },
            });
            match (self.from(next_hop, depth + 1), &mut best) {
                (Ok(found), None) => best = Some((found, self.trace.clone())),
                (Ok(found), Some((all, _))) => {
                    let new = found
                        .hops
                        .into_iter()
                        .filter(|hop| !all.hops.contains(hop))
                        .collect::<Vec<_>>();
                    all.hops.extend(new);
                }
                (Err(why), _) => (failure, failed_trace) = (why, self.trace.clone()),
            }
            self.trace.truncate(mark);
        }
        match best {
            Some((found, trace)) => {
                self.trace = trace;
                Ok(found)
            }
            None => {
                self.trace = failed_trace;
                Err(failure)
            }
        }
    }
}

/// The longest kernel route over the address, of those the one with the lowest metric. `throw` routes are not there.
fn best_foreign(view: &KernelView, address: IpAddr) -> Option<&ForeignRoute> {
    let covering = view
        .foreign
        .iter()
        .filter(|route| route.destination.contains(&address));
    covering
        .filter(|route| route.kind != RouteKind::Throw)
        .max_by_key(|route| (route.destination.prefix_len(), std::cmp::Reverse(route.metric)))
}

/// The longest learned route over the address that does not have the address itself as a next hop.
fn best_learned(learned: &LearnedRoutes, address: IpAddr) -> Option<(IpNet, &[LearnedHop])> {
    let longest = if address.is_ipv4() { 32 } else { 128 };
    (0..=longest).rev().find_map(|length| {
        let prefix = match address {
            IpAddr::V4(address) => Ipv4Net::new(address, length)
                .ok()
                .map(|net| IpNet::V4(net.trunc())),
            IpAddr::V6(address) => Ipv6Net::new(address, length)
                .ok()
                .map(|net| IpNet::V6(net.trunc())),
        }?;
        let next_hops = learned
            .get(&prefix)
            .filter(|next_hops| next_hops.iter().all(|hop| hop.address != address))?;
        Some((prefix, next_hops.as_slice()))
    })
}

fn usable(view: &KernelView, hop: &NextHop) -> Option<ResolvedHop> {
    let link = view.links.get(&hop.index)?;
    let usable = hop.usable && link.up && link.carrier;
    usable.then(|| ResolvedHop {
        gateway: hop.gateway,
        interface: link.name.clone(),
        index: hop.index,
    })
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
