//! One task for each TCP connection: it connects (or was given an accepted stream), then reads and writes until one
//! side ends it.
//!
//! ```text
//!  engine ──Order::Write / Order::Close (2 slots)──► task ──► socket
//!  engine ◄──Report (bounded, shared by all)──────── task ◄── socket
//! ```
//!
//! The engine gives a task the next buffer only after `Report::Drained` for the one before: a peer that does not read
//! stops its own task and nothing else. A reader holds one buffer at most while the engine is busy. When the engine
//! drops its end of the orders, the task ends at once and the socket closes without a word.

use crate::socket;
use bgpd_proto::types::ConnId;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long a NOTIFICATION may take to leave, and how long we wait for the peer to have read it.
pub const LAST_WORDS: Duration = Duration::from_secs(1);

/// Bytes read at once: a few full messages of the extended size.
const READ_SIZE: usize = 128 * 1024;

/// From the engine.
#[derive(Debug)]
pub enum Order {
    /// Write this; `Report::Drained` follows.
    Write(Vec<u8>),
    /// Write this if the peer takes it soon, then close.
    Close(Vec<u8>),
}

/// To the engine.
#[derive(Debug)]
pub enum Report {
    /// A listener took a connection.
    Accepted {
        /// The connection.
        stream: TcpStream,
        /// The peer's end.
        remote: SocketAddr,
    },
    /// TCP is up.
    Connected {
        /// Which connection.
        conn: ConnId,
        /// Our end.
        local: SocketAddr,
    },
    /// It could not be opened.
    ConnectFailed {
        /// Which connection.
        conn: ConnId,
        /// Why.
        error: String,
    },
    /// Bytes came.
    Bytes {
        /// Which connection.
        conn: ConnId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The buffer of the last `Order::Write` is with the kernel.
    Drained {
        /// Which connection.
        conn: ConnId,
        /// The buffer, to be used again.
        buffer: Vec<u8>,
    },
    /// The connection ended, not by our order.
    Closed {
        /// Which connection.
        conn: ConnId,
        /// Why.
        reason: String,
    },
}

/// The engine's two channels as a task sees them.
pub struct Ends {
    /// Which connection this is.
    pub conn: ConnId,
    /// What the engine orders.
    pub orders: mpsc::Receiver<Order>,
    /// What the task has to say.
    pub reports: mpsc::Sender<Report>,
}

/// Opens a connection and serves it.
pub async fn dial(mut ends: Ends, local: Option<IpAddr>, remote: SocketAddr, ttl: u8) {
    let attempt = tokio::select! {
        // Nothing is written before the engine knows that TCP is up: any order, or none to come, is the end.
        _ = ends.orders.recv() => return,
        attempt = socket::connect(local, remote, ttl) => attempt,
    };
    let conn = ends.conn;
    let connected = attempt.and_then(|stream| Ok((stream.local_addr()?, stream)));
    match connected {
        Ok((local, stream)) => {
            if ends.reports.send(Report::Connected { conn, local }).await.is_ok() {
                serve(ends, stream).await;
            }
        }
        Err(error) => {
            let error = format!("cannot connect to {remote}: {error}");
            // The engine being gone means that nobody wants to know.
            let _ = ends.reports.send(Report::ConnectFailed { conn, error }).await;
        }
    }
}

/// Reads and writes until the end.
pub async fn serve(mut ends: Ends, mut stream: TcpStream) {
    let (reader, writer) = stream.split();
    let end = tokio::select! {
        reason = read(ends.conn, reader, &ends.reports) => End::Lost(reason),
        end = write(ends.conn, writer, &mut ends.orders, &ends.reports) => end,
    };
    match end {
        End::Lost(reason) => {
            let _ = ends
                .reports
                .send(Report::Closed {
                    conn: ends.conn,
                    reason,
                })
                .await;
        }
        End::Ordered(last_words) if !last_words.is_empty() => say_and_linger(stream, &last_words).await,
        End::Ordered(_) | End::Abandoned => {}
    }
}

enum End {
    /// The peer or the network ended it.
    Lost(String),
    /// `Order::Close`, at a message boundary, with these bytes still to be written.
    Ordered(Vec<u8>),
    /// Nobody waits for anything any more.
    Abandoned,
}

async fn read(conn: ConnId, mut reader: ReadHalf<'_>, reports: &mpsc::Sender<Report>) -> String {
    let mut buffer = vec![0; READ_SIZE];
    loop {
        match reader.read(&mut buffer).await {
            Ok(0) => return "the peer closed the TCP connection".into(),
            Ok(length) => {
                let bytes = buffer[..length].to_vec();
                if reports.send(Report::Bytes { conn, bytes }).await.is_err() {
                    return "shut down".into();
                }
            }
            Err(error) => return describe(&error),
        }
    }
}

async fn write(
    conn: ConnId,
    mut writer: WriteHalf<'_>,
    orders: &mut mpsc::Receiver<Order>,
    reports: &mpsc::Sender<Report>,
) -> End {
    loop {
        let mut buffer = match orders.recv().await {
            None => return End::Abandoned,
            Some(Order::Close(last_words)) => return End::Ordered(last_words),
            Some(Order::Write(buffer)) => buffer,
        };
        let mut writing = pin!(writer.write_all(&buffer));
        let done = tokio::select! {
            done = &mut writing => done,
            order = orders.recv() => {
                let Some(Order::Close(last_words)) = order else { return End::Abandoned };
                // A NOTIFICATION can only follow a whole message: the rest of the buffer goes first, or nothing does.
                return match timeout(LAST_WORDS, writing).await {
                    Ok(Ok(())) => End::Ordered(last_words),
                    _ => End::Abandoned,
                };
            }
        };
        if let Err(error) = done {
            return End::Lost(describe(&error));
        }
        buffer.clear();
        if reports.send(Report::Drained { conn, buffer }).await.is_err() {
            return End::Abandoned;
        }
    }
}

/// Writes the NOTIFICATION and waits until the peer has closed: closing with unread input would send a TCP reset, and
/// that can overtake the NOTIFICATION at the peer.
async fn say_and_linger(mut stream: TcpStream, last_words: &[u8]) {
    let goodbye = async {
        stream.write_all(last_words).await?;
        stream.shutdown().await?;
        let mut rest = vec![0; 4096];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // Deadline or error: the connection ends either way.
    let _ = timeout(LAST_WORDS, goodbye).await;
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionReset => "the peer reset the TCP connection".into(),
        _ => format!("TCP connection lost: {error}"),
    }
}
