//! Exactly the rights of `deploy/rbac` are enough, and each is needed.

use std::collections::BTreeSet;
use std::time::Duration;

use datastore::{Datastore, Error, Expect, Key, Presence, Space, Write};
use futures::StreamExt;
use kube_standin::{Right, Rights, Standin};
use serde_json::json;
use store::kubernetes::access::{Rule, agent, operator};
use store::kubernetes::{KubeStore, kinds::Kind};

use crate::support::{TOKEN, node, standin, store, until};

fn rights_of(rules: &[Rule]) -> BTreeSet<Right> {
    let each = rules.iter().flat_map(|rule| {
        let (plural, sub) = rule.resource.split_once('/').unwrap_or((&rule.resource, ""));
        let group = if rule.group.is_empty() {
            String::new()
        } else {
            format!(".{}", rule.group)
        };
        let sub = if sub.is_empty() {
            String::new()
        } else {
            format!("/{sub}")
        };
        let resource = format!("{plural}{group}{sub}");
        let namespace = rule.namespace.map(str::to_owned);
        rule.verbs.iter().map(move |verb| Right {
            namespace: namespace.clone(),
            ..Right::new(verb, &resource)
        })
    });
    each.collect()
}

fn grant(standin: &Standin, rights: &BTreeSet<Right>) {
    let tokens = [(TOKEN.to_owned(), ("roadbed".to_owned(), rights.clone()))].into();
    standin.set_rights(Rights { tokens });
}

/// A key of each kind of record.
fn records() -> Vec<Key> {
    let net = |text: &str| text.parse().expect("a prefix");
    let address = "10.0.0.1".parse().expect("an address");
    vec![
        Key::Block(net("10.0.0.0/26")),
        Key::Aggregate(net("10.0.0.0/22")),
        Key::Loan(address),
        Key::Sticky("default.db-0".into()),
        Key::Address(address),
    ]
}

fn resources() -> Vec<Key> {
    let kinds = config::fields::ResourceKind::ALL.into_iter();
    kinds.map(|kind| Key::resource(kind, "default")).collect()
}

fn text(key: &Key) -> String {
    match key {
        Key::Resource(kind, name) => {
            let spec = json!({"cidr": "10.0.0.0/16"});
            json!({"apiVersion": "roadbed.dev/v1", "kind": kind.name(), "metadata": {"name": name}, "spec": spec}).to_string()
        }
        _ => json!({"node": "a"}).to_string(),
    }
}

async fn write_each(store: &KubeStore, keys: &[Key]) -> Result<(), Error> {
    for key in keys {
        store.write(Write::Delete(key.clone()), Expect::Any).await?;
        store
            .write(Write::Put(key.clone(), text(key)), Expect::Absent)
            .await?;
        store.get(key).await?;
        store
            .write(Write::Put(key.clone(), text(key)), Expect::Any)
            .await?;
    }
    Ok(())
}

/// Reads each space, and waits until the server has taken every one of its watches.
async fn read_all(standin: &Standin, store: &KubeStore, spaces: &[Space]) -> Result<(), Error> {
    for space in spaces {
        until("the watches of before are closed", || standin.watches() == 0).await;
        let listing = store.list(*space).await?;
        let mut watch = store.watch(*space, listing.revision).await?;
        while standin.watches() < Kind::of_space(*space).len() {
            let soon = tokio::time::timeout(Duration::from_millis(5), watch.next());
            match soon.await {
                Ok(Some(Err(error))) => return Err(error),
                Ok(None) => panic!("the watch ended without an error"),
                _ => {}
            }
        }
    }
    Ok(())
}

/// All that an agent does.
async fn agents_work(standin: &Standin, store: &KubeStore) -> Result<(), Error> {
    let all = [Space::Resources, Space::Ownership, Space::Addresses];
    read_all(standin, store, &all).await?;
    for key in resources() {
        store.get(&key).await?;
    }
    let lease = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/roadbed.a";
    let name = "a".parse().expect("a name");
    standin.remove(lease);
    for _ in 0..2 {
        store
            .hold(&name, "{}".to_owned(), Duration::from_secs(30))
            .await?;
    }
    store.get(&Key::Presence("a".to_owned())).await?;
    store
        .write_status(&node("default"), &json!({"sessions": 1}))
        .await?;
    write_each(store, &records()).await
}

/// All that an operator does.
async fn operators_work(standin: &Standin, store: &KubeStore) -> Result<(), Error> {
    let all = [Space::Resources, Space::Ownership, Space::Addresses];
    read_all(standin, store, &all).await?;
    for key in records().into_iter().chain([Key::Presence("a".to_owned())]) {
        store.get(&key).await?;
    }
    write_each(store, &resources()).await
}

async fn each_is_needed(rules: &[Rule], agents: bool) {
    let standin = standin();
    let store = store(&standin).await;
    let all = rights_of(rules);
    let mut fewer: Vec<Option<Right>> = vec![None];
    fewer.extend(all.iter().cloned().map(Some));
    for without in fewer {
        let mut rights = all.clone();
        without.as_ref().map(|right| rights.remove(right));
        grant(&standin, &rights);
        let done = match agents {
            true => agents_work(&standin, &store).await,
            false => operators_work(&standin, &store).await,
        };
        match (without, done) {
            (None, done) => assert_eq!(done, Ok(())),
            (Some(right), Err(error @ Error::Refused { .. })) => {
                let text = error.to_string();
                let named = format!("grant {} on {}", right.verb, right.resource);
                assert!(text.contains(&named), "{right:?}: {text}");
            }
            (Some(right), done) => panic!("without {right:?}: {done:?}"),
        }
    }
}

#[tokio::test]
async fn an_agent_needs_exactly_its_rights() {
    each_is_needed(&agent(), true).await;
}

#[tokio::test]
async fn an_operator_needs_exactly_its_rights() {
    each_is_needed(&operator(), false).await;
}

#[test]
fn an_agent_writes_no_resources_and_nobody_writes_nodes_of_kubernetes() {
    let writes = |rule: &&Rule| {
        rule.verbs
            .iter()
            .any(|verb| ["create", "update", "delete"].contains(verb))
    };
    let records = Kind::RECORDS.map(Kind::plural);
    for rule in agent().iter().filter(writes) {
        assert!(
            records.contains(&rule.resource) || rule.namespace.is_some(),
            "{rule:?}"
        );
    }
    for rule in agent()
        .iter()
        .chain(&operator())
        .filter(|rule| rule.group.is_empty())
    {
        assert_eq!(
            (rule.resource.as_str(), rule.verbs.as_slice()),
            ("nodes", ["get", "list", "watch"].as_slice())
        );
    }
}

#[tokio::test]
async fn a_token_that_is_not_known_is_said_so() {
    let standin = standin();
    let store = store(&standin).await;
    standin.set_rights(Rights {
        tokens: [("other".to_owned(), ("x".to_owned(), BTreeSet::new()))].into(),
    });
    let text = store
        .list(Space::Ownership)
        .await
        .expect_err("a refusal")
        .to_string();
    assert!(text.contains("does not know us"), "{text}");
}
