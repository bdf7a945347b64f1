//! The Control packet of RFC 5880 §4.1: 24 bytes to a value and back.
//!
//! ```text
//!  |Vers|  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
//!  |                       My Discriminator                       |
//!  |                      Your Discriminator                      |
//!  |                   Desired Min TX Interval (µs)               |
//!  |                   Required Min RX Interval (µs)              |
//!  |                 Required Min Echo RX Interval (µs)           |
//! ```
//!
//! [`decode`](ControlPacket::decode) makes the checks of §6.8.6 that need no session, in that order, and takes any bytes.

use crate::Reject;
use std::fmt;
use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

/// Bytes of a Control packet without authentication.
pub const PACKET_LEN: usize = 24;

const VERSION: u8 = 1;
const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const CONTROL_PLANE_INDEPENDENT: u8 = 0x08;
const AUTHENTICATION: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;

/// Where one side of a session stands (RFC 5880 §4.1, Sta).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum State {
    /// Held down by its operator.
    AdminDown = 0,
    /// Nothing heard, or lost.
    Down = 1,
    /// The other side is heard, and has not heard us.
    Init = 2,
    /// Both hear each other.
    Up = 3,
}

impl State {
    fn from_bits(byte: u8) -> Self {
        match byte >> 6 {
            0 => State::AdminDown,
            1 => State::Down,
            2 => State::Init,
            _ => State::Up,
        }
    }

    /// In lower case, as it is printed.
    pub fn name(self) -> &'static str {
        match self {
            State::AdminDown => "admin-down",
            State::Down => "down",
            State::Init => "init",
            State::Up => "up",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why the side that sent it last left Up (RFC 5880 §4.1, Diag): five bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Diag(u8);

impl Diag {
    /// No diagnostic.
    pub const NONE: Diag = Diag(0);
    /// No packet came within the detection time.
    pub const TIME_EXPIRED: Diag = Diag(1);
    /// The other side said that it is not Up.
    pub const NEIGHBOR_DOWN: Diag = Diag(3);
    /// Held down by the operator.
    pub const ADMIN_DOWN: Diag = Diag(7);

    /// From the low five bits.
    pub fn new(code: u8) -> Self {
        Diag(code & 0x1f)
    }

    /// The number on the wire.
    pub fn code(self) -> u8 {
        self.0
    }

    /// The name that RFC 5880 gives it.
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "no diagnostic",
            1 => "control detection time expired",
            2 => "echo function failed",
            3 => "neighbor signaled session down",
            4 => "forwarding plane reset",
            5 => "path down",
            6 => "concatenated path down",
            7 => "administratively down",
            8 => "reverse concatenated path down",
            _ => "unknown diagnostic",
        }
    }
}

impl fmt::Display for Diag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A Control packet that passed the checks that need no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlPacket {
    /// Why the sender last left Up.
    pub diag: Diag,
    /// Where the sender stands.
    pub state: State,
    /// P: the sender asks for an answer.
    pub poll: bool,
    /// F: the sender answers.
    pub fin: bool,
    /// C: the sender's BFD survives its control plane.
    pub control_plane_independent: bool,
    /// D: the sender wants no periodic packets while both are Up.
    pub demand: bool,
    /// The sender's detection time, in packets.
    pub detect_mult: NonZeroU8,
    /// The sender's number for the session.
    pub my_discr: NonZeroU32,
    /// The receiver's number for it, as far as the sender knows; zero: unknown.
    pub your_discr: u32,
    /// Desired Min TX Interval: the sender does not want to send faster. Whole microseconds.
    pub min_tx: Duration,
    /// Required Min RX Interval: the sender cannot take packets faster; zero: none at all.
    pub min_rx: Duration,
    /// Required Min Echo RX Interval; zero: no echo.
    pub min_echo_rx: Duration,
}

impl ControlPacket {
    /// Reads a datagram; bytes after its Length field are ignored.
    ///
    /// # Errors
    /// The first check of RFC 5880 §6.8.6 that fails.
    pub fn decode(datagram: &[u8]) -> Result<Self, Reject> {
        let Some(bytes) = datagram.first_chunk::<PACKET_LEN>() else {
            return Err(Reject::Short);
        };
        if bytes[0] >> 5 != VERSION {
            return Err(Reject::Version);
        }
        let length = usize::from(bytes[3]);
        let least = if bytes[1] & AUTHENTICATION == 0 {
            PACKET_LEN
        } else {
            PACKET_LEN + 2
        };
        if length < least || length > datagram.len() {
            return Err(Reject::Length);
        }
        let detect_mult = NonZeroU8::new(bytes[2]).ok_or(Reject::DetectMultZero)?;
        if bytes[1] & MULTIPOINT != 0 {
            return Err(Reject::Multipoint);
        }
        let my_discr = NonZeroU32::new(word(bytes, 4)).ok_or(Reject::MyDiscrZero)?;
        let state = State::from_bits(bytes[1]);
        let your_discr = word(bytes, 8);
        if your_discr == 0 && matches!(state, State::Init | State::Up) {
            return Err(Reject::YourDiscrZero);
        }
        if bytes[1] & AUTHENTICATION != 0 {
            return Err(Reject::Authentication);
        }
        Ok(Self {
            diag: Diag::new(bytes[0]),
            state,
            poll: bytes[1] & POLL != 0,
            fin: bytes[1] & FINAL != 0,
            control_plane_independent: bytes[1] & CONTROL_PLANE_INDEPENDENT != 0,
            demand: bytes[1] & DEMAND != 0,
            detect_mult,
            my_discr,
            your_discr,
            min_tx: micros(bytes, 12),
            min_rx: micros(bytes, 16),
            min_echo_rx: micros(bytes, 20),
        })
    }

    /// Writes it. Intervals longer than 71 minutes become that long, the most that the field holds.
    pub fn encode(&self) -> [u8; PACKET_LEN] {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let mut bytes = [0; PACKET_LEN];
        bytes[0] = (VERSION << 5) | self.diag.code();
        bytes[1] = ((self.state as u8) << 6)
            | flag(self.poll, POLL)
            | flag(self.fin, FINAL)
            | flag(self.control_plane_independent, CONTROL_PLANE_INDEPENDENT)
            | flag(self.demand, DEMAND);
        bytes[2] = self.detect_mult.get();
        bytes[3] = PACKET_LEN as u8;
        let words = [
            self.my_discr.get(),
            self.your_discr,
            wire_micros(self.min_tx),
            wire_micros(self.min_rx),
            wire_micros(self.min_echo_rx),
        ];
        for (place, word) in bytes[4..].chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }
}

fn word(bytes: &[u8; PACKET_LEN], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn micros(bytes: &[u8; PACKET_LEN], at: usize) -> Duration {
    Duration::from_micros(u64::from(word(bytes, at)))
}

fn wire_micros(interval: Duration) -> u32 {
    u32::try_from(interval.as_micros()).unwrap_or(u32::MAX)
}
