//! Turns the state after a try into a [`TunnelStatus`]: pure, the clock is a parameter.

use std::net::IpAddr;
use std::time::SystemTime;

use crate::actual::{Actual, Entry, Kind, Own};
use crate::family::Family;
use crate::model::{DesiredTunnels, Device, Remote};
use crate::status::{DeviceStatus, StatusError, TunnelStatus};

/// More errors than this are counted, not listed: with a thousand nodes one cause may give a thousand errors.
const MOST_ERRORS: usize = 16;

/// The status after a try. What was wrong before and still is keeps its time; the counters are carried over.
pub fn report(
    before: &TunnelStatus,
    desired: &DesiredTunnels,
    actual: Option<&Actual>,
    mut errors: Vec<String>,
    now: SystemTime,
) -> TunnelStatus {
    if errors.len() > MOST_ERRORS {
        let more = errors.len() - MOST_ERRORS;
        errors.truncate(MOST_ERRORS);
        errors.push(format!("and {more} more errors of this kind"));
    }
    let since = |what: &String| {
        before
            .errors
            .iter()
            .find(|error| error.what == *what)
            .map_or(now, |error| error.since)
    };
    let errors = errors
        .into_iter()
        .map(|what| StatusError {
            since: since(&what),
            what,
        })
        .collect();
    let mut status = TunnelStatus {
        errors,
        devices: Vec::new(),
        remotes: 0,
        remotes_wanted: 0,
        ..before.clone()
    };
    for remote in desired.remotes.values() {
        let device = Device::vxlan(Family::from(remote.endpoint));
        if desired.wants(device) {
            status.remotes_wanted += 1;
            let own = actual.and_then(|actual| actual.devices.get(&device));
            status.remotes += usize::from(own.is_some_and(|own| installed(own, remote)));
        }
    }
    let devices = actual.into_iter().flat_map(|actual| &actual.devices);
    let remotes = |device: Device, own: &Own| {
        let ends = desired.remotes.values();
        ends.filter(|r| Device::vxlan(Family::from(r.endpoint)) == device && installed(own, r))
            .count()
    };
    status.devices = devices
        .map(|(device, own)| device_status(*device, own, remotes(*device, own)))
        .collect();
    status
}

fn installed(own: &Own, remote: &Remote) -> bool {
    let neighbour = own.neighbours.get(&remote.gateway);
    own.fdb.get(&(remote.mac, Some(remote.endpoint))) == Some(&Entry::Plain)
        && neighbour.is_some_and(|neighbour| neighbour.permanent && neighbour.mac == Some(remote.mac))
}

fn device_status(device: Device, own: &Own, remotes: usize) -> DeviceStatus {
    let (vni, port, local, mac) = match &own.kind {
        Kind::Vxlan(vxlan) => (Some(vxlan.vni), Some(vxlan.port), vxlan.local, own.mac),
        Kind::Ipip(ipip) => (None, None, ipip.local.map(IpAddr::V4), None),
        Kind::Other(_) => (None, None, None, own.mac),
    };
    DeviceStatus {
        name: device.name().to_owned(),
        mtu: own.mtu,
        vni,
        port,
        local,
        mac,
        up: own.up,
        remotes,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_error_keeps_the_time_of_its_first_sight() {
        let start = SystemTime::UNIX_EPOCH;
        let later = start + Duration::from_secs(5);
        let desired = DesiredTunnels::default();
        let first = report(&TunnelStatus::default(), &desired, None, vec!["a".into()], start);
        let second = report(&first, &desired, None, vec!["a".into(), "b".into()], later);
        let times: Vec<_> = second.errors.iter().map(|error| error.since).collect();
        assert_eq!(times, [start, later]);
        assert!(
            report(&second, &desired, None, Vec::new(), later)
                .errors
                .is_empty()
        );
    }

    #[test]
    fn a_flood_of_errors_is_counted() {
        let errors = (0..1000).map(|n| n.to_string()).collect();
        let now = SystemTime::UNIX_EPOCH;
        let status = report(
            &TunnelStatus::default(),
            &DesiredTunnels::default(),
            None,
            errors,
            now,
        );
        assert_eq!(status.errors.len(), MOST_ERRORS + 1);
        assert!(
            status
                .errors
                .iter()
                .any(|error| error.what == "and 984 more errors of this kind")
        );
    }
}
