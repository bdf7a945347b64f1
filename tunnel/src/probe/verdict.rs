//! What the probe of one peer has found, with the values that it was found by, so that `explain` can print them.
//! [`Proof`] is what of it decides.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The way that is probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Our own pod address: the source.
    pub from: IpAddr,
    /// The peer's own pod address: the destination.
    pub to: IpAddr,
    /// Addresses that may be it in place of `to`: tried in turn while nothing answers.
    pub others: Vec<IpAddr>,
    /// The router, or the node's address where it stands on the same link.
    pub gateway: IpAddr,
    /// The link.
    pub interface: Arc<str>,
    /// Size of the largest probe, bytes of the whole IP packet.
    pub size: u32,
}

/// The way that a node takes to another one, as it says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Taken {
    /// Without a tunnel: to it the fabric carries pod addresses.
    Direct,
    /// Through a tunnel.
    Tunnel,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "directly",
            Self::Tunnel => "through a tunnel",
        })
    }
}

/// What was counted so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// The way; none if the peer cannot be probed.
    pub way: Option<Arc<Way>>,
    /// Requests sent since this way is probed.
    pub sent: u64,
    /// Requests of which the peer said that they came without a tunnel.
    pub answered: u64,
    /// Requests of the full size among `sent`.
    pub sent_full: u64,
    /// Those of them that were answered.
    pub answered_full: u64,
    /// Small requests answered in a row, up to now.
    pub answered_in_row: u32,
    /// Small requests lost in a row, up to now.
    pub lost_in_row: u32,
    /// From the last answered request to its answer.
    pub round_trip: Option<Duration>,
    /// Why the last request could not be sent, if it could not.
    pub error: Option<Arc<str>>,
    /// How long the verdict had been the same when it was written down.
    pub since: Duration,
    /// The way that the peer takes to us, as far as it has said so.
    pub theirs: Option<Taken>,
}

/// Why a way does not carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Silence {
    /// Requests are lost, whatever their size.
    Lost,
    /// Small requests arrive, those of the full size do not: a link on the way has a smaller MTU.
    TooLarge,
    /// Requests arrive, but through a tunnel.
    Tunnelled,
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "probes are lost",
            Self::TooLarge => "probes of the full size are lost, small ones arrive",
            Self::Tunnelled => "probes arrive through a tunnel",
        })
    }
}

/// What is proven, without the counts: all that a choice depends on, so that the next probe alone changes no choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Proof {
    /// Not enough is known yet.
    #[default]
    Unknown,
    /// The fabric carries packets between pod addresses.
    Carries,
    /// It does not.
    Silent(Silence),
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("it is not known yet whether the fabric carries pod addresses"),
            Self::Carries => f.write_str("the fabric carries pod addresses"),
            Self::Silent(why) => write!(f, "the fabric does not carry pod addresses: {why}"),
        }
    }
}

/// Whether the fabric carries packets between pod addresses to one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeVerdict {
    /// Not enough is known yet.
    Unknown(Seen),
    /// It does.
    Carries(Seen),
    /// It does not.
    Silent(Silence, Seen),
}

impl Default for ProbeVerdict {
    fn default() -> Self {
        Self::Unknown(Seen::default())
    }
}

impl ProbeVerdict {
    /// What decides.
    pub fn proof(&self) -> Proof {
        match self {
            Self::Unknown(_) => Proof::Unknown,
            Self::Carries(_) => Proof::Carries,
            Self::Silent(why, _) => Proof::Silent(*why),
        }
    }

    /// Whether the direct way is proven.
    pub fn carries(&self) -> bool {
        self.proof() == Proof::Carries
    }

    /// The way that follows from it; none before anything is known.
    pub fn taken(&self) -> Option<Taken> {
        match self {
            Self::Unknown(_) => None,
            Self::Carries(_) => Some(Taken::Direct),
            Self::Silent(..) => Some(Taken::Tunnel),
        }
    }

    /// Where the peer says that it takes another way back: this node's way, and the peer's.
    pub fn asymmetry(&self) -> Option<(Taken, Taken)> {
        let (ours, theirs) = (self.taken()?, self.seen().theirs?);
        (ours != theirs).then_some((ours, theirs))
    }

    /// What was counted.
    pub fn seen(&self) -> &Seen {
        match self {
            Self::Unknown(seen) | Self::Carries(seen) | Self::Silent(_, seen) => seen,
        }
    }
}

impl fmt::Display for ProbeVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Carries(seen) if seen.answered == 0 => {
                f.write_str("the fabric carried pod addresses before the start, which is being proven anew")?;
            }
            _ => write!(f, "{}", self.proof())?,
        }
        write!(f, " ({})", self.seen())
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(way) = &self.way else {
            return f
                .write_str("the node cannot be probed: a pod address or a route without tunnel is missing");
        };
        write!(
            f,
            "{} -> {} via {} on {}: {} of {} probes answered, {} of {} of them with {} bytes; ",
            way.from,
            way.to,
            way.gateway,
            way.interface,
            self.answered,
            self.sent,
            self.answered_full,
            self.sent_full,
            way.size
        )?;
        if self.lost_in_row > 0 {
            write!(f, "the last {} lost; ", self.lost_in_row)?;
        } else {
            write!(f, "the last {} answered; ", self.answered_in_row)?;
        }
        if let Some(error) = &self.error {
            write!(f, "the last could not be sent: {error}; ")?;
        }
        match self.round_trip {
            Some(trip) => write!(f, "last round trip {:.1} ms; ", trip.as_secs_f64() * 1e3)?,
            None => f.write_str("no answer ever; ")?,
        }
        write!(f, "for {} s", self.since.as_secs())?;
        match self.theirs {
            Some(theirs) => write!(f, "; the node itself sends {theirs}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        Seen {
            way: Some(Arc::new(Way {
                from: "10.244.1.0".parse().unwrap(),
                to: "10.244.2.0".parse().unwrap(),
                others: Vec::new(),
                gateway: "192.0.2.1".parse().unwrap(),
                interface: "eth0".into(),
                size: 1500,
            })),
            sent: 12,
            answered: 10,
            sent_full: 3,
            answered_full: 2,
            answered_in_row: 4,
            lost_in_row: 0,
            round_trip: Some(Duration::from_micros(340)),
            error: None,
            since: Duration::from_secs(61),
            theirs: None,
        }
    }

    #[test]
    fn all_checked_values_are_printed() {
        assert_eq!(
            ProbeVerdict::Carries(seen()).to_string(),
            "the fabric carries pod addresses (10.244.1.0 -> 10.244.2.0 via 192.0.2.1 on eth0: 10 of 12 probes \
             answered, 2 of 3 of them with 1500 bytes; the last 4 answered; last round trip 0.3 ms; for 61 s)"
        );
        let lost = Seen {
            answered_in_row: 0,
            lost_in_row: 5,
            round_trip: None,
            error: Some("Network is unreachable".into()),
            ..seen()
        };
        let text = ProbeVerdict::Silent(Silence::TooLarge, lost).to_string();
        assert!(text.contains("of the full size are lost"), "{text}");
        assert!(
            text.contains(
                "the last 5 lost; the last could not be sent: Network is unreachable; no answer ever"
            ),
            "{text}"
        );
        let adopted = Seen {
            answered: 0,
            ..seen()
        };
        let text = ProbeVerdict::Carries(adopted).to_string();
        assert!(text.contains("before the start"), "{text}");
        let text = ProbeVerdict::default().to_string();
        assert!(text.contains("cannot be probed"), "{text}");
    }

    #[test]
    fn counts_make_no_other_decision() {
        let other = Seen { sent: 13, ..seen() };
        let carries = [seen(), other.clone()].map(ProbeVerdict::Carries);
        assert_ne!(carries[0], carries[1]);
        assert_eq!(carries[0].proof(), carries[1].proof());
        assert_ne!(carries[0].proof(), ProbeVerdict::Unknown(other.clone()).proof());
        let silent = ProbeVerdict::Silent(Silence::Lost, seen());
        assert_ne!(
            silent.proof(),
            ProbeVerdict::Silent(Silence::TooLarge, other).proof()
        );
        assert!(!silent.carries() && ProbeVerdict::Carries(seen()).carries());
    }
}
