//! Rules of policy routing inside the pod: from an address, look up the table of its interface (ip-rule(8)).

use std::io;
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::route::{RouteHeader, RouteProtocol};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{OURS, family_of};
use crate::netlink::{Netlink, Request};

/// Before the main table (32766), after the local one (0).
const PRIORITY: u32 = 0x5200;

/// A rule that leads to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenRule {
    /// `None`: from everywhere.
    pub from: Option<IpAddr>,
    pub table: u32,
    /// It is exactly as we make it.
    pub exact: bool,
    message: RuleMessage,
}

fn rule(from: IpAddr, table: u32) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = family_of(from);
    message.header.src_len = IpNet::from(from).prefix_len();
    message.header.table = RouteHeader::RT_TABLE_UNSPEC;
    message.header.action = RuleAction::ToTable;
    message.attributes = vec![
        RuleAttribute::Source(from),
        RuleAttribute::Priority(PRIORITY),
        RuleAttribute::Table(table),
        RuleAttribute::Protocol(RouteProtocol::Other(OURS)),
    ];
    message
}

/// A new rule.
pub(crate) fn add_rule(from: IpAddr, table: u32) -> Request {
    Request {
        message: RouteNetlinkMessage::NewRule(rule(from, table)),
        flags: NLM_F_CREATE | NLM_F_EXCL,
        step: format!("make the rule for packets from {from} in the pod"),
    }
}

/// Takes a rule away.
pub(crate) fn delete_rule(seen: &SeenRule) -> Request {
    let from = seen
        .from
        .map_or_else(|| "everywhere".to_owned(), |a| a.to_string());
    Request {
        message: RouteNetlinkMessage::DelRule(seen.message.clone()),
        flags: 0,
        step: format!("delete the rule for packets from {from} in the pod"),
    }
}

/// The rules of both families that lead to a table.
pub(crate) fn rules(netlink: &mut Netlink, table: u32) -> io::Result<Vec<SeenRule>> {
    let mut seen = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut ask = RuleMessage::default();
        ask.header.family = family;
        let answers = match netlink.dump(&RouteNetlinkMessage::GetRule(ask)) {
            // A kernel without policy routing for this family.
            Err(e) if e.raw_os_error() == Some(nix::libc::EOPNOTSUPP) => continue,
            other => other?,
        };
        seen.extend(
            answers
                .into_iter()
                .filter_map(read)
                .filter(|rule| rule.table == table),
        );
    }
    Ok(seen)
}

fn read(answer: RouteNetlinkMessage) -> Option<SeenRule> {
    let RouteNetlinkMessage::NewRule(mut message) = answer else {
        return None;
    };
    let (mut table, mut from) = (u32::from(message.header.table), None);
    let (mut priority, mut narrower) = (0, message.header.dst_len > 0);
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Source(address) => from = Some(*address),
            RuleAttribute::Table(number) => table = *number,
            RuleAttribute::Priority(number) => priority = *number,
            RuleAttribute::Iifname(_) | RuleAttribute::Oifname(_) | RuleAttribute::FwMark(_) => {
                narrower = true
            }
            _ => {}
        }
    }
    // What the kernel says with every rule and does not take back in a request to delete it.
    message
        .attributes
        .retain(|a| !matches!(a, RuleAttribute::SuppressPrefixLen(u32::MAX)));
    let whole = from.is_some_and(|a| IpNet::from(a).prefix_len() == message.header.src_len);
    let exact = whole && priority == PRIORITY && !narrower && message.header.action == RuleAction::ToTable;
    Some(SeenRule {
        from,
        table,
        exact,
        message,
    })
}
