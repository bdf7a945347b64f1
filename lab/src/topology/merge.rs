//! Lays `defaults`, `kinds` and nodes over each other and checks the result.
//!
//! Scalars: the node's own key wins over its kind's, that over the default. Maps are merged key by key,
//! lists are joined in the order defaults, kind, node, all as containerlab does it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_saphyr::Spanned;

use super::raw;
use super::types::{Bind, Endpoint, Link, Node, POD_NAME, POD_ON, Runner, Topology, valid_name};
use crate::error::Error;

/// Longest name that the kernel takes for an interface (IFNAMSIZ - 1).
const MAX_INTERFACE: usize = 15;

struct Context<'a> {
    file: &'a Path,
}

impl Context<'_> {
    fn wrong(&self, line: u64, message: impl Into<String>) -> Error {
        Error::Topology {
            file: self.file.to_owned(),
            line,
            message: message.into(),
        }
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("/")).join(relative)
    }
}

pub fn merge(file: raw::File, path: &Path) -> Result<Topology, Error> {
    let context = Context { file: path };
    if !valid_name(&file.name.value) {
        let line = file.name.referenced.line();
        return Err(context.wrong(
            line,
            format!("name: {:?} is no good name; {NAME_RULE}", file.name.value),
        ));
    }
    let warnings = warnings(&file, path);
    let mut nodes = BTreeMap::new();
    for (name, own) in &file.topology.nodes {
        let (text, line) = (name.text(), name.line());
        if !valid_name(text) {
            return Err(context.wrong(line, format!("nodes: {text:?} is no good name; {NAME_RULE}")));
        }
        nodes.insert(
            text.to_owned(),
            node(&context, &file.topology, text, line, own.as_ref())?,
        );
    }
    let links = links(&context, &file.topology.links, &nodes)?;
    pods(&context, &file.topology, &nodes)?;
    Ok(Topology {
        name: file.name.value,
        file: path.to_owned(),
        nodes,
        links,
        warnings,
    })
}

const NAME_RULE: &str = "use up to 63 letters, digits, '-', '_' and '.', and begin with a letter or digit";

fn warnings(file: &raw::File, path: &Path) -> Vec<String> {
    let top = [
        ("prefix", &file.prefix),
        ("mgmt", &file.mgmt),
        ("settings", &file.settings),
    ];
    let top = top
        .into_iter()
        .filter_map(|(k, v)| v.as_ref().map(|v| (k, v.referenced.line())));
    let topology = &file.topology;
    let kinds = topology.kinds.values().flatten();
    let nodes = topology.nodes.values().flatten();
    let all = topology.defaults.iter().chain(kinds).chain(nodes);
    let of_link = |link: &'_ Spanned<raw::Link>| {
        let keys = [("labels", &link.value.labels), ("vars", &link.value.vars)];
        keys.map(|(k, v)| v.as_ref().map(|v| (k, v.referenced.line())))
    };
    let links = topology.links.iter().flat_map(of_link).flatten();
    top.chain(all.flat_map(raw::Node::ignored))
        .chain(links)
        .map(|(key, line)| {
            format!(
                "{}:{line}: {key} has no meaning for network namespaces; it is ignored",
                path.display()
            )
        })
        .collect()
}

fn node(
    context: &Context<'_>,
    topology: &raw::Topology,
    name: &str,
    line: u64,
    own: Option<&raw::Node>,
) -> Result<Node, Error> {
    let defaults = topology.defaults.as_ref();
    let kind = own
        .and_then(|n| n.kind.as_ref())
        .or_else(|| defaults.and_then(|n| n.kind.as_ref()));
    let Some(kind) = kind else {
        return Err(context.wrong(line, format!("node {name} has no kind; write `kind: linux`")));
    };
    let of_kind = topology.kinds.get(&kind.value).and_then(Option::as_ref);
    let layers: Vec<&raw::Node> = [defaults, of_kind, own].into_iter().flatten().collect();
    let last = |f: &dyn Fn(&raw::Node) -> Option<String>| layers.iter().rev().find_map(|n| f(n));

    let image = last(&|n| n.image.clone()).unwrap_or_default();
    let mut labels = BTreeMap::new();
    for layer in &layers {
        labels.extend(layer.labels.iter().map(|(k, v)| (k.clone(), v.value.clone())));
    }
    let runner = runner(context, name, kind, &image, &labels)?;
    let mut binds = Vec::new();
    for bind in layers.iter().flat_map(|n| &n.binds) {
        binds.push(parse_bind(context, bind)?);
    }
    let startup_config = match layers.iter().rev().find_map(|n| n.startup_config.as_ref()) {
        None => None,
        Some(path) if matches!(runner, Runner::Frr | Runner::Agent) => Some(existing(context, path)?),
        Some(path) => {
            let message = format!("node {name}: startup-config needs a node that runs FRR or roadbed");
            return Err(context.wrong(path.referenced.line(), message));
        }
    };
    Ok(Node {
        runner,
        exec: layers.iter().flat_map(|n| n.exec.clone()).collect(),
        binds,
        sysctls: layers.iter().flat_map(|n| n.sysctls.clone()).collect(),
        startup_config,
        env: layers.iter().flat_map(|n| n.env.clone()).collect(),
        cmd: last(&|n| n.cmd.clone()),
    })
}

fn runner(
    context: &Context<'_>,
    name: &str,
    kind: &Spanned<String>,
    image: &str,
    labels: &BTreeMap<String, String>,
) -> Result<Runner, Error> {
    if let Some(on) = labels.get(POD_ON) {
        let pod_name = labels.get(POD_NAME).cloned().unwrap_or_else(|| name.to_owned());
        return Ok(Runner::Pod {
            on: on.clone(),
            pod_name,
        });
    }
    match kind.value.as_str() {
        "frr" => Ok(Runner::Frr),
        "roadbed" => Ok(Runner::Agent),
        "linux" if image.contains("frrouting/frr") => Ok(Runner::Frr),
        "linux" if image.contains("roadbed") => Ok(Runner::Agent),
        "linux" => Ok(Runner::Host),
        other => Err(context.wrong(
            kind.referenced.line(),
            format!("node {name}: kind {other} cannot be run here; use linux (its image chooses FRR, roadbed or a plain host), frr or roadbed"),
        )),
    }
}

fn parse_bind(context: &Context<'_>, text: &Spanned<String>) -> Result<Bind, Error> {
    let line = text.referenced.line();
    let parts: Vec<&str> = text.value.split(':').collect();
    let (source, destination, options) = match parts[..] {
        [source, destination] => (source, destination, ""),
        [source, destination, options] => (source, destination, options),
        _ => {
            let message = format!(
                "binds: {:?} is not `source:destination` or `source:destination:ro`",
                text.value
            );
            return Err(context.wrong(line, message));
        }
    };
    if !destination.starts_with('/') || destination.split('/').any(|part| part == "..") {
        return Err(context.wrong(
            line,
            format!("binds: {destination:?} is not an absolute path inside the node"),
        ));
    }
    let read_only = options.split(',').any(|o| o == "ro");
    if let Some(other) = options
        .split(',')
        .find(|o| !matches!(*o, "" | "ro" | "rw" | "z" | "Z"))
    {
        return Err(context.wrong(line, format!("binds: option {other:?} is unknown; use ro or rw")));
    }
    let source = Spanned {
        value: source.to_owned(),
        ..text.clone()
    };
    Ok(Bind {
        source: existing(context, &source)?,
        destination: destination.into(),
        read_only,
    })
}

fn existing(context: &Context<'_>, path: &Spanned<String>) -> Result<PathBuf, Error> {
    let full = context.path(&path.value);
    full.canonicalize().map_err(|e| {
        context.wrong(
            path.referenced.line(),
            format!(
                "{}: {e} (paths are relative to the topology file)",
                full.display()
            ),
        )
    })
}

fn links(
    context: &Context<'_>,
    raw: &[Spanned<raw::Link>],
    nodes: &BTreeMap<String, Node>,
) -> Result<Vec<Link>, Error> {
    let mut used = BTreeSet::new();
    let mut links = Vec::new();
    for link in raw {
        let line = link.referenced.line();
        let [a, b] = &link.value.endpoints[..] else {
            return Err(context.wrong(
                line,
                "links: a link has two endpoints, [\"node:interface\", \"node:interface\"]",
            ));
        };
        let mut end = |text: &str| -> Result<Endpoint, Error> {
            let Some((node, interface)) = text.split_once(':') else {
                return Err(context.wrong(line, format!("links: {text:?} is not `node:interface`")));
            };
            match nodes.get(node) {
                None => return Err(context.wrong(line, format!("links: there is no node {node:?}"))),
                Some(Node {
                    runner: Runner::Pod { .. },
                    ..
                }) => {
                    let message = format!("links: {node} is a pod; the CNI plugin makes its only interface");
                    return Err(context.wrong(line, message));
                }
                Some(_) => {}
            }
            if interface.is_empty()
                || interface.len() > MAX_INTERFACE
                || interface.contains(['/', ' '])
                || interface == "lo"
            {
                let message =
                    format!("links: {interface:?} is no interface name (1 to {MAX_INTERFACE} characters)");
                return Err(context.wrong(line, message));
            }
            if !used.insert((node.to_owned(), interface.to_owned())) {
                return Err(context.wrong(line, format!("links: {text} is used twice")));
            }
            Ok(Endpoint {
                node: node.into(),
                interface: interface.into(),
            })
        };
        links.push(Link {
            a: end(a)?,
            b: end(b)?,
            mtu: link.value.mtu,
        });
    }
    Ok(links)
}

/// Pods stand on nodes that run an agent.
fn pods(
    context: &Context<'_>,
    topology: &raw::Topology,
    nodes: &BTreeMap<String, Node>,
) -> Result<(), Error> {
    for (name, node) in nodes {
        let Runner::Pod { on, .. } = &node.runner else {
            continue;
        };
        let line = topology
            .nodes
            .keys()
            .find(|k| k.text() == name)
            .map_or(0, raw::Name::line);
        match nodes.get(on).map(|n| &n.runner) {
            Some(Runner::Agent) => {}
            Some(other) => {
                let message = format!(
                    "pod {name}: node {on} runs {}, and only a roadbed node can have pods",
                    other.word()
                );
                return Err(context.wrong(line, message));
            }
            None => {
                return Err(context.wrong(line, format!("pod {name}: label {POD_ON} names no node: {on:?}")));
            }
        }
        if !node.binds.is_empty() {
            return Err(context.wrong(
                line,
                format!("pod {name}: pods have no file system of their own, so no binds"),
            ));
        }
    }
    Ok(())
}
