//! The types of the agent's socket API, and the small client for it.
//!
//! The agent serves HTTP/1.1 with JSON bodies under `/v1` on a Unix socket. The command line and the CNI
//! plugin are its clients; both sides use these types, so the field names here are the contract of
//! `-o json`. A client one minor version older or newer is served: fields are only ever added, and
//! readers ignore what they do not know.

pub mod client;
pub mod cni;
pub mod drain;
pub mod error;
pub mod explain;
pub mod ipam;
pub mod peers;
pub mod plan;
pub mod queue;
pub mod routes;
pub mod status;
pub mod stop;

pub use client::{Client, ClientError};
pub use error::{ApiError, ErrorKind};

/// Where the agent listens unless its file says otherwise.
pub const DEFAULT_SOCKET: &str = "/run/roadbed/agent.sock";
