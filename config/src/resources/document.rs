//! Which reader a document goes to, by `apiVersion` and `kind`.

use super::set::{Read, Resources};
use super::{bgp_configuration, bgp_peer, ip_pool, node};
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
    "FelixConfiguration",
    "IPAMBlock",
    "IPAMHandle",
    "KubeControllersConfiguration",
    "Profile",
    "Tier",
    "WorkloadEndpoint",
];

/// Kinds of Calico's that would change what is forwarded, and what is missing for each.
const REFUSED_KINDS: &[(&str, &str)] = &[
    (
        "BGPFilter",
        "filters come with a later version, routes would pass unfiltered",
    ),
    ("GlobalNetworkPolicy", "network policy is not enforced here"),
    ("GlobalNetworkSet", "network policy is not enforced here"),
    ("HostEndpoint", "network policy is not enforced here"),
    ("IPAMConfig", "settings of address management are not built yet"),
    (
        "IPAMConfiguration",
        "settings of address management are not built yet",
    ),
    ("IPReservation", "reserved addresses are not built yet"),
    ("NetworkPolicy", "network policy is not enforced here"),
    ("NetworkSet", "network policy is not enforced here"),
    ("StagedGlobalNetworkPolicy", "network policy is not enforced here"),
    ("StagedNetworkPolicy", "network policy is not enforced here"),
];

/// Reads one document of a source, or each item of a list of them, into `into`.
pub fn read(document: &Value, file: &str, into: &mut Resources, problems: &mut Problems) {
    let kind = document.get("kind").and_then(Value::text).unwrap_or_default();
    let items = document.get("items").filter(|_| kind.ends_with("List"));
    match items.map(|items| &items.kind) {
        Some(Kind::List(items)) => items.iter().for_each(|item| read_one(item, file, into, problems)),
        _ => read_one(document, file, into, problems),
    }
}

fn read_one(document: &Value, file: &str, into: &mut Resources, problems: &mut Problems) {
    let errors_before = problems.errors();
    if kind_of(document, problems).is_none_or(|kind| !build(kind, document, file, into, problems)) {
        // A document that was ignored with a warning leaves no gap.
        into.complete &= problems.errors() == errors_before;
    }
}

/// The kind of a document that is ours to read.
fn kind_of(document: &Value, problems: &mut Problems) -> Option<ResourceKind> {
    let mut places = Places::new();
    let mut reader = Reader::new(document, problems, &mut places);
    if !matches!(document.kind, Kind::Map(_)) {
        return None;
    }
    let version = required(&mut reader, "apiVersion", OURS);
    let kind = required(&mut reader, "kind", "Node");
    let (version, kind) = (version?, kind?);
    if version != OURS && version != CALICO {
        let fix = match version.as_str() {
            "crd.projectcalico.org/v1" => format!("write {CALICO}, or export with `calicoctl get -o yaml`"),
            _ => format!("write {OURS} or {CALICO}"),
        };
        reader.error("apiVersion", format!("`{version}` is not read here"), fix);
        return None;
    }
    if let Some(known) = ResourceKind::ALL.into_iter().find(|known| known.name() == kind) {
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
