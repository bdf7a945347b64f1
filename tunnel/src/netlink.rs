//! The request side of rtnetlink: one socket, requests that wait for their acknowledgement, and dumps that are complete.
//!
//! Strict checking is on, so that the kernel honours the filters of dump requests instead of ignoring them. A dump that
//! the kernel marks as interrupted (NLM_F_DUMP_INTR: the table changed meanwhile) is taken again.

use std::io;

use futures::StreamExt;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use rtnetlink::Handle;
use tokio::task::JoinHandle;

use crate::error::Error;

/// How often an interrupted dump is taken again before its last answer is used as it is: the table then changes faster
/// than it can be read, and the events of those changes will cause another reading.
const DUMP_ATTEMPTS: usize = 5;

/// A netlink socket for requests. Dropping it closes the socket.
#[derive(Debug)]
pub struct Netlink {
    handle: Handle,
    connection: JoinHandle<()>,
}

impl Netlink {
    /// Opens a socket in the network namespace of the calling thread.
    pub fn open() -> Result<Self, Error> {
        let (mut connection, handle, _) = rtnetlink::new_connection_with_strict_check()
            .map_err(|source| Error::netlink("cannot open a netlink socket", source))?;
        // So that a closed socket is not taken for the end of an answer.
        connection.set_forward_ack(true);
        connection.set_forward_done(true);
        Ok(Self {
            handle,
            connection: tokio::spawn(connection),
        })
    }

    /// Sends `message` and waits for the kernel's verdict. `flags` are added to REQUEST and ACK.
    pub async fn change(&self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        let mut answers = self.handle.clone().request(request).map_err(io::Error::other)?;
        while let Some(answer) = answers.next().await {
            if let NetlinkPayload::Error(error) = answer.payload {
                return if error.code.is_none() {
                    Ok(())
                } else {
                    Err(error.to_io())
                };
            }
        }
        Err(closed())
    }

    /// All answers to the dump request `message`.
    pub async fn dump(&self, message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        let mut attempt = 1;
        loop {
            let (answers, interrupted) = self.dump_once(message.clone()).await?;
            if !interrupted || attempt == DUMP_ATTEMPTS {
                return Ok(answers);
            }
            attempt += 1;
        }
    }

    async fn dump_once(&self, message: RouteNetlinkMessage) -> io::Result<(Vec<RouteNetlinkMessage>, bool)> {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut answers = self.handle.clone().request(request).map_err(io::Error::other)?;
        let mut found = Vec::new();
        let mut interrupted = false;
        while let Some(answer) = answers.next().await {
            interrupted |= answer.header.flags & NLM_F_DUMP_INTR != 0;
            match answer.payload {
                NetlinkPayload::InnerMessage(message) => found.push(message),
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                NetlinkPayload::Done(_) => return Ok((found, interrupted)),
                _ => {}
            }
        }
        Err(closed())
    }
}

impl Drop for Netlink {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the netlink socket was closed")
}
