//! The agent's view: `roadbed ... -o json`, typed by the contract of the socket API.

use config::api::peers::Peer;
use config::api::routes::Route;
use config::api::status::Status;
use serde::de::DeserializeOwned;

use super::{Fabric, check};

/// `roadbed status`.
pub fn status(fabric: &Fabric, node: &str) -> Result<Status, String> {
    ask(fabric, node, &["status"])
}

/// One session of `roadbed peers`.
pub fn peer(fabric: &Fabric, node: &str, address: &str) -> Result<Peer, String> {
    let peers: Vec<Peer> = ask(fabric, node, &["peers"])?;
    let known: Vec<String> = peers.iter().map(|p| p.address.clone()).collect();
    let found = peers.into_iter().find(|p| p.address == address);
    found.ok_or_else(|| format!("no peer {address}, but {known:?}"))
}

/// A session that is up.
pub fn established(fabric: &Fabric, node: &str, address: &str) -> Result<Peer, String> {
    let peer = peer(fabric, node, address)?;
    match peer.state.as_str() {
        "Established" => Ok(peer),
        state => Err(format!(
            "{node} to {address}: {state}, last error {:?}",
            peer.last_error
        )),
    }
}

/// A session that is not up.
pub fn down(fabric: &Fabric, node: &str, address: &str) -> Result<Peer, String> {
    let peer = peer(fabric, node, address)?;
    check(peer.state != "Established", || {
        format!("{node} to {address} is Established")
    })?;
    Ok(peer)
}

/// Every configured session of a node is up, and the node says that it is well.
pub fn converged(fabric: &Fabric, node: &str, sessions: usize) -> Result<(), String> {
    let status = status(fabric, node)?;
    let well = status.peers.established == sessions && status.peers.fully_fed && status.ready;
    check(well, || {
        format!(
            "{node}: {:?}, ready {}, {:?}",
            status.peers, status.ready, status.problems
        )
    })
}

/// One route of `roadbed routes`.
pub fn route(fabric: &Fabric, node: &str, prefix: &str) -> Result<Route, String> {
    route_of(fabric, node, prefix, &[])
}

/// One route of one view of `roadbed routes`, such as `--advertised PEER`.
pub fn route_of(fabric: &Fabric, node: &str, prefix: &str, view: &[&str]) -> Result<Route, String> {
    let routes = routes_of(fabric, node, view)?;
    let known: Vec<String> = routes.iter().map(|r| r.prefix.to_string()).collect();
    let found = routes.into_iter().find(|r| r.prefix.to_string() == prefix);
    found.ok_or_else(|| format!("{node} {view:?}: no {prefix}, but {known:?}"))
}

/// All routes of one view: a prefix is there as often as it has paths.
pub fn routes_of(fabric: &Fabric, node: &str, view: &[&str]) -> Result<Vec<Route>, String> {
    ask(fabric, node, &[&["routes"], view].concat())
}

fn ask<T: DeserializeOwned>(fabric: &Fabric, node: &str, arguments: &[&str]) -> Result<T, String> {
    let value = fabric.roadbed_json(node, arguments).map_err(|e| e.to_string())?;
    serde_json::from_value(value)
        .map_err(|e| format!("`roadbed {arguments:?}` does not keep its contract: {e}"))
}
