//! Answers and errors of ADD and DEL in the terms of the socket API.

use std::net::IpAddr;

use config::api::cni::{CniAdd, CniAdded, CniAddress, CniInterface, CniRoute};
use config::api::{ApiError, ErrorKind};
use ipam::Lease;
use ipnet::IpNet;

/// What ADD made.
pub fn answer(request: &CniAdd, lease: &Lease, attached: &attach::Attached, mtu: u32) -> CniAdded {
    let address = |a: &IpAddr| CniAddress {
        address: IpNet::from(*a),
        gateway: Some(attach::gateway(*a)),
    };
    let routes = attach::pod_routes(&lease.addresses).into_iter();
    CniAdded {
        host_interface: CniInterface {
            name: lease.host_ifname.clone(),
            mac: attached.host_mac.to_string(),
        },
        pod_interface: CniInterface {
            name: request.ifname.clone(),
            mac: attached.pod_mac.to_string(),
        },
        addresses: lease.addresses.iter().map(address).collect(),
        routes: routes.map(|(dst, gw)| CniRoute { dst, gw }).collect(),
        mtu,
    }
}

/// The messages say what to do; the kind tells the runtime whether trying again can help.
pub fn link_error(error: &attach::Error) -> ApiError {
    use attach::Error as E;
    let kind = match error {
        E::NoNetns { .. } => ErrorKind::NotFound,
        E::NotANetns { .. } | E::OwnNetns { .. } | E::Invalid(_) => ErrorKind::Invalid,
        E::Exists { .. } | E::OtherDefault { .. } | E::NotOurs(_) => ErrorKind::Conflict,
        E::Kernel { .. } => ErrorKind::TryLater,
    };
    ApiError::new(kind, error.to_string(), "")
}

/// It may work in a moment.
pub fn try_later(message: impl Into<String>, action: &str) -> ApiError {
    ApiError::new(ErrorKind::TryLater, message, action)
}

/// The messages of the ledger say what to do; the kind tells the runtime whether trying again can help.
pub fn ledger_error(error: &ipam::Error) -> ApiError {
    use ipam::Error as E;
    let kind = match error {
        E::OutsideBlocks { .. } | E::TwoOfOneFamily { .. } => ErrorKind::Invalid,
        E::Reserved { .. } | E::Taken { .. } | E::HasAnother { .. } => ErrorKind::Conflict,
        E::PoolClosed { .. } | E::OnLoan { .. } | E::Kept { .. } => ErrorKind::Conflict,
        E::Leaving { .. } | E::Cooling { .. } | E::Recovering => ErrorKind::TryLater,
        E::NoBlocks { .. } | E::Full(_) | E::Io { .. } => ErrorKind::TryLater,
        E::InUse { .. } | E::Damaged { .. } | E::Newer { .. } => ErrorKind::Internal,
    };
    ApiError::new(kind, error.to_string(), "")
}
