//! What the packets of a test say about the offload. Pure.

use std::fmt;

/// Answers of each kind that decide.
const ENOUGH: u32 = 3;

/// Packets of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Sent.
    pub sent: u32,
    /// Answered.
    pub answered: u32,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.answered, self.sent)
    }
}

/// The packets of a test: all alike but for who computed the inner checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tallies {
    /// The checksum was left to the link.
    pub offloaded: Tally,
    /// The kernel computed it.
    pub computed: Tally,
    /// Answers of either kind that say that no tunnel was taken.
    pub direct: u32,
}

/// What follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Packets of both kinds arrive.
    Sound(Tallies),
    /// Only those arrive whose checksum the kernel computed.
    Corrupts(Tallies),
    /// Neither kind arrives often enough, or not through the tunnel.
    Undecided(Tallies),
}

impl Tallies {
    /// What they say so far. Nothing is found corrupting before all of the packets had their time (`over`).
    pub fn finding(self, over: bool) -> Finding {
        let Self {
            offloaded,
            computed,
            direct,
        } = self;
        if direct == 0 && offloaded.answered >= ENOUGH {
            Finding::Sound(self)
        } else if over
            && direct == 0
            && offloaded.answered == 0
            && offloaded.sent >= ENOUGH
            && computed.answered >= ENOUGH
        {
            Finding::Corrupts(self)
        } else {
            Finding::Undecided(self)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, tallies) = match self {
            Self::Sound(tallies) => ("checksum offload is sound", tallies),
            Self::Corrupts(tallies) => ("checksum offload corrupts packets", tallies),
            Self::Undecided(tallies) => ("nothing can be said of checksum offload", tallies),
        };
        write!(
            f,
            "{word} (answered: {} with the checksum left to the link, {} with the checksum computed",
            tallies.offloaded, tallies.computed
        )?;
        if tallies.direct > 0 {
            write!(f, "; {} came without the tunnel", tallies.direct)?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tallies(offloaded: u32, computed: u32) -> Tallies {
        let tally = |answered| Tally { sent: 5, answered };
        Tallies {
            offloaded: tally(offloaded),
            computed: tally(computed),
            direct: 0,
        }
    }

    #[test]
    fn only_a_clear_difference_is_corruption() {
        assert!(matches!(tallies(0, 5).finding(true), Finding::Corrupts(_)));
        assert!(matches!(tallies(0, 3).finding(true), Finding::Corrupts(_)));
        assert!(matches!(tallies(0, 5).finding(false), Finding::Undecided(_)));
        assert!(matches!(tallies(0, 2).finding(true), Finding::Undecided(_)));
        assert!(
            matches!(tallies(1, 5).finding(true), Finding::Undecided(_)),
            "loss is no corruption"
        );
        assert!(matches!(tallies(0, 0).finding(true), Finding::Undecided(_)));
        assert!(matches!(tallies(3, 0).finding(false), Finding::Sound(_)));
    }

    #[test]
    fn packets_that_took_no_tunnel_say_nothing() {
        let direct = Tallies {
            direct: 1,
            ..tallies(5, 5)
        };
        let finding = direct.finding(true);
        assert!(matches!(finding, Finding::Undecided(_)));
        assert!(
            finding.to_string().contains("1 came without the tunnel"),
            "{finding}"
        );
    }

    #[test]
    fn the_counts_are_printed() {
        let text = tallies(0, 4).finding(true).to_string();
        assert_eq!(
            text,
            "checksum offload corrupts packets (answered: 0 of 5 with the checksum left to the link, 4 of 5 with the \
             checksum computed)"
        );
    }
}
