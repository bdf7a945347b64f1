//! Kinds of resources as people type them: by name, in the plural, short, in any case.

use anyhow::anyhow;
use config::fields::{ResourceKind, closest};

/// Each kind with its other names, in lower case; the first is the plural.
const NAMES: [(ResourceKind, &[&str]); 7] = [
    (
        ResourceKind::BgpConfiguration,
        &["bgpconfigurations", "bgpconfig", "bgpconfigs"],
    ),
    (ResourceKind::IpPool, &["ippools", "pool", "pools"]),
    (ResourceKind::BgpPeer, &["bgppeers", "peer", "peers"]),
    (ResourceKind::Node, &["nodes", "no"]),
    (ResourceKind::BgpFilter, &["bgpfilters", "filter", "filters"]),
    (
        ResourceKind::IpReservation,
        &["ipreservations", "reservation", "reservations"],
    ),
    (
        ResourceKind::IpamConfig,
        &["ipamconfigurations", "ipamconfig", "ipamconfigs", "ipam"],
    ),
];

/// The kinds that a word means: one, or every one for `all`.
pub fn parse(word: &str) -> anyhow::Result<Vec<ResourceKind>> {
    let lower = word.to_lowercase();
    if lower == "all" {
        return Ok(ResourceKind::ALL.to_vec());
    }
    let known = NAMES
        .into_iter()
        .find(|(kind, names)| kind.name().eq_ignore_ascii_case(&lower) || names.contains(&lower.as_str()));
    known.map(|(kind, _)| vec![kind]).ok_or_else(|| {
        let words = NAMES
            .iter()
            .flat_map(|(kind, names)| names.iter().copied().chain([kind.name()]));
        let hint = closest(&lower, words).map_or_else(
            || {
                let all = ResourceKind::ALL.map(ResourceKind::name);
                format!("one of {}, or all", all.join(", "))
            },
            |near| format!("did you mean {near}?"),
        );
        anyhow!("`{word}` is not a kind of resource; {hint}")
    })
}

/// The one kind that a word means.
pub fn parse_one(word: &str) -> anyhow::Result<ResourceKind> {
    match parse(word)?.as_slice() {
        [kind] => Ok(*kind),
        _ => Err(anyhow!("`{word}` is every kind; name one")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_any_of_their_names() {
        for (word, kind) in [
            ("IPPool", ResourceKind::IpPool),
            ("ippools", ResourceKind::IpPool),
            ("POOL", ResourceKind::IpPool),
            ("nodes", ResourceKind::Node),
            ("bgpPeers", ResourceKind::BgpPeer),
            ("filter", ResourceKind::BgpFilter),
            ("IPAMConfig", ResourceKind::IpamConfig),
            ("reservations", ResourceKind::IpReservation),
            ("bgpconfig", ResourceKind::BgpConfiguration),
        ] {
            assert_eq!(parse_one(word).expect(word), kind);
        }
        assert_eq!(parse("All").expect("all").len(), ResourceKind::ALL.len());
        let said = |word| parse_one(word).expect_err(word).to_string();
        assert_eq!(
            said("ipool"),
            "`ipool` is not a kind of resource; did you mean pool?"
        );
        assert!(
            said("service").contains("one of BGPConfiguration"),
            "{}",
            said("service")
        );
        assert!(said("all").contains("name one"));
    }

    #[test]
    fn every_kind_is_named_and_no_name_twice() {
        let mut words: Vec<String> = NAMES
            .iter()
            .flat_map(|(_, names)| names.iter().map(ToString::to_string))
            .collect();
        words.extend(ResourceKind::ALL.map(|kind| kind.name().to_lowercase()));
        let count = words.len();
        words.sort();
        words.dedup();
        assert_eq!(words.len(), count);
        assert!(
            ResourceKind::ALL
                .iter()
                .all(|kind| NAMES.iter().any(|(named, _)| named == kind))
        );
    }
}
