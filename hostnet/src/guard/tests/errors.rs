//! What the kernel's answers mean.

use std::io;

use nix::errno::Errno;

use super::super::error::{GuardError, Step};

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
            Step::Chain("prerouting"),
            Errno::ENOENT,
            "no filter chains in nf_tables",
        ),
        (
            Step::Rule("the source is not the pod's"),
            Errno::ENOENT,
            "CONFIG_NFT_FIB_INET",
        ),
        (Step::Batch, Errno::EPERM, "changing it is not permitted"),
        (Step::Table, Errno::EPERM, "no other program may own"),
        (
            Step::Rule("pods are no routers"),
            Errno::EINVAL,
            "rule \"pods are no routers\": Invalid argument",
        ),
        (Step::Watch, Errno::ENOMEM, "watching for changes: "),
    ];
    for (step, errno, part) in cases {
        let error = GuardError::at(step, io::Error::from(errno));
        let text = error.to_string();
        assert!(
            text.starts_with("nftables table inet roadbed: ") && text.contains(part),
            "{text}"
        );
        let lasting = !matches!(errno, Errno::ENOMEM) && part != cases[8].2;
        assert_eq!(error.is_lasting(), lasting, "{text}");
    }
}
