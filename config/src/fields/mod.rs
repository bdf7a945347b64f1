//! The table of fields: everything that `roadbed.dev/v1` and Calico's `projectcalico.org/v3` have in the kinds
//! that we read, each in one class. The manual's list is made from it.
//!
//! A field that is not in the table is a mistake. A field of Calico's that would change how packets are
//! forwarded and that we do not do is refused by name, never skipped in silence.

mod bgp;
mod class;
mod entries;
mod hint;
mod ipam;
mod node;
mod table;

pub use class::{Class, Field, ResourceKind};
pub use hint::{closest, hint};
pub use table::{COMMON, find, of, table_path};
