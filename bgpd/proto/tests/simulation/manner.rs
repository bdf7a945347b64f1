//! What a speaker says of itself in the capability of graceful restart (RFC 4724 §3).

use bgpd_proto::wire::{Capability, DecodeContext, HEADER_LEN, Message, Open, decode};

/// The kinds of speakers that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As ours do: R after a restart, F always.
    Ours,
    /// As BIRD does: R and F after a restart, neither after a mere reset of the connection.
    Bird,
    /// It never keeps its forwarding over a restart: R after one, F never.
    Forgetful,
}

impl Manner {
    /// What becomes of messages that a speaker sends.
    pub fn spoken(self, bytes: Vec<u8>) -> Vec<u8> {
        if self == Manner::Ours {
            return bytes;
        }
        let mut said = Vec::with_capacity(bytes.len());
        let mut bytes = &bytes[..];
        while let Some(header) = bytes.get(..HEADER_LEN) {
            let length = usize::from(u16::from_be_bytes([header[16], header[17]]));
            let (message, rest) = bytes.split_at(length);
            bytes = rest;
            match decode(message, &DecodeContext::default()) {
                Ok(Some((Message::Open(open), _))) => self.open(open).encode(&mut said),
                _ => said.extend_from_slice(message),
            }
        }
        assert_eq!(bytes, [], "whole messages are sent");
        said
    }

    fn open(self, mut open: Open) -> Open {
        for capability in &mut open.capabilities {
            if let Capability::GracefulRestart {
                restarting, families, ..
            } = capability
            {
                let kept = match self {
                    Manner::Ours => true,
                    Manner::Bird => *restarting,
                    Manner::Forgetful => false,
                };
                families
                    .iter_mut()
                    .for_each(|family| family.forwarding_kept = kept);
            }
        }
        open
    }
}
