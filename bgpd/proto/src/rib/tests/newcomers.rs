//! A path that comes behind others finds the place that the whole decision gives it.

use super::{address, announce, local, net, peer, reachable, session};
use crate::rib::reselect::Touched;
use crate::rib::{ImportPolicy, Rib};
use crate::types::{Asn, PeerKind, RouterId};
use crate::wire::{AsPath, PathAttributes};
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

#[expect(clippy::disallowed_methods, reason = "tests need some origin of time")]
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A path, as far as steps of the decision look at it.
#[derive(Clone, Debug)]
struct Comer {
    internal: bool,
    router_id: u8,
    first_as: u32,
    length: usize,
    med: Option<u32>,
    hop: u8,
    clusters: usize,
}

/// Mostly alike.
fn any_comer() -> impl Strategy<Value = Comer> {
    let few = |most: u8| prop_oneof![3 => Just(0), 1 => 0..most];
    let internal = prop::bool::weighted(0.2);
    let rest = (few(2), prop::option::weighted(0.3, 0..3u32), 0..7u8, few(3));
    (internal, 1..6u8, 0..3u32, rest).prop_map(
        |(internal, router_id, first_as, (length, med, hop, clusters))| Comer {
            internal,
            router_id,
            first_as: 65001 + first_as,
            length: 1 + usize::from(length),
            med,
            hop,
            clusters: usize::from(clusters),
        },
    )
}

fn come(rib: &mut Rib, n: u8, comer: &Comer) {
    let mut session = session(n);
    session.kind = if comer.internal {
        PeerKind::Internal
    } else {
        PeerKind::External
    };
    session.remote_router_id = RouterId([10, 0, 0, comer.router_id].into());
    session.import = Arc::new(ImportPolicy {
        enforce_first_as: false,
        ..ImportPolicy::default()
    });
    rib.peer_up(peer(n), session);
    let attributes = PathAttributes {
        as_path: AsPath::sequence((0..comer.length).map(|_| Asn(comer.first_as))),
        med: comer.med,
        local_pref: Some(100),
        cluster_list: (0..comer.clusters).map(|n| [10, 9, 9, n as u8].into()).collect(),
        ..PathAttributes::default()
    };
    let hop = address(&format!("192.0.2.{}", 100 + comer.hop));
    rib.update(peer(n), announce(&[net("10.0.0.0/8")], hop, attributes), *ORIGIN);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn a_newcomer_is_put_where_the_decision_puts_it(
        comers in prop::collection::vec(any_comer(), 1..9),
        most in select(vec![1, 2, 3, 8]), relax in any::<bool>(),
    ) {
        let mut settings = local();
        (settings.multipath, settings.multipath_relax) = (most, relax);
        let mut rib = Rib::new(settings);
        // One of them is further away, and another one cannot be reached.
        rib.set_next_hops(reachable(&[
            ("192.0.2.100", 0), ("192.0.2.101", 0), ("192.0.2.102", 0), ("192.0.2.103", 0), ("192.0.2.104", 0),
            ("192.0.2.105", 1),
        ]));
        for (n, comer) in comers.iter().enumerate() {
            come(&mut rib, n as u8, comer);
            let chosen = |rib: &Rib| {
                let (_, entry) = rib.table.get(&net("10.0.0.0/8")).unwrap();
                let slots = |paths: &[crate::rib::table::Path]| paths.iter().map(|path| path.slot).collect::<Vec<_>>();
                (slots(entry.selected()), entry.backup().map(|path| path.slot))
            };
            let quick = chosen(&rib);
            let mut whole = rib.clone();
            let (id, _) = whole.table.get(&net("10.0.0.0/8")).unwrap();
            whole.reselect(id, Touched::default());
            prop_assert_eq!(quick, chosen(&whole), "after {:?}", &comers[..=n]);
        }
    }
}
