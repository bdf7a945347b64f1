//! Desired routes against the kernel's FIB.
//!
//! ```text
//!  DesiredFib ──► Handle::publish ─► task ─► engine: wish × mirror ──► writes ──► rtnetlink ──► kernel FIB
//!  KernelView ◄── Handle::view  ◄─┘   ▲        (diff, ownership)                                   │
//!  SyncStatus ◄── Handle::status      └───────── notifications, dumps ◄────────────────────────────┘
//! ```
//!
//! A caller publishes the complete set of routes that it wants; this crate makes the kernel match, repairs what others remove or
//! change, and touches nothing without its own protocol number. Exit removes nothing, start adopts what is there. It also
//! publishes what it sees of the kernel (links, addresses, other programs' routes), and [`resolve`] answers next-hop questions
//! on that. It knows nothing of BGP.
//!
//! Read `diff.rs` for the rules, `engine.rs` for the flow, `netlink/` for the kernel's side.

mod clock;
mod diff;
mod engine;
mod error;
#[cfg(test)]
mod fake_kernel;
mod few;
mod fib;
mod handle;
mod host;
mod inbox;
mod model;
mod netlink;
mod nexthop;
mod ownership;
mod resolve;
mod route;
mod task;
mod trouble;

pub use error::Error;
pub use handle::{Handle, cleanup, installed, start};
pub use model::{
    Address, DesiredFib, DesiredNexthops, DesiredRoute, ForeignRoute, Hop, KernelView, Link, Metric, NextHop,
    NexthopForm, NexthopKey, NexthopMode, NexthopSet, Protocol, Resilient, RouteKey, RouteKind, Settings,
    SyncStatus, Table, Target,
};
pub use resolve::{
    LearnedHop, LearnedRoutes, MAX_DEPTH, Outcome, Resolution, ResolvedHop, Source, Step, Why, resolve,
};
