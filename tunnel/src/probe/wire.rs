//! Probe packets: the payload of UDP, the same 32 bytes for all kinds, requests and checks padded to their size with zeros.
//!
//! ```text
//!  0      4        5       6         7     8             16          24
//!  "RBpr" version  kind    arrival  way    sequence      nonce       zeros to 32
//! ```
//!
//! The way is the one that the sender itself takes to the receiver, 0 where that is not known: who is told it can say
//! that there and back differ.
//!
//! The nonce is a keyed hash of the sequence number: only who has seen the request can answer it.

use std::hash::{BuildHasher, RandomState};

use super::verdict::Taken;

/// Bytes of a packet without padding.
pub(crate) const LENGTH: usize = 32;
const MAGIC: [u8; 4] = *b"RBpr";
const VERSION: u8 = 1;
const REQUEST: u8 = 1;
const ANSWER: u8 = 2;
const CHECK: u8 = 3;
const NATIVE: u8 = 1;
const TUNNEL: u8 = 2;
const UNKNOWN: u8 = 0;

/// How a request reached the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// On a link that is no tunnel of ours.
    Native,
    /// Through one of our tunnels.
    Tunnel,
}

/// What names a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    /// Unique as long as the sender lives.
    pub sequence: u64,
    /// Not to be guessed.
    pub nonce: u64,
}

/// A packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packet {
    /// Asks the peer to say that it came; with the way that the sender takes.
    Request(Token, Option<Taken>),
    /// The same for a test through the tunnel; the answer goes to the port that it came from.
    Check(Token),
    /// Says that it came, and how; with the way that the sender takes.
    Answer(Token, Arrival, Option<Taken>),
}

impl Packet {
    /// The bytes, without padding.
    pub fn encode(&self) -> [u8; LENGTH] {
        let (kind, arrival, way, token) = match self {
            Self::Request(token, way) => (REQUEST, 0, *way, token),
            Self::Check(token) => (CHECK, 0, None, token),
            Self::Answer(token, Arrival::Native, way) => (ANSWER, NATIVE, *way, token),
            Self::Answer(token, Arrival::Tunnel, way) => (ANSWER, TUNNEL, *way, token),
        };
        let way = match way {
            None => UNKNOWN,
            Some(Taken::Direct) => NATIVE,
            Some(Taken::Tunnel) => TUNNEL,
        };
        let mut bytes = [0; LENGTH];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&[VERSION, kind, arrival, way]);
        bytes[8..16].copy_from_slice(&token.sequence.to_be_bytes());
        bytes[16..24].copy_from_slice(&token.nonce.to_be_bytes());
        bytes
    }

    /// The packet in `bytes`; none if it is not one of ours or of another version.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let head = bytes.first_chunk::<LENGTH>()?;
        let &[m0, m1, m2, m3, version, kind, arrival, way, ref rest @ ..] = head;
        if [m0, m1, m2, m3] != MAGIC || version != VERSION {
            return None;
        }
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let token = Token {
            sequence: u64::from_be_bytes(*sequence),
            nonce: u64::from_be_bytes(*rest.first_chunk::<8>()?),
        };
        let way = match way {
            NATIVE => Some(Taken::Direct),
            TUNNEL => Some(Taken::Tunnel),
            _ => None,
        };
        match (kind, arrival) {
            (REQUEST, _) => Some(Self::Request(token, way)),
            (CHECK, _) => Some(Self::Check(token)),
            (ANSWER, NATIVE) => Some(Self::Answer(token, Arrival::Native, way)),
            (ANSWER, TUNNEL) => Some(Self::Answer(token, Arrival::Tunnel, way)),
            _ => None,
        }
    }
}

/// Makes and recognises nonces; keyed anew by the operating system at each start.
#[derive(Debug, Default)]
pub(crate) struct Nonces(RandomState);

impl Nonces {
    /// The token of the request number `sequence`.
    pub fn token(&self, sequence: u64) -> Token {
        Token {
            sequence,
            nonce: self.0.hash_one(sequence),
        }
    }

    /// Whether `token` is one of ours.
    pub fn knows(&self, token: Token) -> bool {
        self.token(token.sequence) == token
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            sequence: u64, nonce: u64, which in 0..4, way in 0usize..3, padding in 0usize..100
        ) {
            let token = Token { sequence, nonce };
            let way = [None, Some(Taken::Direct), Some(Taken::Tunnel)][way];
            let packet = match which {
                0 => Packet::Request(token, way),
                1 => Packet::Answer(token, Arrival::Native, way),
                2 => Packet::Check(token),
                _ => Packet::Answer(token, Arrival::Tunnel, way),
            };
            let mut bytes = packet.encode().to_vec();
            bytes.resize(LENGTH + padding, 0);
            prop_assert_eq!(Packet::decode(&bytes), Some(packet));
            bytes.truncate(LENGTH - 1);
            prop_assert_eq!(Packet::decode(&bytes), None);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Packet::decode(&bytes);
        }
    }

    #[test]
    fn foreign_packets_are_refused() {
        let token = Token {
            sequence: 1,
            nonce: 2,
        };
        let good = Packet::Request(token, None).encode();
        for (at, value) in [(0, b'X'), (4, 2), (5, 0), (5, 4)] {
            let mut bytes = good;
            bytes[at] = value;
            assert_eq!(Packet::decode(&bytes), None, "byte {at}");
        }
        let mut answer = Packet::Answer(token, Arrival::Native, None).encode();
        answer[6] = 0;
        assert_eq!(
            Packet::decode(&answer),
            None,
            "an answer says how the request came"
        );
    }

    #[test]
    fn a_nonce_is_known_only_with_its_number_and_key() {
        let nonces = Nonces::default();
        let token = nonces.token(7);
        assert!(nonces.knows(token));
        assert!(!nonces.knows(Token { sequence: 8, ..token }));
        assert!(!nonces.knows(Token {
            nonce: token.nonce ^ 1,
            ..token
        }));
        assert!(!Nonces::default().knows(token));
    }
}
