//! What the scenarios saw with routers of other makes.
//!
//! Each scenario that has shown a [`Feature`] with a [`Make`] writes one [`Record`]; where a make has no such thing, that
//! is a record too, with the reason. After the tests, the program of this package reads all records, insists that no
//! cell is missing, and compares them with the table of `docs/interop.md`, which it also writes (`make interop-docs`).
//! A scenario that fails writes nothing, so a cell of the page cannot outlive what it rests on.

mod page;
mod record;
mod vocabulary;

pub use page::{Complaint, check, written};
pub use record::{Outcome, Record, all, write};
pub use vocabulary::{Feature, Make};
