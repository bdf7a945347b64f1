//! What can go wrong between us and nftables, in the operator's words.

use std::fmt;
use std::io;

use nix::errno::Errno;

use super::model::Purpose;

/// Why the table could not be set or read; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The kernel lacks a part of nftables.
    #[error("nftables table inet roadbed: this kernel has no {missing} ({source}): {remedy}")]
    Unsupported {
        /// The part, with its option of the kernel's configuration.
        missing: String,
        /// What to do, and what holds until then.
        remedy: &'static str,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The kernel does not let us.
    #[error(
        "nftables table inet roadbed: {step} is not permitted ({source}): the agent needs CAP_NET_ADMIN, and no other program may own \
         the table"
    )]
    Denied {
        /// What was tried.
        step: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// Anything else.
    #[error("nftables table inet roadbed: {step}: {source}")]
    Failed {
        /// What was tried.
        step: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Open,
    Read,
    Batch,
    Table,
    Set(&'static str),
    Chain(&'static str, Purpose),
    Rule(&'static str, Purpose),
    Watch,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Open => f.write_str("opening a netlink socket"),
            Step::Read => f.write_str("reading it back"),
            Step::Batch => f.write_str("changing it"),
            Step::Table => f.write_str("making or removing it"),
            Step::Set(name) => write!(f, "set {name}"),
            Step::Chain(name, _) => write!(f, "chain {name}"),
            Step::Rule(comment, _) => write!(f, "rule \"{comment}\""),
            Step::Watch => f.write_str("watching for changes"),
        }
    }
}

const TABLES: &str = "nf_tables for the inet family (CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET)";
const LOAD: &str = "load the module or take another kernel; until then sources of pods are checked by rp_filter only, and those of IPv6 \
                    not at all";
const LOAD_NAT: &str = "load the module or take another kernel; until then nothing is masqueraded, and pods of pools with natOutgoing \
                        get answers only from where there is a route back to them";

/// What of the kernel a step needs that it says it has not, and what follows. Which answer means that was looked up in
/// `net/netfilter/nf_tables_api.c` and `nfnetlink.c`.
fn missing(step: Step, errno: Errno) -> Option<(String, &'static str)> {
    let absent = matches!(
        errno,
        Errno::EAFNOSUPPORT | Errno::EPROTONOSUPPORT | Errno::EOPNOTSUPP
    );
    match step {
        Step::Set(name) if absent => Some((format!("sets of ranges in nf_tables, for set {name}"), LOAD_NAT)),
        _ if absent => Some((TABLES.to_owned(), LOAD)),
        // Where no subsystem of that number is registered.
        Step::Read | Step::Batch if errno == Errno::EINVAL => Some((TABLES.to_owned(), LOAD)),
        Step::Chain(_, Purpose::Guard) if errno == Errno::ENOENT => {
            Some(("filter chains in nf_tables".to_owned(), LOAD))
        }
        Step::Chain(_, Purpose::Nat) if errno == Errno::ENOENT => Some((
            "nat chains in nf_tables for the inet family (CONFIG_NFT_NAT, CONFIG_NF_NAT; Linux 5.2)"
                .to_owned(),
            LOAD_NAT,
        )),
        Step::Rule(comment, purpose) if errno == Errno::ENOENT => {
            let (options, remedy) = match purpose {
                Purpose::Guard => ("CONFIG_NFT_FIB_INET for the one about sources", LOAD),
                Purpose::Nat => ("CONFIG_NFT_MASQ, CONFIG_NFT_NAT, CONFIG_NFT_FIB_INET", LOAD_NAT),
            };
            let text = format!("nf_tables expression that rule \"{comment}\" is made of ({options})");
            Some((text, remedy))
        }
        _ => None,
    }
}

impl TableError {
    /// The error of a step.
    pub(super) fn at(step: Step, source: io::Error) -> TableError {
        let errno = source.raw_os_error().map(Errno::from_raw);
        let missing = errno.and_then(|errno| missing(step, errno));
        match (missing, errno) {
            (Some((missing, remedy)), _) => TableError::Unsupported {
                missing,
                remedy,
                source,
            },
            (None, Some(Errno::EPERM | Errno::EACCES)) => TableError::Denied {
                step: step.to_string(),
                source,
            },
            _ => TableError::Failed {
                step: step.to_string(),
                source,
            },
        }
    }

    /// Whether it is NAT alone that the kernel lacks: the guard is in place then.
    pub fn is_about_nat(&self) -> bool {
        matches!(self, TableError::Unsupported { remedy, .. } if *remedy == LOAD_NAT)
    }

    /// Whether it is the kernel's or the permissions' lack, which trying again soon will not cure.
    pub fn is_lasting(&self) -> bool {
        !matches!(self, TableError::Failed { .. })
    }
}
