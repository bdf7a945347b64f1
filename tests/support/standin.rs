//! A node of a fabric whose API server, the stand-in of `tests/kube`, listens on its loopback.

use kube_standin::{Resource, Rights, Standin};
use serde_json::{Value, json};
use store::kubernetes::access;

use super::{Builder, Fabric, eventually, roadbed, view};

/// The token of the node; it must appear nowhere.
pub const TOKEN: &str = "s3cr3t-t0ken";

/// The token of whoever runs commands there.
const OPERATOR: &str = "0perator-t0ken";

/// Exactly what the manifests grant: to the agents, and to an operator.
fn rights() -> Rights {
    let agents = [access::node_manifest(), access::datastore_manifest()].concat();
    let mut operators = access::operator_manifest();
    for (kind, namespace) in [("ClusterRole", None), ("Role", Some("kube-system"))] {
        operators.push(json!({
            "kind": format!("{kind}Binding"), "metadata": {"name": "operator", "namespace": namespace},
            "roleRef": {"kind": kind, "name": "roadbed-operator"},
            "subjects": [{"kind": "ServiceAccount", "namespace": "default", "name": "operator"}],
        }));
    }
    let agents = Rights::granted(&agents, ("kube-system", "roadbed"), TOKEN);
    agents.and(Rights::granted(&operators, ("default", "operator"), OPERATOR))
}

/// The node `n1` at 192.0.2.11 with its API server, a neighbour on the same wire, and the namespaces of pods `c1` to `c3`.
pub struct KubeNode {
    pub fabric: Fabric,
    pub api: Standin,
}

impl KubeNode {
    /// The node's object carries these subnets, as the controller manager of Kubernetes gives them. `with` adds the
    /// neighbour of that name.
    pub fn up(
        scenario: &str,
        pod_cidrs: &[&str],
        neighbour: &str,
        with: impl FnOnce(Builder) -> Builder,
    ) -> KubeNode {
        let fabric = Builder::new(scenario)
            .datastore("{ kind: kubernetes }")
            .agent("n1", &["ip addr add 192.0.2.11/24 dev eth1"])
            .host("c1", &[])
            .host("c2", &[])
            .host("c3", &[]);
        let fabric = with(fabric)
            .link("n1:eth1", &format!("{neighbour}:eth1"))
            .up_without_agents();
        // Its threads stay in the namespace in which it is started.
        let api = fabric
            .in_namespace("n1", Standin::start)
            .expect("the stand-in starts");
        for definition in store::kubernetes::crds::all() {
            let definition = serde_json::to_value(definition).expect("JSON");
            api.install(Resource::of_definition(&definition).expect("a definition"));
        }
        api.put(
            "/api/v1/nodes/n1",
            json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "n1"}},
                "spec": {
                    "podCIDRs": pod_cidrs,
                    "taints": [
                        {"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"},
                        {"key": "rack", "value": "r1", "effect": "NoSchedule"},
                    ],
                },
                "status": {
                    "addresses": [{"type": "InternalIP", "address": "192.0.2.11"}],
                    "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
                },
            }),
        );
        api.set_rights(rights());
        let kubeconfig = fabric.file("kubeconfig", &api.kubeconfig(TOKEN));
        fabric
            .set_env("n1", "ROADBED_DATASTORE_KUBECONFIG", &kubeconfig)
            .expect("the node is there");
        fabric.start_agent("n1").expect("the agent starts");
        KubeNode { fabric, api }
    }

    /// `roadbed apply` of these resources, which has to succeed.
    #[track_caller]
    pub fn apply(&self, resources: &str) {
        self.roadbed(&["apply", &self.fabric.file("resources.yaml", resources)]);
    }

    /// A command that has to succeed, run by an operator; its output.
    #[track_caller]
    pub fn roadbed(&self, arguments: &[&str]) -> String {
        let program = roadbed().display().to_string();
        let kubeconfig = self
            .fabric
            .file("operator.kubeconfig", &self.api.kubeconfig(OPERATOR));
        let kubeconfig = format!("ROADBED_DATASTORE_KUBECONFIG={kubeconfig}");
        let words: Vec<&str> = ["env", &kubeconfig, &program]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        self.fabric
            .exec_ok("n1", &words)
            .unwrap_or_else(|e| panic!("{e}"))
    }

    /// The node's first block.
    pub fn block(&self) -> String {
        eventually("the node has a block", || {
            let status = view::status(&self.fabric, "n1")?;
            status
                .blocks
                .first()
                .map(|b| b.cidr.to_string())
                .ok_or_else(|| format!("{:?}", status.problems))
        })
    }

    /// An object that has to be there.
    pub fn object(&self, path: &str) -> Result<Value, String> {
        self.api.object(path).ok_or_else(|| format!("there is no {path}"))
    }
}
