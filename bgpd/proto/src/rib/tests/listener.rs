//! A peer that listens: it takes the bytes of `next_updates` apart and keeps what they say.

use crate::rib::PeerSession;
use crate::types::Family;
use crate::wire::{self, DecodeContext, Message, NextHop, PathAttributes};
use ipnet::IpNet;
use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Listener {
    context: DecodeContext,
    pub table: BTreeMap<IpNet, (NextHop, PathAttributes)>,
    pub end_of_rib: Vec<Family>,
    pub messages: usize,
}

impl Listener {
    pub fn new(session: &PeerSession) -> Self {
        let context = DecodeContext {
            four_octet: session.four_octet,
            peer_kind: session.kind,
            max_message_len: session.max_message_len,
            ..DecodeContext::default()
        };
        Self {
            context,
            table: BTreeMap::new(),
            end_of_rib: Vec::new(),
            messages: 0,
        }
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
                    self.table.remove(&nlri.prefix).is_some(),
                    "{} was not there",
                    nlri.prefix
                );
            }
            for announcement in routes.announced {
                for nlri in announcement.nlri {
                    let route = (announcement.next_hop, routes.attributes.clone());
                    self.table.insert(nlri.prefix, route);
                }
            }
        }
    }
}
