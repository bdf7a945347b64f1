//! A network list, run as libcni runs it (CNI specification 1.0.0, section 3 "Execution of network
//! configurations"): ADD hands each plugin's result to the next, DEL goes backwards with the remembered result,
//! CHECK forwards with it; `capabilities` of a plugin decide what it gets of the runtime's wishes.

use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::{Map, Value, json};

use super::bench::{OUR_PLUGINS, REFERENCE_PLUGINS};
use crate::support::{Fabric, plugin};

/// One interface of one container, for as long as a runtime knows of it.
pub struct Attachment<'a> {
    fabric: &'a Fabric,
    node: String,
    container: String,
    ifname: String,
    list: Value,
    /// What the runtime offers by capability: `portMappings`, `bandwidth`, `mac`, `ips`.
    wishes: Map<String, Value>,
    arguments: String,
    /// The last result, as libcni keeps it on disk.
    result: Option<Value>,
}

/// A plugin's refusal.
#[derive(Debug)]
pub struct Refusal {
    /// The plugin's type.
    pub plugin: String,
    /// Its error object, or null.
    pub error: Value,
    /// All that it wrote.
    pub output: String,
}

impl<'a> Attachment<'a> {
    /// An interface of a container on a node by a network list.
    pub fn new(fabric: &'a Fabric, node: &str, container: &str, ifname: &str, list: Value) -> Attachment<'a> {
        Attachment {
            fabric,
            node: node.into(),
            container: container.into(),
            ifname: ifname.into(),
            list,
            wishes: Map::new(),
            arguments: String::new(),
            result: None,
        }
    }

    /// With what a runtime asks by capability.
    pub fn wishing(mut self, wishes: Value) -> Attachment<'a> {
        self.wishes = wishes.as_object().cloned().expect("wishes are an object");
        self
    }

    /// With further `CNI_ARGS`.
    pub fn arguments(mut self, arguments: &str) -> Attachment<'a> {
        self.arguments = format!(";{arguments}");
        self
    }

    /// ADD through the list; the result of the last plugin.
    pub fn try_add(&mut self) -> Result<Value, Refusal> {
        let mut result = None;
        for plugin in self.plugins() {
            let answer = self.execute("ADD", &plugin, result.as_ref())?;
            result = Some(answer);
        }
        self.result.clone_from(&result);
        Ok(result.expect("a list has a plugin"))
    }

    /// The same, which has to succeed.
    #[track_caller]
    pub fn add(&mut self) -> Value {
        self.try_add().unwrap_or_else(|e| panic!("ADD: {e:#?}"))
    }

    /// CHECK through the list with the result of ADD. libcni does not ask where the list is older than 0.4.0.
    pub fn check(&self) -> Result<(), Refusal> {
        let result = self.result.as_ref().expect("CHECK comes after ADD");
        for plugin in self.plugins() {
            self.execute("CHECK", &plugin, Some(result))?;
        }
        Ok(())
    }

    /// DEL through the list backwards, with the result of ADD where there is one and the version knows of it.
    pub fn try_del(&mut self) -> Result<(), Refusal> {
        let result = self.result.take().filter(|_| self.version() != "0.3.1");
        for plugin in self.plugins().iter().rev() {
            self.execute("DEL", plugin, result.as_ref())?;
        }
        Ok(())
    }

    /// The same, which has to succeed.
    #[track_caller]
    pub fn del(&mut self) {
        self.try_del().unwrap_or_else(|e| panic!("DEL: {e:#?}"));
    }

    fn version(&self) -> &str {
        self.list["cniVersion"].as_str().expect("a list has a version")
    }

    /// Each plugin's configuration, with what the list and the runtime add to it.
    fn plugins(&self) -> Vec<Value> {
        let plugins = self.list["plugins"].as_array().expect("a list has plugins");
        plugins.iter().map(|plugin| self.configuration(plugin)).collect()
    }

    fn configuration(&self, plugin: &Value) -> Value {
        let mut plugin = plugin.clone();
        plugin["name"] = self.list["name"].clone();
        plugin["cniVersion"] = self.list["cniVersion"].clone();
        let wanted = plugin["capabilities"].as_object().cloned().unwrap_or_default();
        let given: Map<String, Value> = (self.wishes.iter())
            .filter(|(capability, _)| wanted.get(*capability) == Some(&Value::Bool(true)))
            .map(|(capability, wish)| (capability.clone(), wish.clone()))
            .collect();
        if !given.is_empty() {
            plugin["runtimeConfig"] = Value::Object(given);
        }
        plugin
    }

    fn execute(&self, verb: &str, plugin: &Value, previous: Option<&Value>) -> Result<Value, Refusal> {
        // An IPAM plugin is executed with the configuration of the plugin that delegates to it.
        let name = plugin.get("executable").unwrap_or(&plugin["type"]);
        let name = name.as_str().expect("a plugin has a type");
        let mut config = plugin.clone();
        if let Some(previous) = previous {
            config["prevResult"] = previous.clone();
        }
        let done = self.spawn(verb, name, &config);
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let answer: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        // ADD has to answer with a result, the others with nothing that matters.
        if done.status.success() && (verb != "ADD" || answer.is_object()) {
            return Ok(answer);
        }
        Err(Refusal {
            plugin: name.to_owned(),
            error: answer,
            output: text + &String::from_utf8_lossy(&done.stderr),
        })
    }

    fn spawn(&self, verb: &str, name: &str, config: &Value) -> Output {
        let folder = if name.starts_with("roadbed") {
            OUR_PLUGINS
        } else {
            REFERENCE_PLUGINS
        };
        let spawned = self
            .fabric
            .spawn_with(&self.node, &[format!("{folder}/{name}")], |command| {
                command
                    .env("CNI_COMMAND", verb)
                    .env("CNI_CONTAINERID", &self.container)
                    .env("CNI_NETNS", plugin::netns(self.fabric, &self.container))
                    .env("CNI_IFNAME", &self.ifname)
                    .env("CNI_PATH", format!("{OUR_PLUGINS}:{REFERENCE_PLUGINS}"))
                    .env("CNI_ARGS", self.cni_args())
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped());
            });
        let mut child = spawned.unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut stdin = child.stdin.take().expect("its input is piped");
        // A plugin that ends before it has read everything says why on its output.
        let _ = stdin.write_all(config.to_string().as_bytes());
        drop(stdin);
        child.wait_with_output().expect("the plugin ends")
    }

    fn cni_args(&self) -> String {
        let pod = &self.container;
        format!(
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={pod}{}",
            self.arguments
        )
    }
}

/// A network list of one plugin.
pub fn single(name: &str, plugin: Value) -> Value {
    list("1.0.0", name, &[plugin])
}

/// A network list.
pub fn list(version: &str, name: &str, plugins: &[Value]) -> Value {
    json!({ "cniVersion": version, "name": name, "plugins": plugins })
}

/// The addresses that a result gives an interface of a container, without their lengths.
pub fn addresses(result: &Value, ifname: &str) -> Vec<String> {
    let interfaces = result["interfaces"].as_array().expect("a result has interfaces");
    let ips = result["ips"].as_array().expect("a result has addresses");
    let of = |ip: &&Value| {
        let index = usize::try_from(ip["interface"].as_u64()?).ok()?;
        let interface = interfaces.get(index)?;
        (interface["name"] == ifname && interface.get("sandbox").is_some()).then_some(())
    };
    ips.iter()
        .filter(|ip| of(ip).is_some())
        .map(|ip| plain(&ip["address"]))
        .collect()
}

/// An address of a result without its length.
pub fn plain(address: &Value) -> String {
    let text = address.as_str().expect("an address is a text");
    text.split('/').next().unwrap_or_default().to_owned()
}

/// The one IPv4 address of an interface.
#[track_caller]
pub fn address(result: &Value, ifname: &str) -> String {
    let mut all = addresses(result, ifname);
    all.retain(|address| address.contains('.'));
    assert_eq!(all.len(), 1, "IPv4 addresses of {ifname} in {result:#}");
    all.remove(0)
}
