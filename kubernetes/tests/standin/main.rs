//! The crate against a stand-in for the API server (which is not Kubernetes): listing and watching, outages, refusals, and
//! what a node says. The client has the rights of [`kubernetes::access`] and no others, in every test.

mod bed;
mod events;
mod following;
mod node;
mod secrets;
mod status;
mod wishes;
