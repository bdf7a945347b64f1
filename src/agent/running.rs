//! One agent for each node: whoever answers on the socket owns the node's kernel state.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use config::api::stop::Stop;
use config::api::{Client, ClientError};

/// How long an agent that was killed may take to be gone: until its last thread has left the kernel, its socket takes
/// connections that nobody answers.
const GOING: Duration = Duration::from_secs(5);

/// How long an agent may take that was asked to end: its peers have to take the last message.
const STOPPING: Duration = Duration::from_secs(15);

/// Refuses a second agent: whoever answers on the socket owns this node's kernel state. Blocks for some seconds where
/// somebody holds the socket and does not answer.
pub fn refuse_if_running(socket: &Path) -> anyhow::Result<()> {
    let client = Client::new(socket).with_timeout(Duration::from_secs(2));
    let began = Instant::now();
    loop {
        match client.get::<serde_json::Value>("/v1/status") {
            Err(ClientError::Absent { .. }) => return Ok(()),
            Err(ClientError::Broken { .. }) if began.elapsed() < GOING => {
                thread::sleep(Duration::from_millis(50));
            }
            _ => bail!(
                "an agent runs already and answers on {}; stop it first",
                socket.display()
            ),
        }
    }
}

/// Has an agent end for good, its sessions closed with Cease, and waits until it is gone. Without one this is nothing.
///
/// # Errors
/// It refuses, or is still there after a while: something may have started it anew.
pub fn stop(socket: &Path, message: Option<String>) -> anyhow::Result<()> {
    let client = Client::new(socket).with_timeout(Duration::from_secs(2));
    match client.post::<_, Stop>("/v1/stop", &Stop { message }) {
        // It may be gone before its answer is out.
        Ok(_) | Err(ClientError::Absent { .. } | ClientError::Broken { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let began = Instant::now();
    while began.elapsed() < STOPPING {
        if let Err(ClientError::Absent { .. }) = client.get::<serde_json::Value>("/v1/status") {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
    bail!(
        "an agent still answers on {}: whatever starts it has to be stopped first (systemd, a DaemonSet)",
        socket.display()
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn an_agent_that_is_going_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let dying = thread::spawn(move || {
            // Takes two connections as a dying process does, and then is gone.
            for _ in 0..2 {
                drop(listener.accept().unwrap());
            }
        });
        refuse_if_running(&path).unwrap();
        dying.join().unwrap();
    }

    #[test]
    fn an_agent_that_answers_is_not_disturbed() {
        use std::io::{Read, Write};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let agent = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                .unwrap();
        });
        assert!(refuse_if_running(&path).is_err());
        agent.join().unwrap();
    }
}
