//! What a change would do: two plans with what follows from them, side by side. Pure; `roadbed plan` shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use bgpd_proto::speaker::{PeerConfig, SpeakerConfig};
use ipnet::IpNet;

use super::Decisions;
use crate::plan::Plan;

/// What a difference is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A BGP session.
    Peer,
    /// A prefix that this node announces.
    Announcement,
    /// A route in the kernel.
    Route,
    /// How a node is reached for a pool.
    Encapsulation,
    /// A tunnel device.
    Device,
}

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It is new.
    Add,
    /// It goes.
    Remove,
    /// It becomes something else.
    Change,
}

/// One thing that would be different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is about.
    pub part: Part,
    /// Which one: the address of a peer, a prefix, `NODE/POOL`, a device.
    pub subject: String,
    /// What happens to it.
    pub change: Change,
    /// From what to what, in words.
    pub detail: String,
}

/// A plan and what was decided from it.
pub type Side<'a> = (&'a Plan, &'a Decisions);

/// Everything that differs, sorted by part and subject.
pub fn between(old: Side<'_>, new: Side<'_>) -> Vec<Difference> {
    let mut all = peers(old.0, new.0);
    all.extend(differences(
        Part::Announcement,
        announced(old.1),
        announced(new.1),
    ));
    all.extend(differences(Part::Route, routes(old.1), routes(new.1)));
    all.extend(differences(Part::Encapsulation, paths(old.1), paths(new.1)));
    all.extend(differences(Part::Device, devices(old.1), devices(new.1)));
    all
}

/// Differences of two sets of named texts.
fn differences(part: Part, old: BTreeMap<String, String>, new: BTreeMap<String, String>) -> Vec<Difference> {
    let gone = old.iter().filter(|(subject, _)| !new.contains_key(*subject));
    let gone = gone.map(|(subject, was)| (subject, Change::Remove, was.clone()));
    let here = new.iter().filter_map(|(subject, is)| match old.get(subject) {
        None => Some((subject, Change::Add, is.clone())),
        Some(was) if was != is => Some((subject, Change::Change, format!("{was} -> {is}"))),
        Some(_) => None,
    });
    let mut all: Vec<Difference> = gone
        .chain(here)
        .map(|(subject, change, detail)| Difference {
            part,
            subject: subject.clone(),
            change,
            detail,
        })
        .collect();
    all.sort_by(|a, b| a.subject.cmp(&b.subject));
    all
}

fn peers(old: &Plan, new: &Plan) -> Vec<Difference> {
    let (before, after) = (&old.speaker, &new.speaker);
    let text = |p: &PeerConfig| format!("{}, AS {}", p.name, p.remote_as);
    let identity = before.asn != after.asn || before.router_id != after.router_id;
    let difference = |subject: String, was: Option<&PeerConfig>, is: Option<&PeerConfig>| {
        let (change, detail) = match (was, is) {
            (Some(was), None) => (Change::Remove, text(was)),
            (None, Some(is)) => (Change::Add, text(is)),
            (Some(_), Some(is)) if identity => {
                let why = "the session starts anew: this node's AS or identifier changes";
                (Change::Change, format!("{}; {why}", text(is)))
            }
            (Some(was), Some(is)) if was != is => (Change::Change, changed(was, is)),
            _ => return None,
        };
        Some(Difference {
            part: Part::Peer,
            subject,
            change,
            detail,
        })
    };
    let all: BTreeSet<_> = before.peers.keys().chain(after.peers.keys()).collect();
    let known = all.into_iter().filter_map(|id| {
        let (was, is) = (before.peers.get(id), after.peers.get(id));
        difference(id.to_string(), was, is)
    });
    // Peers that come by themselves, by their networks.
    let templates = |speaker: &SpeakerConfig| -> BTreeMap<IpNet, PeerConfig> {
        let ranges = speaker.ranges.iter();
        ranges
            .map(|range| (range.prefix, range.template.clone()))
            .collect()
    };
    let (was, is) = (templates(before), templates(after));
    let ranges: BTreeSet<_> = was.keys().chain(is.keys()).collect();
    let ranges = ranges
        .into_iter()
        .filter_map(|range| difference(range.to_string(), was.get(range), is.get(range)));
    known.chain(ranges).collect()
}

/// The settings of a peer that differ, and whether its session survives that.
fn changed(was: &PeerConfig, is: &PeerConfig) -> String {
    let mut fields: Vec<String> = Vec::new();
    let mut note = |name: &str, was: &dyn Debug, is: &dyn Debug| {
        let (was, is) = (format!("{was:?}"), format!("{is:?}"));
        if was != is {
            fields.push(format!("{name} {was} -> {is}"));
        }
    };
    note("name", &was.name, &is.name);
    note("AS", &was.remote_as, &is.remote_as);
    note("families", &was.families, &is.families);
    note("capabilities", &was.offer, &is.offer);
    note("TTL security", &was.ttl_security, &is.ttl_security);
    note("neighbour", &was.neighbour, &is.neighbour);
    note("source address", &was.local_address, &is.local_address);
    note("port", &was.remote_port, &is.remote_port);
    note("passive", &was.passive, &is.passive);
    note("transit", &was.import.transit, &is.import.transit);
    note("hold time", &was.hold_time, &is.hold_time);
    note("IPv4 next hop", &was.next_hop_v4, &is.next_hop_v4);
    note("IPv6 next hop", &was.next_hop_v6, &is.next_hop_v6);
    note("multihop", &was.multihop, &is.multihop);
    let bfd = |p: &PeerConfig| p.bfd.map_or_else(|| "off".into(), |bfd| bfd.to_string());
    note("BFD", &format_args!("{}", bfd(was)), &format_args!("{}", bfd(is)));
    let rules = |of: &PeerConfig| {
        let (mut import, mut export) = ((*of.import).clone(), (*of.export).clone());
        (import.transit, export.transit) = (false, false);
        let filters = (
            std::mem::take(&mut import.filters),
            std::mem::take(&mut export.filters),
        );
        (import, export, filters)
    };
    let (was_rules, is_rules) = (rules(was), rules(is));
    note("import policy", &was_rules.0, &is_rules.0);
    note("export policy", &was_rules.1, &is_rules.1);
    if was_rules.2 != is_rules.2 {
        fields.push("filters".to_owned());
    }
    let anew = is.needs_new_connection(was)
        || is.remote_as != was.remote_as
        || is.local_asn != was.local_asn
        || is.families != was.families
        || is.offer != was.offer
        || is.hold_time != was.hold_time;
    let session = if anew {
        "the session starts anew"
    } else {
        "the session stays"
    };
    format!("{}; {session}", fields.join(", "))
}

fn announced(decisions: &Decisions) -> BTreeMap<String, String> {
    let announced = decisions.outline.originated.keys();
    announced
        .map(|prefix| (prefix.to_string(), "originated here".to_owned()))
        .collect()
}

fn routes(decisions: &Decisions) -> BTreeMap<String, String> {
    let routes = decisions.routes().into_iter();
    routes
        .filter_map(|(prefix, decision)| Some((prefix.to_string(), decision.kernel?.route.text(&prefix))))
        .collect()
}

fn paths(decisions: &Decisions) -> BTreeMap<String, String> {
    let paths = decisions.outline.paths.iter();
    paths
        .map(|path| {
            let subject = format!("{}/{}", path.node, path.pool);
            (
                subject,
                format!("{} ({})", path.choice.encapsulation, path.choice.reason),
            )
        })
        .collect()
}

fn devices(decisions: &Decisions) -> BTreeMap<String, String> {
    let tunnels = &decisions.outline.tunnels.desired;
    let vxlan = |name: &str, device: &Option<tunnel::VxlanDevice>| {
        device.as_ref().map(|d| {
            let text = format!("VNI {}, port {}, local {}, MTU {}", d.vni, d.port, d.local, d.mtu);
            (name.to_owned(), text)
        })
    };
    let ipip = tunnels.ipip.as_ref();
    [
        vxlan("rb-vxlan", &tunnels.vxlan),
        vxlan("rb-vxlan6", &tunnels.vxlan6),
        ipip.map(|d| ("rb-ipip".to_owned(), format!("local {}, MTU {}", d.local, d.mtu))),
    ]
    .into_iter()
    .flatten()
    .collect()
}
