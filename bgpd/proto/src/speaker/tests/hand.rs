//! A peer by hand: what it says is written out here, what it is told is read.

use super::*;
use crate::types::Family;
use crate::wire::{
    self, AsPath, Capability, DecodeContext, EncodeContext, GracefulFamily, Message, NextHop, Nlri, Open,
    PathAttributes,
};

/// One connection of a peer.
pub(super) struct Hand {
    pub conn: ConnId,
    host: u8,
}

/// Both families, graceful restart with these bits, and whatever else.
pub(super) fn abilities(restarting: bool, notification: bool, more: &[Capability]) -> Vec<Capability> {
    let kept = |family| GracefulFamily {
        family,
        forwarding_kept: true,
    };
    let mut list: Vec<Capability> = Family::ALL.map(Capability::MultiProtocol).to_vec();
    list.push(Capability::RouteRefresh);
    list.push(Capability::GracefulRestart {
        restarting,
        notification,
        time: 120,
        families: Family::ALL.map(kept).to_vec(),
    });
    list.extend_from_slice(more);
    list
}

impl Hand {
    /// `host`, in its AS, connects to a speaker and says its OPEN and a KEEPALIVE: the session is up.
    pub fn up(speaker: &mut Speaker, host: u8, capabilities: Vec<Capability>, now: Instant) -> Self {
        let hand = Self::open(speaker, host, capabilities, now);
        hand.say(speaker, now, wire::encode_keepalive);
        let state = speaker
            .peers(now)
            .iter()
            .find(|peer| peer.id == id(host))
            .unwrap()
            .state;
        assert_eq!(state, State::Established);
        hand
    }

    /// The same without the KEEPALIVE.
    pub fn open(speaker: &mut Speaker, host: u8, capabilities: Vec<Capability>, now: Instant) -> Self {
        let conn = speaker.next_conn();
        speaker.handle_incoming(conn, (address(250), 179).into(), (address(host), 999).into(), now);
        let hand = Hand { conn, host };
        let open = Open {
            asn: 65000 + u16::from(host),
            hold_time: 90,
            router_id: RouterId(address(host)),
            capabilities,
        };
        hand.say(speaker, now, |out| open.encode(out));
        hand
    }

    pub fn say(&self, speaker: &mut Speaker, now: Instant, what: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        what(&mut bytes);
        speaker.handle_bytes(self.conn, &bytes, now);
    }

    /// Announces routes with these communities.
    pub fn announce(
        &self,
        speaker: &mut Speaker,
        routes: BTreeMap<ipnet::IpNet, Originated>,
        communities: &[wire::Community],
        now: Instant,
    ) {
        let attributes = PathAttributes {
            as_path: AsPath::default().prepended(Asn(65000 + u32::from(self.host))),
            communities: communities.to_vec(),
            ..PathAttributes::default()
        };
        let context = EncodeContext {
            four_octet: false,
            ..EncodeContext::default()
        };
        let nlri: Vec<Nlri> = routes.into_keys().map(Nlri::from).collect();
        let next_hop = NextHop::V4(address(self.host));
        self.say(speaker, now, |out| {
            wire::encode_announcements(out, &context, &attributes, Family::Ipv4Unicast, next_hop, nlri)
                .expect("the attributes fit");
        });
    }

    /// Ends its feed of both families.
    pub fn end_of_rib(&self, speaker: &mut Speaker, now: Instant) {
        for family in Family::ALL {
            self.say(speaker, now, |out| wire::encode_end_of_rib(out, family));
        }
    }

    /// What the speaker has to say to it now.
    pub fn hear(&self, speaker: &mut Speaker, now: Instant) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let mut bytes = Vec::new();
            speaker.transmit(self.conn, &mut bytes, 4096, now);
            let mut rest = bytes.as_slice();
            if rest.is_empty() {
                return messages;
            }
            while let Some((message, length)) = wire::decode(rest, &DecodeContext::default()).unwrap() {
                messages.push(message);
                rest = &rest[length..];
            }
        }
    }
}

/// Families whose End-of-RIB is among the messages.
pub(super) fn ends_of_rib(messages: &[Message]) -> Vec<Family> {
    let end = |message: &Message| match message {
        Message::Update(update) => update.clone().into_routes().end_of_rib,
        _ => None,
    };
    messages.iter().filter_map(end).collect()
}

/// Prefixes that the messages announce.
pub(super) fn announced(messages: &[Message]) -> Vec<ipnet::IpNet> {
    let of = |message: &Message| match message {
        Message::Update(update) => update.clone().into_routes().announced,
        _ => Vec::new(),
    };
    let nlri = messages.iter().flat_map(of).flat_map(|part| part.nlri);
    nlri.map(|nlri| nlri.prefix).collect()
}

/// Speaker 2 with these peers, all next hops reachable.
pub(super) fn speaker(change: impl FnOnce(&mut SpeakerConfig)) -> Speaker {
    let mut config = config(2, &[1, 3]);
    change(&mut config);
    let mut speaker = Speaker::new(config, *ORIGIN);
    let hops = (1..4)
        .map(|host| (address(host).into(), NextHopState::Reachable { metric: 0 }))
        .collect();
    speaker.set_next_hops(hops, *ORIGIN);
    speaker
}

/// How many routes the speaker uses.
pub(super) fn known(speaker: &Speaker) -> usize {
    speaker.rib().loc_rib().count()
}
