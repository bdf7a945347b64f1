//! What can go wrong between us and nftables, in the operator's words.

use std::fmt;
use std::io;

use nix::errno::Errno;

/// Why the guard could not be set or read; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
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
    Chain(&'static str),
    Rule(&'static str),
    Watch,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Open => f.write_str("opening a netlink socket"),
            Step::Read => f.write_str("reading it back"),
            Step::Batch => f.write_str("changing it"),
            Step::Table => f.write_str("making or removing it"),
            Step::Chain(name) => write!(f, "chain {name}"),
            Step::Rule(comment) => write!(f, "rule \"{comment}\""),
            Step::Watch => f.write_str("watching for changes"),
        }
    }
}

const TABLES: &str = "nf_tables for the inet family (CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET)";
const LOAD: &str = "load the module or take another kernel; until then sources of pods are checked by rp_filter only, and those of IPv6 \
                    not at all";

impl GuardError {
    /// The error of a step. Which answer means what was looked up in `net/netfilter/nf_tables_api.c` and `nfnetlink.c`.
    pub(super) fn at(step: Step, source: io::Error) -> GuardError {
        let errno = source.raw_os_error().map(Errno::from_raw);
        let missing = match (step, errno) {
            (_, Some(Errno::EAFNOSUPPORT | Errno::EPROTONOSUPPORT | Errno::EOPNOTSUPP)) => {
                Some(TABLES.to_owned())
            }
            // Where no subsystem of that number is registered.
            (Step::Read | Step::Batch, Some(Errno::EINVAL)) => Some(TABLES.to_owned()),
            (Step::Chain(_), Some(Errno::ENOENT)) => Some("filter chains in nf_tables".to_owned()),
            (Step::Rule(comment), Some(Errno::ENOENT)) => Some(format!(
                "nf_tables expression that rule \"{comment}\" is made of (CONFIG_NFT_FIB_INET for the one about sources)"
            )),
            _ => None,
        };
        match (missing, errno) {
            (Some(missing), _) => GuardError::Unsupported {
                missing,
                remedy: LOAD,
                source,
            },
            (None, Some(Errno::EPERM | Errno::EACCES)) => GuardError::Denied {
                step: step.to_string(),
                source,
            },
            _ => GuardError::Failed {
                step: step.to_string(),
                source,
            },
        }
    }

    /// Whether it is the kernel's or the permissions' lack, which trying again soon will not cure.
    pub fn is_lasting(&self) -> bool {
        !matches!(self, GuardError::Failed { .. })
    }
}
