//! One verb: read what the runtime gives, ask the agent, form the answer.
//!
//! CHECK is not there yet and answers with error 4 (unknown command), as the specification's own library does
//! for a verb that a plugin lacks; a network list says `"disableCheck": true` so that runtimes leave it out.

use std::net::IpAddr;
use std::time::Duration;

use config::api::Client;
use config::api::cni::{CniAdd, CniAdded, CniDel, CniDeleted};
use serde_json::Value;

use crate::env::{self, Command, Lookup};
use crate::error::{CniError, Code};
use crate::netconf::{NetConf, version_of};
use crate::result::{self, NEWEST, SUPPORTED};

/// How long the agent may be silent. Runtimes give a whole sandbox two to four minutes.
const PATIENCE: Duration = Duration::from_secs(90);

/// What is printed: a result, nothing (DEL), or an error; with the version that an error names.
pub type Outcome = Result<Option<Value>, CniError>;

/// Runs the verb that the environment names.
pub fn run(env: Lookup<'_>, stdin: &[u8]) -> (String, Outcome) {
    let asked = version_of(stdin);
    let version = asked
        .clone()
        .filter(|v| SUPPORTED.contains(&v.as_str()))
        .unwrap_or_else(|| NEWEST.into());
    let outcome = env::command(env).and_then(|command| match command {
        Command::Version => versions(asked.as_deref(), stdin),
        Command::Add => add(env, stdin),
        Command::Del => del(env, stdin).map(|()| None),
        Command::Check => Err(CniError::new(
            Code::InvalidEnvironment,
            "CNI_COMMAND is CHECK, which this version does not support",
            "set \"disableCheck\": true in the network configuration list",
        )),
    });
    (version, outcome)
}

/// An empty stdin is a runtime that asks before it has a configuration.
fn versions(asked: Option<&str>, stdin: &[u8]) -> Outcome {
    let empty = stdin.iter().all(u8::is_ascii_whitespace);
    if !empty {
        serde_json::from_slice::<serde_json::Map<String, Value>>(stdin).map_err(|e| {
            CniError::new(
                Code::Decode,
                format!("cannot read stdin: {e}"),
                "it has to be a JSON object",
            )
        })?;
    }
    Ok(Some(result::versions(asked)))
}

fn add(env: Lookup<'_>, stdin: &[u8]) -> Outcome {
    let parameters = env::parameters(env, Command::Add)?;
    let conf = NetConf::parse(stdin)?;
    conf.check_add()?;
    let mut ips: Vec<IpAddr> = conf.ips()?;
    for ip in parameters.args.ips {
        if !ips.contains(&ip) {
            ips.push(ip);
        }
    }
    let sticky = parameters.args.sticky.unwrap_or(conf.sticky);
    if sticky && parameters.args.pod.is_none() {
        return Err(CniError::env(
            "sticky addresses follow a pod by its name, and CNI_ARGS has no K8S_POD_NAMESPACE and K8S_POD_NAME",
        ));
    }
    let request = CniAdd {
        container_id: parameters.container_id,
        netns: parameters.netns.clone(),
        ifname: parameters.ifname,
        network: conf.name.clone(),
        pools_of_network: parameters.args.pools.is_empty(),
        pools: match parameters.args.pools {
            named if !named.is_empty() => named,
            _ => conf.pools.clone(),
        },
        sticky,
        pod: parameters.args.pod,
        mtu: conf.mtu,
        ips,
        mac: None,
        default_route: None,
        routes: Vec::new(),
        sysctls: Default::default(),
        wait_announced: false,
    };
    let added: CniAdded = client(&conf).post("/v1/cni/add", &request)?;
    Ok(Some(result::added(
        &conf.cni_version,
        &added,
        &parameters.netns,
        conf.dns.as_ref(),
    )))
}

/// DEL of what is not there is a success: the agent says so. Without an agent it is error 11, and the runtime
/// calls again; a pod must not be forgotten while its address is still given.
fn del(env: Lookup<'_>, stdin: &[u8]) -> Result<(), CniError> {
    let parameters = env::parameters(env, Command::Del)?;
    let conf = NetConf::parse(stdin)?;
    let request = CniDel {
        container_id: parameters.container_id,
        ifname: parameters.ifname,
        netns: Some(parameters.netns).filter(|path| !path.is_empty()),
    };
    let _: CniDeleted = client(&conf).post("/v1/cni/del", &request)?;
    Ok(())
}

fn client(conf: &NetConf) -> Client {
    Client::new(conf.socket()).with_timeout(PATIENCE)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use proptest::prelude::*;

    use super::*;

    fn with(command: &'static str) -> impl Fn(&str) -> Option<OsString> {
        move |key| match key {
            "CNI_COMMAND" => Some(command.into()),
            "CNI_CONTAINERID" => Some("c1".into()),
            "CNI_IFNAME" => Some("eth0".into()),
            "CNI_NETNS" => Some("/run/netns/x".into()),
            _ => None,
        }
    }

    #[test]
    fn version_answers_as_runtimes_ask() {
        for stdin in [r#"{"cniVersion":"1.0.0"}"#, ""] {
            let (_, outcome) = run(&with("VERSION"), stdin.as_bytes());
            let json = outcome.unwrap().unwrap();
            assert_eq!(json["cniVersion"], "1.0.0");
            assert_eq!(
                json["supportedVersions"],
                serde_json::json!(["0.3.1", "0.4.0", "1.0.0"])
            );
        }
        assert_eq!(run(&with("VERSION"), b"nonsense").1.unwrap_err().code as u32, 6);
    }

    #[test]
    fn errors_name_a_version_that_the_runtime_knows() {
        assert_eq!(run(&with("CHECK"), br#"{"cniVersion":"0.4.0"}"#).0, "0.4.0");
        assert_eq!(run(&with("ADD"), br#"{"cniVersion":"9.9.9"}"#).0, "1.0.0");
        assert_eq!(run(&with("CHECK"), b"").1.unwrap_err().code as u32, 4);
    }

    /// JSON that is nearly a configuration, with a socket that never exists.
    fn nearly() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            Just("null".to_owned()),
            Just("7".to_owned()),
            Just("{}".to_owned()),
            Just("[\"x\"]".to_owned()),
            "[a-z0-9./:]{0,12}".prop_map(|s| format!("{s:?}")),
        ];
        let key = prop_oneof![
            Just("name"),
            Just("mtu"),
            Just("dns"),
            Just("ipam"),
            Just("runtimeConfig"),
            Just("prevResult"),
            Just("x"),
        ];
        proptest::collection::btree_map(key, value, 0..6).prop_map(|fields| {
            let mut text = r#"{"cniVersion":"1.0.0","socket":"/nonexistent/agent.sock""#.to_owned();
            for (key, value) in fields {
                text.push_str(&format!(",{key:?}:{value}"));
            }
            text + "}"
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_stdin_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in nearly()) {
            for verb in ["ADD", "DEL", "CHECK", "VERSION"] {
                let _ = run(&with(verb), &bytes);
                let (_, outcome) = run(&with(verb), text.as_bytes());
                prop_assert!(verb == "VERSION" || outcome.is_err());
            }
        }
    }
}
