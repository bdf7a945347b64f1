//! The device is made with the right attributes, adopted, corrected in place, and removed when its time has come.

use tunnel::{DesiredTunnels, cleanup};

use crate::support::*;

const NAME: &str = "rb-ipip";

fn wanted() -> DesiredTunnels {
    ipip("192.0.2.11", "10.244.1.0", 1480)
}

fn addresses() -> Vec<String> {
    let (_, text) = attempt(&format!("ip -o address show dev {NAME}"));
    let words = text.lines().filter_map(|line| line.split_whitespace().nth(3));
    words.map(str::to_owned).collect()
}

/// One attribute of the tunnel as `ip` shows it.
fn attribute(name: &str) -> serde_json::Value {
    link(NAME)["linkinfo"]["info_data"][name].clone()
}

#[test]
#[ignore = "runs inside"]
fn a_device_has_the_right_attributes() {
    in_namespace(|| async {
        let handle = start();
        bring(&handle, &wanted()).await;
        let link = link(NAME);
        assert_eq!(link["linkinfo"]["info_kind"], "ipip", "{link}");
        let data = &link["linkinfo"]["info_data"];
        assert_eq!(
            (&data["local"], &data["remote"]),
            (&"192.0.2.11".into(), &"any".into()),
            "{data}"
        );
        // A hop limit that does not hang on the inner packet's, which takes "don't fragment"; DSCP is the inner one.
        let outer = (&data["ttl"], &data["pmtudisc"], &data["tos"]);
        assert_eq!(outer, (&64.into(), &true.into(), &"0x1".into()), "{data}");
        assert_eq!(link["mtu"], 1480, "{link}");
        assert!(
            link["flags"].as_array().is_some_and(|f| f.contains(&"UP".into())),
            "{link}"
        );
        assert_eq!(addresses(), ["10.244.1.0/32"], "and no link-local address");
        let status = handle.status().borrow().clone();
        assert!(status.errors.is_empty(), "{:?}", status.errors);
        let device = status
            .devices
            .iter()
            .find(|d| d.name == NAME)
            .expect("it is reported");
        assert_eq!((device.mtu, device.up), (1480, true));
        assert_eq!(device.local, Some("192.0.2.11".parse().expect("an address")));
    });
}

#[test]
#[ignore = "runs inside"]
fn a_later_run_adopts_what_an_earlier_one_left() {
    in_namespace(|| async {
        let first = start();
        bring(&first, &wanted()).await;
        let before = index(NAME);
        drop(first);
        tokio::task::yield_now().await;
        assert_eq!(index(NAME), before, "the end of a run leaves the device");
        let second = start();
        bring(&second, &wanted()).await;
        assert_eq!(index(NAME), before);
        assert_eq!(second.status().borrow().repaired, 0);
    });
}

#[test]
#[ignore = "runs inside"]
fn mtu_local_end_and_address_change_in_place() {
    in_namespace(|| async {
        let handle = start();
        bring(&handle, &wanted()).await;
        let before = index(NAME);
        bring(&handle, &ipip("192.0.2.99", "10.244.9.0", 1400)).await;
        assert_eq!(index(NAME), before, "the device was made again");
        assert_eq!(link(NAME)["mtu"], 1400);
        assert_eq!(attribute("local"), "192.0.2.99");
        until("the old address goes", || addresses() == ["10.244.9.0/32"]).await;
    });
}

#[test]
#[ignore = "runs inside"]
fn what_others_change_is_put_right_in_place() {
    in_namespace(|| async {
        let handle = start();
        bring(&handle, &wanted()).await;
        let before = index(NAME);
        let (ttl, tos) = (attribute("ttl"), attribute("tos"));
        run("ip link set rb-ipip type ipip local 192.0.2.50 ttl 7 tos 0x10");
        until("local end, ttl and tos are as wanted", || {
            attribute("local") == "192.0.2.11" && attribute("ttl") == ttl && attribute("tos") == tos
        })
        .await;
        run("ip link set rb-ipip mtu 1300");
        until("the MTU is as wanted", || link(NAME)["mtu"] == 1480).await;
        run("ip link set rb-ipip down");
        until("it is up", || {
            link(NAME)["flags"]
                .as_array()
                .is_some_and(|f| f.contains(&"UP".into()))
        })
        .await;
        run("ip address flush dev rb-ipip");
        until("the own pod address is back", || addresses() == ["10.244.1.0/32"]).await;
        assert_eq!(index(NAME), before, "the device was made again");
        run("ip link delete rb-ipip");
        until("it is made again", || {
            link(NAME)["mtu"] == 1480 && addresses() == ["10.244.1.0/32"]
        })
        .await;
        until("repairs are counted", || handle.status().borrow().repaired >= 4).await;
    });
}

#[test]
#[ignore = "runs inside"]
fn a_point_to_point_link_of_that_name_gives_way() {
    in_namespace(|| async {
        run("ip link add rb-ipip type ipip local 192.0.2.11 remote 192.0.2.12 ttl 7");
        let handle = start();
        bring(&handle, &wanted()).await;
        assert_eq!(attribute("remote"), "any");
        assert_eq!(attribute("ttl"), 64);
    });
}

#[test]
#[ignore = "runs inside"]
fn what_is_not_wanted_goes_once_it_may() {
    in_namespace(|| async {
        let handle = start();
        bring(&handle, &wanted()).await;
        bring(&handle, &DesiredTunnels::default()).await;
        assert_eq!(link(NAME)["mtu"], 1480, "it goes before the first full feed");
        let sweep = DesiredTunnels {
            sweep: true,
            ..DesiredTunnels::default()
        };
        bring(&handle, &sweep).await;
        until("it goes", || link(NAME).is_null()).await;

        bring(&handle, &wanted()).await;
        drop(handle);
        run("ip link add other type ipip local 192.0.2.77 remote 192.0.2.78");
        assert_eq!(cleanup().await.expect("the kernel obeys"), 1);
        assert!(link(NAME).is_null());
        assert!(!link("other").is_null(), "a link of somebody else is gone");
    });
}

#[test]
#[ignore = "runs inside"]
fn an_ipip_link_of_another_program_is_refused_with_its_name() {
    in_namespace(|| async {
        run("ip link add tunl7 type ipip local 192.0.2.11");
        let handle = start();
        let generation = handle.publish(wanted());
        let mut status = handle.status();
        let seen = status
            .wait_for(|s| s.tried >= generation && !s.errors.is_empty())
            .await;
        let texts: Vec<String> = seen
            .expect("it runs")
            .errors
            .iter()
            .map(|e| e.what.clone())
            .collect();
        assert!(
            texts
                .iter()
                .any(|t| t.contains("tunl7") && t.contains("192.0.2.11")),
            "{texts:?}"
        );
        assert!(link(NAME).is_null() && !link("tunl7").is_null());
        // It goes: ours comes, without being asked again.
        run("ip link delete tunl7");
        until("our own device is made", || link(NAME)["mtu"] == 1480).await;
    });
}
