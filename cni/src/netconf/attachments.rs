//! The attachments that GC keeps (specification 1.1.0, "GC").

use std::collections::BTreeSet;

use config::api::cni::CniAttachment;
use serde::Deserialize;

use super::{NetConf, read};
use crate::error::CniError;

/// The key of the specification, and that of its library before 1.2.3.
const KEYS: [&str; 2] = ["cni.dev/valid-attachments", "cni.dev/attachments"];

/// One as the specification writes it.
#[derive(Deserialize)]
struct Attachment {
    #[serde(rename = "containerID")]
    container_id: String,
    ifname: String,
}

/// What is to stay: all that either key lists. A list that is null is an empty one, as the library writes it.
///
/// # Errors
/// Code 7 where neither key is there: nothing is removed because of a list that was forgotten. Code 6 where one cannot be
/// read.
pub fn valid(conf: &NetConf) -> Result<Vec<CniAttachment>, CniError> {
    if !KEYS.iter().any(|key| conf.keys.contains_key(*key)) {
        return Err(CniError::config(
            format!("{} is missing", KEYS[0]),
            "GC removes what it does not list; write [] to remove everything",
        ));
    }
    let mut all = BTreeSet::new();
    for key in KEYS {
        let listed: Vec<Attachment> = read(&conf.keys, key)?.unwrap_or_default();
        all.extend(listed.into_iter().map(|one| CniAttachment {
            container_id: one.container_id,
            ifname: one.ifname,
        }));
    }
    Ok(all.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rest: &str) -> Result<Vec<String>, CniError> {
        let text = format!(r#"{{"cniVersion":"1.1.0","name":"n"{rest}}}"#);
        let conf = NetConf::parse(text.as_bytes()).unwrap();
        Ok(valid(&conf)?
            .into_iter()
            .map(|a| format!("{}/{}", a.container_id, a.ifname))
            .collect())
    }

    #[test]
    fn what_either_key_lists_stays() {
        let one = r#","cni.dev/valid-attachments":[{"containerID":"a","ifname":"eth0"}]"#;
        let other = r#","cni.dev/attachments":[{"containerID":"a","ifname":"eth0"},{"containerID":"b","ifname":"x"}]"#;
        assert_eq!(of(one).unwrap(), ["a/eth0"]);
        assert_eq!(of(&format!("{one}{other}")).unwrap(), ["a/eth0", "b/x"]);
        assert_eq!(of(r#","cni.dev/valid-attachments":[]"#).unwrap(), [""; 0]);
        assert_eq!(of(r#","cni.dev/valid-attachments":null"#).unwrap(), [""; 0]);
    }

    #[test]
    fn a_list_that_is_missing_or_broken_removes_nothing() {
        assert_eq!(of("").unwrap_err().code as u32, 7);
        for bad in [r#"[{"containerID":"a"}]"#, r#"{"a":"b"}"#, r#"["a"]"#] {
            let error = of(&format!(r#","cni.dev/valid-attachments":{bad}"#)).unwrap_err();
            assert_eq!(error.code as u32, 6, "{bad}");
        }
    }
}
