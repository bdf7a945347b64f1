//! What the kernel's answers mean.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use netlink_packet_netfilter::nftables::{Expressions, NfTablesMessage, RuleAttribute};
use nix::errno::Errno;

use super::super::error::{Step, TableError};
use super::super::netlink::Netlink;
use super::super::{Ensured, Purpose, messages, remove};
use super::{guard, ruleset};
use crate::testing::{Ns, until};

#[test]
fn each_answer_says_what_to_do() {
    let cases = [
        (
            Step::Open,
            Errno::EPROTONOSUPPORT,
            "this kernel has no nf_tables for the inet family",
        ),
        (Step::Read, Errno::EINVAL, "CONFIG_NF_TABLES_INET"),
        (Step::Batch, Errno::EOPNOTSUPP, "CONFIG_NF_TABLES"),
        (Step::Table, Errno::EAFNOSUPPORT, "rp_filter only"),
        (
            Step::Chain("prerouting", Purpose::Guard),
            Errno::ENOENT,
            "no filter chains in nf_tables",
        ),
        (
            Step::Rule("the source is not the pod's", Purpose::Guard),
            Errno::ENOENT,
            "CONFIG_NFT_FIB_INET",
        ),
        (
            Step::Chain("postrouting", Purpose::Nat),
            Errno::ENOENT,
            "CONFIG_NFT_NAT, CONFIG_NF_NAT; Linux 5.2",
        ),
        (
            Step::Rule("IPv4 of pods leaves the pools", Purpose::Nat),
            Errno::ENOENT,
            "CONFIG_NFT_MASQ",
        ),
        (Step::Set("nat4"), Errno::EOPNOTSUPP, "for set nat4"),
        (Step::Set("nat4"), Errno::EEXIST, "set nat4: File exists"),
        (Step::Batch, Errno::EPERM, "changing it is not permitted"),
        (Step::Table, Errno::EPERM, "no other program may own"),
        (
            Step::Rule("pods are no routers", Purpose::Guard),
            Errno::EINVAL,
            "rule \"pods are no routers\": Invalid argument",
        ),
        (Step::Watch, Errno::ENOMEM, "watching for changes: "),
    ];
    for (step, errno, part) in cases {
        let error = TableError::at(step, io::Error::from(errno));
        let text = error.to_string();
        assert!(
            text.starts_with("nftables table inet roadbed: ") && text.contains(part),
            "{text}"
        );
        let lasting = !matches!(errno, Errno::ENOMEM | Errno::EEXIST) && !part.ends_with("Invalid argument");
        assert_eq!(error.is_lasting(), lasting, "{text}");
    }
}

/// A kernel that lacks an expression or a kind of chain answers as to one that does not exist.
#[test]
fn what_the_kernel_lacks_is_named_and_nothing_is_left_behind() {
    let ns = Ns::new();
    let lacking = ns.run(|| {
        let mut changes = messages::replace(&ruleset());
        let Some(NfTablesMessage::NewRule(rule)) = changes.last_mut().map(|change| &mut change.message)
        else {
            panic!("the last change makes a rule");
        };
        let expression = Expressions::Other {
            expression_type: "no-such".to_owned(),
            attributes: Vec::new(),
        };
        rule.attributes
            .push(RuleAttribute::Expressions(vec![expression.into()]));
        Netlink::open()
            .expect("open")
            .change(changes)
            .expect_err("refused")
    });
    let text = lacking.to_string();
    assert!(
        text.contains("rule \"the source is not the pod's\"") && text.contains("CONFIG_NFT_FIB_INET"),
        "{text}"
    );
    assert_eq!(ns.sh("nft list ruleset"), "");

    let mut wanted = ruleset();
    for base in wanted.chains.iter_mut().filter_map(|chain| chain.base.as_mut()) {
        base.kind = "no-such";
    }
    let lacking = ns.run(move || {
        let changes = messages::replace(&wanted);
        Netlink::open()
            .expect("open")
            .change(changes)
            .expect_err("refused")
    });
    assert!(
        lacking.to_string().contains("no filter chains in nf_tables"),
        "{lacking}"
    );
    assert_eq!(ns.sh("nft list ruleset"), "");
}

/// A program may own a table: no one else changes it while that program runs (`NFT_TABLE_F_OWNER`).
#[test]
fn a_table_that_is_owned_is_said_to_be() {
    let ns = Ns::new();
    let mut owner = ns.run(|| {
        let mut nft = Command::new("nft");
        nft.arg("-i")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        nft.spawn().expect("nft")
    });
    let mut stdin = owner.stdin.take().expect("piped");
    stdin
        .write_all(b"add table inet roadbed { flags owner; }\n")
        .expect("written");
    until("the table is there", || {
        ns.sh("nft list tables").contains("inet roadbed")
    });
    let error = ns.run(guard).expect_err("denied");
    assert!(matches!(error, TableError::Denied { .. }), "{error}");
    assert!(ns.run(remove).is_err());
    // Gone with its owner.
    drop(stdin);
    owner.wait().expect("ended");
    assert_eq!(ns.run(guard).expect("made"), Ensured::Made);
}
