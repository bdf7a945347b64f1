//! The network configuration on stdin (specification, "Execution configuration").
//!
//! Unknown keys are passed over: runtimes and operators put theirs there. What is known and cannot be done
//! is an error at ADD; DEL takes everything that says which network it is.

use std::net::IpAddr;

use config::api::DEFAULT_SOCKET;
use serde::Deserialize;
use serde_json::Value;

use crate::args::address;
use crate::env::is_name;
use crate::error::{CniError, Code};
use crate::result::{NEWEST, SUPPORTED};

/// What we read of it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetConf {
    /// Version of the specification; it decides the form of the result.
    pub cni_version: String,
    /// Name of the network.
    pub name: String,
    /// The agent's socket; ours.
    pub socket: Option<String>,
    /// MTU of the pod's interface in bytes; ours. Without it the agent decides by the path.
    pub mtu: Option<u32>,
    /// Pools to take addresses from; ours. Without it, those that are for the pod's namespace.
    pub pools: Vec<String>,
    /// Whether addresses follow their pods to other nodes; ours.
    pub sticky: bool,
    /// Resolver settings, passed on into the result.
    pub dns: Option<Value>,
    runtime_config: Option<RuntimeConfig>,
    ipam: Option<Value>,
    prev_result: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct RuntimeConfig {
    ips: Vec<String>,
    mac: Option<String>,
}

/// The version in which a failure is reported: the one asked for, as far as it can be read.
pub fn version_of(stdin: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(stdin).ok()?;
    value.get("cniVersion")?.as_str().map(str::to_owned)
}

impl NetConf {
    /// Reads stdin. A version that is not ours is error 1, whatever the rest says.
    pub fn parse(stdin: &[u8]) -> Result<NetConf, CniError> {
        let version = version_of(stdin);
        if let Some(version) = version.as_deref().filter(|v| !SUPPORTED.contains(v)) {
            return Err(incompatible(version));
        }
        // By way of an object: serde would take an array for the fields in order.
        let conf: NetConf = serde_json::from_slice::<serde_json::Map<String, Value>>(stdin)
            .and_then(|object| serde_json::from_value(Value::Object(object)))
            .map_err(|e| {
                let message = format!("cannot read the network configuration: {e}");
                CniError::new(Code::Decode, message, "it has to be a JSON object on stdin")
            })?;
        if version.is_none() {
            return Err(incompatible("0.1.0 (the meaning of a missing cniVersion)"));
        }
        if !is_name(&conf.name) {
            return Err(invalid(
                format!("name is {:?}", conf.name),
                "it has to be letters, digits, '.', '_' and '-', a letter or digit first",
            ));
        }
        Ok(conf)
    }

    /// What ADD cannot do. We are the first plugin of a chain, and addresses come from the agent.
    pub fn check_add(&self) -> Result<(), CniError> {
        let set = |value: &Option<Value>| value.as_ref().is_some_and(|v| !v.is_null());
        if let Some(ipam) = self
            .ipam
            .as_ref()
            .filter(|v| v.as_object().is_some_and(|o| !o.is_empty()))
        {
            let details = format!("\"ipam\": {ipam}; remove it: addresses come from the node's blocks");
            return Err(CniError::new(
                Code::UnsupportedField,
                "the field ipam is not supported",
                details,
            ));
        }
        if set(&self.prev_result) {
            return Err(invalid(
                "prevResult is set at ADD".into(),
                "put roadbed first in the list of plugins",
            ));
        }
        if self
            .runtime_config
            .as_ref()
            .is_some_and(|r| r.mac.as_ref().is_some_and(|m| !m.is_empty()))
        {
            return Err(invalid(
                "runtimeConfig.mac is set".into(),
                "Roadbed cannot give a pod a hardware address; remove the capability mac",
            ));
        }
        Ok(())
    }

    /// Addresses that the runtime asks for (capability `ips`).
    pub fn ips(&self) -> Result<Vec<IpAddr>, CniError> {
        let texts = self.runtime_config.iter().flat_map(|r| &r.ips);
        let read = |text: &String| {
            address(text)
                .ok_or_else(|| invalid(format!("runtimeConfig.ips has {text:?}"), "which is no address"))
        };
        texts.map(read).collect()
    }

    /// The agent's socket.
    pub fn socket(&self) -> &str {
        self.socket
            .as_deref()
            .filter(|s| !s.is_empty())
            .unwrap_or(DEFAULT_SOCKET)
    }
}

fn invalid(message: String, details: &str) -> CniError {
    CniError::new(
        Code::InvalidConfig,
        format!("the network configuration is wrong: {message}"),
        details,
    )
}

fn incompatible(version: &str) -> CniError {
    let details = format!(
        "this plugin speaks {}; set cniVersion to {NEWEST}",
        SUPPORTED.join(", ")
    );
    CniError::new(
        Code::IncompatibleVersion,
        format!("CNI version {version} is not supported"),
        details,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<NetConf, CniError> {
        NetConf::parse(text.as_bytes())
    }

    #[test]
    fn a_configuration_with_foreign_keys_is_read() {
        let conf = parse(
            r#"{"cniVersion":"1.0.0","name":"pods","type":"roadbed","socket":"/s","mtu":1400,"color":"blue",
                "args":{"x":1},"capabilities":{"ips":true},"runtimeConfig":{"ips":["10.0.0.9/24"],"other":[1]}}"#,
        )
        .unwrap();
        assert_eq!((conf.socket(), conf.mtu), ("/s", Some(1400)));
        assert_eq!(conf.ips().unwrap(), ["10.0.0.9".parse::<IpAddr>().unwrap()]);
        assert!(conf.check_add().is_ok());
        assert_eq!(
            parse(r#"{"cniVersion":"0.3.1","name":"n"}"#).unwrap().socket(),
            "/run/roadbed/agent.sock"
        );
    }

    #[test]
    fn each_mistake_has_its_code() {
        for (text, code) in [
            ("", 6),
            ("[]", 6),
            (r#"{"cniVersion":"1.0.0","name":7}"#, 6),
            (r#"{"cniVersion":"1.0.0","name":"n","mtu":-1}"#, 6),
            (r#"{"cniVersion":"1.1.0","name":"n"}"#, 1),
            (r#"{"name":"n"}"#, 1),
            (r#"{"cniVersion":"1.0.0"}"#, 7),
            (r#"{"cniVersion":"1.0.0","name":"a b"}"#, 7),
        ] {
            assert_eq!(parse(text).unwrap_err().code as u32, code, "{text}");
        }
    }

    #[test]
    fn what_add_cannot_do_is_refused() {
        for (rest, code) in [
            (r#""ipam":{"type":"host-local"}"#, 2),
            (r#""prevResult":{"ips":[]}"#, 7),
            (r#""runtimeConfig":{"mac":"02:00:00:00:00:01"}"#, 7),
        ] {
            let conf = parse(&format!(r#"{{"cniVersion":"1.0.0","name":"n",{rest}}}"#)).unwrap();
            assert_eq!(conf.check_add().unwrap_err().code as u32, code, "{rest}");
        }
        let empty = parse(r#"{"cniVersion":"1.0.0","name":"n","ipam":{},"prevResult":null}"#).unwrap();
        assert!(empty.check_add().is_ok());
    }
}
