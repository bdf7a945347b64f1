//! The packet: every check, golden bytes, round trips, and any bytes at all.

use super::*;
use crate::{PACKET_LEN, Reject};
use proptest::prelude::*;

/// A Down packet that wants to send each second, to receive each 300 ms, and to have its echoes back each 50 ms.
const GOLDEN: [u8; 24] = [
    0x20, 0x40, 0x03, 0x18, 0x8a, 0x1b, 0x2c, 0x3d, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40, 0, 0x04, 0x93, 0xe0, 0,
    0, 0xc3, 0x50,
];

#[test]
fn golden_bytes() {
    let packet = ControlPacket::decode(&GOLDEN).unwrap();
    assert_eq!(
        (packet.state, packet.diag, packet.detect_mult.get()),
        (State::Down, Diag::NONE, 3)
    );
    assert_eq!((packet.my_discr.get(), packet.your_discr), (0x8a1b_2c3d, 0));
    assert_eq!(
        (packet.min_tx, packet.min_rx, packet.min_echo_rx),
        (ms(1000), ms(300), ms(50))
    );
    assert_eq!(packet.encode(), GOLDEN);
}

/// Each check of RFC 5880 §6.8.6: a good packet with one byte changed.
#[test]
fn each_check() {
    let rows: &[(usize, u8, Reject)] = &[
        (0, 0x00, Reject::Version),
        (0, 0x40, Reject::Version),
        (3, 23, Reject::Length),
        (3, 25, Reject::Length),
        (2, 0, Reject::DetectMultZero),
        (1, 0x41, Reject::Multipoint),
        (1, 0x80, Reject::YourDiscrZero),
        (1, 0xc0, Reject::YourDiscrZero),
        // With the A bit the least length is 26.
        (1, 0x44, Reject::Length),
    ];
    for (place, byte, expected) in rows {
        let mut bytes = GOLDEN;
        bytes[*place] = *byte;
        assert_eq!(
            ControlPacket::decode(&bytes),
            Err(*expected),
            "byte {place} = {byte:#x}"
        );
    }
    let mut nobody = GOLDEN;
    nobody[4..8].fill(0);
    assert_eq!(ControlPacket::decode(&nobody), Err(Reject::MyDiscrZero));
    let mut authenticated = [0; 26];
    authenticated[..24].copy_from_slice(&GOLDEN);
    authenticated[1] |= 0x04;
    authenticated[3] = 26;
    assert_eq!(ControlPacket::decode(&authenticated), Err(Reject::Authentication));
    for len in 0..PACKET_LEN {
        assert_eq!(ControlPacket::decode(&GOLDEN[..len]), Err(Reject::Short));
    }
    // AdminDown without our discriminator is allowed, and so are bytes after the end.
    let mut longer = [0xff; 100];
    longer[..24].copy_from_slice(&GOLDEN);
    longer[1] = 0;
    assert_eq!(ControlPacket::decode(&longer).unwrap().state, State::AdminDown);
}

fn any_packet() -> impl Strategy<Value = ControlPacket> {
    let flags = any::<[bool; 4]>();
    (
        0u8..32,
        0usize..4,
        flags,
        1u8..,
        1u32..,
        1u32..,
        any::<[u32; 3]>(),
    )
        .prop_map(
            |(diag, state, flags, mult, my, your, [tx, rx, echo])| ControlPacket {
                diag: Diag::new(diag),
                state: [State::AdminDown, State::Down, State::Init, State::Up][state],
                poll: flags[0],
                fin: flags[1],
                control_plane_independent: flags[2],
                demand: flags[3],
                detect_mult: NonZeroU8::new(mult).unwrap(),
                my_discr: NonZeroU32::new(my).unwrap(),
                your_discr: your,
                min_tx: Duration::from_micros(tx.into()),
                min_rx: Duration::from_micros(rx.into()),
                min_echo_rx: Duration::from_micros(echo.into()),
            },
        )
}

proptest! {
    #[test]
    fn round_trip(packet in any_packet()) {
        prop_assert_eq!(ControlPacket::decode(&packet.encode()), Ok(packet));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(packet) = ControlPacket::decode(&bytes) {
            prop_assert_eq!(ControlPacket::decode(&packet.encode()), Ok(packet));
        }
    }

    #[test]
    fn near_misses_are_read_or_refused(at in 0usize..24, byte: u8, cut in 0usize..=24) {
        let mut bytes = GOLDEN;
        bytes[at] = byte;
        let _ = ControlPacket::decode(&bytes[..cut]);
    }
}
