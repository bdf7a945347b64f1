//! ADD of the main plugin.

use std::net::IpAddr;

use config::MacAddress;
use config::api::cni::{CniAdd, CniAdded};
use serde_json::Value;

use crate::agent::{self, Failure};
use crate::args::Args;
use crate::env::{self, Lookup, Parameters};
use crate::error::{CniError, Code};
use crate::netconf::NetConf;
use crate::netconf::wishes::Wishes;
use crate::prev::Previous;
use crate::result;

/// Plugs the interface in and prints it after what plugins before us made.
pub fn run(env: Lookup<'_>, stdin: &[u8]) -> Result<Value, CniError> {
    let parameters = env::parameters(env)?;
    let conf = NetConf::parse(stdin)?;
    let mut wishes = Wishes::of(&conf)?;
    let previous = Previous::of(&conf)?;
    refuse_taken(&parameters, previous.as_ref())?;
    let dns = wishes.dns.take();
    let request = request(&conf, parameters, wishes)?;
    let added: CniAdded =
        agent::post(&conf.socket(), "/v1/cni/add", &request).map_err(Failure::into_error)?;
    refuse_other_mac(&request, &added)?;
    Ok(result::added(conf.version, &added, &request.netns, previous, dns))
}

/// Addresses that are asked for in the configuration and in `CNI_ARGS`, each once.
pub fn asked_ips(mut ips: Vec<IpAddr>, args: &Args) -> Vec<IpAddr> {
    for ip in &args.ips {
        if !ips.contains(ip) {
            ips.push(*ip);
        }
    }
    ips
}

/// Stickiness is of a pod that has a name.
pub fn sticky(conf: bool, args: &Args) -> Result<bool, CniError> {
    match args.sticky.unwrap_or(conf) {
        true if args.pod.is_none() => Err(CniError::env(
            "sticky addresses follow a pod by its name, and CNI_ARGS has no K8S_POD_NAMESPACE and K8S_POD_NAME",
        )),
        sticky => Ok(sticky),
    }
}

/// A chain may have made other interfaces before; this one is ours to make.
fn refuse_taken(parameters: &Parameters, previous: Option<&Previous>) -> Result<(), CniError> {
    let Parameters { ifname, netns, .. } = parameters;
    match previous.and_then(|p| p.interface(ifname, netns)) {
        None => Ok(()),
        Some(_) => Err(CniError::config(
            format!("a plugin before this one has made {ifname} already"),
            "roadbed makes an interface: put it first in the list of plugins, or in a list of its own",
        )),
    }
}

fn request(conf: &NetConf, parameters: Parameters, wishes: Wishes) -> Result<CniAdd, CniError> {
    let Parameters {
        container_id,
        ifname,
        netns,
        args,
    } = parameters;
    Ok(CniAdd {
        container_id,
        netns,
        ifname,
        network: conf.name.clone(),
        ips: asked_ips(wishes.ips, &args),
        sticky: sticky(wishes.sticky, &args)?,
        pools_of_network: args.pools.is_empty(),
        pools: match args.pools {
            named if !named.is_empty() => named,
            _ => wishes.pools,
        },
        pod: args.pod,
        mtu: wishes.mtu,
        mac: wishes.mac.or(args.mac).map(|mac| mac.to_string()),
        default_route: wishes.default_route,
        routes: wishes.routes,
        sysctls: wishes.sysctls,
        wait_announced: wishes.wait_announced,
    })
}

/// An older agent passes over what it does not know; the hardware address shows.
fn refuse_other_mac(request: &CniAdd, added: &CniAdded) -> Result<(), CniError> {
    let parse = |text: &str| text.parse::<MacAddress>().ok();
    let Some(asked) = request.mac.as_deref().and_then(parse) else {
        return Ok(());
    };
    if parse(&added.pod_interface.mac) == Some(asked) {
        return Ok(());
    }
    Err(CniError::new(
        Code::Protocol,
        format!(
            "the interface has the hardware address {}, not {asked}",
            added.pod_interface.mac
        ),
        "the Roadbed agent is older than this plugin: update it",
    ))
}
