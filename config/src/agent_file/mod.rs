//! The agent's own settings: `/etc/roadbed/agent.yaml` and the environment.
//!
//! Each key is also a variable: `datastore.caFile` is `ROADBED_DATASTORE_CA_FILE`, lists are comma-separated.
//! The variable wins over the file. Unknown keys and unknown `ROADBED_` variables are errors. The environment
//! is a parameter, so that reading is a pure function. `keys.rs` lists the keys, `datastore.rs` reads where
//! resources come from, `kernel.rs` how routes go into the kernel.

mod datastore;
mod kernel;
mod keys;

pub use datastore::{Datastore, EtcdSettings, KubernetesSettings};
use kernel::PROBE_PROTOCOL;
pub use kernel::{MAIN_TABLE, NexthopCompat, NexthopObjects, RouteSettings};
pub use keys::{KEYS, variable};

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::api::DEFAULT_SOCKET;
use crate::fields::closest;
use crate::problem::{Place, Problem, Problems, Severity};
use crate::vocabulary::NodeName;
use crate::yaml::{self, Entry, Kind, Value};

/// Where the agent looks for its file unless told otherwise.
pub const DEFAULT_FILE: &str = "/etc/roadbed/agent.yaml";

/// Whether a `ROADBED_` variable is someone else's: the command line's own (the path of this file), or what
/// Kubernetes sets in every container for each Service of the namespace, such as roadbed and roadbed-metrics
/// (`ROADBED_METRICS_SERVICE_HOST`, `ROADBED_METRICS_PORT_9178_TCP_ADDR`). No key of ours has such words.
fn is_foreign(variable: &str) -> bool {
    variable == "ROADBED_CONFIG"
        || variable.contains("_SERVICE_HOST")
        || variable.contains("_SERVICE_PORT")
        || variable.contains("_PORT_")
        || variable.ends_with("_PORT")
}

/// The agent's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentConfig {
    /// Which Node resource is this machine's.
    pub node_name: NodeName,
    /// Where resources come from.
    pub datastore: Datastore,
    /// How the Kubernetes is reached that this node belongs to: services, annotations of pods, conditions, events;
    /// `None` where it belongs to none. Resources may come from elsewhere.
    pub kubernetes: Option<KubernetesSettings>,
    /// Folder of the address ledger and the last good intent.
    pub state_dir: PathBuf,
    /// Unix socket of the API.
    pub socket: PathBuf,
    /// Address of metrics and health, if they are served.
    pub metrics: Option<SocketAddr>,
    /// Routing protocol number of our routes (rtnetlink `rtm_protocol`).
    pub route_protocol: u8,
    /// How routes are written into the kernel.
    #[serde(flatten)]
    pub routes: RouteSettings,
    /// Whether drift in the kernel is repaired.
    pub repair: bool,
    /// What in the settings is likely a slip; for the log.
    #[serde(skip)]
    pub warnings: Vec<Problem>,
}

/// What the machine says of itself and what its operator wrote.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Name and text of the file; none where there is no file.
    pub file: Option<(&'a str, &'a str)>,
    /// The environment.
    pub env: &'a BTreeMap<String, String>,
    /// The hostname, for the default of `nodeName`.
    pub hostname: &'a str,
}

impl AgentConfig {
    /// Reads file and environment.
    ///
    /// # Errors
    /// Every mistake, warnings among them. Where there are warnings only, they are in the settings.
    pub fn read(inputs: Inputs<'_>) -> Result<Self, Vec<Problem>> {
        let mut settings = Settings::default();
        if let Some((name, text)) = inputs.file {
            settings.read_file(name, text);
        }
        settings.read_env(inputs.env);
        let config = settings.build(inputs.hostname);
        let problems = settings.problems;
        match config {
            Some(config) if !problems.iter().any(Problem::is_error) => Ok(Self {
                warnings: problems,
                ..config
            }),
            _ => Err(problems),
        }
    }

    /// Reads the file at this path and the environment of the process. A path that was asked for must exist;
    /// without one, [`DEFAULT_FILE`] is read if it is there.
    pub fn load(path: Option<&Path>, hostname: &str) -> Result<Self, Vec<Problem>> {
        let asked = path.is_some();
        let path = path.unwrap_or(Path::new(DEFAULT_FILE));
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !asked => None,
            Err(error) => {
                let message = format!("cannot be read: {error}");
                return Err(vec![Problem::whole_file(
                    &name,
                    message,
                    "give the right path with --config",
                )]);
            }
        };
        let variables = std::env::vars_os();
        let env = variables
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect();
        Self::read(Inputs {
            file: text.as_deref().map(|text| (name.as_str(), text)),
            env: &env,
            hostname,
        })
    }
}

/// A value with where it was written.
struct Given {
    file: String,
    at: Place,
    text: String,
}

#[derive(Default)]
struct Settings {
    given: BTreeMap<&'static str, Given>,
    problems: Vec<Problem>,
}

impl Settings {
    fn read_file(&mut self, name: &str, text: &str) {
        let mut problems = Problems::new(name);
        let documents = yaml::documents(text, &mut problems);
        if let Some(second) = documents.get(1) {
            problems.error(
                second.at,
                "",
                "a second document",
                "the agent file has one; resources have a file of their own",
            );
        }
        if let Some(document) = documents.first() {
            self.read_mapping(name, "", document, &mut problems);
        }
        self.problems.extend(problems.into_list());
    }

    fn read_mapping(&mut self, file: &str, prefix: &str, value: &Value, problems: &mut Problems) {
        let Kind::Map(entries) = &value.kind else {
            if value.kind != Kind::Null {
                let message = format!("must be a mapping, this is {}", value.describe());
                problems.error(value.at, prefix, message, "write `name: value` lines");
            }
            return;
        };
        for entry in entries {
            let path = if prefix.is_empty() {
                entry.key.clone()
            } else {
                format!("{prefix}.{}", entry.key)
            };
            match KEYS.iter().map(|(key, _)| *key).find(|key| *key == path) {
                Some(key) => self.read_entry(file, key, entry, problems),
                None if matches!(path.as_str(), "datastore" | "kubernetes") => {
                    self.read_mapping(file, &path, &entry.value, problems)
                }
                None => problems.error(entry.at, &path, "unknown key", unknown_hint(&path)),
            }
        }
    }

    fn read_entry(&mut self, file: &str, key: &'static str, entry: &Entry, problems: &mut Problems) {
        let at = entry.value.at;
        let text = match &entry.value.kind {
            Kind::Null => return,
            Kind::Scalar { text, .. } => text.clone(),
            Kind::List(items) if key == "datastore.endpoints" => {
                items.iter().filter_map(Value::text).collect::<Vec<_>>().join(",")
            }
            _ => {
                let message = format!("must be a single value, this is {}", entry.value.describe());
                problems.error(at, key, message, "");
                return;
            }
        };
        self.given.insert(
            key,
            Given {
                file: file.to_owned(),
                at,
                text,
            },
        );
    }

    fn read_env(&mut self, env: &BTreeMap<String, String>) {
        for (name, text) in env
            .iter()
            .filter(|(name, _)| name.starts_with("ROADBED_") && !is_foreign(name))
        {
            let file = format!("${name}");
            match KEYS
                .iter()
                .map(|(key, _)| *key)
                .find(|key| variable(key) == *name)
            {
                Some(key) => {
                    self.given.insert(
                        key,
                        Given {
                            file,
                            at: Place::default(),
                            text: text.clone(),
                        },
                    );
                }
                None => {
                    let names: Vec<_> = KEYS.iter().map(|(key, _)| variable(key)).collect();
                    let fix = closest(name, names.iter().map(String::as_str));
                    let fix =
                        fix.map_or_else(|| "unset it".to_owned(), |near| format!("did you mean {near}?"));
                    self.problems.push(Problem::whole_file(
                        &file,
                        "no key of the agent file has this variable",
                        fix,
                    ));
                }
            }
        }
    }

    fn error(&mut self, key: &'static str, message: impl Into<String>, fix: impl Into<String>) {
        self.problem(Severity::Error, key, message.into(), fix.into());
    }

    fn problem(&mut self, severity: Severity, key: &'static str, message: String, fix: String) {
        let (file, at) = match self.given.get(key) {
            Some(given) => (given.file.clone(), given.at),
            None => ("agent settings".to_owned(), Place::default()),
        };
        let (line, column, field) = (at.line, at.column, key.to_owned());
        self.problems.push(Problem {
            severity,
            file,
            line,
            column,
            field,
            message,
            fix,
        });
    }

    fn text(&self, key: &str) -> Option<String> {
        self.given.get(key).map(|given| given.text.clone())
    }

    fn parsed<T>(
        &mut self,
        key: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match self.text(key).map(|text| parse(&text)) {
            None => Some(default),
            Some(Ok(value)) => Some(value),
            Some(Err(message)) => {
                self.error(key, message, "");
                None
            }
        }
    }

    fn truth(&mut self, key: &'static str, default: bool) -> Option<bool> {
        self.parsed(key, default, |text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(format!("`{text}` is not true or false")),
        })
    }

    fn path(&mut self, key: &'static str, default: &str) -> Option<PathBuf> {
        self.parsed(key, PathBuf::from(default), |text| {
            match Path::new(text).is_absolute() {
                true => Ok(PathBuf::from(text)),
                false => Err(format!("`{text}` is not an absolute path: begin it with /")),
            }
        })
    }

    fn build(&mut self, hostname: &str) -> Option<AgentConfig> {
        let node_name = self.node_name(hostname);
        let datastore = self.datastore();
        let state_dir = self.path("stateDir", "/var/lib/roadbed");
        let socket = self.path("socket", DEFAULT_SOCKET);
        let metrics = self.parsed(
            "metrics",
            Some(SocketAddr::from(([127, 0, 0, 1], 9178))),
            |text| match text {
                "off" => Ok(None),
                text => text
                    .parse()
                    .map(Some)
                    .map_err(|_| format!("`{text}` is not an address with a port: 127.0.0.1:9178, or off")),
            },
        );
        let route_protocol = self.parsed("routeProtocol", 82, |text| match text.parse::<u8>() {
            // 0 to 4 belong to the kernel, boot scripts and administrators (rtnetlink(7)).
            Ok(PROBE_PROTOCOL) => Err(format!(
                "{PROBE_PROTOCOL} marks the routes of Auto's probes: write another number"
            )),
            Ok(number) if number > 4 => Ok(number),
            _ => Err(format!("`{text}` is not a number from 5 to 255")),
        });
        let routes = self.routes();
        let repair = self.truth("repair", true);
        let kubernetes = self.kubernetes(datastore.as_ref());
        Some(AgentConfig {
            node_name: node_name?,
            datastore: datastore?,
            kubernetes: kubernetes?,
            state_dir: state_dir?,
            socket: socket?,
            metrics: metrics?,
            route_protocol: route_protocol?,
            routes: routes?,
            repair: repair?,
            warnings: Vec::new(),
        })
    }

    fn node_name(&mut self, hostname: &str) -> Option<NodeName> {
        let written = self.text("nodeName");
        let from_host = written.is_none();
        let name = written.unwrap_or_else(|| hostname.to_lowercase());
        match name.parse() {
            Ok(name) => Some(name),
            Err(_) if from_host => {
                self.error(
                    "nodeName",
                    format!("the hostname `{name}` is no name of a node"),
                    "set nodeName",
                );
                None
            }
            Err(error) => {
                self.error("nodeName", error.to_string(), "");
                None
            }
        }
    }
}

fn unknown_hint(path: &str) -> String {
    let keys = || KEYS.iter().map(|(key, _)| *key);
    let name = path.rsplit('.').next().unwrap_or(path);
    closest(path, keys())
        .or_else(|| keys().find(|key| key.starts_with(path)))
        .or_else(|| {
            keys().find(|key| {
                key.rsplit('.')
                    .next()
                    .is_some_and(|last| last.eq_ignore_ascii_case(name))
            })
        })
        .map_or_else(|| "remove it".to_owned(), |near| format!("did you mean {near}?"))
}

#[cfg(test)]
mod tests;
