//! `BGPFilter`: which routes pass to and from a peer, with all fields of Calico's.

use ipnet::IpNet;

use super::metadata;
use super::parse::{as_number, prefix};
use crate::fields::ResourceKind;
use crate::intent::{
    BgpFilter, FilterAction, FilterOperation, FilterPeerType, FilterRule, MatchOperator, PrefixMatch,
};
use crate::reader::Reader;

const KIND: ResourceKind = ResourceKind::BgpFilter;

/// Bounds of a priority, in the units of a kernel route's metric; Calico's.
const PRIORITY: std::ops::RangeInclusive<u32> = 1..=2_147_483_646;

/// More operations than this in one rule are refused, as in Calico.
const MAX_OPERATIONS: usize = 10;

/// More rules than this in one list are refused.
const MAX_RULES: usize = 1000;

/// More numbers than this in one `asPathPrefix` are refused, as in Calico.
const MAX_AS_PATH_PREFIX: usize = 10;

/// Which list a rule is in.
#[derive(Clone, Copy)]
struct List {
    import: bool,
    v6: bool,
}

pub(super) fn read(document: &mut Reader<'_, '_>) -> Option<BgpFilter> {
    let metadata = metadata::read(document, KIND);
    let mut filter = BgpFilter {
        name: String::new(),
        export_v4: Vec::new(),
        import_v4: Vec::new(),
        export_v6: Vec::new(),
        import_v6: Vec::new(),
    };
    if let Some(mut spec) = document.object("spec") {
        let lists = [
            ("exportV4", false, false, &mut filter.export_v4),
            ("importV4", true, false, &mut filter.import_v4),
            ("exportV6", false, true, &mut filter.export_v6),
            ("importV6", true, true, &mut filter.import_v6),
        ];
        for (name, import, v6, rules) in lists {
            let list = List { import, v6 };
            *rules = spec
                .objects(name, |item| rule(item, list), KIND)
                .unwrap_or_default();
            if rules.len() > MAX_RULES {
                let message = format!("{} rules in one list", rules.len());
                spec.error(name, message, format!("write {MAX_RULES} at most"));
            }
        }
        spec.finish(KIND);
    }
    filter.name = metadata?.name;
    Some(filter)
}

fn rule(rule: &mut Reader<'_, '_>, list: List) -> Option<FilterRule> {
    let prefix = prefix_match(rule, list);
    let remote_only = rule.choice("source", &[("RemotePeers", true), ("", false)]) == Some(true);
    if remote_only && list.import {
        let message = "has no effect here: every imported route is from a peer";
        rule.warning("source", message, "remove it");
    }
    let interface = rule.with("interface", interface).flatten();
    let types = [
        ("eBGP", Some(FilterPeerType::External)),
        ("iBGP", Some(FilterPeerType::Internal)),
        ("", None),
    ];
    let peer_type = rule.choice("peerType", &types).flatten();
    let communities = communities(rule);
    let as_path_prefix = as_path_prefix(rule);
    let priority = rule.integer("priority", PRIORITY);
    let had_action = rule.has("action");
    let actions = [("Accept", FilterAction::Accept), ("Reject", FilterAction::Reject)];
    let action = rule.choice("action", &actions);
    if !had_action {
        rule.error("action", "is required", "write Accept or Reject");
    }
    let operations = rule.objects("operations", operation, KIND).unwrap_or_default();
    if !operations.is_empty() && action == Some(FilterAction::Reject) {
        let message = "a route that is rejected cannot be changed";
        rule.error("operations", message, "write action: Accept, or remove them");
    }
    if operations.len() > MAX_OPERATIONS {
        let message = format!("{} operations in one rule", operations.len());
        rule.error("operations", message, format!("write {MAX_OPERATIONS} at most"));
    }
    Some(FilterRule {
        prefix,
        remote_only,
        interface,
        peer_type,
        communities,
        as_path_prefix,
        priority,
        action: action?,
        operations,
    })
}

fn prefix_match(rule: &mut Reader<'_, '_>, list: List) -> Option<PrefixMatch> {
    let of_family = |text: &str| match prefix(text)? {
        net if matches!(net, IpNet::V6(_)) == list.v6 => Ok(net),
        net if list.v6 => Err(format!("`{net}` is IPv4, this list is for IPv6")),
        net => Err(format!("`{net}` is IPv6, this list is for IPv4")),
    };
    let written =
        |rule: &mut Reader<'_, '_>, name: &str| rule.take(name).is_some_and(|value| value.text() != Some(""));
    let (had_cidr, had_operator) = (written(rule, "cidr"), written(rule, "matchOperator"));
    let cidr = if had_cidr {
        rule.with("cidr", of_family)
    } else {
        None
    };
    let operators = [
        ("Equal", MatchOperator::Equal),
        ("NotEqual", MatchOperator::NotEqual),
        ("In", MatchOperator::In),
        ("NotIn", MatchOperator::NotIn),
    ];
    let operator = if had_operator {
        rule.choice("matchOperator", &operators)
    } else {
        None
    };
    match (had_cidr, had_operator) {
        (true, false) => rule.error("matchOperator", "is required with cidr", "write In or the like"),
        (false, true) => rule.error("cidr", "is required with matchOperator", "write a range"),
        _ => {}
    }
    let (min_length, max_length) = lengths(rule, list, had_cidr);
    Some(PrefixMatch {
        cidr: cidr?,
        operator: operator?,
        min_length,
        max_length,
    })
}

fn lengths(rule: &mut Reader<'_, '_>, list: List, had_cidr: bool) -> (Option<u8>, Option<u8>) {
    let most = if list.v6 { 128 } else { 32 };
    let Some(mut bounds) = rule.object("prefixLength") else {
        return (None, None);
    };
    let mut length = |name: &str| bounds.integer(name, 0..=most).and_then(|n| u8::try_from(n).ok());
    let (min, max) = (length("min"), length("max"));
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        let message = format!("no prefix has at least /{min} and at most /{max}");
        bounds.error("min", message, "write a min that is not greater than max");
    }
    bounds.finish(KIND);
    if !had_cidr {
        let fix = "write cidr and matchOperator, such as 0.0.0.0/0 and In";
        rule.error("prefixLength", "has a meaning with cidr only", fix);
    }
    (min, max)
}

fn interface(text: &str) -> Result<Option<String>, String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*');
    match text {
        "" => Ok(None),
        name if name.len() <= 15 && name.chars().all(inner) => Ok(Some(name.to_owned())),
        _ => Err(format!(
            "`{text}` is not the name of an interface: up to 15 letters, digits, `-`, `_`, `.`, and `*` for any text"
        )),
    }
}

fn communities(rule: &mut Reader<'_, '_>) -> Vec<crate::intent::Community> {
    let Some(mut fields) = rule.object("communities") else {
        return Vec::new();
    };
    let had_values = fields.has("values");
    let values = fields.list("values", str::parse);
    if !had_values {
        fields.error(
            "values",
            "is required",
            "write `values: [\"64512:100\"]` or the like",
        );
    } else if values.as_ref().is_some_and(|values| values.len() > 1) {
        fields.error(
            "values",
            "more than one community",
            "write one, and a rule for each other",
        );
    }
    fields.finish(KIND);
    values.unwrap_or_default()
}

/// The beginning of an AS path: one number at least, if it is written.
fn as_path_prefix(rule: &mut Reader<'_, '_>) -> Vec<crate::vocabulary::Asn> {
    let written = rule.has("asPathPrefix");
    let asns = rule.list("asPathPrefix", as_number).unwrap_or_default();
    if written && asns.len() > MAX_AS_PATH_PREFIX {
        let message = format!("{} AS numbers", asns.len());
        rule.error(
            "asPathPrefix",
            message,
            format!("write {MAX_AS_PATH_PREFIX} at most"),
        );
    }
    asns
}

fn operation(item: &mut Reader<'_, '_>) -> Option<FilterOperation> {
    let names = ["addCommunity", "prependASPath", "setPriority"];
    let count = names.iter().filter(|name| item.has(name)).count();
    let mut operation = None;
    if let Some(mut fields) = item.object("addCommunity") {
        required(&mut fields, "value");
        operation = fields.parsed("value").map(FilterOperation::AddCommunity);
        fields.finish(KIND);
    }
    if let Some(mut fields) = item.object("prependASPath") {
        required(&mut fields, "prefix");
        let prefix = fields.list("prefix", as_number);
        operation = prefix.map(FilterOperation::PrependAsPath);
        fields.finish(KIND);
    }
    if let Some(mut fields) = item.object("setPriority") {
        required(&mut fields, "value");
        operation = fields
            .integer("value", PRIORITY)
            .map(FilterOperation::SetPriority);
        fields.finish(KIND);
    }
    if count != 1 {
        let message = format!("{count} operations in one item");
        item.error("", message, format!("write one of {}", names.join(", ")));
    }
    operation
}

fn required(fields: &mut Reader<'_, '_>, name: &str) {
    if !fields.has(name) {
        fields.error(name, "is required", "");
    }
}
