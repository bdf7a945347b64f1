//! The manifests of `deploy`, as the real kubectl builds them: every kustomization builds without a word on stderr, and
//! what comes out fits together. No API server has seen them here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

/// The major and minor version of kubectl.
fn kubectl_version() -> (u32, u32) {
    let output = Command::new("kubectl")
        .args(["version", "--client", "-o", "json"])
        .output()
        .expect("kubectl is installed (package kubernetes-client)");
    let version: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let number = |field: &str| -> u32 {
        let text = version["clientVersion"][field].as_str().expect("a version");
        text.trim_end_matches('+').parse().expect("a number")
    };
    (number("major"), number("minor"))
}

/// A copy of the manifests for kubectl before 1.21, which takes folders as `bases` only.
fn for_old_kubectl(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            for_old_kubectl(&path, &copy);
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("text");
        let is_folder = |line: &str| {
            line.strip_prefix("- ")
                .is_some_and(|name| from.join(name).is_dir())
        };
        let text = match entry.file_name() == "kustomization.yaml" {
            true => {
                let (folders, rest): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| is_folder(line));
                format!("{}\nbases:\n{}\n", rest.join("\n"), folders.join("\n"))
            }
            false => text,
        };
        std::fs::write(copy, text).expect("written");
    }
}

/// What `kubectl kustomize` makes of a folder.
fn built(folder: &str) -> Vec<Value> {
    let copy = tempfile::tempdir().expect("a folder");
    let root = match kubectl_version() < (1, 21) {
        true => {
            for_old_kubectl(&deploy(), copy.path());
            copy.path().to_path_buf()
        }
        false => deploy(),
    };
    let output = Command::new("kubectl")
        .arg("kustomize")
        .arg(root.join(folder))
        .output()
        .expect("kubectl is installed (package kubernetes-client)");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{folder}: {stderr}");
    let text = String::from_utf8(output.stdout).expect("text");
    let documents = text.split("\n---\n");
    let objects: Vec<Value> = documents
        .map(|document| serde_saphyr::from_str(document).expect("YAML"))
        .collect();
    let names: BTreeSet<String> = objects.iter().map(id).collect();
    assert_eq!(names.len(), objects.len(), "{folder}: nothing is there twice");
    objects
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn id(object: &Value) -> String {
    let metadata = &object["metadata"];
    let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
    format!("{} {namespace}/{name}", text(&object["kind"]))
}

fn ids(objects: &[Value]) -> BTreeSet<String> {
    objects.iter().map(id).collect()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Bindings name roles and accounts that are there.
fn rights_resolve(objects: &[Value]) {
    let there = ids(objects);
    for binding in objects
        .iter()
        .filter(|object| text(&object["kind"]).ends_with("Binding"))
    {
        let (role, namespace) = (&binding["roleRef"], text(&binding["metadata"]["namespace"]));
        let role = format!("{} {namespace}/{}", text(&role["kind"]), text(&role["name"]));
        assert!(there.contains(&role), "{}: no {role}", id(binding));
        for subject in items(&binding["subjects"]) {
            let (kind, namespace) = (text(&subject["kind"]), text(&subject["namespace"]));
            let account = format!("{kind} {namespace}/{}", text(&subject["name"]));
            assert!(there.contains(&account), "{}: no {account}", id(binding));
        }
    }
}

/// Of each DaemonSet: mounts have their volumes and volumes their mounts, no place is mounted twice in a container,
/// what it names is there, its images are the one that `images` sets, and nothing is privileged.
fn workloads_fit(objects: &[Value]) -> usize {
    let there = ids(objects);
    let sets: Vec<&Value> = objects
        .iter()
        .filter(|object| object["kind"] == "DaemonSet")
        .collect();
    for set in &sets {
        let (what, pod) = (id(set), &set["spec"]["template"]["spec"]);
        let labels = &set["spec"]["template"]["metadata"]["labels"];
        assert_eq!(&set["spec"]["selector"]["matchLabels"], labels, "{what}");
        let volumes: BTreeSet<&str> = items(&pod["volumes"])
            .map(|volume| text(&volume["name"]))
            .collect();
        let mut used = BTreeSet::new();
        for container in items(&pod["initContainers"]).chain(items(&pod["containers"])) {
            let mut places = BTreeSet::new();
            for mount in items(&container["volumeMounts"]) {
                assert!(
                    volumes.contains(text(&mount["name"])),
                    "{what}: no volume for {mount}"
                );
                assert!(places.insert(text(&mount["mountPath"])), "{what}: {mount} twice");
                used.insert(text(&mount["name"]));
            }
            let version = env!("CARGO_PKG_VERSION");
            assert_eq!(
                container["image"],
                format!("roadbed:{version}"),
                "{what}: set by the overlay"
            );
            let security = &container["securityContext"];
            assert_ne!(security["privileged"], true, "{what}");
            assert_eq!(
                security["capabilities"]["drop"],
                serde_json::json!(["ALL"]),
                "{what}"
            );
            assert_eq!(security["readOnlyRootFilesystem"], true, "{what}");
        }
        assert_eq!(volumes, used, "{what}: every volume is mounted");
        for volume in items(&pod["volumes"]) {
            if let Some(name) = volume["configMap"]["name"].as_str() {
                assert!(
                    there.contains(&format!("ConfigMap kube-system/{name}")),
                    "{what}: no {name}"
                );
            }
        }
        if let Some(account) = pod["serviceAccountName"].as_str() {
            assert!(
                there.contains(&format!("ServiceAccount kube-system/{account}")),
                "{what}"
            );
        }
        assert_eq!(pod["priorityClassName"], "system-node-critical", "{what}");
    }
    sets.len()
}

/// The settings in the ConfigMap are ones that the agent takes, together with the variables of its container.
fn settings_are_read(objects: &[Value]) -> config::agent_file::AgentConfig {
    let map = objects
        .iter()
        .find(|object| object["kind"] == "ConfigMap")
        .expect("settings");
    let set = objects
        .iter()
        .find(|object| object["kind"] == "DaemonSet")
        .expect("agents");
    let containers = &set["spec"]["template"]["spec"]["containers"];
    let agent = items(containers)
        .find(|container| container["name"] == "agent")
        .expect("the agent");
    let variable = |env: &Value| {
        (
            text(&env["name"]).to_owned(),
            env["value"].as_str().unwrap_or("node-a").to_owned(),
        )
    };
    let env = items(&agent["env"]).map(variable).collect();
    let read = config::agent_file::AgentConfig::read(config::agent_file::Inputs {
        file: Some(("agent.yaml", text(&map["data"]["agent.yaml"]))),
        env: &env,
        hostname: "host",
    });
    let config = read.unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(config.node_name.to_string(), "node-a");
    assert!(config.kubernetes.is_some());
    config
}

#[test]
fn with_kubernetes_as_the_datastore() {
    let objects = built("overlays/kubernetes");
    rights_resolve(&objects);
    assert_eq!(workloads_fit(&objects), 1);
    let config = settings_are_read(&objects);
    assert!(matches!(
        config.datastore,
        config::agent_file::Datastore::Kubernetes(_)
    ));
    let definitions = objects
        .iter()
        .filter(|object| object["kind"] == "CustomResourceDefinition");
    assert_eq!(definitions.count(), store::kubernetes::crds::all().len());
    let there = ids(&objects);
    for needed in [
        "NetworkPolicy kube-system/roadbed",
        "ClusterRole /roadbed-operator",
    ] {
        assert!(there.contains(needed), "{needed}");
    }
}

#[test]
fn with_etcd_as_the_datastore_there_are_no_rights_to_resources() {
    let objects = built("overlays/etcd");
    rights_resolve(&objects);
    assert_eq!(workloads_fit(&objects), 1);
    let config = settings_are_read(&objects);
    assert!(matches!(config.datastore, config::agent_file::Datastore::Etcd(_)));
    let rights = serde_json::to_string(&objects).expect("JSON");
    assert!(!rights.contains("ipamblocks") && rights.contains("bgpnodestatuses"));
}

#[test]
fn the_rest_builds_by_itself() {
    for folder in ["crds", "crds/status", "rbac"] {
        assert!(!built(folder).is_empty());
    }
    rights_resolve(&[built("rbac"), built("base")].concat());
    let objects = built("overlays/uninstall");
    assert_eq!(workloads_fit(&objects), 1);
    let pod = &objects[0]["spec"]["template"]["spec"];
    assert_eq!(
        pod["automountServiceAccountToken"], false,
        "it asks Kubernetes nothing"
    );
}
