//! How long is waited for what.

use std::time::Duration;

/// The limits of calls to etcd. The defaults suit etcd's own (heartbeat 100 ms, election 1 s).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Making a connection, with TLS and authentication.
    pub connect: Duration,
    /// One attempt at one member; then the next one is asked.
    pub attempt: Duration,
    /// All attempts of one call together.
    pub total: Duration,
    /// The first pause once every member has been asked; it doubles up to a second, with jitter.
    pub pause: Duration,
    /// A connection on which nothing comes is asked whether it is alive after this (HTTP/2 PING); etcd closes
    /// connections that ask more often than every 5 s.
    pub ping: Duration,
    /// No answer to that for so long: the connection is dead.
    pub ping_answer: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            connect: Duration::from_secs(2),
            attempt: Duration::from_secs(3),
            total: Duration::from_secs(8),
            pause: Duration::from_millis(50),
            ping: Duration::from_secs(6),
            ping_answer: Duration::from_secs(3),
        }
    }
}
