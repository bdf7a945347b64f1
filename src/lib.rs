//! Roadbed: composition of the parts into the node agent and its command line.
//!
//! `plan` compiles the resources for one node, `decide` turns that and what BGP and the kernel say into
//! complete desired state (both pure), `agent` wires the tasks, `cli` talks to a running agent.

pub mod agent;
pub mod cli;
pub mod decide;
pub mod plan;
