//! Debian's containerd 1.6 as the runtime of Kubernetes nodes, driven through the CRI in the kubelet's order.
//!
//! `cluster` is two nodes with an agent and a containerd each; `life` has what a pod gets and what goes with it,
//! `outage` what happens while the agent is away, `chain` the reference plugins behind ours, `install` how
//! the plugin gets there, `kubernetes` the pods' annotations. containerd asks for
//! ADD and DEL and nothing else: CHECK, GC and STATUS are tried by calling the plugin (`tests/cni`).

mod chain;
mod cluster;
mod install;
mod kubernetes;
mod life;
mod outage;
