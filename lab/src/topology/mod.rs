//! The topology: what a containerlab file says, checked and merged.
//!
//! `raw` is the file as written (containerlab's YAML format, the subset that has a meaning for network
//! namespaces), `merge` lays `defaults`, `kinds` and the node's own keys over each other in containerlab's
//! order and checks everything that needs no machine. The result, `Topology`, is what the rest of the crate
//! works from. The same file is accepted by containerlab itself: what is ours hides in labels and in the
//! choice of images.

mod merge;
mod raw;
#[cfg(test)]
mod tests;
mod types;

use std::path::Path;

use crate::error::Error;
pub use types::{Bind, Endpoint, Link, Node, POD_NAME, POD_ON, Runner, Topology, valid_name};

impl Topology {
    /// Reads and checks a topology file.
    pub fn load(file: &Path) -> Result<Topology, Error> {
        let what = || format!("read the topology file {}", file.display());
        let file = file.canonicalize().map_err(Error::system(what()))?;
        let text = std::fs::read_to_string(&file).map_err(Error::system(what()))?;
        Topology::parse(&text, &file)
    }

    /// The same for a text that is already read; `file` is its absolute path.
    pub fn parse(text: &str, file: &Path) -> Result<Topology, Error> {
        merge::merge(raw::parse(text, file)?, file)
    }
}
