//! `CNI_ARGS`: `KEY=VALUE;KEY=VALUE`, from the runtime (conventions of CNI, "CNI_ARGS").

use std::net::IpAddr;

use config::api::cni::PodRef;

use crate::error::CniError;

/// What we read of it. Keys that we do not know are passed over, whatever `IgnoreUnknown` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Args {
    /// The pod, where namespace and name are given.
    pub pod: Option<PodRef>,
    /// `IP=`: addresses asked for.
    pub ips: Vec<IpAddr>,
    /// `ROADBED_POOLS=`: pools to take addresses from.
    pub pools: Vec<String>,
    /// `ROADBED_STICKY=`: whether the addresses follow the pod.
    pub sticky: Option<bool>,
}

impl Args {
    /// Reads the variable. `MAC=` is an error: a hardware address cannot be asked for, and passing it over
    /// would give the pod another one than its owner thinks.
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
                "IP" => {
                    for one in value.split(',').filter(|one| !one.is_empty()) {
                        let address = address(one).ok_or_else(|| {
                            CniError::env(format!("CNI_ARGS has IP={one:?}, which is no address"))
                        })?;
                        args.ips.push(address);
                    }
                }
                "ROADBED_POOLS" => args.pools = list(value),
                "ROADBED_STICKY" => args.sticky = Some(truth(value)?),
                "MAC" if !value.is_empty() => {
                    return Err(CniError::env(
                        "CNI_ARGS has MAC=, and Roadbed cannot give a pod a hardware address",
                    ));
                }
                _ => {}
            }
        }
        args.pod = namespace
            .zip(name)
            .map(|(namespace, name)| PodRef { namespace, name, uid });
        Ok(args)
    }
}

fn list(value: &str) -> Vec<String> {
    let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
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
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=c;K8S_POD_UID=u;IP=10.0.0.9/24,2001:db8::9",
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
    }

    #[test]
    fn pools_and_stickiness_can_be_asked_for() {
        let args = Args::parse("ROADBED_POOLS=a, b,;ROADBED_STICKY=true").unwrap();
        assert_eq!(
            (args.pools, args.sticky),
            (vec!["a".into(), "b".into()], Some(true))
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
    fn what_cannot_be_granted_is_refused() {
        for bad in [
            "ROADBED_STICKY=perhaps",
            "IP=ten",
            "IP=10.0.0.1/40",
            "MAC=02:00:00:00:00:01",
            "novalue",
        ] {
            assert_eq!(Args::parse(bad).unwrap_err().code as u32, 4, "{bad}");
        }
    }
}
