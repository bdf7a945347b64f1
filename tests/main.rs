//! Scenarios: one folder each. They run the real programs against real peers in network namespaces of
//! their own, need root, and fail where something that they need is missing.

mod auto;
mod bad_config;
mod bfd;
mod churn;
mod cleanup;
mod cni;
mod datastore;
mod drain;
mod dual_stack;
mod filters;
mod guard;
mod hitless;
mod interop;

mod install;
mod layering;
mod nat;
mod on_kubernetes;
mod peerings;
mod reflector;
mod repair;
mod restart;
mod routes;
mod runtimes;
mod start_order;
mod support;
mod two_racks;
mod unnumbered;
