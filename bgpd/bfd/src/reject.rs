//! Why packets are dropped, and how many were: counted, never logged one by one, since anybody can send them.

/// A reason to drop a packet, in the order of the checks (RFC 5880 §6.8.6, RFC 5881 §5, RFC 5883 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum Reject {
    /// Fewer bytes than a packet has.
    Short,
    /// Not version 1.
    Version,
    /// The Length field is too small, or more than came.
    Length,
    /// Detect Mult is zero.
    DetectMultZero,
    /// The M bit is set: it is reserved.
    Multipoint,
    /// My Discriminator is zero.
    MyDiscrZero,
    /// Your Discriminator is zero from a sender that claims to have heard us.
    YourDiscrZero,
    /// Authenticated, which no session here is.
    Authentication,
    /// TTL says that it came from further away than allowed: 255 for single hop, 240 at least for multihop.
    Ttl,
    /// No session has this Your Discriminator.
    UnknownDiscriminator,
    /// The discriminator is a session's, the source (or port) is not.
    Source,
    /// Your Discriminator is zero, and the source is no session's.
    UnknownSource,
}

impl Reject {
    /// All of them, in order.
    pub const ALL: [Reject; 12] = [
        Reject::Short,
        Reject::Version,
        Reject::Length,
        Reject::DetectMultZero,
        Reject::Multipoint,
        Reject::MyDiscrZero,
        Reject::YourDiscrZero,
        Reject::Authentication,
        Reject::Ttl,
        Reject::UnknownDiscriminator,
        Reject::Source,
        Reject::UnknownSource,
    ];
}

/// How many packets were dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rejects([u64; Reject::ALL.len()]);

impl Rejects {
    /// Those of one kind.
    pub fn of(&self, kind: Reject) -> u64 {
        self.0[kind as usize]
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(crate) fn count(&mut self, kind: Reject) {
        self.0[kind as usize] += 1;
    }
}
