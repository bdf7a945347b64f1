//! Changes by others are noticed.

use std::time::Duration;

use proptest::prelude::*;

use super::super::watch::is_about_us;
use super::super::{Ensured, remove, watch};
use super::guard;
use crate::testing::Ns;

#[test]
fn changes_of_our_table_are_noticed_and_no_others() {
    let ns = Ns::new();
    let watch = ns.run(watch).expect("watching");
    // The kernel has told of a change before it has acknowledged it.
    let after = |command: &str| {
        ns.sh(command);
        watch.changed().expect("readable")
    };
    assert!(!watch.changed().expect("readable"));
    assert!(!after(
        "nft add table inet other; nft add table ip roadbed; nft add chain ip roadbed pods"
    ));
    assert!(!after("nft flush ruleset"));
    assert_eq!(ns.run(guard).expect("made"), Ensured::Made);
    assert!(
        watch.changed().expect("readable"),
        "our own changes are told, too"
    );
    assert_eq!(ns.run(guard).expect("kept"), Ensured::Kept);
    assert!(!watch.changed().expect("readable"), "looking is no change");
    for change in [
        "nft add rule inet roadbed pods accept",
        "nft add chain inet roadbed other",
        "nft add set inet roadbed addresses '{ type ipv4_addr; }'",
        "nft add set inet roadbed addresses '{ type ipv4_addr; elements = { 192.0.2.1 }; }'",
        "nft add counter inet roadbed one",
        "nft add table inet other; nft flush ruleset",
    ] {
        assert!(after(change), "{change}");
        assert_eq!(ns.run(guard).expect("made"), Ensured::Made, "{change}");
        assert!(watch.changed().expect("readable"));
    }
    assert!(ns.run(remove).expect("removed"));
    assert!(watch.changed().expect("readable"));
}

#[test]
fn a_thread_can_wait_for_it() {
    let ns = Ns::new();
    let watch = ns.run(watch).expect("watching");
    ns.sh("nft add table inet other");
    assert!(!watch.wait(Duration::from_millis(20)).expect("waited"));
    let waiting = std::thread::spawn(move || watch.wait(Duration::from_secs(20)));
    ns.run(guard).expect("made");
    assert!(waiting.join().expect("a thread").expect("waited"));
}

/// More messages than the socket holds: some are lost, and that is taken for a change.
#[test]
fn what_is_lost_counts_as_a_change() {
    let ns = Ns::new();
    let watch = ns.run(watch).expect("watching");
    let elements: Vec<String> = (0..60_000_u32)
        .map(|n| format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255))
        .collect();
    let script = format!(
        "table ip other {{ set many {{ type ipv4_addr; elements = {{ {} }}; }}; }}\n",
        elements.join(",")
    );
    ns.run(move || {
        use std::io::Write;
        let mut nft = std::process::Command::new("nft")
            .args(["-f", "-"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("nft");
        nft.stdin
            .take()
            .expect("piped")
            .write_all(script.as_bytes())
            .expect("written");
        assert!(nft.wait().expect("nft").success());
    });
    assert!(watch.changed().expect("readable"));
    assert!(!watch.changed().expect("readable"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), length in 0_u8..200) {
        is_about_us(&bytes);
        // With a header that begins well.
        let mut message = vec![length, 0, 0, 0, 3, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
        message.extend(bytes);
        is_about_us(&message);
    }
}
