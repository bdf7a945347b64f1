//! Paths and queries of the API.

use std::collections::HashMap;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    pub group: String,
    pub version: String,
    pub plural: String,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub status: bool,
}

impl Target {
    /// `/api/v1/...` and `/apis/group/version/...`.
    pub fn parse(path: &str) -> Option<Target> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() && rest != ["status"] => {
                (Some((*namespace).to_owned()), rest)
            }
            _ => (None, rest),
        };
        let (plural, name, status) = match rest {
            [plural] => (plural, None, false),
            [plural, name] => (plural, Some(*name), false),
            [plural, name, "status"] => (plural, Some(*name), true),
            _ => return None,
        };
        Some(Target {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: (*plural).to_owned(),
            namespace,
            name: name.map(str::to_owned),
            status,
        })
    }

    /// `ippools.roadbed.dev`, as in messages.
    pub fn resource(&self) -> String {
        match self.group.as_str() {
            "" => self.plural.clone(),
            group => format!("{}.{group}", self.plural),
        }
    }
}

/// The query of a request, decoded.
pub fn query(text: &str) -> HashMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = String::from_utf8_lossy(&digits).into_owned();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let target = Target::parse("/apis/roadbed.dev/v1/nodes/a/status").expect("a target");
        assert_eq!(
            (target.resource().as_str(), target.status),
            ("nodes.roadbed.dev", true)
        );
        let target =
            Target::parse("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x").expect("one");
        assert_eq!(
            (target.namespace.as_deref(), target.name.as_deref()),
            (Some("kube-system"), Some("x"))
        );
        let target = Target::parse("/api/v1/namespaces/default").expect("one");
        assert_eq!(
            (target.plural.as_str(), target.name.as_deref()),
            ("namespaces", Some("default"))
        );
        assert_eq!(Target::parse("/version"), None);
    }

    #[test]
    fn queries_are_decoded() {
        let query = query("labelSelector=a%3Db&watch=true&x");
        assert_eq!(query.get("labelSelector").map(String::as_str), Some("a=b"));
        assert_eq!(query.get("x").map(String::as_str), Some(""));
    }
}
