//! The rule and the table that keep requests out of tunnels.
//!
//! `ip rule`: what carries [`MARK`] looks into [`TABLE`] first, before `main`, where a pod's address may lead into a
//! tunnel. The table has a route to each probed address by its native hop, and `unreachable` for all else, so that no
//! request falls through to `main`. Wanted and actual are values; [`changes`] between them is pure.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::model::{MARK, ROUTE_PROTOCOL, RULE_PRIORITY, RULE_PROTOCOL, TABLE};
use crate::error::Error;
use crate::family::Family;
use crate::netlink::Netlink;

/// The metric of the route for all else: behind every other.
const LAST_METRIC: u32 = u32::MAX;
const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const EEXIST: i32 = 17;

/// Where requests to one address go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hop {
    pub gateway: IpAddr,
    pub index: u32,
}

/// The kernel's state of one family, wanted or actual.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct State {
    /// Our rule is there.
    pub rule: bool,
    /// The table ends with `unreachable`.
    pub end: bool,
    /// Routes to single addresses.
    pub routes: BTreeMap<IpAddr, Hop>,
}

impl State {
    /// That of a family which is probed.
    pub fn probing(routes: BTreeMap<IpAddr, Hop>) -> Self {
        Self {
            rule: true,
            end: true,
            routes,
        }
    }
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    AddEnd,
    AddRule,
    Put(IpAddr, Hop),
    Remove(IpAddr),
    RemoveRule,
    RemoveEnd,
}

/// The steps from `actual` to `wanted`. The end of the table comes before the rule and goes after it.
pub(super) fn changes(actual: &State, wanted: &State) -> Vec<Step> {
    let mut steps = Vec::new();
    if wanted.end && !actual.end {
        steps.push(Step::AddEnd);
    }
    if wanted.rule && !actual.rule {
        steps.push(Step::AddRule);
    }
    let other = |(to, hop): &(&IpAddr, &Hop)| actual.routes.get(*to) != Some(*hop);
    let missing = wanted.routes.iter().filter(other);
    steps.extend(missing.map(|(to, hop)| Step::Put(*to, *hop)));
    let extra = actual.routes.keys().filter(|to| !wanted.routes.contains_key(*to));
    steps.extend(extra.map(|to| Step::Remove(*to)));
    if actual.rule && !wanted.rule {
        steps.push(Step::RemoveRule);
    }
    if actual.end && !wanted.end {
        steps.push(Step::RemoveEnd);
    }
    steps
}

/// Reads the state of `family`. Routes of others in our table are not seen, and stay.
pub(super) async fn read(netlink: &Netlink, family: Family) -> Result<State, Error> {
    let mut state = State::default();
    let rules = netlink
        .dump(RouteNetlinkMessage::GetRule(empty_rule(family)))
        .await;
    let rules = rules.map_err(|source| Error::netlink("cannot read the routing rules", source))?;
    for message in rules {
        if let RouteNetlinkMessage::NewRule(message) = message {
            state.rule |= is_our_rule(&message);
        }
    }
    let mut request = RouteMessage::default();
    request.header.address_family = address_family(family);
    request.attributes.push(RouteAttribute::Table(TABLE));
    let routes = match netlink.dump(RouteNetlinkMessage::GetRoute(request)).await {
        Ok(routes) => routes,
        // The table has never had a route.
        Err(error) if error.raw_os_error() == Some(ENOENT) => Vec::new(),
        Err(source) => {
            return Err(Error::netlink(
                format!("cannot read routing table {TABLE}"),
                source,
            ));
        }
    };
    for message in routes {
        if let RouteNetlinkMessage::NewRoute(message) = message {
            note(&message, &mut state);
        }
    }
    Ok(state)
}

/// Carries out `steps`; errors are collected, for one link that is down must not stop the others.
pub(super) async fn apply(netlink: &Netlink, family: Family, steps: &[Step]) -> Vec<Error> {
    let mut errors = Vec::new();
    for step in steps {
        if let Err(source) = carry_out(netlink, family, step).await {
            let what = match step {
                Step::AddRule => format!("cannot add the rule of probes (fwmark {MARK:#x} lookup {TABLE})"),
                Step::RemoveRule => "cannot remove the rule of probes".to_owned(),
                Step::AddEnd | Step::RemoveEnd => format!("cannot change the last route of table {TABLE}"),
                Step::Put(to, hop) => {
                    format!(
                        "cannot set the route of probes to {to} via {} (table {TABLE})",
                        hop.gateway
                    )
                }
                Step::Remove(to) => format!("cannot remove the route of probes to {to} (table {TABLE})"),
            };
            errors.push(Error::netlink(what, source));
        }
    }
    errors
}

async fn carry_out(netlink: &Netlink, family: Family, step: &Step) -> io::Result<()> {
    use RouteNetlinkMessage::{DelRoute, DelRule, NewRoute, NewRule};
    let gone = |result: io::Result<()>| match result {
        Err(error) if matches!(error.raw_os_error(), Some(ENOENT | ESRCH)) => Ok(()),
        other => other,
    };
    match step {
        Step::AddEnd => {
            netlink
                .change(NewRoute(end(family)), NLM_F_CREATE | NLM_F_REPLACE)
                .await
        }
        Step::RemoveEnd => gone(netlink.change(DelRoute(end(family)), 0).await),
        Step::AddRule => match netlink
            .change(NewRule(rule(family)), NLM_F_CREATE | NLM_F_EXCL)
            .await
        {
            Err(error) if error.raw_os_error() == Some(EEXIST) => Ok(()),
            other => other,
        },
        Step::RemoveRule => gone(netlink.change(DelRule(rule(family)), 0).await),
        Step::Put(to, hop) => {
            let message = route(*to, Some(*hop));
            netlink
                .change(NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE)
                .await
        }
        Step::Remove(to) => gone(netlink.change(DelRoute(route(*to, None)), 0).await),
    }
}

fn address_family(family: Family) -> AddressFamily {
    match family {
        Family::Ipv4 => AddressFamily::Inet,
        Family::Ipv6 => AddressFamily::Inet6,
    }
}

fn empty_rule(family: Family) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = address_family(family);
    message
}

fn rule(family: Family) -> RuleMessage {
    let mut message = empty_rule(family);
    message.header.action = RuleAction::ToTable;
    message.attributes = vec![
        RuleAttribute::Priority(RULE_PRIORITY),
        RuleAttribute::FwMark(MARK),
        RuleAttribute::FwMask(u32::MAX),
        RuleAttribute::Table(TABLE),
        RuleAttribute::Protocol(RouteProtocol::from(RULE_PROTOCOL)),
    ];
    message
}

/// Whether the rule is ours, and as it should be: all of ours, and no other condition.
fn is_our_rule(message: &RuleMessage) -> bool {
    let has = |wanted: &RuleAttribute| message.attributes.contains(wanted);
    message.header.dst_len == 0
        && message.header.src_len == 0
        && has(&RuleAttribute::Priority(RULE_PRIORITY))
        && has(&RuleAttribute::FwMark(MARK))
        && has(&RuleAttribute::FwMask(u32::MAX))
        && has(&RuleAttribute::Table(TABLE))
        && has(&RuleAttribute::Protocol(RouteProtocol::from(RULE_PROTOCOL)))
        && !message.attributes.iter().any(|attribute| {
            matches!(
                attribute,
                RuleAttribute::Iifname(_) | RuleAttribute::Oifname(_) | RuleAttribute::UidRange(_)
            )
        })
}

fn base(family: Family, kind: RouteType) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = address_family(family);
    message.header.table = RouteHeader::RT_TABLE_UNSPEC;
    message.header.protocol = RouteProtocol::from(ROUTE_PROTOCOL);
    message.header.scope = RouteScope::Universe;
    message.header.kind = kind;
    message.attributes.push(RouteAttribute::Table(TABLE));
    message
}

fn end(family: Family) -> RouteMessage {
    let mut message = base(family, RouteType::Unreachable);
    message.attributes.push(RouteAttribute::Priority(LAST_METRIC));
    message
}

fn route(to: IpAddr, hop: Option<Hop>) -> RouteMessage {
    let mut message = base(Family::from(to), RouteType::Unicast);
    message.header.destination_prefix_length = if to.is_ipv4() { 32 } else { 128 };
    message.attributes.push(RouteAttribute::Destination(to.into()));
    if let Some(hop) = hop {
        // The gateway may stand outside all on-link prefixes: it is who the kernel's own route names.
        message.header.flags = RouteFlags::Onlink;
        message
            .attributes
            .push(RouteAttribute::Gateway(hop.gateway.into()));
        message.attributes.push(RouteAttribute::Oif(hop.index));
    }
    message
}

fn note(message: &RouteMessage, state: &mut State) {
    let mut table = u32::from(message.header.table);
    let (mut to, mut gateway, mut index) = (None, None, 0);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Table(value) => table = *value,
            RouteAttribute::Destination(value) => to = ip(value),
            RouteAttribute::Gateway(value) => gateway = ip(value),
            RouteAttribute::Oif(value) => index = *value,
            _ => {}
        }
    }
    if table != TABLE || message.header.protocol != RouteProtocol::from(ROUTE_PROTOCOL) {
        return;
    }
    if message.header.kind == RouteType::Unreachable && message.header.destination_prefix_length == 0 {
        state.end = true;
    } else if let Some(to) = to {
        // What has no gateway is not as we make it: 0 differs from every hop, so it is replaced.
        let none = match to {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        let gateway = gateway.unwrap_or(none);
        state.routes.insert(to, Hop { gateway, index });
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

/// Removes the rules and the routes of both families. How many things were removed.
pub(super) async fn sweep(netlink: &Netlink) -> Result<usize, Error> {
    let mut removed = 0;
    for family in [Family::Ipv4, Family::Ipv6] {
        let steps = changes(&read(netlink, family).await?, &State::default());
        if let Some(error) = apply(netlink, family, &steps).await.into_iter().next() {
            return Err(error);
        }
        removed += steps.len();
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(last: u8) -> Hop {
        Hop {
            gateway: Ipv4Addr::new(192, 0, 2, last).into(),
            index: 2,
        }
    }

    fn state(routes: &[(u8, u8)]) -> State {
        let routes = routes
            .iter()
            .map(|(to, via)| (Ipv4Addr::new(10, 0, *to, 0).into(), hop(*via)));
        State::probing(routes.collect())
    }

    #[test]
    fn the_end_of_the_table_is_there_as_long_as_the_rule() {
        let from_nothing = changes(&State::default(), &state(&[(1, 1)]));
        assert!(matches!(
            from_nothing[..],
            [Step::AddEnd, Step::AddRule, Step::Put(..)]
        ));
        let to_nothing = changes(&state(&[(1, 1)]), &State::default());
        assert!(matches!(
            to_nothing[..],
            [Step::Remove(_), Step::RemoveRule, Step::RemoveEnd]
        ));
    }

    #[test]
    fn only_what_differs_is_changed() {
        let actual = state(&[(1, 1), (2, 1), (3, 1)]);
        assert_eq!(changes(&actual, &actual), []);
        let steps = changes(&actual, &state(&[(1, 1), (2, 9), (4, 1)]));
        let to = |n: u8| IpAddr::from(Ipv4Addr::new(10, 0, n, 0));
        assert_eq!(
            steps,
            [
                Step::Put(to(2), hop(9)),
                Step::Put(to(4), hop(1)),
                Step::Remove(to(3))
            ]
        );
    }
}
