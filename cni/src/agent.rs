//! Calls of the agent, and its failures in the terms of the specification.

use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use config::api::{ApiError, Client, ClientError, ErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{CniError, Code};

/// How long the agent may be silent. Runtimes give a whole sandbox two to four minutes.
const PATIENCE: Duration = Duration::from_secs(90);

/// Why a call got no answer that can be used.
#[derive(Debug)]
pub enum Failure {
    /// No agent, or one that went away in the middle.
    Away(CniError),
    /// An agent that says nothing in time.
    Silent(CniError),
    /// An agent that cannot do it now.
    Later(CniError),
    /// Trying again does not help.
    Final(CniError),
}

impl Failure {
    /// As the runtime is told.
    pub fn into_error(self) -> CniError {
        match self {
            Failure::Away(e) | Failure::Silent(e) | Failure::Later(e) | Failure::Final(e) => e,
        }
    }
}

/// `POST path`, with the patience that runtimes have.
pub fn post<Req: Serialize, Reply: DeserializeOwned>(
    socket: &Path,
    path: &str,
    body: &Req,
) -> Result<Reply, Failure> {
    let client = Client::new(socket).with_timeout(PATIENCE);
    client.post(path, body).map_err(|e| failure(e, path))
}

/// `GET path` that is over after `limit`.
pub fn get_within<Reply>(limit: Duration, socket: &Path, path: &'static str) -> Result<Reply, Failure>
where
    Reply: DeserializeOwned + Send + 'static,
{
    let client = Client::new(socket).with_timeout(limit);
    within(limit, socket, path, move || client.get(path))
}

/// `POST path` that is over after `limit`.
pub fn post_within<Req, Reply>(
    limit: Duration,
    socket: &Path,
    path: &'static str,
    body: &Req,
) -> Result<Reply, Failure>
where
    Req: Serialize + Clone + Send + 'static,
    Reply: DeserializeOwned + Send + 'static,
{
    let client = Client::new(socket).with_timeout(limit);
    let body = body.clone();
    within(limit, socket, path, move || client.post(path, &body))
}

/// A call that is over in time, whatever the agent does: one that is stopped leaves even the connection hanging, once its
/// queue of connections is full. The thread that hangs ends with the plugin.
fn within<Reply: Send + 'static>(
    limit: Duration,
    socket: &Path,
    path: &'static str,
    call: impl FnOnce() -> Result<Reply, ClientError> + Send + 'static,
) -> Result<Reply, Failure> {
    let later = |message: &str, details: String| CniError::new(Code::TryAgainLater, message, details);
    let (sender, receiver) = mpsc::channel();
    if let Err(error) = thread::Builder::new().spawn(move || drop(sender.send(call()))) {
        return Err(Failure::Away(later(
            "a thread cannot be started",
            error.to_string(),
        )));
    }
    match receiver.recv_timeout(limit) {
        Ok(answer) => answer.map_err(|error| failure(error, path)),
        Err(_) => {
            let (socket, limit) = (socket.display(), limit.as_secs());
            let details = format!("no answer on {socket} within {limit} seconds; see the agent's log");
            let message = "the Roadbed agent does not answer in time";
            Err(Failure::Silent(later(message, details)))
        }
    }
}

fn failure(error: ClientError, path: &str) -> Failure {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    match error {
        ClientError::Refused(refused) => refusal(refused, path),
        absent @ ClientError::Absent { .. } => Failure::Away(CniError::new(
            Code::TryAgainLater,
            "the Roadbed agent does not answer",
            absent.to_string(),
        )),
        ClientError::Broken { ref error, .. } if matches!(error.kind(), TimedOut | WouldBlock) => {
            Failure::Silent(CniError::new(
                Code::TryAgainLater,
                "the Roadbed agent does not answer in time",
                "see the agent's log",
            ))
        }
        broken @ ClientError::Broken { .. } => Failure::Away(CniError::new(
            Code::TryAgainLater,
            "the Roadbed agent did not finish its answer",
            broken.to_string(),
        )),
        other @ ClientError::Malformed { .. } => Failure::Final(CniError::new(
            Code::Protocol,
            "the Roadbed agent answered in an unknown way",
            other.to_string(),
        )),
    }
}

/// What the agent says in its own words. An agent that does not know the path says that nothing is found there,
/// which must not be taken for a container that is not there (code 3).
fn refusal(refused: ApiError, path: &str) -> Failure {
    let ApiError {
        kind,
        message,
        action,
    } = refused;
    let code = match kind {
        ErrorKind::TryLater => Code::TryAgainLater,
        ErrorKind::Invalid => Code::InvalidConfig,
        ErrorKind::NotFound if message.contains(&format!("has no {path}")) => {
            return Failure::Final(CniError::new(
                Code::Protocol,
                "the Roadbed agent is older than this plugin",
                format!("{message}: update the agent, and keep both at most one minor version apart"),
            ));
        }
        ErrorKind::NotFound => Code::UnknownContainer,
        ErrorKind::Conflict => Code::Conflict,
        ErrorKind::Internal => Code::Internal,
    };
    let error = CniError::new(code, message, action);
    match kind {
        ErrorKind::TryLater => Failure::Later(error),
        _ => Failure::Final(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(kind: ErrorKind, message: &str) -> u32 {
        let refused = ClientError::from(ApiError::new(kind, message, "a"));
        failure(refused, "/v1/cni/check").into_error().code as u32
    }

    #[test]
    fn each_kind_of_refusal_has_a_code() {
        assert_eq!(code(ErrorKind::TryLater, "m"), 11);
        assert_eq!(code(ErrorKind::Invalid, "m"), 7);
        assert_eq!(code(ErrorKind::NotFound, "m"), 3);
        assert_eq!(code(ErrorKind::Conflict, "m"), 101);
        assert_eq!(code(ErrorKind::Internal, "m"), 100);
    }

    #[test]
    fn an_older_agent_is_told_from_a_container_that_is_not_there() {
        let message = "this agent (version 0.1.0) has no /v1/cni/check";
        assert_eq!(code(ErrorKind::NotFound, message), 102);
    }

    #[test]
    fn an_agent_that_is_away_is_told_from_one_that_refuses() {
        let nowhere = Path::new("/nonexistent/agent.sock");
        let limit = Duration::from_secs(5);
        let failed = get_within::<()>(limit, nowhere, "/v1/x");
        assert!(matches!(failed, Err(Failure::Away(_))), "{failed:?}");
        let failed = post_within::<(), ()>(limit, nowhere, "/v1/x", &());
        assert!(matches!(failed, Err(Failure::Away(_))), "{failed:?}");
    }
}
