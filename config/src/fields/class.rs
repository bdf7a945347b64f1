//! What a field can be.

/// The kinds of resources that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    /// `BGPConfiguration`.
    BgpConfiguration,
    /// `IPPool`.
    IpPool,
    /// `BGPPeer`.
    BgpPeer,
    /// `Node`.
    Node,
    /// `BGPFilter`.
    BgpFilter,
    /// `IPReservation`.
    IpReservation,
    /// `IPAMConfiguration`.
    IpamConfig,
}

impl ResourceKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::BgpConfiguration,
        Self::IpPool,
        Self::BgpPeer,
        Self::Node,
        Self::BgpFilter,
        Self::IpReservation,
        Self::IpamConfig,
    ];

    /// The kind as documents name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BgpConfiguration => "BGPConfiguration",
            Self::IpPool => "IPPool",
            Self::BgpPeer => "BGPPeer",
            Self::Node => "Node",
            Self::BgpFilter => "BGPFilter",
            Self::IpReservation => "IPReservation",
            Self::IpamConfig => "IPAMConfiguration",
        }
    }

    /// The kind of this name, as documents write it; `IPAMConfig` is an older name for `IPAMConfiguration`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "IPAMConfig" => Some(Self::IpamConfig),
            _ => Self::ALL.into_iter().find(|kind| kind.name() == name),
        }
    }
}

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Read, with Calico's meaning.
    Supported,
    /// Read; Calico does not have it.
    Ours,
    /// Accepted with a warning, for this reason.
    Ignored(&'static str),
    /// An error that names it, because it would change forwarding. Values that say the same as leaving it
    /// out (nothing, `false`, empty, these words) are fine.
    Refused {
        /// Further values without effect.
        harmless: &'static [&'static str],
        /// What is missing.
        why: &'static str,
    },
}

/// One field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Full path, such as `spec.asNumber`.
    pub path: &'static str,
    /// What becomes of it.
    pub class: Class,
    /// What it says, for the manual: form, default.
    pub about: &'static str,
}
