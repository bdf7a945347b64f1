//! What a route looks like to the members of a subgroup: export policy, run once for each attribute set, session and rule in a
//! batch, and written down as the frame of an UPDATE.

use crate::rib::attrs::{AttrId, Attrs};
use crate::rib::hub::Rib;
use crate::rib::model::{LocalSettings, PeerSession};
use crate::rib::peers::Peers;
use crate::rib::policy::ExportRefusal;
use crate::rib::policy::export::{self, Source};
use crate::rib::policy::filter::{Looked, RuleId};
use crate::rib::slot::Slot;
use crate::session::AddPathSend;
use crate::types::{Family, PerFamily, ScopedAddr};
use crate::wire::{EncodeContext, Form, NextHop, PathAttributes};
use ipnet::IpNet;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A route as it stands in the table: what export policy begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::rib) struct Route {
    pub attr: AttrId,
    pub slot: Slot,
    pub family: Family,
    /// The metric that import policy gave it; asked for only where filters look at it.
    pub priority: Option<u32>,
}

/// What export policy looks at beside the route and its target.
#[derive(Clone, Copy)]
pub(in crate::rib) struct View<'a> {
    pub local: &'a LocalSettings,
    pub peers: &'a Peers,
    pub attrs: &'a Attrs,
    pub interfaces: &'a BTreeMap<ScopedAddr, Arc<str>>,
}

impl View<'_> {
    fn source<'s, S>(&'s self, route: Route, attributes: &'s S) -> Source<'s, S> {
        let next_hop = self.attrs.next_hop(route.attr);
        let interface = next_hop.and_then(|hop| self.interfaces.get(&hop.scoped()));
        Source {
            session: self.peers.get(route.slot).map(|peer| &peer.session),
            // What is long-lived stale says so itself: see `Rib::long_lived`.
            long_lived: false,
            is_target: false,
            next_hop,
            attributes,
            interface: interface.map(AsRef::as_ref),
            priority: route.priority,
        }
    }

    /// The rule of the filters that decides on the route.
    pub fn rule(
        &self,
        prefix: &IpNet,
        route: Route,
        says: &PathAttributes,
        policy: &PeerSession,
    ) -> Option<RuleId> {
        export::rule(prefix, &self.source(route, says), policy).map(|(id, _)| id)
    }

    /// Each rule that is looked at.
    pub fn trace(&self, prefix: &IpNet, route: Route, policy: &PeerSession) -> Vec<Looked> {
        let says = self.attrs.attributes(route.attr);
        export::trace(prefix, &self.source(route, &says), policy)
    }

    /// The frame of the UPDATEs that tell a route, or why it is not told.
    pub fn form(&self, prefix: &IpNet, route: Route, policy: &PeerSession) -> Result<Form, ExportRefusal> {
        let (context, family) = (encode_context(policy), route.family);
        let stored = self.attrs.canonical(route.attr);
        let form = match export::relay(family, &self.source(route, &stored), policy, self.local) {
            Some(relayed) => {
                let (next_hop, relay) = relayed?;
                Form::relaying(&context, stored, &relay, family, next_hop)
            }
            None => {
                let (next_hop, attributes) = self.rewrite(prefix, route, policy)?;
                Form::announcing(&context, &attributes, family, next_hop)
            }
        };
        form.map_err(|_| ExportRefusal::TooLong)
    }

    /// The route as the members see it.
    pub fn rewrite(
        &self,
        prefix: &IpNet,
        route: Route,
        policy: &PeerSession,
    ) -> Result<(NextHop, PathAttributes), ExportRefusal> {
        let attributes = self.attrs.attributes(route.attr);
        export::rewrite(prefix, &self.source(route, &attributes), policy, self.local)
    }
}

impl Rib {
    /// See [`View`].
    pub(in crate::rib) fn view(&self) -> View<'_> {
        View {
            local: &self.local,
            peers: &self.peers,
            attrs: &self.attrs,
            interfaces: &self.interfaces,
        }
    }
}

/// What forms are told apart by: the route, which of two policies, and the rule of its filters.
type Key = (Route, bool, Option<RuleId>);

/// Forms by route: no key is a peer's choice, for sets and sessions are numbered here.
#[derive(Clone, Debug, Default)]
pub(in crate::rib) struct Forms {
    known: FxHashMap<Key, Option<usize>>,
    forms: Vec<Form>,
    latest: Option<(Key, Option<usize>)>,
    /// What sets say that filters looked at.
    says: FxHashMap<AttrId, Arc<PathAttributes>>,
}

impl Forms {
    pub fn clear(&mut self) {
        self.known.clear();
        self.forms.clear();
        self.latest = None;
        self.says.clear();
    }

    pub fn get(&self, form: usize) -> &Form {
        &self.forms[form]
    }

    /// The form of a route under a policy; `None` where it is not told. `old` tells two policies apart.
    pub fn of(
        &mut self,
        route: Route,
        prefix: impl Fn() -> IpNet,
        (policy, old): (&PeerSession, bool),
        view: View<'_>,
    ) -> Option<usize> {
        let rule = match policy.export.filters.is_empty(route.family) {
            true => None,
            false => {
                let decode = || Arc::new(view.attrs.attributes(route.attr));
                let says = self.says.entry(route.attr).or_insert_with(decode);
                view.rule(&prefix(), route, says, policy)
            }
        };
        let key = (route, old, rule);
        if let Some((latest, form)) = self.latest
            && latest == key
        {
            return form;
        }
        let form = match self.known.get(&key) {
            Some(form) => *form,
            None => {
                let form = view.form(&prefix(), route, policy).ok();
                let form = form.map(|form| {
                    self.forms.push(form);
                    self.forms.len() - 1
                });
                self.known.insert(key, form);
                form
            }
        };
        self.latest = Some((key, form));
        form
    }
}

/// How UPDATEs on a session are written.
pub(in crate::rib) fn encode_context(session: &PeerSession) -> EncodeContext {
    EncodeContext {
        four_octet: session.four_octet,
        add_path: PerFamily {
            ipv4: session.features.add_path_out.ipv4 != AddPathSend::None,
            ipv6: session.features.add_path_out.ipv6 != AddPathSend::None,
        },
        max_message_len: session.max_message_len,
    }
}
