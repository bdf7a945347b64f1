//! The network configuration on stdin (specification, "Execution configuration").
//!
//! Unknown keys are passed over: runtimes and operators put theirs there. [`NetConf`] is what every verb needs, and all
//! that DEL reads: a configuration that ADD refuses must not keep a pod from going. What else is asked for is read
//! by the verb that needs it: [`wishes`] of ADD, the section of the IPAM plugin ([`ipam`]), the attachments that GC
//! keeps ([`attachments`]).

pub mod attachments;
pub mod ipam;
pub mod wishes;

use std::path::{Path, PathBuf};

use config::api::{DEFAULT_SOCKET, queue};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::env::is_name;
use crate::error::CniError;
use crate::version::{Version, incompatible};

/// The agent's folder of state unless the configuration says otherwise: that of its own file.
const DEFAULT_STATE_DIR: &str = "/var/lib/roadbed";

/// What every verb reads.
#[derive(Debug, Clone, PartialEq)]
pub struct NetConf {
    /// It decides the form of the result.
    pub version: Version,
    /// Name of the network.
    pub name: String,
    /// All keys.
    pub keys: Map<String, Value>,
}

/// `cniVersion` as it is written, where it can be read.
pub fn version_of(stdin: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(stdin).ok()?;
    value.get("cniVersion")?.as_str().map(str::to_owned)
}

impl NetConf {
    /// Reads stdin. A version that is not ours is error 1, whatever the rest says.
    pub fn parse(stdin: &[u8]) -> Result<NetConf, CniError> {
        let keys: Map<String, Value> = serde_json::from_slice(stdin).map_err(|e| {
            let message = format!("cannot read the network configuration: {e}");
            CniError::decode(message, "it has to be a JSON object on stdin")
        })?;
        let asked: Option<String> = read(&keys, "cniVersion")?;
        let Some(asked) = asked else {
            return Err(incompatible("0.1.0 (the meaning of a missing cniVersion)"));
        };
        let version = Version::parse(&asked).ok_or_else(|| incompatible(&asked))?;
        let name: String = read(&keys, "name")?.unwrap_or_default();
        if !is_name(&name) {
            return Err(CniError::config(
                format!("name is {name:?}"),
                "it has to be letters, digits, '.', '_' and '-', a letter or digit first",
            ));
        }
        Ok(NetConf { version, name, keys })
    }

    /// The agent's socket. The IPAM plugin's section comes first: the rest is another plugin's.
    pub fn socket(&self) -> PathBuf {
        self.path("socket").unwrap_or_else(|| DEFAULT_SOCKET.into())
    }

    /// Where DELs wait that the agent does not hear.
    pub fn queue(&self) -> PathBuf {
        let state_dir = self.path("stateDir");
        queue::folder(state_dir.as_deref().unwrap_or(Path::new(DEFAULT_STATE_DIR)))
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        let section = self.keys.get("ipam").and_then(|ipam| ipam.get(key));
        let text = |value: &Value| value.as_str().filter(|t| !t.is_empty()).map(PathBuf::from);
        section.and_then(text).or_else(|| text(self.keys.get(key)?))
    }
}

/// A key that may be missing or null.
pub fn read<T: DeserializeOwned>(keys: &Map<String, Value>, key: &str) -> Result<Option<T>, CniError> {
    let Some(value) = keys.get(key).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    T::deserialize(value).map(Some).map_err(|e| {
        let message = format!("cannot read {key} of the network configuration: {e}");
        CniError::decode(message, format!("it is {}", short(value)))
    })
}

/// A value for an error: the beginning of one that is long.
fn short(value: &Value) -> String {
    const LONGEST: usize = 200;
    let mut text = value.to_string();
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push_str("...");
    }
    text
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
            r#"{"cniVersion":"1.0.0","name":"pods","type":"roadbed","socket":"/s","stateDir":"/d","color":"blue"}"#,
        )
        .unwrap();
        assert_eq!(conf.socket(), Path::new("/s"));
        assert_eq!(conf.queue(), Path::new("/d/cni-queue"));
        let least = parse(r#"{"cniVersion":"0.3.0","name":"n","socket":null,"stateDir":""}"#).unwrap();
        assert_eq!(least.socket(), Path::new("/run/roadbed/agent.sock"));
        assert_eq!(least.queue(), Path::new("/var/lib/roadbed/cni-queue"));
    }

    #[test]
    fn the_ipam_section_has_paths_of_its_own() {
        let conf = parse(
            r#"{"cniVersion":"1.0.0","name":"n","type":"bridge","stateDir":"/d","ipam":{"type":"roadbed-ipam","socket":"/s"}}"#,
        )
        .unwrap();
        assert_eq!(
            (conf.socket(), conf.queue()),
            ("/s".into(), "/d/cni-queue".into())
        );
    }

    #[test]
    fn each_mistake_has_its_code() {
        for (text, code) in [
            ("", 6),
            ("[]", 6),
            ("7", 6),
            (r#"{"cniVersion":"1.0.0","name":7}"#, 6),
            (r#"{"cniVersion":1,"name":"n"}"#, 6),
            (r#"{"cniVersion":"1.2.0","name":"n"}"#, 1),
            (r#"{"cniVersion":"0.2.0","name":"n"}"#, 1),
            (r#"{"name":"n"}"#, 1),
            (r#"{"cniVersion":"1.0.0"}"#, 7),
            (r#"{"cniVersion":"1.0.0","name":"a b"}"#, 7),
        ] {
            assert_eq!(parse(text).unwrap_err().code as u32, code, "{text}");
        }
    }
}
