//! Against the real kernel, each test in a network namespace of its own that has no name and goes with its thread. They need
//! root and iproute2, and fail where these are missing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod basics;
mod gaps;
mod links;
mod moves;
mod nexthops;
mod repair;
mod scale;
mod space;
mod zebra;
