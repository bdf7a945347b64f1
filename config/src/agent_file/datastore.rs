//! `datastore` of the agent file: where resources come from, one kind with its own keys.
//!
//! No setting holds a secret, only the path of the file that does; so the settings may be printed and logged.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Settings;
use super::keys::KEYS;
use crate::fields::closest;
use crate::problem::Severity;

/// Port of etcd where an endpoint has none.
const ETCD_PORT: u16 = 2379;

/// The keys that go with each kind.
const KINDS: &[(&str, &[&str])] = &[
    ("file", &["datastore.path"]),
    (
        "etcd",
        &[
            "datastore.endpoints",
            "datastore.prefix",
            "datastore.caFile",
            "datastore.certFile",
            "datastore.keyFile",
            "datastore.username",
            "datastore.passwordFile",
        ],
    ),
    ("kubernetes", &["datastore.kubeconfig"]),
];

/// Where resources come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Datastore {
    /// A file, or a folder of `*.yaml` files, watched.
    File {
        /// Its path.
        path: PathBuf,
    },
    /// etcd, version 3.4 or later.
    Etcd(EtcdSettings),
    /// The API server of Kubernetes.
    Kubernetes(KubernetesSettings),
}

impl Datastore {
    /// The kind as the agent file names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Datastore::File { .. } => "file",
            Datastore::Etcd(_) => "etcd",
            Datastore::Kubernetes(_) => "kubernetes",
        }
    }
}

/// How etcd is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EtcdSettings {
    /// URLs of its members with their ports: at least one, all `https` or all `http`.
    pub endpoints: Vec<String>,
    /// What every key begins with; no `/` at its end.
    pub prefix: String,
    /// Certificates that the members' are checked against, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Client certificate, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    /// Key of the client certificate, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// User name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// File with the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
}

impl EtcdSettings {
    /// Prefix of keys where none is written.
    pub const DEFAULT_PREFIX: &str = "/roadbed";

    /// Settings for these endpoints without certificates and user.
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            prefix: Self::DEFAULT_PREFIX.to_owned(),
            ca_file: None,
            cert_file: None,
            key_file: None,
            username: None,
            password_file: None,
        }
    }
}

/// How Kubernetes is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesSettings {
    /// A kubeconfig; none: the service account of the pod that this runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<PathBuf>,
}

impl Settings {
    pub(super) fn datastore(&mut self) -> Option<Datastore> {
        let kind = self.text("datastore.kind").unwrap_or_else(|| "file".to_owned());
        let Some((kind, own)) = KINDS.iter().find(|(name, _)| *name == kind) else {
            let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
            let fix = closest(&kind, names.iter().copied()).map_or_else(
                || format!("write one of {}", names.join(", ")),
                |near| format!("did you mean {near}?"),
            );
            self.error("datastore.kind", format!("`{kind}` is not a datastore"), fix);
            return None;
        };
        let keys = KEYS.iter().map(|(key, _)| *key);
        let foreign = keys.filter(|key| key.starts_with("datastore.") && *key != "datastore.kind");
        for key in foreign.filter(|key| !own.contains(key)) {
            if self.given.contains_key(key) {
                self.error(key, format!("does not go with kind: {kind}"), "remove it");
            }
        }
        match *kind {
            "etcd" => self.etcd().map(Datastore::Etcd),
            "kubernetes" => {
                let kubeconfig = self.optional_path("datastore.kubeconfig");
                Some(Datastore::Kubernetes(KubernetesSettings {
                    kubeconfig: kubeconfig?,
                }))
            }
            _ => self
                .path("datastore.path", "/etc/roadbed/resources.yaml")
                .map(|path| Datastore::File { path }),
        }
    }

    /// How the Kubernetes is reached that the node belongs to, if it belongs to one; it may be another way than that
    /// to the resources. The outer `None` is a mistake that has been noted.
    pub(super) fn kubernetes(&mut self, datastore: Option<&Datastore>) -> Option<Option<KubernetesSettings>> {
        let of_datastore = match datastore {
            Some(Datastore::Kubernetes(settings)) => Some(settings),
            _ => None,
        };
        let enabled = self.truth("kubernetes.enabled", of_datastore.is_some());
        let kubeconfig = self.optional_path("kubernetes.kubeconfig");
        let (enabled, kubeconfig) = (enabled?, kubeconfig?);
        if !enabled {
            if kubeconfig.is_some() {
                let message = "has no effect: kubernetes.enabled is false".to_owned();
                let fix = "write kubernetes.enabled: true".to_owned();
                self.problem(Severity::Warning, "kubernetes.kubeconfig", message, fix);
            }
            return Some(None);
        }
        let inherited = of_datastore.and_then(|settings| settings.kubeconfig.clone());
        Some(Some(KubernetesSettings {
            kubeconfig: kubeconfig.or(inherited),
        }))
    }

    /// The outer `None` is a mistake that has been noted.
    fn optional_path(&mut self, key: &'static str) -> Option<Option<PathBuf>> {
        match self.given.contains_key(key) {
            true => self.path(key, "").map(Some),
            false => Some(None),
        }
    }

    fn etcd(&mut self) -> Option<EtcdSettings> {
        let endpoints = self.endpoints();
        let prefix = self.parsed(
            "datastore.prefix",
            EtcdSettings::DEFAULT_PREFIX.to_owned(),
            prefix,
        );
        let ca_file = self.optional_path("datastore.caFile");
        let cert_file = self.optional_path("datastore.certFile");
        let key_file = self.optional_path("datastore.keyFile");
        let password_file = self.optional_path("datastore.passwordFile");
        let username = self.text("datastore.username");
        if username.as_deref() == Some("") {
            self.error("datastore.username", "is empty", "write the name, or remove it");
        }
        self.both("datastore.certFile", "datastore.keyFile");
        self.both("datastore.username", "datastore.passwordFile");
        let settings = EtcdSettings {
            endpoints: endpoints?,
            prefix: prefix?,
            ca_file: ca_file?,
            cert_file: cert_file?,
            key_file: key_file?,
            username,
            password_file: password_file?,
        };
        self.warn_about_open_connections(&settings);
        Some(settings)
    }

    /// Two keys of which neither says anything without the other.
    fn both(&mut self, one: &'static str, other: &'static str) {
        let name = |key: &'static str| key.rsplit('.').next().unwrap_or(key);
        for (there, missing) in [(one, other), (other, one)] {
            if self.given.contains_key(there) && !self.given.contains_key(missing) {
                let message = format!("is given without {}", name(missing));
                self.error(there, message, format!("write datastore.{} too", name(missing)));
            }
        }
    }

    fn endpoints(&mut self) -> Option<Vec<String>> {
        const KEY: &str = "datastore.endpoints";
        let text = self.text(KEY).unwrap_or_default();
        let mut endpoints = Vec::new();
        let mut seen = BTreeSet::new();
        let mut good = true;
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match endpoint(part) {
                Ok(url) if !seen.insert(url.clone()) => {
                    self.error(KEY, format!("`{url}` is there twice"), "remove one");
                    good = false;
                }
                Ok(url) => endpoints.push(url),
                Err(message) => {
                    self.error(KEY, message, "");
                    good = false;
                }
            }
        }
        if good && endpoints.is_empty() {
            let fix = "list the URLs of the members, such as [https://10.0.0.5:2379]";
            self.error(KEY, "is required with kind: etcd", fix);
            return None;
        }
        let open = endpoints.iter().filter(|url| url.starts_with("http:")).count();
        if open > 0 && open < endpoints.len() {
            self.error(KEY, "some are https, some http", "write all of them alike");
            return None;
        }
        good.then_some(endpoints)
    }

    fn warn_about_open_connections(&mut self, settings: &EtcdSettings) {
        if !settings.endpoints.iter().any(|url| url.starts_with("http:")) {
            return;
        }
        for key in ["datastore.caFile", "datastore.certFile"] {
            if self.given.contains_key(key) {
                let message = "has no effect: the endpoints are http".to_owned();
                self.problem(Severity::Warning, key, message, "write https://".to_owned());
            }
        }
        if settings.username.is_some() {
            let message =
                "the password goes over the network in the clear: the endpoints are http".to_owned();
            let key = "datastore.passwordFile";
            self.problem(Severity::Warning, key, message, "write https://".to_owned());
        }
    }
}

/// The URL of a member with its port. What may hold a password is never repeated in the message.
fn endpoint(text: &str) -> Result<String, String> {
    const FORM: &str = "write https://10.0.0.5:2379 or the like";
    if text.contains('@') {
        return Err(format!(
            "an endpoint holds a user or a password: {FORM}, with username and passwordFile as keys of their own"
        ));
    }
    let wrong = |why: &str| format!("`{text}` {why}: {FORM}");
    let (scheme, rest) = (text.split_once("://")).ok_or_else(|| wrong("is not a URL"))?;
    if !matches!(scheme, "http" | "https") {
        return Err(wrong("is neither https nor http"));
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if let Some(end) = rest.find(['/', '?', '#']) {
        let (known, _) = rest.split_at(end);
        return Err(format!(
            "`{scheme}://{known}` has more than host and port behind it: {FORM}"
        ));
    }
    let (host, port) = match rest.strip_prefix('[') {
        Some(v6) => {
            let (address, after) = v6.split_once(']').ok_or_else(|| wrong("has no `]`"))?;
            let address: Ipv6Addr = address.parse().map_err(|_| wrong("has no IPv6 address in [ ]"))?;
            (format!("[{address}]"), after)
        }
        None => {
            let cut = rest.find(':').unwrap_or(rest.len());
            let (host, after) = rest.split_at(cut);
            let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            if host.is_empty() || !host.chars().all(inner) {
                return Err(wrong("has no host"));
            }
            (host.to_owned(), after)
        }
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => ETCD_PORT,
        Some(port) => match port.parse() {
            Ok(port) if port > 0 => port,
            _ => return Err(wrong("has no port from 1 to 65535")),
        },
        None => return Err(wrong("is not a URL")),
    };
    Ok(format!("{scheme}://{host}:{port}"))
}

fn prefix(text: &str) -> Result<String, String> {
    let good = text.starts_with('/')
        && !text.ends_with('/')
        && !text.contains("//")
        && text.chars().all(|c| c.is_ascii_graphic());
    if good {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{text}` is not a prefix: begin it with /, end it without, such as /roadbed or /clusters/east"
        ))
    }
}
