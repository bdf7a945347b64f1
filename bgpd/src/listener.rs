//! Accept loops: one task for each listening address, living as long as the engine.

use crate::gate::Gate;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Pause after an error that is ours (no file descriptors left, no memory), so as not to spin on it.
const PAUSE: Duration = Duration::from_millis(200);

/// A connection that a listener took.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub stream: TcpStream,
    /// The peer's end.
    pub remote: SocketAddr,
}

/// Takes connections until the engine is gone. Errors of a single connection are passed over, errors of the machine
/// are waited out: a listener that gave up would be noticed by nobody.
pub async fn accept(listener: Arc<TcpListener>, gate: Gate, accepted: mpsc::Sender<Accepted>) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                if let Err(refused) = gate.admit(remote.ip(), Instant::now()) {
                    tracing::debug!(%remote, %refused, "refused a BGP connection");
                    continue;
                }
                if accepted.send(Accepted { stream, remote }).await.is_err() {
                    return;
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a BGP connection, trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
