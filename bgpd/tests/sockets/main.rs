//! Speakers with real sockets, on loopback addresses: each test has a /24 of 127.82.0.0/16 for itself.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens"
)]

mod exchange;
mod namespace;
mod pressure;
mod protection;
mod support;
mod unnumbered;
