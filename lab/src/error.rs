//! What can go wrong with a lab, in words for the person who runs it.

use std::io;
use std::path::PathBuf;

/// Any failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The topology file is wrong.
    #[error("{}:{line}: {message}", .file.display())]
    Topology {
        /// The topology file.
        file: PathBuf,
        /// Line, from 1; 0 where the whole file is meant.
        line: u64,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The kernel or the file system refused something.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried, as a verb phrase.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A program or kernel feature is not there.
    #[error("{what} is missing; {remedy}")]
    Missing {
        /// What is missing.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// A command inside a node failed.
    #[error("node {node}: `{command}` failed ({status}): {output}")]
    Command {
        /// The node.
        node: String,
        /// The command as written.
        command: String,
        /// How it ended.
        status: String,
        /// The last lines that it wrote.
        output: String,
    },
    /// The CNI plugin refused to plug a pod in, or out.
    #[error("pod {pod}: CNI {verb} failed with code {code}: {message}")]
    Cni {
        /// The pod's node name in the topology.
        pod: String,
        /// `ADD` or `DEL`.
        verb: String,
        /// The code of the CNI specification; 0 where the plugin gave none.
        code: u32,
        /// Its message and details.
        message: String,
    },
    /// A condition was not met in time.
    #[error("{what} did not happen within {seconds:.1} s; last seen: {last}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long, in seconds.
        seconds: f64,
        /// What was seen instead.
        last: String,
    },
    /// The lab is not in the state that the request needs, or the name is unknown.
    #[error("{0}")]
    Request(String),
}

impl Error {
    /// Turns an error of the kernel into one that says what was tried.
    pub fn system<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Error {
        let what = what.into();
        move |e| Error::System {
            what,
            source: e.into(),
        }
    }
}
