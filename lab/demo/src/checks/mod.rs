//! The scenes, each a few checks, in the order in which they are played.

mod clients;
mod cut;
mod explain;
mod filters;
mod leftovers;
mod pings;
mod repair;
mod routes;
mod sessions;
mod settle;

pub use clients::clients;
pub use cut::cut;
pub use explain::explain;
pub use filters::{filters, table as switch_table};
pub use leftovers::nothing_left;
pub use pings::pings;
pub use repair::repair;
pub use routes::routes;
pub use sessions::{sessions, switch};
pub use settle::settle;
