//! A lab as a whole: up, down, and everything in between.
//!
//! `up` makes namespaces, links and processes from a topology and writes each into the `record` on disk
//! before or as it makes it; `down` works from that record alone, so a lab can be removed by another process,
//! after a crash, and twice. `frr`, `agent` and `pods` are the three kinds of inhabitants; `run` starts
//! programs inside nodes; `Lab` is the handle that tests and the command line hold.

mod agent;
mod binaries;
mod down;
mod frr;
mod handle;
pub mod inspect;
mod pods;
pub mod record;
mod run;
mod up;

pub use binaries::Options;
pub use handle::Lab;
