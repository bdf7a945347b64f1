//! Asks a member how it is, over its plain HTTP port: health and metrics.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::network::{Site, inside};

/// How long one question may take.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How often a condition is looked at.
const PAUSE: Duration = Duration::from_millis(20);

/// Whether the member has a leader, answers linearizable reads, and no alarm is raised.
pub(crate) fn healthy(site: &Site) -> Result<(), String> {
    let body = get(site, "/health")?;
    match body.contains("\"health\":\"true\"") {
        true => Ok(()),
        false => Err(format!("it says {}", body.trim())),
    }
}

/// Whether the member takes itself for the leader.
pub(crate) fn leads(site: &Site) -> bool {
    get(site, "/metrics").is_ok_and(|body| body.lines().any(|line| line == "etcd_server_is_leader 1"))
}

/// Waits until `probe` gives `Ok`; panics with its last `Err` after `deadline`.
pub(crate) fn until<T>(deadline: Duration, what: &str, mut probe: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match probe() {
            Ok(value) => return value,
            Err(last) if start.elapsed() >= deadline => {
                panic!(
                    "{what} did not happen within {} s; last seen: {last}",
                    deadline.as_secs()
                )
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// The body of an answer with status 200, or what was said instead.
fn get(site: &Site, path: &str) -> Result<String, String> {
    let address = SocketAddr::new(site.address, site.probe_port);
    inside(site.namespace.as_deref(), || exchange(address, path)).map_err(|e| format!("{address}{path}: {e}"))
}

fn exchange(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(body.to_owned())
}
