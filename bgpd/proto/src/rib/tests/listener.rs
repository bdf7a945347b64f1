//! A peer that listens: it takes the bytes of `next_updates` apart and keeps what they say.

use crate::rib::PeerSession;
use crate::rib::out::encode_context;
use crate::types::Family;
use crate::wire::{self, DecodeContext, Message, NextHop, PathAttributes};
use ipnet::IpNet;
use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Listener {
    context: DecodeContext,
    /// By prefix and path identifier.
    pub table: BTreeMap<(IpNet, Option<u32>), (NextHop, PathAttributes)>,
    pub end_of_rib: Vec<Family>,
    pub messages: usize,
}

impl Listener {
    pub fn new(session: &PeerSession) -> Self {
        let context = DecodeContext {
            four_octet: session.four_octet,
            peer_kind: session.kind,
            max_message_len: session.max_message_len,
            add_path: encode_context(session).add_path,
            ..DecodeContext::default()
        };
        Self {
            context,
            table: BTreeMap::new(),
            end_of_rib: Vec::new(),
            messages: 0,
        }
    }

    /// What it has of each prefix, in the order of path identifiers.
    pub fn routes(&self) -> BTreeMap<IpNet, Vec<(NextHop, PathAttributes)>> {
        let mut routes: BTreeMap<IpNet, Vec<_>> = BTreeMap::new();
        for ((prefix, _), route) in &self.table {
            routes.entry(*prefix).or_default().push(route.clone());
        }
        routes
    }

    pub fn hear(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (message, length) = wire::decode(bytes, &self.context)
                .expect("a good message")
                .expect("a whole message");
            bytes = &bytes[length..];
            let Message::Update(update) = message else {
                panic!("{message:?}")
            };
            let routes = update.into_routes();
            assert!(
                routes.faults.is_empty() && routes.disable.is_empty(),
                "{routes:?}"
            );
            self.messages += 1;
            self.end_of_rib.extend(routes.end_of_rib);
            for nlri in routes.withdrawn.iter().flat_map(|w| &w.nlri) {
                assert!(
                    self.table.remove(&(nlri.prefix, nlri.path_id)).is_some(),
                    "{} was not there",
                    nlri.prefix
                );
            }
            for announcement in routes.announced {
                for nlri in announcement.nlri {
                    let route = (announcement.next_hop, routes.attributes.clone());
                    self.table.insert((nlri.prefix, nlri.path_id), route);
                }
            }
        }
    }
}
