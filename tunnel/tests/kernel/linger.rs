//! What is no longer wanted stays for its time, and then goes without being taken for a change by others.

use std::time::Duration;

use tunnel::{DesiredTunnels, Handle, Settings};

use crate::support::*;

fn start_with(linger: Duration) -> Handle {
    tunnel::start(Settings {
        repair: true,
        audit: Duration::from_secs(3600),
        linger,
    })
    .unwrap()
}

fn nothing() -> DesiredTunnels {
    DesiredTunnels {
        sweep: true,
        ..DesiredTunnels::default()
    }
}

#[test]
fn a_device_and_its_entries_outlive_the_wish() {
    in_namespace(|| async {
        let handle = start_with(Duration::from_secs(3600));
        bring(&handle, &desired()).await;
        let mut fewer = desired();
        fewer.remotes.clear();
        bring(&handle, &fewer).await;
        assert_eq!(
            (fdb("rb-vxlan"), neighbours("rb-vxlan")),
            (entry_b(), neighbour_b())
        );
        assert_eq!(handle.status().borrow().remotes_wanted, 0);
        bring(&handle, &nothing()).await;
        assert_eq!(fdb("rb-vxlan"), entry_b());
        assert!(
            link("rb-vxlan")["flags"]
                .as_array()
                .unwrap()
                .contains(&"UP".into())
        );
        // It is kept like what is wanted: repaired, too.
        run("ip link set rb-vxlan down");
        until("it is up again", || {
            link("rb-vxlan")["flags"]
                .as_array()
                .unwrap()
                .contains(&"UP".into())
        })
        .await;
    });
}

#[test]
fn when_the_time_is_over_it_goes() {
    in_namespace(|| async {
        let handle = start_with(Duration::from_millis(100));
        bring(&handle, &desired()).await;
        bring(&handle, &nothing()).await;
        until("the device is gone", || !attempt("ip link show dev rb-vxlan").0).await;
        assert_eq!(handle.status().borrow().repaired, 0);
    });
}

/// What an earlier run left is as fresh at the first sweep as what was just given up.
#[test]
fn the_first_sweep_of_a_run_waits_too() {
    in_namespace(|| async {
        let first = start_with(Duration::ZERO);
        bring(&first, &desired()).await;
        drop(first);
        let second = start_with(Duration::from_secs(3600));
        bring(&second, &nothing()).await;
        assert_eq!(fdb("rb-vxlan"), entry_b());
        drop(second);
        let third = start_with(Duration::from_millis(100));
        bring(&third, &nothing()).await;
        until("the device is gone", || !attempt("ip link show dev rb-vxlan").0).await;
        assert_eq!(third.status().borrow().repaired, 0);
    });
}
