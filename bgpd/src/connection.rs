//! One TCP connection that is up: reads into a buffer of the caller's, writes as much as the socket takes and keeps the
//! rest. Nothing waits here; the wakers call the connection up when the socket is ready again.

use crate::ready::Ready;
use bgpd_proto::types::ConnId;
use socket2::SockRef;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    remote: SocketAddr,
    /// Whole messages that the socket did not take yet, but for the first `sent` bytes. Empty and without memory
    /// while the peer reads.
    unsent: Vec<u8>,
    sent: usize,
    reader: Waker,
    writer: Waker,
}

impl Connection {
    /// A connection that is up and non-blocking; `ready` is called with `conn`.
    pub fn new(conn: ConnId, stream: TcpStream, remote: SocketAddr, ready: &Ready) -> Self {
        Self {
            stream,
            remote,
            unsent: Vec::new(),
            sent: 0,
            reader: ready.reader(conn),
            writer: ready.writer(conn),
        }
    }

    /// The socket, for its options.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The peer's end.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Reads what has come: zero bytes are the end of the stream, `Pending` means that the waker will call.
    pub fn read(&mut self, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut context = Context::from_waker(&self.reader);
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.stream).poll_read(&mut context, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Reads what lies in the socket now, whether or not the runtime has heard of it: for a connection that has failed
    /// and will be called up by nobody. Zero bytes where there is nothing, or nothing any more.
    pub fn read_remains(&self, buffer: &mut [u8]) -> usize {
        // Whatever the error is, what came before it has been read.
        let socket = SockRef::from(&self.stream);
        (&*socket).read(buffer).unwrap_or(0)
    }

    /// Bytes are left over from earlier: nothing else may be written before them.
    pub fn is_blocked(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Writes whole messages, and keeps what the socket does not take. Not to be called while blocked.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let taken = self.push(bytes)?;
        self.unsent.extend_from_slice(&bytes[taken..]);
        Ok(())
    }

    /// Writes what was kept; the number of bytes that the socket took.
    pub fn flush(&mut self) -> io::Result<usize> {
        let unsent = std::mem::take(&mut self.unsent);
        let taken = self.push(&unsent[self.sent..])?;
        self.sent += taken;
        if self.sent == unsent.len() {
            self.sent = 0;
        } else {
            self.unsent = unsent;
        }
        Ok(taken)
    }

    /// Takes it apart: the stream, and what was kept.
    pub fn into_parts(mut self) -> (TcpStream, Vec<u8>) {
        self.unsent.drain(..self.sent);
        (self.stream, self.unsent)
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut context = Context::from_waker(&self.writer);
        let mut taken = 0;
        while taken < bytes.len() {
            match Pin::new(&mut self.stream).poll_write(&mut context, &bytes[taken..]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(length)) => taken += length,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        Ok(taken)
    }
}

/// Why a connection is gone, for people.
pub fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionReset => "the peer reset the TCP connection".into(),
        _ => format!("TCP connection lost: {error}"),
    }
}
