//! The real plugin binary, executed as a container runtime does.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::{Fabric, cni};

/// The path of a container's namespace.
pub fn netns(fabric: &Fabric, container: &str) -> String {
    format!("/run/netns/{}-{container}", fabric.name())
}

/// The network configuration.
pub fn network() -> Value {
    serde_json::json!({ "cniVersion": "1.0.0", "name": "pods", "type": "roadbed" })
}

/// One call of the plugin on a node. The pod is named like the container.
pub fn call(fabric: &Fabric, node: &str, verb: &str, container: &str, netns: &str, config: &Value) -> Output {
    call_for(fabric, node, verb, [container, container], netns, config)
}

/// The same with the container's id and the pod's name told apart.
pub fn call_for(
    fabric: &Fabric,
    node: &str,
    verb: &str,
    [container, pod]: [&str; 2],
    netns: &str,
    config: &Value,
) -> Output {
    execute(fabric, node, &cni(), config, |command| {
        command
            .env("CNI_COMMAND", verb)
            .env("CNI_CONTAINERID", container)
            .env("CNI_NETNS", netns)
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", "/opt/cni/bin")
            .env(
                "CNI_ARGS",
                format!("IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={pod}"),
            );
    })
}

/// Executes a plugin on a node, with what `set` puts into its environment and the configuration on its input.
pub fn execute(
    fabric: &Fabric,
    node: &str,
    program: &Path,
    config: &Value,
    set: impl FnOnce(&mut Command) + Send,
) -> Output {
    let spawned = fabric.spawn_with(node, &[program], |command| {
        set(command);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    });
    let mut child = spawned.unwrap_or_else(|e| panic!("{e}"));
    let mut stdin = child.stdin.take().expect("its input is piped");
    stdin
        .write_all(config.to_string().as_bytes())
        .expect("the plugin reads its configuration");
    drop(stdin);
    child.wait_with_output().expect("the plugin ends")
}

/// The result or the error object.
pub fn answer(done: &Output) -> Value {
    serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("no JSON on stdout: {e}: {done:?}"))
}

/// ADD, which has to succeed.
#[track_caller]
pub fn add(fabric: &Fabric, node: &str, container: &str) -> Value {
    let done = call(
        fabric,
        node,
        "ADD",
        container,
        &netns(fabric, container),
        &network(),
    );
    assert!(done.status.success(), "{done:?}");
    answer(&done)
}

/// DEL, which has to succeed.
#[track_caller]
pub fn del(fabric: &Fabric, node: &str, container: &str) {
    let done = call(
        fabric,
        node,
        "DEL",
        container,
        &netns(fabric, container),
        &network(),
    );
    assert!(done.status.success(), "{done:?}");
}

/// The pod's address in a result, without its length.
pub fn address(result: &Value) -> String {
    let text = result
        .pointer("/ips/0/address")
        .and_then(Value::as_str)
        .expect("the result has an address");
    text.strip_suffix("/32").expect("a host address").to_owned()
}
