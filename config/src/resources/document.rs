//! Which reader a document goes to, by `apiVersion` and `kind`.

use super::set::{Read, Resources};
use super::{bgp_configuration, bgp_filter, bgp_peer, ip_pool, ip_reservation, ipam_configuration, node};
use crate::fields::{ResourceKind, closest};
use crate::problem::Problems;
use crate::reader::{Places, Reader};
use crate::yaml::{Kind, Value};

const OURS: &str = "roadbed.dev/v1";
const CALICO: &str = "projectcalico.org/v3";

/// Kinds of Calico's whose absence changes nothing here.
const IGNORED_KINDS: &[&str] = &[
    "BlockAffinity",
    "CalicoNodeStatus",
    "ClusterInformation",
    "DatastoreMigration",
    "FelixConfiguration",
    "IPAMBlock",
    "IPAMHandle",
    "KubeControllersConfiguration",
    "LiveMigration",
    "Profile",
    "Tier",
    "WorkloadEndpoint",
];

/// Kinds of Calico's that would change what is forwarded, and what is missing for each.
const REFUSED_KINDS: &[(&str, &str)] = &[
    ("GlobalNetworkPolicy", "network policy is not enforced here"),
    ("GlobalNetworkSet", "network policy is not enforced here"),
    ("HostEndpoint", "network policy is not enforced here"),
    ("NetworkPolicy", "network policy is not enforced here"),
    ("NetworkSet", "network policy is not enforced here"),
    ("StagedGlobalNetworkPolicy", "network policy is not enforced here"),
    ("QoSPolicy", "the quality of service of pods is not managed here"),
    (
        "StagedKubernetesNetworkPolicy",
        "network policy is not enforced here",
    ),
    ("StagedNetworkPolicy", "network policy is not enforced here"),
];

/// Reads one document of a source, or each item of a list of them, into `into`.
pub fn read(document: &Value, file: &str, into: &mut Resources, problems: &mut Problems) {
    let errors_before = problems.errors();
    let (items, _) = items(document, problems);
    into.complete &= problems.errors() == errors_before;
    for item in items {
        read_one(item, file, into, problems);
    }
}

/// The resources in a document: itself, or the items of a list (`kind: List`, `kind: IPPoolList`); and whether
/// it is such a list. A list inside a list is a mistake.
pub fn items<'v>(document: &'v Value, problems: &mut Problems) -> (Vec<&'v Value>, bool) {
    let Some(Kind::List(list)) = list_of(document) else {
        return (vec![document], false);
    };
    let (nested, items): (Vec<&Value>, Vec<&Value>) = list.iter().partition(|item| list_of(item).is_some());
    for item in nested {
        let fix = "write its items into the outer list";
        problems.error(item.at, "items", "a list inside a list", fix);
    }
    (items, true)
}

fn list_of(document: &Value) -> Option<&Kind> {
    let kind = document.get("kind").and_then(Value::text).unwrap_or_default();
    let items = &document.get("items")?.kind;
    (kind.ends_with("List") && matches!(items, Kind::List(_))).then_some(items)
}

fn read_one(document: &Value, file: &str, into: &mut Resources, problems: &mut Problems) {
    let errors_before = problems.errors();
    if kind_of(document, problems).is_none_or(|kind| !build(kind, document, file, into, problems)) {
        // A document that was ignored with a warning leaves no gap.
        into.complete &= problems.errors() == errors_before;
    }
}

/// The kind of a document that is ours to read. What is not, is noted.
pub fn kind_of(document: &Value, problems: &mut Problems) -> Option<ResourceKind> {
    let mut places = Places::new();
    let mut reader = Reader::new(document, problems, &mut places);
    if !matches!(document.kind, Kind::Map(_)) {
        return None;
    }
    let version = required(&mut reader, "apiVersion", OURS);
    let kind = required(&mut reader, "kind", "Node");
    let (version, kind) = (version?, kind?);
    if version != OURS && version != CALICO {
        let (message, fix) = wrong_version(&version);
        reader.error("apiVersion", message, fix);
        return None;
    }
    if let Some(known) = ResourceKind::from_name(&kind) {
        return Some(known);
    }
    let at = document.get("kind").map_or(document.at, |value| value.at);
    if let Some((_, why)) = REFUSED_KINDS.iter().find(|(name, _)| *name == kind) {
        problems.error(
            at,
            "kind",
            format!("{kind} is refused: {why}"),
            "remove this document",
        );
    } else if IGNORED_KINDS.contains(&kind.as_str()) {
        problems.warning(at, "kind", format!("{kind} is ignored"), "");
    } else {
        let names = ResourceKind::ALL.map(ResourceKind::name);
        let fix = closest(&kind, names.into_iter()).map_or_else(
            || format!("one of {}", names.join(", ")),
            |name| format!("did you mean {name}?"),
        );
        problems.error(at, "kind", format!("`{kind}` is not a kind of resource"), fix);
    }
    None
}

fn wrong_version(version: &str) -> (String, String) {
    let not_read = format!("`{version}` is not read here");
    match version.split_once('/') {
        Some(("roadbed.dev", _)) => (
            format!("`{version}` is of another version of this program"),
            format!("this one reads {OURS} and {CALICO}"),
        ),
        Some(("crd.projectcalico.org", _)) => (
            not_read,
            format!("write {CALICO}, or export with `calicoctl get -o yaml`"),
        ),
        _ => (not_read, format!("write {OURS} or {CALICO}")),
    }
}

fn required(reader: &mut Reader<'_, '_>, name: &str, example: &str) -> Option<String> {
    if !reader.has(name) {
        reader.error(
            name,
            "is required",
            format!("write `{name}: {example}` or the like"),
        );
    }
    reader.text(name)
}

/// Builds the resource of a document; says whether there is one.
fn build(
    kind: ResourceKind,
    document: &Value,
    file: &str,
    into: &mut Resources,
    problems: &mut Problems,
) -> bool {
    match kind {
        ResourceKind::BgpConfiguration => one(
            kind,
            document,
            file,
            problems,
            bgp_configuration::read,
            &mut into.bgp,
        ),
        ResourceKind::IpPool => one(kind, document, file, problems, ip_pool::read, &mut into.pools),
        ResourceKind::BgpPeer => one(kind, document, file, problems, bgp_peer::read, &mut into.peers),
        ResourceKind::Node => one(kind, document, file, problems, node::read, &mut into.nodes),
        ResourceKind::BgpFilter => one(
            kind,
            document,
            file,
            problems,
            bgp_filter::read,
            &mut into.filters,
        ),
        ResourceKind::IpReservation => one(
            kind,
            document,
            file,
            problems,
            ip_reservation::read,
            &mut into.reservations,
        ),
        ResourceKind::IpamConfig => one(
            kind,
            document,
            file,
            problems,
            ipam_configuration::read,
            &mut into.ipam,
        ),
    }
}

fn one<T>(
    kind: ResourceKind,
    document: &Value,
    file: &str,
    problems: &mut Problems,
    read: fn(&mut Reader<'_, '_>) -> Option<T>,
    into: &mut Vec<Read<T>>,
) -> bool {
    let mut places = Places::new();
    let mut reader = Reader::new(document, problems, &mut places);
    let _ = (reader.take("apiVersion"), reader.take("kind"));
    let value = read(&mut reader);
    reader.finish(kind);
    let found = value.is_some();
    into.extend(value.map(|value| Read {
        value,
        file: file.to_owned(),
        places,
    }));
    found
}
