//! What the decision compares of an attribute set, read once from its octets.

use crate::rib::policy::import::DEFAULT_LOCAL_PREF;
use crate::wire::canonical::Canonical;

/// Bit of [`Facts::rank`] that stands for "learned": what is originated here has it clear.
pub const LEARNED: u64 = 1 << 18;

/// The first steps of the decision as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Long-lived stale (RFC 9494), LOCAL_PREF (32 bits, the higher the smaller), learned, length of AS_PATH (16 bits), ORIGIN (2 bits): the
    /// smaller the better, and the steps of RFC 4271 §9.1.2.2 up to ORIGIN in one comparison.
    pub rank: u64,
    /// MULTI_EXIT_DISC; zero where there is none.
    pub med: u32,
    /// The neighbouring AS, which MED is compared within; zero, which is no AS, for none.
    pub first_as: u32,
    /// It has passed a reflector: tie-breaks have to look at what that left.
    pub reflected: bool,
}

impl Facts {
    pub fn of(octets: Canonical<'_>) -> Self {
        let weights = octets.weights();
        let local_pref = u64::from(u32::MAX - weights.local_pref.unwrap_or(DEFAULT_LOCAL_PREF));
        let hops = weights.hops.min(usize::from(u16::MAX)) as u64;
        Facts {
            rank: u64::from(weights.stale) << 60
                | local_pref << 19
                | LEARNED
                | hops << 2
                | u64::from(weights.origin & 3),
            med: weights.med.unwrap_or(0),
            first_as: weights.first_asn.map_or(0, |asn| asn.0),
            reflected: weights.reflected,
        }
    }
}
