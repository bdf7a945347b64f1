//! Filters as `docs/filters.md` describes them, word by word, and without a thought for speed.

use super::spec::{Carried, Compare, Hop, Net, Operation, Route, Rule, cut};

/// What becomes of a route: the rule that decided, and what it makes of the route. `None`: no rule has anything to say.
pub struct Decided {
    /// From zero.
    pub place: usize,
    pub accept: bool,
    pub route: Route,
}

/// The first rule all of whose conditions hold decides.
pub fn decide(rules: &[Rule], route: &Route) -> Option<Decided> {
    let place = rules.iter().position(|rule| holds(rule, route))?;
    let mut route = route.clone();
    for operation in &rules[place].operations {
        match operation {
            Operation::Community(carried) => route.carry(*carried),
            Operation::Prepend(asns) => {
                let hops = asns.iter().copied().map(Hop::One);
                route.path = hops.chain(route.path).collect();
            }
            Operation::Priority(value) => route.priority = Some(*value),
        }
    }
    let accept = rules[place].accept;
    Some(Decided { place, accept, route })
}

fn holds(rule: &Rule, route: &Route) -> bool {
    let conditions = [
        rule.range
            .is_none_or(|(range, compare)| compares(range, compare, rule.lengths, route.net)),
        !rule.remote || route.learned,
        match (&rule.interface, &route.interface) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(pattern), Some(name)) => glob(pattern.as_bytes(), name.as_bytes()),
        },
        rule.kind.is_none_or(|kind| kind == route.kind),
        match rule.community {
            None => true,
            Some(Carried::Standard(a, b)) => route.standard.contains(&(a, b)),
            Some(Carried::Large(a, b, c)) => route.large.contains(&(a, b, c)),
        },
        rule.path.len() <= route.path.len()
            && rule
                .path
                .iter()
                .zip(&route.path)
                .all(|(asn, hop)| *hop == Hop::One(*asn)),
        rule.priority.is_none() || rule.priority == route.priority,
    ];
    conditions.iter().all(|holds| *holds)
}

/// The negative ones negate the bounds of lengths as well; the least length is that of the range.
fn compares(range: Net, compare: Compare, (min, max): (Option<u8>, Option<u8>), net: Net) -> bool {
    let inside = net.length >= range.length && cut(net.bits, range.length) == range.bits;
    let bounds = net.length >= min.unwrap_or(0) && net.length <= max.unwrap_or(128);
    match compare {
        Compare::Equal => net == range && bounds,
        Compare::NotEqual => !(net == range && bounds),
        Compare::In => inside && bounds,
        Compare::NotIn => !(inside && bounds),
    }
}

/// `*` is any text, the empty one too.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for letter in pattern {
        let mut next = vec![false; name.len() + 1];
        for at in 0..=name.len() {
            if *letter == b'*' {
                next[at] = reached[..=at].contains(&true);
            } else if at > 0 {
                next[at] = reached[at - 1] && name[at - 1] == *letter;
            }
        }
        reached = next;
    }
    reached[name.len()]
}
