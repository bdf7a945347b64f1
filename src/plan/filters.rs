//! BGPFilters as a session asks them: the rules of all filters of a BGPPeer, one after the other, in the words of the speaker.

use std::collections::BTreeSet;
use std::sync::Arc;

use bgpd_proto::rib::filter::{
    Action, AnyCommunity, Conditions, Filters, Operation, Operator, Origin, Pattern, PrefixMatch, Rule,
};
use bgpd_proto::types::{Asn, Family, PeerKind};
use bgpd_proto::wire;
use config::intent::{
    BgpFilter, Community, FilterAction, FilterOperation, FilterPeerType, FilterRule, Intent, MatchOperator,
};

/// The rules of these filters: for what comes in, and for what goes out. A filter that is not there lets nothing pass: a
/// name that means nothing must not open what was meant to be closed.
pub fn of(intent: &Intent, names: &[String]) -> (Filters, Filters) {
    let (mut import_v4, mut import_v6) = (Vec::new(), Vec::new());
    let (mut export_v4, mut export_v6) = (Vec::new(), Vec::new());
    for name in names {
        let filter = intent.filters.iter().find(|filter| filter.name == *name);
        let nothing = closed(name);
        let filter = filter.unwrap_or(&nothing);
        let name: Arc<str> = filter.name.as_str().into();
        for (list, from, into) in [
            ("importV4", &filter.import_v4, &mut import_v4),
            ("importV6", &filter.import_v6, &mut import_v6),
            ("exportV4", &filter.export_v4, &mut export_v4),
            ("exportV6", &filter.export_v6, &mut export_v6),
        ] {
            into.extend((from.iter().zip(1..)).map(|(read, number)| {
                let origin = Origin {
                    filter: name.clone(),
                    list,
                    number,
                };
                rule(read, origin)
            }));
        }
    }
    (
        Filters::new(import_v4, import_v6),
        Filters::new(export_v4, export_v6),
    )
}

/// The metrics that rules for what comes in give to routes.
pub fn priorities<'a>(all: impl Iterator<Item = &'a Filters>) -> BTreeSet<u32> {
    let of = |filters: &Filters| {
        let families = Family::ALL.into_iter();
        let set = families.flat_map(|family| filters.rules(family).iter().filter_map(Rule::priority));
        set.collect::<Vec<u32>>()
    };
    all.flat_map(of).collect()
}

/// A filter that rejects everything.
fn closed(name: &str) -> BgpFilter {
    let reject = FilterRule {
        prefix: None,
        remote_only: false,
        interface: None,
        peer_type: None,
        communities: Vec::new(),
        as_path_prefix: Vec::new(),
        priority: None,
        action: FilterAction::Reject,
        operations: Vec::new(),
    };
    let list = || vec![reject.clone()];
    BgpFilter {
        name: name.to_owned(),
        export_v4: list(),
        import_v4: list(),
        export_v6: list(),
        import_v6: list(),
    }
}

fn rule(rule: &FilterRule, origin: Origin) -> Rule {
    let operator = |operator: MatchOperator| match operator {
        MatchOperator::Equal => Operator::Equal,
        MatchOperator::NotEqual => Operator::NotEqual,
        MatchOperator::In => Operator::In,
        MatchOperator::NotIn => Operator::NotIn,
    };
    Rule {
        conditions: Conditions {
            prefix: rule
                .prefix
                .as_ref()
                .map(|p| PrefixMatch::new(p.cidr, operator(p.operator), p.min_length, p.max_length)),
            learned: rule.remote_only,
            interface: rule.interface.as_deref().map(Pattern::new),
            peer_kind: rule.peer_type.map(|kind| match kind {
                FilterPeerType::External => PeerKind::External,
                FilterPeerType::Internal => PeerKind::Internal,
            }),
            communities: rule.communities.iter().copied().map(community).collect(),
            as_path_prefix: rule.as_path_prefix.iter().map(|asn| Asn(asn.0)).collect(),
            priority: rule.priority,
        },
        action: match rule.action {
            FilterAction::Accept => Action::Accept,
            FilterAction::Reject => Action::Reject,
        },
        operations: rule.operations.iter().map(operation).collect(),
        origin,
    }
}

fn operation(operation: &FilterOperation) -> Operation {
    match operation {
        FilterOperation::AddCommunity(value) => Operation::AddCommunity(community(*value)),
        FilterOperation::PrependAsPath(asns) => {
            Operation::PrependAsPath(asns.iter().map(|asn| Asn(asn.0)).collect())
        }
        FilterOperation::SetPriority(value) => Operation::SetPriority(*value),
    }
}

/// A community in the words of the speaker.
pub fn community(community: Community) -> AnyCommunity {
    match community {
        Community::Standard(a, b) => {
            AnyCommunity::Standard(wire::Community(u32::from(a) << 16 | u32::from(b)))
        }
        Community::Large(global, local1, local2) => AnyCommunity::Large(wire::LargeCommunity {
            global,
            local1,
            local2,
        }),
    }
}
