//! ADD of the IPAM plugin: addresses for an interface that another plugin makes.

use config::api::cni::{CniIpamAdd, CniIpamAdded};
use serde_json::Value;

use super::add::{asked_ips, sticky};
use crate::agent::{self, Failure};
use crate::env::{self, Lookup, Parameters};
use crate::error::CniError;
use crate::netconf::ipam::Section;
use crate::netconf::{NetConf, wishes};
use crate::result;

/// Takes addresses and prints the shortened result, without interfaces.
pub fn add(env: Lookup<'_>, stdin: &[u8]) -> Result<Value, CniError> {
    let parameters = env::parameters(env)?;
    let conf = NetConf::parse(stdin)?;
    let section = Section::of(&conf)?;
    let Parameters {
        container_id,
        ifname,
        netns,
        args,
    } = parameters;
    let request = CniIpamAdd {
        container_id,
        netns,
        ifname,
        network: conf.name.clone(),
        ips: asked_ips(wishes::ips(&conf)?, &args),
        sticky: sticky(section.sticky, &args)?,
        pools_of_network: args.pools.is_empty(),
        pools: match args.pools {
            named if !named.is_empty() => named,
            _ => section.pools,
        },
        pod: args.pod,
        gateway: section.gateway,
    };
    let added: CniIpamAdded =
        agent::post(&conf.socket(), "/v1/cni/ipam/add", &request).map_err(Failure::into_error)?;
    Ok(result::leased(conf.version, &added, section.routes))
}
