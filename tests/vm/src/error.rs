//! What can go wrong with a machine, told to whoever runs the tests.

use std::path::PathBuf;
use std::time::Duration;

/// A machine could not do its job. A program that ran and failed is no error: see [`crate::Status`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that has to be installed or built is not there.
    #[error("{what} is missing: {remedy}")]
    Missing {
        /// What.
        what: String,
        /// How to get it.
        remedy: String,
    },
    /// The operating system refused something.
    #[error("cannot {what}: {source}")]
    System {
        /// The step.
        what: String,
        /// Its answer.
        source: std::io::Error,
    },
    /// The kernel of the machine has no such module.
    #[error("the machine's kernel has no module {name} (its modules are in {})", dir.display())]
    NoModule {
        /// The module.
        name: String,
        /// Where modules were looked for.
        dir: PathBuf,
    },
    /// No machine can do what is needed.
    #[error("{0}")]
    Request(String),
    /// The machine was still running at its deadline, and was killed.
    #[error(
        "the {machine} machine was not done after {deadline:?} and was killed; the last of its program:\n{output}\n--- the last of its console:\n{console}"
    )]
    Deadline {
        /// Which kind.
        machine: &'static str,
        /// The time that it had.
        deadline: Duration,
        /// The end of what the program printed.
        output: String,
        /// The end of the console.
        console: String,
    },
    /// The machine ended without a word about its program.
    #[error(
        "the {machine} machine ended before its program did: {why}; the last of its program:\n{output}\n--- the last of its console:\n{console}"
    )]
    Ended {
        /// Which kind.
        machine: &'static str,
        /// What is known.
        why: String,
        /// The end of what the program printed.
        output: String,
        /// The end of the console.
        console: String,
    },
}

impl Error {
    /// For `map_err`: the step that the operating system refused.
    pub(crate) fn system<E: Into<std::io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Error {
        let what = what.into();
        move |source| Error::System {
            what,
            source: source.into(),
        }
    }
}
