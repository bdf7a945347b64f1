//! What is in the table, as `nft` sees it, and how it stays so.

use super::super::{Ensured, remove};
use super::{guard, ruleset};
use crate::ruleset::counters;
use crate::testing::Ns;

/// Without counters, which `nft -s` leaves out.
const LISTED: &str = r#"table inet roadbed {
	comment "made by roadbed, changes are undone"
	chain prerouting {
		type filter hook prerouting priority raw; policy accept;
		iifname "rb*" iifname != "rb-*" meta iifkind "veth" counter jump pods comment "packets from pods"
	}

	chain pods {
		icmpv6 type nd-router-advert counter drop comment "pods are no routers"
		icmpv6 type nd-redirect counter drop comment "pods do not move routes"
		ip6 saddr :: meta l4proto ipv6-icmp counter accept comment "pods look for duplicates of their addresses"
		ip6 saddr fe80::/10 counter accept comment "link-local sources go nowhere but to the node"
		fib saddr . iif oif missing counter drop comment "the source is not the pod's"
	}
}
"#;

fn listed(ns: &Ns) -> String {
    ns.sh("nft -s list table inet roadbed")
}

#[test]
fn it_is_made_once_and_nft_can_read_it() {
    let ns = Ns::new();
    assert_eq!(ns.run(guard).expect("made"), Ensured::Made);
    assert_eq!(listed(&ns), LISTED);
    let handles = || ns.sh("nft -a list table inet roadbed");
    let before = handles();
    for _ in 0..3 {
        assert_eq!(ns.run(guard).expect("kept"), Ensured::Kept);
    }
    assert_eq!(handles(), before, "nothing was made anew");
    // What nft lists it reads: saved and restored rulesets of firewall managers.
    ns.sh("saved=$(nft -s list ruleset); nft flush ruleset; printf '%s\\n' \"$saved\" | nft -f -");
    assert_eq!(ns.run(guard).expect("kept"), Ensured::Kept);
}

#[test]
fn whatever_others_do_to_it_is_undone() {
    let ns = Ns::new();
    assert_eq!(ns.run(guard).expect("made"), Ensured::Made);
    let rule = "inet roadbed pods";
    let changes = [
        "flush ruleset".to_owned(),
        "delete table inet roadbed".to_owned(),
        "flush table inet roadbed".to_owned(),
        "flush chain inet roadbed pods".to_owned(),
        format!("insert rule {rule} accept"),
        format!("add rule {rule} counter accept comment \"the source is not the pod's\""),
        "insert rule inet roadbed prerouting accept".to_owned(),
        "add chain inet roadbed other".to_owned(),
        "add set inet roadbed addresses { type ipv4_addr; }".to_owned(),
        "add counter inet roadbed one".to_owned(),
        "add table inet roadbed { flags dormant; }".to_owned(),
        "chain inet roadbed prerouting { policy drop; }".to_owned(),
        // The same rules, but one is another: mask, operator, verdict, comment, order.
        replaced("fe80::/10", "fe80::/9"),
        replaced("iifname != \"rb-*\"", "iifname \"rb-*\""),
        replaced("fib saddr . iif oif missing", "fib saddr oif missing"),
        replaced("missing counter drop", "missing counter accept"),
        replaced("missing counter drop", "missing drop"),
        replaced("nd-redirect", "nd-neighbor-advert"),
        replaced("priority raw", "priority mangle"),
        replaced("hook prerouting", "hook input"),
        replaced("jump pods", "goto pods"),
        replaced("routers\"", "routers.\""),
        replaced("undone\"", "welcome\""),
    ];
    for change in changes {
        let script = format!("nft -f - <<'END'\n{change}\nEND");
        ns.sh(&script);
        assert_eq!(ns.run(guard).expect("repaired"), Ensured::Made, "{change}");
        assert_eq!(listed(&ns), LISTED, "{change}");
        assert_eq!(ns.run(guard).expect("kept"), Ensured::Kept, "{change}");
    }
}

/// The table with one thing changed.
fn replaced(old: &str, new: &str) -> String {
    assert!(LISTED.contains(old), "{old}");
    format!("delete table inet roadbed\n{}", LISTED.replacen(old, new, 1))
}

#[test]
fn tables_of_others_are_left_alone() {
    let ns = Ns::new();
    let foreign = "table ip roadbed {\n\tchain pods {\n\t\tcounter packets 7 bytes 70 accept\n\t}\n}\n\
                   table inet roadbed2 {\n\tset roadbed {\n\t\ttype ipv4_addr\n\t\telements = { 192.0.2.1 }\n\t}\n}\n";
    ns.sh(&format!("nft -f - <<'END'\n{foreign}END"));
    let all = || ns.sh("nft -a list table ip roadbed; nft -a list table inet roadbed2");
    let before = all();
    assert!(before.contains("packets 7") && before.contains("192.0.2.1"));
    assert!(!ns.run(remove).expect("nothing to remove"));
    assert_eq!(ns.run(counters).expect("none"), []);
    assert_eq!(ns.run(guard).expect("made"), Ensured::Made);
    assert_eq!(all(), before);
    let rules: Vec<_> = ns
        .run(counters)
        .expect("all")
        .iter()
        .map(|counter| counter.rule)
        .collect();
    let wanted = ruleset().chains.into_iter().flat_map(|chain| chain.rules);
    assert_eq!(rules, wanted.map(|rule| rule.name).collect::<Vec<_>>());
    assert!(ns.run(remove).expect("removed"));
    assert!(!ns.run(remove).expect("gone"));
    assert_eq!(all(), before);
    assert_eq!(
        ns.sh("nft list ruleset | grep -c 'table inet roadbed {' || true")
            .trim(),
        "0"
    );
}

#[test]
fn no_two_rules_are_called_the_same() {
    let ruleset = ruleset();
    let rules: Vec<_> = ruleset.chains.iter().flat_map(|chain| &chain.rules).collect();
    for (index, rule) in rules.iter().enumerate() {
        let same = rules
            .iter()
            .skip(index + 1)
            .any(|r| r.name == rule.name || r.comment == rule.comment);
        assert!(!same, "{}", rule.name);
        // nft reads comments of 128 bytes at most (libnftnl, NFT_USERDATA_MAXLEN).
        assert!(rule.comment.len() < 128, "{}", rule.name);
    }
}
