//! CHECK of both programs: the agent compares, and every difference is named.

use std::collections::BTreeMap;

use config::api::cni::{CniCheck, CniChecked, CniDrift};

use crate::agent::{self, Failure};
use crate::env::{self, Lookup, Parameters};
use crate::error::{CniError, Code};
use crate::netconf::{NetConf, wishes};
use crate::prev::Previous;
use crate::program::Program;
use crate::version::Version;

/// Fails where something is not as ADD left it.
pub fn run(program: Program, env: Lookup<'_>, stdin: &[u8]) -> Result<(), CniError> {
    let parameters = env::parameters(env)?;
    let conf = NetConf::parse(stdin)?;
    conf.version.has("CHECK", Version::V0_4_0)?;
    let previous = Previous::of(&conf)?.ok_or_else(|| {
        CniError::config(
            "prevResult is missing",
            "CHECK needs the result of ADD, which the runtime keeps",
        )
    })?;
    let request = match program {
        Program::Main => of_interface(&conf, parameters, &previous)?,
        Program::Ipam => of_lease(&conf, parameters, &previous),
    };
    let checked: CniChecked =
        agent::post(&conf.socket(), "/v1/cni/check", &request).map_err(Failure::into_error)?;
    refuse(&checked.drifts)
}

/// The MTU is that of the result, where it has one: a plugin behind us may have changed it.
fn of_interface(conf: &NetConf, parameters: Parameters, previous: &Previous) -> Result<CniCheck, CniError> {
    let Some(ours) = previous.interface(&parameters.ifname, &parameters.netns) else {
        return Err(CniError::config(
            format!("prevResult has no interface {} in a sandbox", parameters.ifname),
            "CHECK needs the result of ADD for this interface; a plugin behind roadbed has to pass it on",
        ));
    };
    Ok(CniCheck {
        addresses: previous.addresses(ours),
        mac: previous.text(ours, "mac").map(str::to_owned),
        mtu: match previous.mtu(ours) {
            Some(mtu) => Some(mtu),
            None => wishes::mtu(conf)?,
        },
        default_route: wishes::default_route(conf)?,
        routes: wishes::routes(conf)?,
        sysctls: wishes::sysctls(conf)?,
        ipam_only: false,
        network: conf.name.clone(),
        container_id: parameters.container_id,
        netns: parameters.netns,
        ifname: parameters.ifname,
    })
}

/// The interface is the delegating plugin's; some of them give us the addresses without it.
fn of_lease(conf: &NetConf, parameters: Parameters, previous: &Previous) -> CniCheck {
    let on = previous.interface(&parameters.ifname, &parameters.netns);
    let mut addresses = on.map(|on| previous.addresses(on)).unwrap_or_default();
    if addresses.is_empty() {
        addresses = previous.unplaced();
    }
    CniCheck {
        addresses,
        mac: None,
        mtu: None,
        default_route: None,
        routes: Vec::new(),
        sysctls: BTreeMap::new(),
        ipam_only: true,
        network: conf.name.clone(),
        container_id: parameters.container_id,
        netns: parameters.netns,
        ifname: parameters.ifname,
    }
}

fn refuse(drifts: &[CniDrift]) -> Result<(), CniError> {
    let Some(first) = drifts.first() else {
        return Ok(());
    };
    let more = match drifts.len() {
        1 => String::new(),
        all => format!(" (and {} more)", all - 1),
    };
    let message = format!("not as ADD left it: {}{more}", first.what);
    let all: Vec<String> = drifts.iter().map(told).collect();
    Err(CniError::new(Code::Drift, message, all.join("; ")))
}

fn told(drift: &CniDrift) -> String {
    let found = drift.found.as_deref().unwrap_or("not there");
    format!("{}: {found}, expected {}", drift.what, drift.expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_drift_is_named() {
        assert!(refuse(&[]).is_ok());
        let drift = |what: &str, found: Option<&str>| CniDrift {
            what: what.into(),
            expected: "1500".into(),
            found: found.map(str::to_owned),
        };
        let drifts = [drift("mtu of eth0", Some("1400")), drift("eth0", None)];
        let error = refuse(&drifts).unwrap_err();
        assert_eq!(error.code as u32, 103);
        assert_eq!(error.message, "not as ADD left it: mtu of eth0 (and 1 more)");
        assert_eq!(
            error.details,
            "mtu of eth0: 1400, expected 1500; eth0: not there, expected 1500"
        );
    }
}
