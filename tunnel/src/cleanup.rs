//! Removes all that is ours from the kernel, for `roadbed cleanup`.

use crate::apply::apply;
use crate::error::Error;
use crate::netlink::Netlink;
use crate::ops::{Op, Place};
use crate::read::read;

/// Removes the links `rb-vxlan`, `rb-vxlan6` and `rb-ipip` and the loopback addresses that carry our mark, in the network
/// namespace of the calling thread. Returns how many things were removed.
///
/// # Errors
/// If the kernel refuses; what could be removed is removed.
pub async fn cleanup() -> Result<usize, Error> {
    let netlink = Netlink::open()?;
    let (actual, mut indexes) = read(&netlink).await?;
    let devices = actual.devices.keys().map(|device| Op::Delete(*device));
    let ours = actual.loopback.iter().filter(|(_, ours)| **ours);
    let addresses = ours.map(|(net, _)| Op::DeleteAddress(Place::Loopback, *net));
    let mut removed = 0;
    let mut failure = None;
    for op in devices.chain(addresses) {
        match apply(&netlink, &op, &mut indexes).await {
            Ok(()) => removed += 1,
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(removed), Err)
}
