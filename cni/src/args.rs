//! `CNI_ARGS`: `KEY=VALUE;KEY=VALUE`, from the runtime (conventions of CNI, "CNI_ARGS").

use std::net::IpAddr;

use config::MacAddress;
use config::api::cni::PodRef;

use crate::error::CniError;

/// What we read of it. Keys that we do not know are passed over, whatever `IgnoreUnknown` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Args {
    /// The pod, where namespace and name are given.
    pub pod: Option<PodRef>,
    /// `IP=`: addresses asked for.
    pub ips: Vec<IpAddr>,
    /// `MAC=`: hardware address asked for.
    pub mac: Option<MacAddress>,
    /// `ROADBED_POOLS=`: pools to take addresses from.
    pub pools: Vec<String>,
    /// `ROADBED_STICKY=`: whether the addresses follow the pod.
    pub sticky: Option<bool>,
}

impl Args {
    /// Reads the variable.
    ///
    /// # Errors
    /// Code 4: what is no pair, or a value of ours that cannot be read.
    pub fn parse(raw: &str) -> Result<Args, CniError> {
        let (mut namespace, mut name, mut uid) = (None, None, None);
        let mut args = Args::default();
        for pair in raw.split(';').filter(|pair| !pair.is_empty()) {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(CniError::env(format!(
                    "CNI_ARGS has {pair:?}; it has to be KEY=VALUE"
                )));
            };
            match key {
                "K8S_POD_NAMESPACE" => namespace = some(value),
                "K8S_POD_NAME" => name = some(value),
                "K8S_POD_UID" => uid = some(value),
                "IP" => args.ips = addresses(value)?,
                "MAC" if !value.is_empty() => args.mac = Some(mac(value)?),
                "ROADBED_POOLS" => args.pools = list(value).map(str::to_owned).collect(),
                "ROADBED_STICKY" => args.sticky = Some(truth(value)?),
                _ => {}
            }
        }
        args.pod = namespace
            .zip(name)
            .map(|(namespace, name)| PodRef { namespace, name, uid });
        Ok(args)
    }
}

fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|one| !one.is_empty())
}

fn addresses(value: &str) -> Result<Vec<IpAddr>, CniError> {
    let read = |one| {
        address(one).ok_or_else(|| CniError::env(format!("CNI_ARGS has IP={one:?}, which is no address")))
    };
    list(value).map(read).collect()
}

fn mac(value: &str) -> Result<MacAddress, CniError> {
    value.parse().map_err(|_| {
        CniError::env(format!(
            "CNI_ARGS has MAC={value:?}; it has to be the address of one interface, like 02:00:00:00:00:01"
        ))
    })
}

fn truth(value: &str) -> Result<bool, CniError> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" | "" => Ok(false),
        other => Err(CniError::env(format!(
            "CNI_ARGS has ROADBED_STICKY={other:?}; it has to be true or false"
        ))),
    }
}

fn some(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

/// An address, with or without a prefix length, which means nothing to a host route.
pub fn address(text: &str) -> Option<IpAddr> {
    let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    length
        .is_none_or(|l| l.parse::<u8>().is_ok_and(|l| l <= longest))
        .then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pod_and_its_wishes_are_read() {
        let args = Args::parse(
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=c;\
             K8S_POD_UID=u;IP=10.0.0.9/24, 2001:db8::9;MAC=02-00-00-00-00-0A",
        )
        .unwrap();
        let pod = args.pod.unwrap();
        assert_eq!(
            (pod.namespace.as_str(), pod.name.as_str(), pod.uid.as_deref()),
            ("default", "web-0", Some("u"))
        );
        assert_eq!(
            args.ips,
            ["10.0.0.9", "2001:db8::9"].map(|a| a.parse::<IpAddr>().unwrap())
        );
        assert_eq!(args.mac.unwrap().to_string(), "02:00:00:00:00:0a");
    }

    #[test]
    fn pools_and_stickiness_can_be_asked_for() {
        let args = Args::parse("ROADBED_POOLS=a, b,;ROADBED_STICKY=true;MAC=").unwrap();
        assert_eq!(
            (args.pools, args.sticky, args.mac),
            (vec!["a".into(), "b".into()], Some(true), None)
        );
        assert_eq!(Args::parse("ROADBED_STICKY=0").unwrap().sticky, Some(false));
    }

    #[test]
    fn podman_names_a_pod_without_a_namespace() {
        let args = Args::parse("IgnoreUnknown=1;K8S_POD_NAMESPACE=;K8S_POD_NAME=c").unwrap();
        assert_eq!(args, Args::default());
        assert_eq!(Args::parse("").unwrap(), Args::default());
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for bad in [
            "ROADBED_STICKY=perhaps",
            "IP=ten",
            "IP=10.0.0.1/40",
            "MAC=02:00:00:00:00",
            "MAC=01:00:00:00:00:01",
            "MAC=00:00:00:00:00:00",
            "novalue",
        ] {
            assert_eq!(Args::parse(bad).unwrap_err().code as u32, 4, "{bad}");
        }
    }
}
