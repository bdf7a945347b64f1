//! What the kubelet tells the runtime about a pod: `PodSandboxConfig` of the CRI.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use k8s_cri::v1 as cri;

/// Gives each pod a UID of its own.
static COUNTER: AtomicU32 = AtomicU32::new(1);

/// A pod as the kubelet describes it.
#[derive(Debug, Clone)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Annotations; the runtime reads those of traffic shaping and hands all of them to plugins that ask.
    pub annotations: HashMap<String, String>,
    /// Ports of the node (TCP) and those of the pod that they lead to.
    pub host_ports: Vec<(u16, u16)>,
}

impl Pod {
    /// A pod of this name in the namespace `default`, another at each call.
    pub fn new(name: &str) -> Pod {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        Pod {
            namespace: "default".to_owned(),
            name: name.to_owned(),
            uid: format!("{:08x}-0000-4000-8000-{number:012x}", std::process::id()),
            annotations: HashMap::new(),
            host_ports: Vec::new(),
        }
    }

    /// With an annotation.
    pub fn annotation(mut self, key: &str, value: &str) -> Pod {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// With a port of the node that leads to one of the pod.
    pub fn host_port(mut self, node: u16, pod: u16) -> Pod {
        self.host_ports.push((node, pod));
        self
    }

    /// The CRI's word for it.
    pub(crate) fn sandbox(&self, cgroup_parent: &str) -> cri::PodSandboxConfig {
        let labels = [
            ("io.kubernetes.pod.name", &self.name),
            ("io.kubernetes.pod.namespace", &self.namespace),
            ("io.kubernetes.pod.uid", &self.uid),
        ];
        let port = |&(node, pod): &(u16, u16)| cri::PortMapping {
            protocol: cri::Protocol::Tcp.into(),
            container_port: pod.into(),
            host_port: node.into(),
            host_ip: String::new(),
        };
        cri::PodSandboxConfig {
            metadata: Some(cri::PodSandboxMetadata {
                name: self.name.clone(),
                uid: self.uid.clone(),
                namespace: self.namespace.clone(),
                attempt: 0,
            }),
            hostname: self.name.clone(),
            labels: labels.map(|(key, value)| (key.to_owned(), value.clone())).into(),
            annotations: self.annotations.clone(),
            port_mappings: self.host_ports.iter().map(port).collect(),
            linux: Some(cri::LinuxPodSandboxConfig {
                cgroup_parent: cgroup_parent.to_owned(),
                security_context: Some(cri::LinuxSandboxSecurityContext {
                    namespace_options: Some(namespaces()),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        }
    }
}

/// The namespaces of a pod: network and IPC of the pod, processes of the container.
pub(crate) fn namespaces() -> cri::NamespaceOption {
    cri::NamespaceOption {
        network: cri::NamespaceMode::Pod.into(),
        pid: cri::NamespaceMode::Container.into(),
        ipc: cri::NamespaceMode::Pod.into(),
        ..Default::default()
    }
}
