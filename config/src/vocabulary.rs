//! The words that every other part uses: AS numbers, router IDs, node names, MAC addresses.
//!
//! Newtypes, so that a port cannot stand where an AS number belongs. Each parses from the text that an
//! operator writes and says in its error what would be right.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Labels of a resource, as Kubernetes has them.
pub type Labels = BTreeMap<String, String>;

/// Text that is not what it should be; the message names what would be right.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WordError {
    /// Not an AS number.
    #[error("`{0}` is not an AS number: 1 to 4294967295, or two 16-bit halves with a dot, such as 1.10")]
    Asn(String),
    /// Not a router ID.
    #[error("`{0}` is not a router ID: four octets as in 192.0.2.1, not 0.0.0.0")]
    RouterId(String),
    /// Not a name.
    #[error(
        "`{0}` is not a name: 1 to 253 lower-case letters, digits, `-` and `.`, with a letter or digit at both ends"
    )]
    Name(String),
    /// Not a MAC address.
    #[error("`{0}` is not a unicast MAC address: six bytes in hex, such as 66:01:02:03:04:05")]
    Mac(String),
}

/// An autonomous system number, 32 bits (RFC 6793). Zero does not parse (RFC 7607).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asn(pub u32);

impl Asn {
    /// Why this number cannot be a speaker's own or a peer's, if so: AS_TRANS (RFC 6793) and the last number
    /// of each width (RFC 7300) are reserved.
    pub fn reserved(self) -> Option<&'static str> {
        match self.0 {
            0 => Some("AS 0 is reserved (RFC 7607)"),
            23456 => Some("AS 23456 is AS_TRANS, the stand-in for 4-octet numbers (RFC 6793)"),
            65535 | u32::MAX => Some("the last AS number of each width is reserved (RFC 7300)"),
            _ => None,
        }
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Asn {
    type Err = WordError;

    /// Reads asplain (`64512`) and asdot (`1.10`, RFC 5396).
    fn from_str(text: &str) -> Result<Self, WordError> {
        let wrong = || WordError::Asn(text.to_owned());
        if !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return Err(wrong());
        }
        let number = match text.split_once('.') {
            Some((high, low)) => {
                let high: u16 = high.parse().map_err(|_| wrong())?;
                let low: u16 = low.parse().map_err(|_| wrong())?;
                u32::from(high) << 16 | u32::from(low)
            }
            None => text.parse().map_err(|_| wrong())?,
        };
        if number == 0 {
            Err(wrong())
        } else {
            Ok(Self(number))
        }
    }
}

/// A BGP identifier, unique in the AS (RFC 4271 §4.2, RFC 6286). Zero does not parse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouterId(pub Ipv4Addr);

impl fmt::Display for RouterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RouterId {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        match text.parse::<Ipv4Addr>() {
            Ok(address) if !address.is_unspecified() => Ok(Self(address)),
            _ => Err(WordError::RouterId(text.to_owned())),
        }
    }
}

/// The name of a node: the key that ties the agent's `nodeName` to its `Node` resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(String);

impl NodeName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for NodeName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        resource_name(text).map(Self)
    }
}

/// Checks the name of a resource by the rule of Kubernetes (RFC 1123 subdomain), so that one model fits
/// every datastore.
pub fn resource_name(text: &str) -> Result<String, WordError> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    if bytes.len() <= 253 && bytes.iter().all(|b| inner(*b)) && edge(bytes.first()) && edge(bytes.last()) {
        Ok(text.to_owned())
    } else {
        Err(WordError::Name(text.to_owned()))
    }
}

/// An Ethernet address of one interface: never a group address, never all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for MacAddress {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let wrong = || WordError::Mac(text.to_owned());
        let mut bytes = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts
                .next()
                .filter(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()));
            *byte = u8::from_str_radix(part.ok_or_else(wrong)?, 16).map_err(|_| wrong())?;
        }
        let group = bytes[0] & 1 == 1;
        if parts.next().is_some() || group || bytes == [0; 6] {
            Err(wrong())
        } else {
            Ok(Self(bytes))
        }
    }
}

/// Text in JSON for the words that are text, a number for an AS number.
macro_rules! serde_as_text {
    ($($word:ty),*) => {$(
        impl Serialize for $word {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $word {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
serde_as_text!(RouterId, NodeName, MacAddress);

impl Serialize for Asn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

impl<'de> Deserialize<'de> for Asn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_numbers_read_in_both_notations() {
        assert_eq!("64512".parse(), Ok(Asn(64512)));
        assert_eq!("1.10".parse(), Ok(Asn(65546)));
        assert_eq!("65535.65535".parse(), Ok(Asn(u32::MAX)));
        for bad in [
            "",
            "0",
            "0.0",
            "-1",
            "+1",
            "4294967296",
            "1.65536",
            "1.2.3",
            "AS64512",
            "1.",
            ".1",
            "١",
        ] {
            assert!(bad.parse::<Asn>().is_err(), "{bad}");
        }
    }

    #[test]
    fn reserved_as_numbers_are_named() {
        for number in [0, 23456, 65535, u32::MAX] {
            assert!(Asn(number).reserved().is_some(), "{number}");
        }
        assert_eq!(Asn(64512).reserved(), None);
    }

    #[test]
    fn names_follow_kubernetes() {
        for good in ["a", "node-a", "ip-10-0-0-1.ec2.internal", "0"] {
            assert_eq!(
                good.parse::<NodeName>().map(|n| n.to_string()),
                Ok(good.to_owned())
            );
        }
        for bad in ["", "Node", "a_b", "-a", "a-", ".a", "a/b", "ä", &"a".repeat(254)] {
            assert!(bad.parse::<NodeName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn mac_addresses_are_unicast() {
        let mac: MacAddress = "66:0A:02:03:04:05".parse().expect("valid");
        assert_eq!(mac.to_string(), "66:0a:02:03:04:05");
        for bad in [
            "",
            "66:01",
            "01:00:5e:00:00:01",
            "00:00:00:00:00:00",
            "66:1:2:3:4:5",
            "66:01:02:03:04:05:06",
        ] {
            assert!(bad.parse::<MacAddress>().is_err(), "{bad}");
        }
    }
}
