//! A server with a Node `a` on it, and a handle that follows it at a quick pace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kube_standin::{Right, Rights, Standin};
use kubernetes::events::Limits;
use kubernetes::model::Cluster;
use kubernetes::report::Routing;
use kubernetes::{Handle, Pace, Settings};
use serde_json::{Value, json};

/// Everything waits so long at most.
const DEADLINE: Duration = Duration::from_secs(30);
const TOKEN: &str = "agent";
pub const NODE: &str = "/api/v1/nodes/a";

/// A server.
pub struct Bed {
    pub standin: Standin,
}

impl Bed {
    /// With a Node `a` that is tainted as the kubelet of a new node does it.
    pub fn new() -> Self {
        let bed = Bed {
            standin: Standin::start(),
        };
        bed.grant(|_| true);
        let taints = json!([
            {"key": "dedicated", "value": "db", "effect": "NoExecute"},
            {"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"},
        ]);
        let conditions = json!([{"type": "Ready", "status": "True", "reason": "KubeletReady"}]);
        bed.put(
            NODE,
            "v1",
            "Node",
            json!({"metadata": {"labels": {"rack": "r1"}}, "spec": {"taints": taints}, "status": {"conditions": conditions}}),
        );
        bed
    }

    /// The agent may do what it needs, as far as this says so of a resource.
    pub fn grant(&self, may: impl Fn(&str) -> bool) {
        let rights = kubernetes::access().iter().filter(|access| may(access.resource));
        let rights: BTreeSet<Right> = rights
            .flat_map(|access| {
                access.verbs.iter().map(|verb| {
                    let (plural, status) = access.resource.split_once('/').unwrap_or((access.resource, ""));
                    let group = if access.group.is_empty() {
                        String::new()
                    } else {
                        format!(".{}", access.group)
                    };
                    let status = if status.is_empty() {
                        String::new()
                    } else {
                        format!("/{status}")
                    };
                    Right {
                        namespace: access.namespace.map(str::to_owned),
                        ..Right::new(verb, &format!("{plural}{group}{status}"))
                    }
                })
            })
            .collect();
        let tokens = BTreeMap::from([(TOKEN.to_owned(), ("agent".to_owned(), rights))]);
        self.standin.set_rights(Rights { tokens });
    }

    /// Makes or replaces an object; its name and namespace are those of the path.
    pub fn put(&self, path: &str, api: &str, kind: &str, mut object: Value) -> Value {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        object["apiVersion"] = json!(api);
        object["kind"] = json!(kind);
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
        object["metadata"]["name"] = json!(parts[parts.len() - 1]);
        if let Some(at) = parts
            .iter()
            .position(|part| *part == "namespaces")
            .filter(|at| parts.len() > at + 2)
        {
            object["metadata"]["namespace"] = json!(parts[at + 1]);
        }
        self.standin.put(path, object)
    }

    pub fn service(&self, name: &str, spec: Value) {
        let path = format!("/api/v1/namespaces/default/services/{name}");
        self.put(&path, "v1", "Service", json!({"spec": spec}));
    }

    /// A slice of a Service, with these conditions of endpoints by node.
    pub fn slice(&self, name: &str, service: &str, endpoints: &[(&str, Value)]) {
        let endpoints: Vec<Value> = (endpoints.iter().enumerate())
            .map(|(at, (node, conditions))| {
                json!({"addresses": [format!("10.244.0.{at}")], "nodeName": node, "conditions": conditions})
            })
            .collect();
        let labels = json!({"kubernetes.io/service-name": service});
        self.put(
            &format!("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/{name}"),
            "discovery.k8s.io/v1",
            "EndpointSlice",
            json!({"metadata": {"labels": labels}, "addressType": "IPv4", "endpoints": endpoints}),
        );
    }

    /// A pod; its uid.
    pub fn pod(&self, name: &str, node: &str, annotations: Value) -> String {
        let path = format!("/api/v1/namespaces/default/pods/{name}");
        let object =
            json!({"metadata": {"annotations": annotations}, "spec": {"nodeName": node, "containers": []}});
        text(&self.put(&path, "v1", "Pod", object)["metadata"]["uid"])
    }

    /// Follows as the agent of Node `a`.
    pub async fn start(&self, services: bool) -> Handle {
        self.start_at(services, pace()).await
    }

    /// The same at another pace.
    pub async fn start_at(&self, services: bool, pace: Pace) -> Handle {
        let client = self.client();
        let settings = Settings {
            node: "a".into(),
            services,
        };
        kubernetes::start_at(client, settings, pace)
    }

    /// A client of the agent, in the namespace of the agent.
    pub fn client(&self) -> kube::Client {
        let mut config = kube::Config::new(self.standin.url().parse().expect("a URL"));
        config.default_retry = false;
        config.default_namespace = "kube-system".to_owned();
        config.auth_info.token = Some(TOKEN.to_owned().into());
        kube::Client::try_from(config).expect("a client")
    }

    /// The Node as it is.
    pub fn node(&self) -> Value {
        self.standin.object(NODE).expect("the Node")
    }

    /// The requests since the last look that begin like this.
    pub fn requests(&self, begin: &str) -> usize {
        let requests = self.standin.requests();
        requests
            .iter()
            .filter(|request| request.starts_with(begin))
            .count()
    }
}

/// Quick enough for tests; nothing here is asserted by the clock.
pub fn pace() -> Pace {
    Pace {
        publish: Duration::from_millis(10),
        retry: (Duration::from_millis(20), Duration::from_millis(100)),
        write: Duration::from_millis(50),
        words: Duration::from_millis(200),
        patience: Duration::from_millis(300),
        pod: Duration::from_millis(500),
        event_tick: Duration::from_millis(50),
        events: Limits {
            count_every: Duration::from_millis(100),
            one_every: Duration::from_millis(100),
            ..Limits::default()
        },
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub fn routing(ready: bool, reason: &str) -> Option<Routing> {
    Some(Routing {
        ready,
        reason: reason.into(),
        message: format!("{reason} in words"),
    })
}

/// Waits until what is known is like this.
pub async fn known(handle: &Handle, what: &str, like: impl FnMut(&Cluster) -> bool) -> Arc<Cluster> {
    let (mut cluster, mut like) = (handle.cluster(), like);
    let found = tokio::time::timeout(DEADLINE, cluster.wait_for(|cluster| like(cluster))).await;
    match found {
        Ok(found) => found.expect("the handle lives").clone(),
        Err(_) => panic!(
            "{what}: {:#?}; {:?}",
            handle.cluster().borrow(),
            handle.problems().borrow()
        ),
    }
}

/// Waits until this is so; what it gives.
pub async fn until<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until a problem with these words is told, or none at all.
pub async fn problem(handle: &Handle, words: Option<&str>) {
    let problems = handle.problems();
    let deadline = tokio::time::sleep(DEADLINE);
    let mut problems = problems;
    let found = problems.wait_for(|problems| match words {
        Some(words) => problems.iter().any(|(text, _)| text.contains(words)),
        None => problems.is_empty(),
    });
    tokio::select! {
        found = found => drop(found.expect("the handle lives")),
        () = deadline => panic!("problem {words:?}: {:?}", handle.problems().borrow()),
    }
}
