//! The AS_PATH as an eBGP peer is to see it: private numbers, AS override, and our own number in front.

use super::rules::{AsRules, RemovePrivate};
use crate::types::Asn;
use crate::wire::AsPath;

/// The two numbers that we have on a session; mostly one and the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ours {
    /// The speaker's.
    pub speaker: Asn,
    /// The session's: what the peer knows us by.
    pub session: Asn,
}

/// Applies the rules about the numbers of others to a path that is to go to the peer of AS `remote`.
pub(super) fn replaced(path: &AsPath, rules: &AsRules, ours: Ours, remote: Asn) -> AsPath {
    let mut path = without_private(path, rules.remove_private, ours.session, remote);
    if rules.as_override {
        for asn in path.segments.iter_mut().flat_map(|segment| &mut segment.asns) {
            if *asn == remote {
                *asn = ours.session;
            }
        }
    }
    path
}

/// The path with our number in front, or with both of ours.
pub(super) fn with_ours(path: AsPath, rules: &AsRules, ours: Ours) -> AsPath {
    let (first, second) = in_front(rules, ours);
    let path = match second {
        Some(second) => path.prepended(second),
        None => path,
    };
    path.prepended(first)
}

/// The numbers that go in front: the first one, and the one behind it if there are two.
pub(super) fn in_front(rules: &AsRules, ours: Ours) -> (Asn, Option<Asn>) {
    let both = ours.session != ours.speaker && !rules.replace_as;
    (ours.session, both.then_some(ours.speaker))
}

fn without_private(path: &AsPath, mode: RemovePrivate, ours: Asn, remote: Asn) -> AsPath {
    let mut path = path.clone();
    let goes = |asn: Asn| is_private(asn) && asn != remote;
    match mode {
        RemovePrivate::Never => {}
        RemovePrivate::IfAllPrivate if !path.asns().all(is_private) => {}
        RemovePrivate::IfAllPrivate | RemovePrivate::All => {
            for segment in &mut path.segments {
                segment.asns.retain(|asn| !goes(*asn));
            }
            // A segment without numbers is malformed (RFC 7606 §7.2).
            path.segments.retain(|segment| !segment.asns.is_empty());
        }
        RemovePrivate::Replace => {
            for asn in path.segments.iter_mut().flat_map(|segment| &mut segment.asns) {
                if goes(*asn) {
                    *asn = ours;
                }
            }
        }
    }
    path
}

/// RFC 6996 §5. The last number of each range is reserved, not private (RFC 7300).
fn is_private(asn: Asn) -> bool {
    matches!(asn.0, 64_512..=65_534 | 4_200_000_000..=4_294_967_294)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Segment, SegmentKind};

    const REMOTE: Asn = Asn(65001);

    fn path(asns: &[u32]) -> AsPath {
        AsPath::sequence(asns.iter().copied().map(Asn))
    }

    fn seen(asns: &[u32], rules: AsRules, ours: (u32, u32)) -> String {
        let ours = Ours {
            speaker: Asn(ours.0),
            session: Asn(ours.1),
        };
        with_ours(replaced(&path(asns), &rules, ours, REMOTE), &rules, ours).to_string()
    }

    #[test]
    fn private_numbers() {
        let rows = [
            (RemovePrivate::Never, vec![64600, 3356], "1 64600 3356"),
            (RemovePrivate::IfAllPrivate, vec![64600, 3356], "1 64600 3356"),
            (RemovePrivate::IfAllPrivate, vec![64600, 4_200_000_000], "1"),
            (
                RemovePrivate::All,
                vec![64600, 3356, 65534, 65535],
                "1 3356 65535",
            ),
            (
                RemovePrivate::All,
                vec![4_294_967_294, 4_294_967_295],
                "1 4294967295",
            ),
            (RemovePrivate::Replace, vec![64600, 3356], "1 1 3356"),
            // The peer's own stays.
            (RemovePrivate::All, vec![64600, 65001], "1 65001"),
            (RemovePrivate::Replace, vec![64600, 65001], "1 1 65001"),
        ];
        for (remove_private, asns, want) in rows {
            let rules = AsRules {
                remove_private,
                ..AsRules::default()
            };
            assert_eq!(seen(&asns, rules, (1, 1)), want, "{remove_private:?}");
        }
    }

    #[test]
    fn no_segment_is_left_empty() {
        let mixed = AsPath {
            segments: vec![
                Segment {
                    kind: SegmentKind::Set,
                    asns: vec![Asn(64600), Asn(64601)],
                },
                Segment {
                    kind: SegmentKind::Sequence,
                    asns: vec![Asn(3356)],
                },
            ],
        };
        let left = without_private(&mixed, RemovePrivate::All, Asn(1), REMOTE);
        assert_eq!(left, path(&[3356]));
    }

    #[test]
    fn override_and_local_as() {
        let rules = |as_override, replace_as| AsRules {
            as_override,
            replace_as,
            ..AsRules::default()
        };
        let rows = [
            (rules(false, true), (1, 1), "1 65001 7"),
            (rules(true, true), (1, 1), "1 1 7"),
            (rules(false, true), (1, 2), "2 65001 7"),
            (rules(false, false), (1, 2), "2 1 65001 7"),
            (rules(true, false), (1, 2), "2 1 2 7"),
        ];
        for (rules, ours, want) in rows {
            assert_eq!(seen(&[65001, 7], rules, ours), want, "{rules:?} {ours:?}");
        }
    }
}
