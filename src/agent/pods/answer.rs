//! Requests, answers and errors of the verbs between the terms of the socket API and those of the parts.

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
    let routes = attached.routes.iter();
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
        routes: routes.map(|&(dst, gw)| CniRoute { dst, gw }).collect(),
        mtu,
    }
}

/// A hardware address as it is written, `aa:bb:cc:dd:ee:ff`.
pub fn mac(text: Option<&str>) -> Result<Option<attach::Mac>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let bytes: Vec<Option<u8>> = text
        .split([':', '-'])
        .map(|part| {
            u8::from_str_radix(part, 16)
                .ok()
                .filter(|_| part.len() == 2 && !part.starts_with('+'))
        })
        .collect();
    let bytes: Option<Vec<u8>> = bytes.into_iter().collect();
    match bytes.and_then(|bytes| <[u8; 6]>::try_from(bytes).ok()) {
        Some(bytes) => Ok(Some(attach::Mac(bytes))),
        None => Err(ApiError::new(
            ErrorKind::Invalid,
            format!("{text:?} is no hardware address"),
            "it has to be six bytes, as in 02:00:5e:00:53:01",
        )),
    }
}

/// What is asked about the default route.
pub fn default_route(asked: Option<bool>) -> attach::DefaultRoute {
    match asked {
        None => attach::DefaultRoute::IfFree,
        Some(true) => attach::DefaultRoute::Yes,
        Some(false) => attach::DefaultRoute::No,
    }
}

/// The messages say what to do; the kind tells the runtime whether trying again can help.
pub fn link_error(error: &attach::Error) -> ApiError {
    use attach::Error as E;
    let kind = match error {
        E::NoNetns { .. } => ErrorKind::NotFound,
        E::NotANetns { .. } | E::OwnNetns { .. } | E::Invalid(_) => ErrorKind::Invalid,
        E::Exists { .. } | E::OtherDefault { .. } | E::OtherRoute { .. } | E::NotOurs(_) => {
            ErrorKind::Conflict
        }
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
        E::NoGateway { .. } => ErrorKind::Invalid,
        E::InUse { .. } | E::Damaged { .. } | E::Newer { .. } => ErrorKind::Internal,
    };
    ApiError::new(kind, error.to_string(), "")
}

#[cfg(test)]
mod tests {
    use super::mac;

    #[test]
    fn a_hardware_address_is_six_bytes() {
        let parsed = |text: &str| mac(Some(text)).ok().flatten().map(|mac| mac.to_string());
        assert_eq!(parsed("02:00:5E:00:53:01").as_deref(), Some("02:00:5e:00:53:01"));
        assert_eq!(parsed("02-00-5e-00-53-01").as_deref(), Some("02:00:5e:00:53:01"));
        for bad in [
            "",
            "02:00:5e:00:53",
            "02:00:5e:00:53:01:02",
            "2:0:5e:0:53:1",
            "02:00:5e:00:53:zz",
            "+2:00:5e:00:53:01",
        ] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
        assert_eq!(mac(None), Ok(None));
    }
}
