//! A blocking client for the agent's socket: one request a connection, HTTP/1.1 with JSON bodies.
//!
//! The CNI plugin starts for every pod and must load in a millisecond, so this is a plain
//! `UnixStream` with `httparse` for the answer's head, and no asynchronous runtime. The agent is asked
//! to close the connection, so the body ends where the stream ends (RFC 9112 section 6.3).

use std::io::{ErrorKind as IoKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// The longest answer that is read: a full table of a million routes fits.
const MAX_ANSWER: u64 = 1 << 30;

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No agent listens on the socket.
    #[error("no agent answers on {}: {error}; {}", .path.display(), absent_advice(.error))]
    Absent {
        /// The socket.
        path: PathBuf,
        /// What the kernel said. Not a `source`: the message has it already.
        error: std::io::Error,
    },
    /// The connection broke, or took longer than the deadline.
    #[error("the agent on {} did not finish its answer: {error}; see its log", .path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What the kernel said. Not a `source`: the message has it already.
        error: std::io::Error,
    },
    /// The answer is not what this client understands.
    #[error("the agent on {} answered in a way that this version does not understand ({detail}); \
             are the agent and this program at most one minor version apart?", .path.display())]
    Malformed {
        /// The socket.
        path: PathBuf,
        /// What was wrong with it.
        detail: String,
    },
    /// The agent understood, and refused.
    #[error(transparent)]
    Refused(#[from] ApiError),
}

/// What to do where the socket cannot be reached.
fn absent_advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        IoKind::PermissionDenied => "the socket is root's: call as root",
        _ => "is `roadbed agent` running on this node?",
    }
}

/// A client of one agent.
#[derive(Debug, Clone)]
pub struct Client {
    path: PathBuf,
    timeout: Duration,
}

impl Client {
    /// A client for the agent on this socket, with a deadline of 60 seconds for reads and writes.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Client {
            path: path.as_ref().to_owned(),
            timeout: Duration::from_secs(60),
        }
    }

    /// The same client with another deadline for each read and write.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// `GET path`, its JSON answer as `Reply`.
    pub fn get<Reply: DeserializeOwned>(&self, path: &str) -> Result<Reply, ClientError> {
        self.request("GET", path, &[])
    }

    /// `POST path` with a JSON body.
    pub fn post<Req: Serialize, Reply: DeserializeOwned>(
        &self,
        path: &str,
        body: &Req,
    ) -> Result<Reply, ClientError> {
        let body = serde_json::to_vec(body).map_err(|e| self.malformed(e.to_string()))?;
        self.request("POST", path, &body)
    }

    fn request<Reply: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Reply, ClientError> {
        let mut stream = UnixStream::connect(&self.path).map_err(|error| ClientError::Absent {
            path: self.path.clone(),
            error,
        })?;
        let answer = self
            .exchange(&mut stream, method, path, body)
            .map_err(|error| match error.kind() {
                IoKind::ConnectionRefused | IoKind::NotFound => ClientError::Absent {
                    path: self.path.clone(),
                    error,
                },
                _ => ClientError::Broken {
                    path: self.path.clone(),
                    error,
                },
            })?;
        let (status, body) = split(&answer).map_err(|detail| self.malformed(detail))?;
        if (200..300).contains(&status) {
            return serde_json::from_slice(body).map_err(|e| self.malformed(e.to_string()));
        }
        match serde_json::from_slice::<ApiError>(body) {
            Ok(error) => Err(ClientError::Refused(error)),
            Err(_) => Err(self.malformed(format!("HTTP status {status}"))),
        }
    }

    fn exchange(
        &self,
        stream: &mut UnixStream,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> std::io::Result<Vec<u8>> {
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::with_capacity(4096);
        stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
        // An agent that dies in the middle closes the socket like one that has finished.
        match is_cut(&answer) {
            true => Err(IoKind::UnexpectedEof.into()),
            false => Ok(answer),
        }
    }

    fn malformed(&self, detail: String) -> ClientError {
        ClientError::Malformed {
            path: self.path.clone(),
            detail,
        }
    }
}

/// Head and body of an answer.
struct Parts<'a> {
    status: u16,
    length: Option<usize>,
    body: &'a [u8],
}

/// Takes an answer apart; `None` where it ends inside its head.
fn parts(answer: &[u8]) -> Result<Option<Parts<'_>>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(answer) {
        Ok(httparse::Status::Complete(n)) => n,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(e) => return Err(e.to_string()),
    };
    let length = response
        .headers
        .iter()
        .find(|h| h.name.eq_ignore_ascii_case("content-length"))
        .and_then(|h| std::str::from_utf8(h.value).ok()?.trim().parse::<usize>().ok());
    Ok(Some(Parts {
        status: response.code.unwrap_or(0),
        length,
        body: &answer[head..],
    }))
}

/// The connection ended before the answer did.
fn is_cut(answer: &[u8]) -> bool {
    match parts(answer) {
        Ok(Some(parts)) => parts.length.is_some_and(|n| parts.body.len() < n),
        Ok(None) => true,
        Err(_) => false,
    }
}

/// Status and body of a whole answer.
fn split(answer: &[u8]) -> Result<(u16, &[u8]), String> {
    let Some(Parts { status, length, body }) = parts(answer)? else {
        return Err("it ended inside its header".into());
    };
    Ok((status, length.map_or(body, |n| &body[..n.min(body.len())])))
}

#[cfg(test)]
mod tests {
    use super::{is_cut, split};

    #[test]
    fn an_answer_splits_into_status_and_body() {
        let whole = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(split(whole), Ok((503, &b"{}"[..])));
        assert_eq!(split(b"HTTP/1.1 200 OK\r\n\r\n[1]"), Ok((200, &b"[1]"[..])));
    }

    #[test]
    fn a_cut_answer_is_told_from_a_whole_one() {
        assert!(is_cut(b"HTTP/1.1 200 OK\r\nContent-Le"));
        assert!(is_cut(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"));
        assert!(is_cut(b""));
        assert!(!is_cut(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"));
    }

    #[test]
    fn an_absent_agent_is_said_once_and_with_advice() {
        let error = super::Client::new("/nonexistent/agent.sock").get::<()>("/v1/status");
        let Err(error @ super::ClientError::Absent { .. }) = error else {
            panic!("{error:?}");
        };
        assert!(
            error
                .to_string()
                .ends_with("is `roadbed agent` running on this node?")
        );
        assert!(
            std::error::Error::source(&error).is_none(),
            "the chain would say it twice"
        );
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        assert!(split(b"garbage\r\n\r\n").is_err());
        assert!(!is_cut(b"garbage\r\n\r\n"));
    }
}
