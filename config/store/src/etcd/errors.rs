//! What went wrong with one attempt, and what it means: whether the request may have been carried out, whether
//! another member may do better, or whether the operator has to act.
//!
//! etcd tells its errors apart by the text of the gRPC status (`api/v3rpc/rpctypes/error.go`); the texts are the same
//! from 3.4 on. What is not known to have been refused before it was proposed counts as perhaps carried out.

use std::error::Error as StdError;

use datastore::Error;
use tonic::{Code, Status};

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Surely not carried out; another member, or the same one later, may do it.
    Away(String),
    /// Perhaps carried out.
    Lost(String),
    /// The token is not known any more: authenticate again. Not carried out.
    Token,
    /// This member does not take us; not carried out. If all say so, the operator has to act.
    Refused {
        /// What it said.
        detail: String,
        /// What to do.
        fix: String,
    },
    /// The whole cluster says so; not carried out.
    Denied {
        /// What it said.
        detail: String,
        /// What to do.
        fix: String,
    },
    /// No space for writes. Reads go on. The one write that raises the alarm is sometimes carried out all the same
    /// (etcd applies it and reports the alarm); a later look tells.
    Full(String),
    /// The revision is gone.
    Compacted,
    /// The request itself is wrong for etcd.
    Invalid {
        /// What is wrong.
        detail: String,
        /// What to do.
        fix: String,
    },
}

impl Trouble {
    /// The error for the caller, once nothing more is tried.
    pub fn into_error(self, store: &str) -> Error {
        let store = store.to_owned();
        match self {
            Trouble::Away(detail) => Error::Unavailable { store, detail },
            Trouble::Lost(detail) => Error::Unknown { store, detail },
            Trouble::Token => Error::Unavailable {
                store,
                detail: "it forgets our token again and again".into(),
            },
            Trouble::Refused { detail, fix } | Trouble::Denied { detail, fix } => {
                Error::Refused { store, detail, fix }
            }
            Trouble::Full(detail) => Error::Full { store, detail },
            Trouble::Compacted => Error::Compacted {
                store,
                revision: "asked for".into(),
            },
            Trouble::Invalid { detail, fix } => Error::Invalid { store, detail, fix },
        }
    }

    /// In a few words, for a list of what each member said.
    pub fn detail(&self) -> String {
        match self {
            Trouble::Away(detail) | Trouble::Lost(detail) | Trouble::Full(detail) => detail.clone(),
            Trouble::Token => "it does not know our token".into(),
            Trouble::Compacted => "the revision is gone".into(),
            Trouble::Refused { detail, .. }
            | Trouble::Denied { detail, .. }
            | Trouble::Invalid { detail, .. } => detail.clone(),
        }
    }

    fn away(detail: impl Into<String>) -> Trouble {
        Trouble::Away(detail.into())
    }

    fn denied(detail: &str, fix: &str) -> Trouble {
        Trouble::Denied {
            detail: detail.into(),
            fix: fix.into(),
        }
    }

    fn invalid(detail: &str, fix: &str) -> Trouble {
        Trouble::Invalid {
            detail: detail.into(),
            fix: fix.into(),
        }
    }
}

/// What an error of the client means.
pub(super) fn classify(error: &etcd_client::Error) -> Trouble {
    match error {
        etcd_client::Error::GRpcStatus(status) => of_status(status),
        etcd_client::Error::TransportError(e) => of_transport(e),
        etcd_client::Error::IoError(e) => Trouble::Lost(e.to_string()),
        // A stream that ended without an answer.
        other => Trouble::Lost(other.to_string()),
    }
}

fn of_status(status: &Status) -> Trouble {
    if let Some(source) = status.source() {
        return of_chain(source, status.code(), status.message());
    }
    let text = status.message();
    let says = |what: &str| text.contains(what);
    match status.code() {
        Code::Unauthenticated => Trouble::Token,
        // Why etcd ends a watch is said in the text alone.
        _ if says("invalid auth token") || says("revision of auth store is old") => Trouble::Token,
        _ if says("database space exceeded") => Trouble::Full("its space is used up (alarm NOSPACE)".into()),
        _ if says("revision has been compacted") => Trouble::Compacted,
        _ if says("no leader") && !says("timed out") => Trouble::away("it has no leader"),
        _ if says("proposal dropped") || says("too many requests") => Trouble::away(text),
        _ if says("user name is empty") => Trouble::denied(
            "it asks for a user and a password",
            "set datastore.username and datastore.passwordFile",
        ),
        _ if says("authentication failed") => Trouble::denied(
            "it does not take this user with this password",
            "check datastore.username and the file of datastore.passwordFile",
        ),
        _ if says("permission denied") => Trouble::denied(
            "the user may not do that",
            "grant its role readwrite on the prefix (etcdctl role grant-permission ROLE readwrite PREFIX/ --prefix)",
        ),
        _ if says("too large") || says("larger than max") => {
            Trouble::invalid("the value is too large for it", "values up to 1.5 MiB are taken")
        }
        _ if says("too many operations") => Trouble::invalid(
            "the transaction has too many operations",
            "write fewer keys at once, or start etcd with a higher --max-txn-ops",
        ),
        _ if says("lease not found") => Trouble::invalid("the lease is gone", "ask for a new one"),
        Code::InvalidArgument | Code::Unimplemented | Code::FailedPrecondition => {
            Trouble::invalid(text, "etcd 3.4 or later is needed, and a request that it knows")
        }
        _ => Trouble::Lost(text.to_owned()),
    }
}

/// Whether the connection is the reason, and not something that the member said.
pub(super) fn is_of_connection(error: &etcd_client::Error) -> bool {
    match error {
        etcd_client::Error::GRpcStatus(status) => status.source().is_some(),
        _ => true,
    }
}

/// Whether a token was asked for in vain because authentication is switched off.
pub(super) fn is_auth_off(error: &etcd_client::Error) -> bool {
    let etcd_client::Error::GRpcStatus(status) = error else {
        return false;
    };
    status.message().contains("authentication is not enabled")
}

/// Why a connection could not be made: surely nothing was carried out.
pub(super) fn of_connect(error: &(dyn StdError + 'static)) -> Trouble {
    let text = deepest(error);
    refusal(&text).unwrap_or(Trouble::Away(text))
}

fn of_transport(error: &tonic::transport::Error) -> Trouble {
    of_chain(error, Code::Unknown, &error.to_string())
}

fn of_chain(source: &(dyn StdError + 'static), code: Code, message: &str) -> Trouble {
    let text = deepest(source);
    if let Some(refused) = refusal(&text) {
        return refused;
    }
    match chain(source).any(|e| e.is::<tonic::ConnectError>()) {
        true => Trouble::Away(text),
        false if code == Code::Cancelled && message.contains("Timeout") => {
            Trouble::Lost("no answer in time".into())
        }
        false => Trouble::Lost(text),
    }
}

/// What TLS says when certificates do not fit. A member that misses our certificate only says so after the
/// handshake, with an alert.
fn refusal(text: &str) -> Option<Trouble> {
    let refused = |detail: &str, fix: &str| {
        Some(Trouble::Refused {
            detail: format!("{detail} ({text})"),
            fix: fix.into(),
        })
    };
    if text.contains("received fatal alert") {
        return refused(
            "it does not take our client certificate, or misses one",
            "set datastore.certFile and datastore.keyFile to a certificate of the authority that etcd trusts \
             (etcd: --trusted-ca-file)",
        );
    }
    if text.contains("invalid peer certificate") {
        return refused(
            "its certificate is not one that we trust",
            "set datastore.caFile to the authority of etcd's certificates, and use an endpoint that they are for",
        );
    }
    let wrong_kind = [
        "InvalidMessage",
        "corrupt message",
        "HTTPS without TLS",
        "inappropriate",
    ];
    if wrong_kind.iter().any(|mark| text.contains(mark)) {
        return refused(
            "it does not speak TLS here",
            "use http:// in datastore.endpoints, or switch TLS on in etcd",
        );
    }
    None
}

/// The text of the innermost cause that says something: outer ones only say "transport error".
fn deepest(error: &(dyn StdError + 'static)) -> String {
    let texts = chain(error).map(|e| e.to_string());
    texts
        .filter(|text| !text.is_empty())
        .last()
        .unwrap_or_else(|| "connection lost".into())
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |e: &&'a (dyn StdError + 'static)| (*e).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: Code, text: &str) -> Trouble {
        classify(&etcd_client::Error::GRpcStatus(Status::new(code, text)))
    }

    #[test]
    fn what_etcd_refuses_before_it_proposes_is_not_done() {
        assert_eq!(
            of(Code::Unauthenticated, "etcdserver: invalid auth token"),
            Trouble::Token
        );
        let old = "etcdserver: revision of auth store is old";
        assert_eq!(of(Code::InvalidArgument, old), Trouble::Token);
        assert!(matches!(
            of(Code::Unavailable, "etcdserver: no leader"),
            Trouble::Away(_)
        ));
        assert!(matches!(
            of(Code::Unknown, "raft proposal dropped"),
            Trouble::Away(_)
        ));
        assert!(matches!(
            of(Code::PermissionDenied, "etcdserver: permission denied"),
            Trouble::Denied { .. }
        ));
        let space = "etcdserver: mvcc: database space exceeded";
        assert!(matches!(of(Code::ResourceExhausted, space), Trouble::Full(_)));
        let large = "etcdserver: request is too large";
        assert!(matches!(
            of(Code::InvalidArgument, large),
            Trouble::Invalid { .. }
        ));
        let gone = "etcdserver: mvcc: required revision has been compacted";
        assert_eq!(of(Code::OutOfRange, gone), Trouble::Compacted);
    }

    #[test]
    fn what_may_have_been_proposed_is_lost() {
        for (code, text) in [
            (Code::Unavailable, "etcdserver: request timed out"),
            (
                Code::Unavailable,
                "etcdserver: request timed out, possibly due to previous leader failure",
            ),
            (Code::Unavailable, "etcdserver: leader changed"),
            (Code::Unavailable, "etcdserver: server stopped"),
            (Code::Unknown, "context deadline exceeded"),
            (Code::Internal, "h2 protocol error"),
            (Code::Cancelled, "operation was canceled"),
        ] {
            assert!(matches!(of(code, text), Trouble::Lost(_)), "{text}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_do_and_holds_no_secret() {
        let wrong = of(
            Code::InvalidArgument,
            "etcdserver: authentication failed, invalid user ID or password",
        );
        let text = wrong.into_error("etcd https://192.0.2.1:2379").to_string();
        assert_eq!(
            text,
            "etcd https://192.0.2.1:2379 refuses us: it does not take this user with this password; check \
             datastore.username and the file of datastore.passwordFile"
        );
    }
}
