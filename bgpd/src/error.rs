//! What can go wrong at this level, written for the operator.

use std::io;
use std::net::SocketAddr;

/// Error of the BGP driver.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address to listen on could not be taken.
    #[error("cannot listen on {address}: {}", listen_hint(.address, .source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel gave us no thread or no file descriptor.
    #[error("cannot start the BGP speaker: {0}")]
    Start(#[source] io::Error),
    /// The BGP thread is gone: it was shut down.
    #[error("the BGP speaker has been shut down")]
    Stopped,
}

fn listen_hint(address: &SocketAddr, source: &io::Error) -> String {
    let port = address.port();
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            format!("port {port} is in use: stop the other BGP daemon, or choose another listenPort")
        }
        io::ErrorKind::PermissionDenied => {
            format!("port {port} needs root or CAP_NET_BIND_SERVICE: {source}")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{} is no address of this machine: {source}", address.ip())
        }
        _ => source.to_string(),
    }
}
