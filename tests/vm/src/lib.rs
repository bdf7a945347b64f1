//! Small virtual machines for tests that need what the machine's own kernel lacks, such as `ipip`.
//!
//! A test says what it needs ([`where_has`]) and gets a place: here, or a [`Machine`]. A machine boots a kernel of the
//! distribution over the machine's own root, read-only under a layer of changes in memory, so that a test
//! program runs inside from the same path, with the same libraries and tools as outside. [`Machine::run`] writes a [`Job`] to a
//! folder, starts the machine, passes on what the program prints, and answers with its exit status; the
//! machine's first process is this crate's own program (`guest`). Nothing stays: neither processes nor files.
//!
//! `docs/testing-vm.md` is the manual.

mod error;
pub mod guest;
mod job;
mod kernel;
mod machine;
mod modules;
mod need;
mod processes;
mod protocol;
mod qemu;
mod run;
mod uml;
mod words;

pub use error::Error;
pub use job::Job;
pub use machine::Machine;
pub use need::{Need, Place, where_has};
pub use run::{Outcome, Status};
