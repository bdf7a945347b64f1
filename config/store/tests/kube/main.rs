//! The Kubernetes store against a stand-in for the API server: the suite for all stores, Nodes of two halves, history
//! that is gone, outages, rights, secrets, and the files of `deploy`.

mod conformance;
mod definitions;
mod followed;
mod gone;
mod nodes;
mod outage;
mod presence;
mod rights;
mod secrets;
mod support;
mod tls;
mod writes;
