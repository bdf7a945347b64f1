//! NOTIFICATION (RFC 4271 §4.5): the message that says why a session ends.

use std::fmt;

use super::context::MAX_MESSAGE;
use super::frame::{self, HEADER_LEN};

/// Code, subcode and data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Notification {
    /// Error code (RFC 4271 §4.5; 7 is RFC 7313, 8 is RFC 9687).
    pub code: u8,
    /// Subcode; zero where the code has none.
    pub subcode: u8,
    /// What the error is about; its form depends on the codes.
    pub data: Vec<u8>,
}

impl Notification {
    /// Message header error (RFC 4271 §6.1).
    pub(super) fn header(subcode: u8, data: impl Into<Vec<u8>>) -> Self {
        Notification {
            code: 1,
            subcode,
            data: data.into(),
        }
    }

    /// OPEN message error (RFC 4271 §6.2).
    pub(super) fn open(subcode: u8, data: impl Into<Vec<u8>>) -> Self {
        Notification {
            code: 2,
            subcode,
            data: data.into(),
        }
    }

    /// UPDATE message error (RFC 4271 §6.3).
    pub(super) fn update(subcode: u8, data: impl Into<Vec<u8>>) -> Self {
        Notification {
            code: 3,
            subcode,
            data: data.into(),
        }
    }

    /// Stands for a NOTIFICATION whose length is wrong; never sent.
    pub fn unreadable() -> Self {
        Notification {
            code: 0,
            subcode: 0,
            data: Vec::new(),
        }
    }

    /// Cease, Hard Reset (RFC 8538 §3): nothing of the session is to be kept, for the reason that `inner` tells.
    pub fn hard_reset(inner: &Notification) -> Self {
        let mut data = vec![inner.code, inner.subcode];
        data.extend_from_slice(&inner.data);
        Notification {
            code: 6,
            subcode: 9,
            data,
        }
    }

    /// Whether nothing of the session is to be kept.
    pub fn is_hard_reset(&self) -> bool {
        (self.code, self.subcode) == (6, 9)
    }

    /// Whether the peer has found the path to us dead (RFC 9384).
    pub fn is_path_down(&self) -> bool {
        (self.code, self.subcode) == (6, 10)
    }

    /// What a Hard Reset carries: the reason for it.
    pub fn inner(&self) -> Option<Notification> {
        match self.data.as_slice() {
            [code, subcode, data @ ..] if self.is_hard_reset() => Some(Notification {
                code: *code,
                subcode: *subcode,
                data: data.to_vec(),
            }),
            _ => None,
        }
    }

    /// The text that an operator sent along with a shutdown (RFC 9003), in a Hard Reset too, control characters replaced.
    pub fn shutdown_communication(&self) -> Option<String> {
        match self.inner() {
            Some(inner) => inner.own_communication(),
            None => self.own_communication(),
        }
    }

    fn own_communication(&self) -> Option<String> {
        if self.code != 6 || !matches!(self.subcode, 2 | 4) {
            return None;
        }
        let (length, rest) = self.data.split_first()?;
        let text = String::from_utf8_lossy(rest.get(..usize::from(*length))?);
        let clean: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        (!clean.trim().is_empty()).then(|| clean.trim().to_owned())
    }

    /// Appends the whole message. Data that a message cannot hold is cut.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let data = &self.data[..self.data.len().min(MAX_MESSAGE - HEADER_LEN - 2)];
        frame::write_message(out, frame::NOTIFICATION, |out| {
            out.extend([self.code, self.subcode]);
            out.extend_from_slice(data);
        });
    }

    /// Reads the body of a NOTIFICATION, which the header's check has found long enough.
    pub(super) fn decode(body: &[u8]) -> Notification {
        let at = |i| body.get(i).copied().unwrap_or(0);
        Notification {
            code: at(0),
            subcode: at(1),
            data: body.get(2..).unwrap_or_default().to_vec(),
        }
    }

    fn name(&self) -> (&'static str, &'static str) {
        match (self.code, self.subcode) {
            (0, _) => ("unreadable NOTIFICATION", ""),
            (1, 1) => ("Message Header Error", "Connection Not Synchronized"),
            (1, 2) => ("Message Header Error", "Bad Message Length"),
            (1, 3) => ("Message Header Error", "Bad Message Type"),
            (1, _) => ("Message Header Error", ""),
            (2, 1) => ("OPEN Message Error", "Unsupported Version Number"),
            (2, 2) => ("OPEN Message Error", "Bad Peer AS"),
            (2, 3) => ("OPEN Message Error", "Bad BGP Identifier"),
            (2, 4) => ("OPEN Message Error", "Unsupported Optional Parameter"),
            (2, 6) => ("OPEN Message Error", "Unacceptable Hold Time"),
            (2, 7) => ("OPEN Message Error", "Unsupported Capability"),
            (2, 11) => ("OPEN Message Error", "Role Mismatch"),
            (2, _) => ("OPEN Message Error", ""),
            (3, 1) => ("UPDATE Message Error", "Malformed Attribute List"),
            (3, 2) => ("UPDATE Message Error", "Unrecognized Well-known Attribute"),
            (3, 3) => ("UPDATE Message Error", "Missing Well-known Attribute"),
            (3, 4) => ("UPDATE Message Error", "Attribute Flags Error"),
            (3, 5) => ("UPDATE Message Error", "Attribute Length Error"),
            (3, 6) => ("UPDATE Message Error", "Invalid ORIGIN Attribute"),
            (3, 8) => ("UPDATE Message Error", "Invalid NEXT_HOP Attribute"),
            (3, 9) => ("UPDATE Message Error", "Optional Attribute Error"),
            (3, 10) => ("UPDATE Message Error", "Invalid Network Field"),
            (3, 11) => ("UPDATE Message Error", "Malformed AS_PATH"),
            (3, _) => ("UPDATE Message Error", ""),
            (4, _) => ("Hold Timer Expired", ""),
            (5, 1) => ("Finite State Machine Error", "unexpected message in OpenSent"),
            (5, 2) => ("Finite State Machine Error", "unexpected message in OpenConfirm"),
            (5, 3) => ("Finite State Machine Error", "unexpected message in Established"),
            (5, _) => ("Finite State Machine Error", ""),
            (6, 1) => ("Cease", "Maximum Number of Prefixes Reached"),
            (6, 2) => ("Cease", "Administrative Shutdown"),
            (6, 3) => ("Cease", "Peer De-configured"),
            (6, 4) => ("Cease", "Administrative Reset"),
            (6, 5) => ("Cease", "Connection Rejected"),
            (6, 6) => ("Cease", "Other Configuration Change"),
            (6, 7) => ("Cease", "Connection Collision Resolution"),
            (6, 8) => ("Cease", "Out of Resources"),
            (6, 9) => ("Cease", "Hard Reset"),
            (6, 10) => ("Cease", "BFD Down"),
            (6, _) => ("Cease", ""),
            (7, _) => ("ROUTE-REFRESH Message Error", ""),
            (8, _) => ("Send Hold Timer Expired", ""),
            _ => ("unknown error", ""),
        }
    }
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, subcode) = self.name();
        let slash = if subcode.is_empty() { "" } else { "/" };
        write!(f, "{code}{slash}{subcode} ({}/{})", self.code, self.subcode)?;
        if let Some(inner) = self.inner() {
            let (code, subcode) = inner.name();
            let slash = if subcode.is_empty() { "" } else { "/" };
            write!(f, ", {code}{slash}{subcode} ({}/{})", inner.code, inner.subcode)?;
        }
        // Which message it was (RFC 6608 §3).
        if let (5, [kind]) = (self.code, &*self.data) {
            write!(f, ", {}", frame::type_name(*kind))?;
        }
        match self.shutdown_communication() {
            Some(text) => write!(f, ": \"{text}\""),
            None => Ok(()),
        }
    }
}
