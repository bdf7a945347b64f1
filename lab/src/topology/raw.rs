//! The file as written: containerlab's keys, each either understood, known to have no meaning for network
//! namespaces (warned), or unknown (an error with its line).

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_saphyr::Spanned;

use crate::error::Error;

/// A key of containerlab's that has no meaning here.
pub type Ignored = Option<Spanned<IgnoredAny>>;

/// The whole document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub name: Spanned<String>,
    #[serde(default)]
    pub prefix: Ignored,
    #[serde(default)]
    pub mgmt: Ignored,
    #[serde(default)]
    pub settings: Ignored,
    pub topology: Topology,
}

/// `topology:`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    #[serde(default)]
    pub defaults: Option<Node>,
    #[serde(default)]
    pub kinds: BTreeMap<String, Option<Node>>,
    #[serde(default)]
    pub nodes: BTreeMap<Name, Option<Node>>,
    #[serde(default)]
    pub links: Vec<Spanned<Link>>,
}

/// A node's name and the line that it stands on; ordered by the name alone.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Name(Spanned<String>);

impl Name {
    pub fn text(&self) -> &str {
        &self.0.value
    }

    pub fn line(&self) -> u64 {
        self.0.referenced.line()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Name) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Name) -> Ordering {
        self.text().cmp(other.text())
    }
}

/// A node, or what `defaults` and `kinds` say for many.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Node {
    pub kind: Option<Spanned<String>>,
    pub image: Option<String>,
    pub exec: Vec<String>,
    pub binds: Vec<Spanned<String>>,
    pub startup_config: Option<Spanned<String>>,
    pub labels: BTreeMap<String, Spanned<String>>,
    pub env: BTreeMap<String, String>,
    pub sysctls: BTreeMap<String, String>,
    pub cmd: Option<String>,
    // Meaningless without containers.
    pub ports: Ignored,
    pub publish: Ignored,
    #[serde(rename = "mgmt-ipv4")]
    pub mgmt_ipv4: Ignored,
    #[serde(rename = "mgmt-ipv6")]
    pub mgmt_ipv6: Ignored,
    pub network_mode: Ignored,
    pub group: Ignored,
    #[serde(rename = "type")]
    pub type_: Ignored,
    pub user: Ignored,
    pub memory: Ignored,
    pub cpu: Ignored,
    pub restart_policy: Ignored,
    pub image_pull_policy: Ignored,
    pub dns: Ignored,
    pub healthcheck: Ignored,
}

impl Node {
    /// The keys that are written but mean nothing here, with their lines.
    pub fn ignored(&self) -> Vec<(&'static str, u64)> {
        [
            ("ports", &self.ports),
            ("publish", &self.publish),
            ("mgmt-ipv4", &self.mgmt_ipv4),
            ("mgmt-ipv6", &self.mgmt_ipv6),
            ("network-mode", &self.network_mode),
            ("group", &self.group),
            ("type", &self.type_),
            ("user", &self.user),
            ("memory", &self.memory),
            ("cpu", &self.cpu),
            ("restart-policy", &self.restart_policy),
            ("image-pull-policy", &self.image_pull_policy),
            ("dns", &self.dns),
            ("healthcheck", &self.healthcheck),
        ]
        .into_iter()
        .filter_map(|(key, value)| value.as_ref().map(|v| (key, v.referenced.line())))
        .collect()
    }
}

/// A link in containerlab's brief form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    pub endpoints: Vec<String>,
    #[serde(default)]
    pub mtu: Option<u32>,
    #[serde(default)]
    pub labels: Ignored,
    #[serde(default)]
    pub vars: Ignored,
}

/// Reads the text; a mistake is reported with its line.
pub fn parse(text: &str, file: &Path) -> Result<File, Error> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|e| {
        let (line, column) = e.location().map_or((0, 0), |l| (l.line(), l.column()));
        let message = e.to_string();
        // The place is told once, in front.
        let message = message
            .strip_suffix(&format!(" at line {line}, column {column}"))
            .unwrap_or(&message);
        Error::Topology {
            file: file.to_owned(),
            line,
            message: message.to_owned(),
        }
    })
}
