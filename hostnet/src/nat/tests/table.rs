//! What is in the table, as `nft` sees it, and how it changes.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::{nets, set, wanted};
use crate::nftables::{Family, Ranges};
use crate::ruleset::{Ensured, Wanted, counters, ensure, ensure_guard, ensure_or, ruleset};
use crate::testing::Ns;

const LISTED: &str = r#"	set nat4 {
		type ipv4_addr
		flags interval
		comment "pools with natOutgoing"
		elements = { 10.244.0.0/16 }
	}

	set plain4 {
		type ipv4_addr
		flags interval
		comment "all pools and nodes"
		elements = { 10.244.0.0/15, 192.0.2.7-192.0.2.8 }
	}

	set nat6 {
		type ipv6_addr
		flags interval
		comment "pools with natOutgoing"
		elements = { 2001:db8:244::/48 }
	}

	set plain6 {
		type ipv6_addr
		flags interval
		comment "all pools and nodes"
		elements = { 2001:db8:244::/48,
			     2001:db8:ffff::7-2001:db8:ffff::8 }
	}
"#;

const CHAIN: &str = r#"	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr @nat4 oifname != "rb-*" ip daddr != @plain4 fib daddr type unicast counter masquerade fully-random comment "IPv4 of pods leaves the pools"
		ip6 saddr @nat6 oifname != "rb-*" ip6 daddr != @plain6 fib daddr type unicast counter masquerade fully-random comment "IPv6 of pods leaves the pools"
	}
"#;

fn listed(ns: &Ns) -> String {
    ns.sh("nft -s list table inet roadbed")
}

#[test]
fn it_is_what_the_manual_shows_and_nft_reads_it() {
    let ns = Ns::new();
    assert_eq!(set(&ns, &wanted()).expect("made"), Ensured::Made);
    let text = listed(&ns);
    assert!(text.contains(LISTED) && text.contains(CHAIN), "{text}");
    assert!(text.contains("chain pods {"), "the guard is there, too");
    assert_eq!(set(&ns, &wanted()).expect("kept"), Ensured::Kept);
    ns.sh("saved=$(nft -s list ruleset); nft flush ruleset; printf '%s\\n' \"$saved\" | nft -f -");
    assert_eq!(set(&ns, &wanted()).expect("kept"), Ensured::Kept);
}

#[test]
fn the_manual_shows_the_chain() {
    let manual = include_str!("../../../../docs/nat.md");
    assert!(manual.contains(CHAIN), "docs/nat.md shows another chain");
}

/// An agent that starts does not know yet what is wanted.
#[test]
fn the_guard_alone_takes_nothing_away() {
    let ns = Ns::new();
    let guard = |ns: &Ns| ns.run(|| ensure_guard().expect("guarded"));
    assert_eq!(guard(&ns), Ensured::Made);
    assert_eq!(guard(&ns), Ensured::Kept);
    assert_eq!(set(&ns, &wanted()).expect("made"), Ensured::Made);
    let before = ns.sh("nft -a list table inet roadbed");
    assert_eq!(guard(&ns), Ensured::Kept);
    assert_eq!(ns.sh("nft -a list table inet roadbed"), before);
    let full = listed(&ns);
    // What is missing of the guard is put back beside it; the chain of NAT stays the same one.
    let nat = || ns.sh("nft -a list chain inet roadbed postrouting");
    let before = nat();
    ns.sh("nft flush chain inet roadbed pods; nft add chain inet roadbed other");
    assert_eq!(guard(&ns), Ensured::Made);
    assert_eq!(nat(), before);
    assert_eq!(set(&ns, &wanted()).expect("made"), Ensured::Made);
    assert_eq!(listed(&ns), full);
    ns.sh("nft flush ruleset");
    assert_eq!(guard(&ns), Ensured::Made);
}

/// A kernel that cannot do it is said to lack it, and has the guard.
#[test]
fn without_nat_there_is_the_guard() {
    let ns = Ns::new();
    let mut full = ruleset(&wanted());
    let base = full.chains.iter_mut().filter_map(|chain| chain.base.as_mut());
    // The answer is the same as for a kind that the kernel was built without.
    base.filter(|base| base.kind == "nat")
        .for_each(|base| base.kind = "no-such");
    for _ in 0..2 {
        let full = full.clone();
        let (error, guard) = ns.run(move || {
            let error = ensure_or(&full, &ruleset(&Wanted::default())).expect_err("no such kind");
            assert!(error.is_about_nat() && error.is_lasting());
            (error.to_string(), ensure(&Wanted::default()).expect("guarded"))
        });
        assert!(
            error.contains("has no nat chains in nf_tables for the inet family (CONFIG_NFT_NAT"),
            "{error}"
        );
        assert!(error.contains("nothing is masqueraded"), "{error}");
        assert_eq!(guard, Ensured::Kept);
    }
    assert!(listed(&ns).contains("chain pods {"));
}

#[test]
fn a_fixed_address_is_written_as_nft_writes_it() {
    let ns = Ns::new();
    let mut wanted = wanted();
    wanted.nat.source_v4 = Some([192, 0, 2, 7].into());
    wanted.nat.source_v6 = Some("2001:db8:ffff::7".parse().expect("an address"));
    assert_eq!(set(&ns, &wanted).expect("made"), Ensured::Made);
    let text = listed(&ns);
    for part in [
        "counter snat ip to 192.0.2.7 fully-random comment",
        "counter snat ip6 to 2001:db8:ffff::7 fully-random comment",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(set(&ns, &wanted).expect("kept"), Ensured::Kept);
    ns.sh("saved=$(nft -s list ruleset); nft flush ruleset; printf '%s\\n' \"$saved\" | nft -f -");
    assert_eq!(set(&ns, &wanted).expect("kept"), Ensured::Kept);
}

#[test]
fn without_pools_there_is_no_chain() {
    let ns = Ns::new();
    let mut none = wanted();
    none.nat.pools.clear();
    assert_eq!(set(&ns, &none).expect("made"), Ensured::Made);
    assert!(!listed(&ns).contains("nat"));
    assert_eq!(set(&ns, &Wanted::default()).expect("kept"), Ensured::Kept);
    let guard = || ns.sh("nft -a list chain inet roadbed prerouting; nft -a list chain inet roadbed pods");
    let before = guard();
    assert_eq!(set(&ns, &wanted()).expect("made"), Ensured::Made);
    assert!(listed(&ns).contains(CHAIN));
    assert_eq!(guard(), before, "the guard's chains are not made anew");
    assert_eq!(set(&ns, &none).expect("made"), Ensured::Made);
    assert!(!listed(&ns).contains("nat"));
    assert_eq!(guard(), before);
}

#[test]
fn whatever_others_do_to_it_is_undone() {
    let ns = Ns::new();
    assert_eq!(set(&ns, &wanted()).expect("made"), Ensured::Made);
    let before = listed(&ns);
    let changes = [
        ("flush ruleset", Ensured::Made),
        ("flush set inet roadbed nat4", Ensured::Updated),
        ("add element inet roadbed nat4 { 10.0.0.0/16 }", Ensured::Updated),
        (
            "delete element inet roadbed plain4 { 10.244.0.0/15 }",
            Ensured::Updated,
        ),
        (
            "add element inet roadbed plain6 { ::/1, 8000::/1 }\ndelete element inet roadbed nat6 { 2001:db8:244::/48 }",
            Ensured::Updated,
        ),
        ("flush chain inet roadbed postrouting", Ensured::Made),
        ("insert rule inet roadbed postrouting accept", Ensured::Made),
        ("add set inet roadbed more { type ipv4_addr; }", Ensured::Made),
        (
            "add map inet roadbed more { type ipv4_addr : ipv4_addr; }",
            Ensured::Made,
        ),
    ];
    for (change, wants) in changes {
        // An element of the tests may be one that overlaps: then the change itself is refused, and the test with it.
        let change = change.replace("::/1, 8000::/1", "3000::/16");
        ns.sh(&format!("nft -f - <<'END'\n{change}\nEND"));
        assert_eq!(set(&ns, &wanted()).expect("repaired"), wants, "{change}");
        assert_eq!(listed(&ns), before, "{change}");
        assert_eq!(set(&ns, &wanted()).expect("kept"), Ensured::Kept, "{change}");
    }
}

/// A thousand nodes and as many pools more: sets grow, and what was counted stays.
#[test]
fn sets_grow_and_counters_stay() {
    let ns = Ns::new();
    assert_eq!(set(&ns, &wanted()).expect("made"), Ensured::Made);
    // Something is counted: a datagram from a pool through lo.
    ns.sh("ip addr add 10.244.0.1/32 dev lo; ip link add up0 type veth peer name up1; ip addr add 203.0.113.1/24 dev up0
           ip link set up0 up; ip link set up1 up");
    ns.run(|| {
        let socket = std::net::UdpSocket::bind("10.244.0.1:0").expect("bound");
        socket.send_to(b"out", "203.0.113.2:9").expect("sent");
    });
    let count = || {
        let counters = ns.run(|| counters().expect("readable"));
        let counter = counters.iter().find(|counter| counter.rule == "nat_v4");
        counter.expect("the rule").packets
    };
    crate::testing::until("it is counted", || count() == 1);
    let handles = || ns.sh("nft -a list chain inet roadbed postrouting");
    let before = handles();
    let mut many = wanted();
    for node in 0..1000_u32 {
        let [_, _, high, low] = (node * 3).to_be_bytes();
        many.nat.exceptions.extend(nets(&[
            &format!("172.16.{high}.{low}/32"),
            &format!("2001:db8:eeee::{:x}/128", node * 3),
        ]));
    }
    assert_eq!(set(&ns, &many).expect("updated"), Ensured::Updated);
    assert_eq!(set(&ns, &many).expect("kept"), Ensured::Kept);
    assert_eq!(
        ns.sh("nft list set inet roadbed plain4 | grep -o '172.16' | wc -l")
            .trim(),
        "1000"
    );
    // From nothing, too.
    ns.sh("nft flush set inet roadbed plain4");
    assert_eq!(set(&ns, &many).expect("updated"), Ensured::Updated);
    assert_eq!(set(&ns, &wanted()).expect("updated"), Ensured::Updated);
    assert_eq!((handles(), count()), (before, 1));
    ns.sh("nft flush ruleset");
    assert_eq!(set(&ns, &many).expect("made"), Ensured::Made);
    assert_eq!(set(&ns, &many).expect("kept"), Ensured::Kept);
}

/// Whatever was in the sets, they become what is wanted, with no other chain.
#[test]
fn any_sets_become_any_others() {
    let ns = Ns::new();
    set(&ns, &wanted()).expect("made");
    let network = (0..16_u8, 24..=32_u8, 0..4_u8).prop_map(|(low, length, high)| {
        let text = format!("10.{high}.0.{}/{length}", u32::from(low) * 4);
        text.parse::<ipnet::IpNet>().expect("a network").trunc()
    });
    let corner = prop::sample::select(nets(&[
        "0.0.0.0/0",
        "255.255.255.255/32",
        "0.0.0.0/32",
        "128.0.0.0/1",
        "::/0",
    ]));
    let some = prop_oneof![8 => network, 1 => corner];
    let mut runner = TestRunner::new(ProptestConfig::with_cases(60));
    let lists = prop::collection::vec(some, 0..12);
    let outcome = runner.run(&lists, |networks| {
        let mut wanted = wanted();
        wanted.nat.exceptions = networks;
        prop_assert!(set(&ns, &wanted).expect("set") != Ensured::Made);
        prop_assert_eq!(set(&ns, &wanted).expect("kept"), Ensured::Kept);
        Ok(())
    });
    outcome.expect("sets are updated");
}

#[test]
fn ranges_that_touch_are_one() {
    let of = |texts: &[&str]| Ranges::new(Family::V4, &nets(texts));
    assert_eq!(
        of(&["10.0.0.0/9", "10.128.0.0/9", "10.1.2.3/32", "::/0"]),
        of(&["10.0.0.0/8"])
    );
    assert_eq!(
        of(&["192.0.2.1/32", "192.0.2.3/32", "192.0.2.2/32"]),
        of(&["192.0.2.2/31", "192.0.2.1/32"])
    );
    assert_ne!(of(&["192.0.2.1/32"]), of(&["192.0.2.1/32", "192.0.2.3/32"]));
    assert!(of(&["::/0"]).is_empty());
}
