//! Notices that a program changes or removes our table: a firewall manager that flushes the ruleset, an operator's `nft`.
//!
//! The kernel tells listeners of group `NFNLGRP_NFTABLES` of every change in their network namespace. Only messages that name
//! our table count; they come whole after each transaction, also after our own: [`super::ensure`] then finds all as it is to be.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use netlink_packet_core::{NetlinkBuffer, NlasIterator};
use netlink_packet_netfilter::{NetfilterProtoFamily, NetfilterSubsystem};
use netlink_sys::{Socket, protocols::NETLINK_NETFILTER};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, setsockopt, sockopt::ReceiveTimeout};
use nix::sys::time::{TimeVal, TimeValLike};

use super::error::{Step, TableError};
use super::model::TABLE;

/// `NFNLGRP_NFTABLES` (`linux/netfilter/nfnetlink.h`).
const GROUP: u32 = 7;
const BUFFER: usize = 1 << 16;

/// Watches our table in one network namespace. Not more than a socket: no thread, no timer.
pub struct Watch {
    socket: Socket,
}

/// Watches our table in the network namespace of the calling thread.
///
/// # Errors
/// [`TableError`] where the kernel has no nftables or no socket can be had.
pub fn watch() -> Result<Watch, TableError> {
    let open = || {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.add_membership(GROUP)?;
        Ok(Watch { socket })
    };
    open().map_err(|error| TableError::at(Step::Watch, error))
}

impl Watch {
    /// Waits until our table was changed, at most this long; false where it was not. For a thread of its own.
    ///
    /// # Errors
    /// [`TableError`] where the socket fails; a new one may help.
    pub fn wait(&self, at_most: Duration) -> Result<bool, TableError> {
        let began = std::time::Instant::now();
        loop {
            let left = at_most.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            // Zero would mean for ever.
            let micros = i64::try_from(left.as_micros()).unwrap_or(i64::MAX).max(1000);
            let timeout = TimeVal::microseconds(micros);
            setsockopt(&self.socket, ReceiveTimeout, &timeout)
                .map_err(|error| TableError::at(Step::Watch, error.into()))?;
            if self.next(MsgFlags::empty())? == Some(true) {
                self.changed()?;
                return Ok(true);
            }
        }
    }

    /// Takes all that has come, without waiting: whether our table was changed. For a loop that waits for the descriptor to
    /// become readable.
    ///
    /// # Errors
    /// As [`Watch::wait`].
    pub fn changed(&self) -> Result<bool, TableError> {
        let mut changed = false;
        while let Some(ours) = self.next(MsgFlags::MSG_DONTWAIT)? {
            changed |= ours;
        }
        Ok(changed)
    }

    /// Whether the next message is about our table; none where there is none in time.
    fn next(&self, flags: MsgFlags) -> Result<Option<bool>, TableError> {
        let mut bytes: Vec<u8> = Vec::with_capacity(BUFFER);
        match self.socket.recv(&mut bytes, flags.bits()) {
            Ok(_) => Ok(Some(is_about_us(&bytes))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Some(false)),
            // Messages were lost, perhaps one about us.
            Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => Ok(Some(true)),
            Err(error) => Err(TableError::at(Step::Watch, error)),
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Watch {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Whether one of these messages names our table. Attribute 1 is the table's name in every message about something in a
/// table (`NFTA_TABLE_NAME`, `NFTA_CHAIN_TABLE`, `NFTA_RULE_TABLE`, `NFTA_SET_TABLE` ...).
pub(super) fn is_about_us(bytes: &[u8]) -> bool {
    const NFTA_TABLE: u16 = 1;
    const NFGENMSG: usize = 4;
    let mut rest = bytes;
    while let Ok(packet) = NetlinkBuffer::new_checked(rest) {
        let of_tables = packet.message_type() >> 8 == u16::from(u8::from(NetfilterSubsystem::NfTables));
        let payload = packet.payload();
        let inet = payload.first() == Some(&u8::from(NetfilterProtoFamily::Inet));
        if of_tables && inet {
            let attributes = NlasIterator::new(payload.get(NFGENMSG..).unwrap_or_default());
            let mut named = attributes
                .map_while(Result::ok)
                .filter(|a| a.kind() == NFTA_TABLE);
            if named.any(|name| name.value().strip_suffix(&[0]) == Some(TABLE.as_bytes())) {
                return true;
            }
        }
        let length = (packet.length() as usize).next_multiple_of(4);
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}
