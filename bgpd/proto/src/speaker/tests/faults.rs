//! What was wrong with a peer's messages, and did not end its session, is seen.

use super::hand::{Hand, abilities, known, speaker};
use super::*;

/// An UPDATE for 10.9.0.0/16 with one more attribute.
fn update(attribute: &[u8]) -> Vec<u8> {
    let mut attributes = vec![
        0x40, 1, 1, 0, 0x40, 2, 4, 2, 1, 0xFD, 0xE9, 0x40, 3, 4, 192, 0, 2, 1,
    ];
    attributes.extend_from_slice(attribute);
    let mut bytes = vec![0xff; 16];
    let length = 23 + attributes.len() as u16 + 3;
    bytes.extend(length.to_be_bytes());
    bytes.extend([2, 0, 0]);
    bytes.extend((attributes.len() as u16).to_be_bytes());
    bytes.extend(attributes);
    bytes.extend([16, 10, 9]);
    bytes
}

#[test]
fn faults_are_counted_kept_and_said_at_a_bounded_rate() {
    let mut speaker = speaker(|_| ());
    let hand = Hand::up(&mut speaker, 1, abilities(false, false, &[]), *ORIGIN);
    events(&mut speaker);
    hand.say(&mut speaker, *ORIGIN, |out| out.extend(update(&[])));
    assert_eq!(known(&speaker), 1);
    assert_eq!(speaker.peers(*ORIGIN)[0].faults.last.len(), 0);
    // A MULTI_EXIT_DISC of one octet.
    for _ in 0..100 {
        hand.say(&mut speaker, *ORIGIN, |out| out.extend(update(&[0x80, 4, 1, 0])));
    }
    assert_eq!(known(&speaker), 0);
    let status = speaker.peers(*ORIGIN)[0].clone();
    assert_eq!(status.state, State::Established);
    assert_eq!(
        (status.faults.treated_as_withdraw, status.faults.last.len()),
        (100, 16)
    );
    let text = &status.faults.last[0].1;
    assert!(
        text.contains("MULTI_EXIT_DISC") && text.contains("routes taken as withdrawn"),
        "{text}"
    );
    let said = |speaker: &mut Speaker| -> Vec<u64> {
        let of = |event| match event {
            Event::Fault { peer, unsaid, .. } if peer == id(1) => Some(unsaid),
            _ => None,
        };
        events(speaker).into_iter().filter_map(of).collect()
    };
    assert_eq!(said(&mut speaker), [0]);
    let later = *ORIGIN + 10 * SECOND;
    hand.say(&mut speaker, later, |out| out.extend(update(&[0x80, 4, 1, 0])));
    assert_eq!(said(&mut speaker), [99]);
    // MP_REACH_NLRI of IPv6 with a next hop of no octets.
    hand.say(&mut speaker, later, |out| {
        out.extend(update(&[0x80, 14, 5, 0, 2, 1, 0, 0]))
    });
    let status = speaker.peers(later)[0].clone();
    assert_eq!(status.faults.families_disabled, 1);
    assert!(status.faults.last.back().unwrap().1.contains("IPv6 unicast"));
}
