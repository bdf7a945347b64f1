//! Calico in Kubernetes (its `kubernetes` datastore): custom resources and Nodes, listed in pages. Nothing is ever
//! written.
//!
//! Requests: list of each kind in `crd.projectcalico.org/v1`, or, where that group is not there, in
//! `projectcalico.org/v3`, which newer versions store directly; and list of Nodes. A kind that is not installed
//! answers 404 and has no resources.

use std::path::Path;

use config::KubernetesSettings;
use k8s_openapi::api::core::v1::Node;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::Value;

use super::block;
use super::convert;
use super::error::Error;
use super::kinds::{self, Handling, Kind};
use super::snapshot::Snapshot;

/// Objects of one page.
const PAGE: u32 = 500;
/// The groups that have Calico's resources, the usual one first.
const GROUPS: [(&str, &str); 2] = [("crd.projectcalico.org", "v1"), ("projectcalico.org", "v3")];

/// Reads Calico's data.
///
/// # Errors
/// Where it cannot be reached or refuses us, and where it has nothing of Calico's.
pub async fn read(settings: &KubernetesSettings) -> Result<Snapshot, Error> {
    let config = client_config(settings.kubeconfig.as_deref()).await?;
    let location = format!("Kubernetes {}", config.cluster_url);
    let access = |detail: String, fix: &str| Error::Access {
        location: location.clone(),
        detail,
        fix: fix.to_owned(),
    };
    let client =
        Client::try_from(config).map_err(|error| access(error.to_string(), "check the kubeconfig"))?;
    let mut snapshot = Snapshot {
        location: location.clone(),
        ..Snapshot::default()
    };
    for (group, version) in GROUPS {
        for kind in kinds::KINDS.iter().filter(|kind| kind.name != "Node") {
            let found = list(&client, group, version, kind, &mut snapshot).await;
            found.map_err(|error| refused(&location, &format!("{}.{group}", kind.plural), &error))?;
        }
        if !snapshot.is_empty() {
            break;
        }
    }
    if snapshot.is_empty() {
        return Err(Error::Nothing {
            location,
            looked: "custom resources of crd.projectcalico.org and projectcalico.org",
            fix: "check the kubeconfig and its context; where Calico's datastore type is `etcdv3`, give --etcd-endpoints instead",
        });
    }
    nodes(&client, &mut snapshot)
        .await
        .map_err(|error| refused(&location, "nodes", &error))?;
    Ok(snapshot)
}

async fn client_config(path: Option<&Path>) -> Result<Config, Error> {
    let Some(path) = path else {
        return Config::infer().await.map_err(|error| Error::Access {
            location: "Kubernetes".to_owned(),
            detail: error.to_string(),
            fix: "give --kubeconfig".to_owned(),
        });
    };
    let unusable = |why: String| Error::File {
        path: path.display().to_string(),
        why,
    };
    let kubeconfig = Kubeconfig::read_from(path).map_err(|error| unusable(error.to_string()))?;
    let options = KubeConfigOptions::default();
    Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| unusable(error.to_string()))
}

fn refused(location: &str, what: &str, error: &kube::Error) -> Error {
    let (detail, fix) = match error {
        kube::Error::Api(status) if status.code == 403 => (
            status.message.clone(),
            format!("give the user the right to list {what}"),
        ),
        kube::Error::Api(status) if status.code == 401 => (
            status.message.clone(),
            "check the credentials in the kubeconfig".to_owned(),
        ),
        kube::Error::Api(status) => (status.message.clone(), "see the log of the API server".to_owned()),
        other => (
            chain(other),
            "check the address and the certificates in the kubeconfig".to_owned(),
        ),
    };
    Error::Access {
        location: location.to_owned(),
        detail: format!("{what}: {detail}"),
        fix,
    }
}

/// An error with its causes, of which the last says most.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}

/// Lists one kind page by page.
async fn list(
    client: &Client,
    group: &str,
    version: &str,
    kind: &Kind,
    snapshot: &mut Snapshot,
) -> Result<(), kube::Error> {
    let identity = GroupVersionKind::gvk(group, version, kind.name);
    let api: Api<DynamicObject> = Api::all_with(
        client.clone(),
        &ApiResource::from_gvk_with_plural(&identity, kind.plural),
    );
    let mut next = None;
    loop {
        let page = match api.list(&page(next)).await {
            Ok(page) => page,
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(error) => return Err(error),
        };
        for object in page.items {
            take(kind, &object, snapshot);
        }
        next = page.metadata.continue_.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(());
        }
    }
}

fn page(token: Option<String>) -> ListParams {
    let mut params = ListParams::default().limit(PAGE);
    params.continue_token = token;
    params
}

fn take(kind: &Kind, object: &DynamicObject, snapshot: &mut Snapshot) {
    let short = object.metadata.name.clone().unwrap_or_default();
    let name = match &object.metadata.namespace {
        Some(namespace) => format!("{namespace}/{short}"),
        None => short,
    };
    let spec = object.data.get("spec").cloned().unwrap_or(Value::Null);
    match kind.handling {
        Handling::Read | Handling::Felix => {
            let labels = object.metadata.labels.clone().unwrap_or_default();
            let value = serde_json::json!({ "metadata": { "labels": labels }, "spec": spec });
            let document = convert::document(kind.name, &name, &value);
            match kind.handling {
                Handling::Felix => snapshot.felix.push(document),
                _ => snapshot.documents.push(document),
            }
        }
        Handling::Ipam => {
            let key = format!("{}/{name}", kind.name);
            match kind.name {
                "IPAMBlock" => match block::read(&spec, None) {
                    Ok(block) => snapshot.blocks.extend(block),
                    Err(why) => snapshot.cannot_read(key, why),
                },
                "BlockAffinity" => match block::affinity_resource(&spec) {
                    Ok(record) => snapshot.affinities.extend(record),
                    Err(why) => snapshot.cannot_read(key, why),
                },
                _ => snapshot.handles += 1,
            }
        }
        Handling::Missing { .. } | Handling::Harmless { .. } => {
            snapshot
                .counted
                .entry(kind.name.to_owned())
                .or_default()
                .add(&name);
        }
    }
}

async fn nodes(client: &Client, snapshot: &mut Snapshot) -> Result<(), kube::Error> {
    let api: Api<Node> = Api::all(client.clone());
    let mut next = None;
    loop {
        let page = api.list(&page(next)).await?;
        for node in page.items {
            let name = node.metadata.name.unwrap_or_default();
            let labels = node.metadata.labels.unwrap_or_default();
            let annotations = node.metadata.annotations.unwrap_or_default();
            snapshot
                .documents
                .push(convert::kubernetes_node(&name, &labels, &annotations));
            let cidrs = node.spec.and_then(|spec| spec.pod_cidrs).unwrap_or_default();
            if !cidrs.is_empty() {
                snapshot.pod_cidrs.insert(name, cidrs);
            }
        }
        next = page.metadata.continue_.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(());
        }
    }
}
