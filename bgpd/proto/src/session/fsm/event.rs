//! What goes into the machine and what comes out of it.

use crate::session::messages;
use crate::wire::Notification;
use std::fmt;
use std::time::Duration;

/// An event of RFC 4271 §8.1; the numbers are the RFC's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// ManualStart or AutomaticStart (1, 3): connect at once.
    Start,
    /// Start with PassiveTcpEstablishment (4, 5): listen, and connect after `retry` (never when `None`).
    StartPassively {
        /// Pause before our own attempt.
        retry: Option<Duration>,
    },
    /// ManualStop or AutomaticStop (2, 8), with the Cease to send.
    Stop(Notification),
    /// ConnectRetryTimer_Expires (9).
    ConnectRetryTimer,
    /// HoldTimer_Expires (10).
    HoldTimer,
    /// KeepaliveTimer_Expires (11).
    KeepaliveTimer,
    /// SendHoldTimer_Expires (RFC 9687, 29).
    SendHoldTimer,
    /// Tcp_CR_Acked or TcpConnectionConfirmed (16, 17).
    TcpConnected,
    /// TcpConnectionFails (18), and why.
    TcpFailed(String),
    /// BGPOpen (19): an OPEN that passed validation, with the negotiated hold time.
    Open {
        /// The smaller of both proposals; zero switches the timers off.
        hold_time: Duration,
    },
    /// BGPHeaderErr, BGPOpenMsgErr, UpdateMsgErr (21, 22, 28), with the NOTIFICATION that answers it.
    Malformed(Notification),
    /// OpenCollisionDump (23), with the Cease to send.
    CollisionDump(Notification),
    /// NotifMsgVerErr, NotifMsg (24, 25).
    NotificationReceived(Notification),
    /// The path to the peer is dead (RFC 5882 §4.3).
    PathDown {
        /// How that was found.
        why: String,
        /// The Cease to send.
        cease: Notification,
    },
    /// KeepAliveMsg (26).
    Keepalive,
    /// UpdateMsg (27).
    Update,
    /// A ROUTE-REFRESH message (RFC 2918).
    RouteRefresh,
}

impl Event {
    /// Type code of the message behind the event, zero where there is none (RFC 6608 §3: data of the NOTIFICATION).
    pub fn message_type(&self) -> u8 {
        match self {
            Event::Open { .. } => 1,
            Event::Update => 2,
            Event::Keepalive => 4,
            Event::RouteRefresh => 5,
            _ => 0,
        }
    }
}

/// What the owner of the machine has to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Begin a TCP connection.
    Connect,
    /// Send our OPEN.
    SendOpen,
    /// Send a KEEPALIVE.
    SendKeepalive,
    /// Send this NOTIFICATION; `Close` follows.
    SendNotification(Notification),
    /// Release the TCP connection, or the attempt at one.
    Close,
    /// The session is up.
    Established,
    /// It ended. The state tells whether the machine listens on (Active) or waits for a start (Idle).
    Failed(Down),
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Down {
    /// We ended it on purpose.
    Stopped(Notification),
    /// We found fault with what the peer sent.
    Sent(Notification),
    /// The peer ended it.
    Received(Notification),
    /// TCP failed or was closed.
    Transport(String),
    /// Nothing was heard for the hold time.
    HoldExpired,
    /// The peer took none of our bytes for the send hold time.
    SendHoldExpired,
    /// Another connection to the same peer won.
    Collision(Notification),
    /// The path to the peer is dead.
    PathDown {
        /// How that was found.
        why: String,
        /// What the peer is told.
        cease: Notification,
    },
}

impl Down {
    /// The reason for an end before an OPEN was sent.
    pub(super) fn before_open(event: Event) -> Self {
        match event {
            Event::Stop(cease) | Event::CollisionDump(cease) => Down::Stopped(cease),
            Event::TcpFailed(why) => Down::Transport(why),
            Event::NotificationReceived(notification) => Down::Received(notification),
            other => Down::Transport(format!("unexpected {other:?} before the OPEN")),
        }
    }

    /// The NOTIFICATION that goes to the peer for it.
    pub fn notification(&self) -> Option<Notification> {
        match self {
            Down::Stopped(n) | Down::Sent(n) | Down::Collision(n) | Down::PathDown { cease: n, .. } => {
                Some(n.clone())
            }
            Down::HoldExpired => Some(messages::hold_expired()),
            Down::SendHoldExpired => Some(messages::send_hold_expired()),
            Down::Received(_) | Down::Transport(_) => None,
        }
    }

    /// Whether the fault is in what the peer said, so that talking to it again at once would only repeat it.
    pub fn is_peers_fault(&self) -> bool {
        matches!(self, Down::Sent(_))
    }

    /// Whether it says something about the peer that an operator wants to read later.
    pub fn is_error(&self) -> bool {
        !matches!(self, Down::Stopped(_) | Down::Collision(_))
    }
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Down::Stopped(n) => write!(f, "closed by us: {n}"),
            Down::Sent(n) => write!(f, "sent NOTIFICATION: {n}"),
            Down::Received(n) => write!(f, "received NOTIFICATION: {n}"),
            Down::Transport(why) => f.write_str(why),
            Down::HoldExpired => f.write_str("hold timer expired: nothing heard from the peer"),
            Down::SendHoldExpired => f.write_str("send hold timer expired: the peer does not read"),
            Down::PathDown { why, .. } => write!(f, "BFD session down: {why}"),
            Down::Collision(_) => f.write_str("closed in favour of the peer's other connection"),
        }
    }
}
