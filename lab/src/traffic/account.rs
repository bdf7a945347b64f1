//! What became of the packets: pure arithmetic over what sender and receiver noted.

use std::time::Duration;

use super::receive::Received;
use super::send::Sent;

/// How late a packet may be sent before the rate counts as not kept.
const LATE: Duration = Duration::from_millis(250);

/// Packets that were lost one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// Number of the first one.
    pub first: u64,
    /// How many.
    pub lost: u64,
    /// When the first one was sent, in the stream's time.
    pub from: Duration,
    /// When the next packet was sent that arrived; the end of the stream where there is none.
    pub until: Duration,
}

impl Outage {
    /// How long it lasted, as the sender saw it.
    pub fn lasted(&self) -> Duration {
        self.until.saturating_sub(self.from)
    }
}

/// What became of the packets.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Packets handed to the kernel.
    pub sent: u64,
    /// Packets that the sender's kernel refused, for want of a route for instance; they count as lost too.
    pub refused: u64,
    /// Distinct packets that arrived.
    pub received: u64,
    /// Packets sent or refused that never arrived, by number.
    pub lost: u64,
    /// Packets that arrived once more.
    pub duplicates: u64,
    /// Packets that arrived after one of a higher number.
    pub reordered: u64,
    /// Packets that reached the receiver's socket and found no room there: the meter's fault, not the network's.
    /// They count as lost too.
    pub overflowed: u64,
    /// Longest time between two arrivals, by the kernel's time stamps.
    pub largest_gap: Duration,
    /// The losses, in their order.
    pub outages: Vec<Outage>,
    /// How long was sent, from the first packet on.
    pub took: Duration,
    /// Packets that the rate asks for in that time.
    pub expected: u64,
    /// The longest that a packet was sent behind its time.
    pub latest: Duration,
}

impl Report {
    /// The full rate was really sent and counted: no packet much behind its time, none left out, none dropped by
    /// the receiver's socket.
    pub fn full_rate(&self) -> bool {
        self.latest <= LATE
            && self.sent + self.refused >= self.expected
            && self.expected > 0
            && self.overflowed == 0
    }

    /// How long after `cut` packets were lost: until the next one after the last loss was sent. Zero where nothing
    /// was lost after it.
    pub fn recovered_after(&self, cut: Duration) -> Duration {
        let last = self.outages.iter().rfind(|o| o.until > cut);
        last.map_or(Duration::ZERO, |o| o.until - cut)
    }
}

/// Brings both sides together.
pub fn report(sent: &Sent, received: &Received, rate: u32) -> Report {
    let total = sent.at.len() as u64;
    let refused = sent.refused.len() as u64;
    // A busy machine may start the sender late: the rate counts from its first packet.
    let took = sent
        .took
        .saturating_sub(sent.at.first().copied().unwrap_or_default());
    Report {
        sent: total - refused,
        refused,
        received: received.count,
        lost: total.saturating_sub(received.count),
        duplicates: received.duplicates,
        reordered: received.reordered,
        overflowed: received.overflowed,
        largest_gap: received.longest,
        outages: outages(sent, received),
        took,
        expected: (took.as_secs_f64() * f64::from(rate)).floor() as u64,
        latest: sent.latest,
    }
}

fn outages(sent: &Sent, received: &Received) -> Vec<Outage> {
    let mut found: Vec<Outage> = Vec::new();
    for (index, at) in sent.at.iter().enumerate() {
        if received.seen.get(index).copied().unwrap_or(false) {
            continue;
        }
        let number = index as u64;
        let until = sent.at.get(index + 1).copied().unwrap_or(sent.took);
        match found.last_mut() {
            Some(outage) if outage.first + outage.lost == number => {
                outage.lost += 1;
                outage.until = until;
            }
            _ => found.push(Outage {
                first: number,
                lost: 1,
                from: *at,
                until,
            }),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn sent(packets: u32) -> Sent {
        Sent {
            at: (0..packets).map(|n| MS * n).collect(),
            took: MS * packets,
            ..Sent::default()
        }
    }

    fn received(numbers: &[u64]) -> Received {
        let mut note = Received::default();
        for (i, number) in (1u32..).zip(numbers) {
            note.arrival(*number, Some(MS * 1000 + MS * i));
        }
        note
    }

    #[test]
    fn losses_are_told_by_number_with_when_they_began_and_ended() {
        let report = report(&sent(10), &received(&[0, 1, 5, 6, 7, 9]), 1000);
        assert_eq!((report.lost, report.received), (4, 6));
        let told: Vec<_> = report
            .outages
            .iter()
            .map(|o| (o.first, o.lost, o.from, o.until))
            .collect();
        assert_eq!(told, [(2, 3, MS * 2, MS * 5), (8, 1, MS * 8, MS * 9)]);
        assert_eq!(report.outages[0].lasted(), MS * 3);
        assert_eq!(report.recovered_after(MS), MS * 8);
        assert_eq!(report.recovered_after(MS * 9), Duration::ZERO);
        assert!(report.full_rate());
    }

    #[test]
    fn a_sender_that_starts_late_has_left_nothing_out() {
        let mut late = sent(10);
        late.at.iter_mut().for_each(|at| *at += MS * 40);
        late.took += MS * 40;
        let report = report(&late, &received(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), 1000);
        assert_eq!((report.took, report.expected), (MS * 10, 10));
        assert!(report.full_rate());
    }

    #[test]
    fn what_never_came_back_lasts_to_the_end() {
        let report = report(&sent(10), &received(&[0, 1]), 1000);
        assert_eq!(report.recovered_after(MS * 2), MS * 8);
    }

    #[test]
    fn order_and_copies_are_counted_once_each() {
        let report = report(&sent(5), &received(&[0, 2, 1, 1, 4, 3]), 1000);
        assert_eq!((report.lost, report.duplicates, report.reordered), (0, 1, 2));
        assert_eq!(report.largest_gap, MS);
    }

    #[test]
    fn a_rate_that_was_not_sent_or_not_counted_proves_nothing() {
        let late = Sent {
            latest: LATE + MS,
            ..sent(10)
        };
        assert!(!report(&late, &received(&[0]), 1000).full_rate());
        assert!(!report(&sent(10), &received(&[0]), 2000).full_rate());
        let mut full = received(&[0]);
        full.overflowed = 1;
        assert!(!report(&sent(10), &full, 1000).full_rate());
        assert!(!report(&Sent::default(), &Received::default(), 1000).full_rate());
    }

    proptest! {
        #[test]
        fn every_packet_is_either_received_or_in_exactly_one_outage(
            came in proptest::collection::vec(any::<bool>(), 1..200), shuffle in any::<u64>()
        ) {
            let mut numbers: Vec<u64> = (0u64..).zip(&came).filter(|(_, c)| **c).map(|(n, _)| n).collect();
            let turn = shuffle as usize % numbers.len().max(1);
            numbers.rotate_left(turn);
            let report = report(&sent(came.len() as u32), &received(&numbers), 1000);
            prop_assert_eq!(report.received + report.lost, came.len() as u64);
            prop_assert_eq!(report.outages.iter().map(|o| o.lost).sum::<u64>(), report.lost);
            for outage in &report.outages {
                for number in outage.first..outage.first + outage.lost {
                    prop_assert!(!came[number as usize]);
                }
            }
        }
    }
}
