//! What can go wrong between a test and containerd.

use std::io;

/// A failure, with what the runtime or the system said.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file, a program or a namespace did not do what was asked.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// The system's word.
        source: io::Error,
    },
    /// A program ended with a failure, or too early.
    #[error("{what}: {output}")]
    Program {
        /// The program and what it was to do.
        what: String,
        /// The end of what it wrote.
        output: String,
    },
    /// containerd did not answer in time.
    #[error("containerd does not answer: {last}; the end of its log:\n{log}")]
    Silent {
        /// The last answer.
        last: String,
        /// The end of its log.
        log: String,
    },
    /// A call of the CRI was refused; `message` is the runtime's text, with that of the CNI plugin inside.
    #[error("{call}: {code}: {message}")]
    Refused {
        /// The call, such as `RunPodSandbox`.
        call: &'static str,
        /// The code of gRPC.
        code: tonic::Code,
        /// The runtime's text.
        message: String,
    },
}

impl Error {
    /// For `map_err`: what was tried when the system said no.
    pub(crate) fn system<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Error {
        let what = what.into();
        move |source| Error::System {
            what,
            source: source.into(),
        }
    }

    /// For `map_err`: the call that was refused.
    pub(crate) fn refused(call: &'static str) -> impl FnOnce(tonic::Status) -> Error {
        move |status| Error::Refused {
            call,
            code: status.code(),
            message: status.message().to_owned(),
        }
    }
}
