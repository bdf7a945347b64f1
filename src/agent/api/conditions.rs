//! The named conditions of readiness: what has to hold before a node takes pods, and what else is worth a name.
//! Pure; `/readyz`, `status` and the Node in Kubernetes say the same.

use config::api::status::{Condition, Issue};

/// What the conditions are judged from.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// A plan is in force and decided on.
    pub configured: bool,
    /// Every peer has sent its whole table once, or the deferral time is over.
    pub fed: bool,
    /// The kernel has what was decided last.
    pub in_step: bool,
    /// Learned routes kept out of the kernel because as many as are allowed are in it.
    pub held_back: usize,
    /// Sessions that are up, and that there are.
    pub sessions: (usize, usize),
    /// The datastore is in reach.
    pub datastore: bool,
    /// Kubernetes is in reach; `None` where the node belongs to none.
    pub kubernetes: Option<bool>,
    /// Everything that is wrong.
    pub issues: &'a [Issue],
}

/// The parts whose errors a condition stands for; whatever is named nowhere belongs to the first.
const PARTS: &[(&str, &[&str])] = &[
    ("ConfigurationApplied", &["config", "bgp"]),
    ("KernelInStep", &["kernel", "host", "tunnel"]),
    ("AddressesAvailable", &["ipam", "pod"]),
];

/// A session that is down is not an error of the node: the peer may be what is broken.
const SESSION: &str = "bgp-session";

/// All conditions, the required ones first.
pub fn of(facts: Facts<'_>) -> Vec<Condition> {
    let errors = |name: &str| -> Vec<&str> {
        let stands_for = |part: &str| {
            let known = PARTS.iter().find(|(_, parts)| parts.contains(&part));
            known.map_or(PARTS[0].0, |(condition, _)| condition)
        };
        let errors = facts
            .issues
            .iter()
            .filter(|i| i.severity == "error" && i.part != SESSION);
        errors
            .filter(|issue| stands_for(&issue.part) == name)
            .map(|issue| issue.message.as_str())
            .collect()
    };
    let judged = |name: &str, holds: bool, reason: &str, otherwise: &str| {
        let errors = errors(name);
        let (met, reason, message) = match (errors.first(), holds) {
            (Some(first), _) => (false, "Error", (*first).to_owned()),
            (None, true) => (true, "Ok", String::new()),
            (None, false) => (false, reason, otherwise.to_owned()),
        };
        condition(name, true, met, reason, message)
    };
    let (up, all) = facts.sessions;
    let mut conditions = vec![
        judged(
            "ConfigurationApplied",
            facts.configured,
            "NoConfiguration",
            "there are no resources for this node yet",
        ),
        judged(
            "RoutesFed",
            facts.fed,
            "WaitingForPeers",
            "not every peer has sent its whole table yet, and the deferral time is not over",
        ),
        judged(
            "KernelInStep",
            facts.in_step,
            "Installing",
            "the kernel does not have yet what was decided last",
        ),
        judged("AddressesAvailable", true, "", ""),
        within_limit(facts.held_back),
        condition(
            "SessionsEstablished",
            false,
            up == all,
            if up == all { "Ok" } else { "SessionsDown" },
            format!("{up} of {all} sessions are established"),
        ),
        reachable("DatastoreReachable", facts.datastore),
    ];
    conditions.extend(
        facts
            .kubernetes
            .map(|there| reachable("KubernetesReachable", there)),
    );
    conditions
}

/// The node does its work.
pub fn ready(conditions: &[Condition]) -> bool {
    conditions.iter().all(|c| c.met || !c.required)
}

/// The limit is the operator's own, and the node does its work with what is within it.
fn within_limit(held_back: usize) -> Condition {
    let message = match held_back {
        0 => String::new(),
        n => format!("{n} learned routes are held back: as many as maxRoutes allows are in the kernel"),
    };
    let reason = if held_back == 0 { "Ok" } else { "LimitReached" };
    condition("RoutesWithinLimit", false, held_back == 0, reason, message)
}

fn reachable(name: &str, there: bool) -> Condition {
    let (reason, message) = match there {
        true => ("Ok", ""),
        false => ("Away", "the node works on with what it knows"),
    };
    condition(name, false, there, reason, message.to_owned())
}

fn condition(name: &str, required: bool, met: bool, reason: &str, message: String) -> Condition {
    Condition {
        name: name.to_owned(),
        met,
        required,
        reason: reason.to_owned(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(conditions: &[Condition]) -> Option<&Condition> {
        conditions.iter().find(|c| c.required && !c.met)
    }

    fn issue(part: &str, severity: &str) -> Issue {
        Issue {
            part: part.into(),
            severity: severity.into(),
            message: format!("{part} is broken"),
            since_seconds: 1,
        }
    }

    fn facts(issues: &[Issue]) -> Facts<'_> {
        Facts {
            configured: true,
            fed: true,
            in_step: true,
            held_back: 0,
            sessions: (2, 2),
            datastore: true,
            kubernetes: None,
            issues,
        }
    }

    #[test]
    fn all_well_is_ready() {
        let all = of(facts(&[]));
        assert!(ready(&all) && all.iter().all(|c| c.met), "{all:?}");
        assert_eq!(missing(&all), None);
    }

    #[test]
    fn each_lack_has_its_name() {
        let cases = [
            (
                Facts {
                    configured: false,
                    ..facts(&[])
                },
                "ConfigurationApplied",
                "NoConfiguration",
            ),
            (
                Facts {
                    fed: false,
                    ..facts(&[])
                },
                "RoutesFed",
                "WaitingForPeers",
            ),
            (
                Facts {
                    in_step: false,
                    ..facts(&[])
                },
                "KernelInStep",
                "Installing",
            ),
        ];
        for (facts, name, reason) in cases {
            let all = of(facts);
            assert!(!ready(&all));
            let first = missing(&all).unwrap();
            assert_eq!((first.name.as_str(), first.reason.as_str()), (name, reason));
        }
    }

    #[test]
    fn an_error_of_a_part_is_its_conditions_error() {
        for (part, name) in [
            ("config", "ConfigurationApplied"),
            ("tunnel", "KernelInStep"),
            ("ipam", "AddressesAvailable"),
            ("something new", "ConfigurationApplied"),
        ] {
            let issues = [issue(part, "error")];
            let all = of(facts(&issues));
            let first = missing(&all).unwrap();
            assert_eq!((first.name.as_str(), first.reason.as_str()), (name, "Error"));
            assert!(first.message.contains(part));
        }
    }

    #[test]
    fn a_limit_that_is_reached_is_said_and_the_node_works_on() {
        let all = of(Facts {
            held_back: 7,
            ..facts(&[])
        });
        assert!(ready(&all));
        let limit = all.iter().find(|c| c.name == "RoutesWithinLimit").unwrap();
        assert_eq!((limit.met, limit.reason.as_str()), (false, "LimitReached"));
        assert!(limit.message.starts_with("7 learned routes"), "{}", limit.message);
    }

    #[test]
    fn what_others_break_does_not_make_a_node_unready() {
        let issues = [issue("bgp-session", "error"), issue("ipam", "warning")];
        let lonely = Facts {
            sessions: (0, 2),
            datastore: false,
            kubernetes: Some(false),
            ..facts(&issues)
        };
        let all = of(lonely);
        assert!(ready(&all));
        let unmet: Vec<&str> = all.iter().filter(|c| !c.met).map(|c| c.name.as_str()).collect();
        assert_eq!(
            unmet,
            ["SessionsEstablished", "DatastoreReachable", "KubernetesReachable"]
        );
    }
}
