//! What is handed on as octets is what would be written of the values.

use super::{local, session};
use crate::rib::out::encode_context;
use crate::rib::policy::export::{Source, relay, rewrite};
use crate::rib::policy::{AsRules, NextHopMode, RemovePrivate};
use crate::types::{Asn, Family, PeerKind};
use crate::wire::canonical::{self, Canonical};
use crate::wire::tests::stored::any_attributes;
use crate::wire::{Form, NextHop, Role};
use ipnet::IpNet;
use proptest::prelude::*;
use proptest::sample::select;
use std::net::IpAddr;
use std::sync::Arc;

fn any_kind() -> impl Strategy<Value = PeerKind> {
    select(vec![PeerKind::External, PeerKind::Internal])
}

proptest! {
    #[test]
    fn octets_are_relayed_as_values_are_rewritten(
        attributes in any_attributes(),
        (from, to) in (prop::option::of(any_kind()), any_kind()),
        (client, transit, drain, v6) in (any::<bool>(), any::<bool>(), prop::bool::weighted(0.1), any::<bool>()),
        role in prop::option::of(select(vec![Role::Provider, Role::Customer, Role::Peer, Role::RouteServer])),
        mode in select(vec![NextHopMode::Auto, NextHopMode::SelfAddress, NextHopMode::Keep]),
        (local_asn, replace_as, as_override) in (select(vec![64512, 64999]), any::<bool>(), prop::bool::weighted(0.1)),
        private in select(vec![RemovePrivate::Never, RemovePrivate::Never, RemovePrivate::Never, RemovePrivate::All]),
        (stale, four_octet) in (any::<bool>(), prop::bool::weighted(0.9)),
    ) {
        let teacher = from.map(session);
        let mut target = session(to);
        target.local_asn = Asn(local_asn);
        target.four_octet = four_octet;
        target.features.takes_stale = stale;
        let export = Arc::make_mut(&mut target.export);
        (export.client, export.transit, export.drain, export.role) = (client, transit, drain, role);
        export.next_hop = mode;
        export.as_rules = AsRules { as_override, remove_private: private, replace_as };
        let prefix: IpNet = if v6 { "fd00:7::/64" } else { "10.7.0.0/16" }.parse().unwrap();
        let family = Family::of(&prefix);
        let hop: IpAddr = if v6 { "2001:db8::77" } else { "192.0.2.77" }.parse().unwrap();
        let mut octets = Vec::new();
        canonical::write(&attributes, &mut octets);
        let stored = Canonical(&octets);
        fn of<'a, S>(attributes: &'a S, session: Option<&'a crate::rib::PeerSession>, hop: NextHop) -> Source<'a, S> {
            Source {
                session,
                long_lived: false,
                is_target: false,
                next_hop: session.map(|_| hop),
                attributes,
                interface: None,
                priority: None,
            }
        }
        let hop = NextHop::from(hop);
        let relayed = relay(family, &of(&stored, teacher.as_ref(), hop), &target, &local());
        let rewritten = rewrite(&prefix, &of(&attributes, teacher.as_ref(), hop), &target, &local());
        let renumbers = as_override || private != RemovePrivate::Never;
        prop_assert_eq!(relayed.is_none(), renumbers || drain || !four_octet);
        if let Some(relayed) = relayed {
            let context = encode_context(&target);
            let form = relayed.map(|(hop, relay)| Form::relaying(&context, stored, &relay, family, hop));
            let wanted = rewritten.map(|(hop, values)| Form::announcing(&context, &values, family, hop));
            prop_assert_eq!(form, wanted);
        }
    }
}
