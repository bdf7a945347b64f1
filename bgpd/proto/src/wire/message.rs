//! The messages as values, and the two small ones as bytes.

use super::frame;
use super::notification::Notification;
use super::open::Open;
use super::reader::Reader;
use super::update::Update;
use crate::types::Family;

/// A BGP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Who the peer is and what it can do.
    Open(Open),
    /// Routes announced and withdrawn.
    Update(Update),
    /// Why the session ends.
    Notification(Notification),
    /// Still here.
    Keepalive,
    /// Send your routes again.
    RouteRefresh(RouteRefresh),
}

/// ROUTE-REFRESH (RFC 2918).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteRefresh {
    /// The family, if it is one of ours; others are ignored.
    pub family: Option<Family>,
    /// Request, or a marker of RFC 7313.
    pub kind: RefreshKind,
}

/// Message subtype of ROUTE-REFRESH (RFC 7313 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshKind {
    /// Send your routes again.
    Request,
    /// BoRR: what follows is the whole table.
    Begin,
    /// EoRR: that was all.
    End,
    /// A subtype that this version does not know; to be ignored.
    Unknown(u8),
}

impl RefreshKind {
    fn code(self) -> u8 {
        match self {
            RefreshKind::Request => 0,
            RefreshKind::Begin => 1,
            RefreshKind::End => 2,
            RefreshKind::Unknown(code) => code,
        }
    }
}

impl RouteRefresh {
    /// Reads the body. A begin or end mark that is not four octets long has a NOTIFICATION of its own, with the
    /// whole message as data (RFC 7313 §5).
    pub(super) fn decode(body: &[u8]) -> Result<RouteRefresh, Notification> {
        let wrong = || {
            let mut data = Vec::with_capacity(frame::HEADER_LEN + body.len());
            frame::write_message(&mut data, frame::ROUTE_REFRESH, |out| out.extend_from_slice(body));
            Notification {
                code: 7,
                subcode: 1,
                data,
            }
        };
        let mut reader = Reader::new(body);
        let (Some(afi), Some(subtype), Some(safi)) = (reader.u16(), reader.u8(), reader.u8()) else {
            return Err(wrong());
        };
        let kind = match subtype {
            0 => RefreshKind::Request,
            1 => RefreshKind::Begin,
            2 => RefreshKind::End,
            code => RefreshKind::Unknown(code),
        };
        // An outbound route filter (RFC 5291) may follow a plain request; it was not negotiated: ignored.
        if !reader.is_empty() && matches!(kind, RefreshKind::Begin | RefreshKind::End) {
            return Err(wrong());
        }
        Ok(RouteRefresh {
            family: Family::from_afi_safi(afi, safi),
            kind,
        })
    }
}

/// Appends a KEEPALIVE.
pub fn encode_keepalive(out: &mut Vec<u8>) {
    frame::write_message(out, frame::KEEPALIVE, |_| {});
}

/// Appends a ROUTE-REFRESH.
pub fn encode_route_refresh(family: Family, kind: RefreshKind, out: &mut Vec<u8>) {
    frame::write_message(out, frame::ROUTE_REFRESH, |out| {
        out.extend(family.afi().to_be_bytes());
        out.extend([kind.code(), family.safi()]);
    });
}
