use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use config::Rules;
use config::fields::ResourceKind;
use datastore::memory::{Call, Fault};
use datastore::{
    Answer, Changes, Datastore, Error, Expect, Item, Key, Listing, Memory, Outcome, Revision, Space,
    Transactional, Write,
};
use futures::stream::BoxStream;

use super::*;

const RULES: Rules = Rules { shared_out: true };

fn pool(name: &str, cidr: &str, size: u8) -> String {
    format!(
        "---\napiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: {name} }}\nspec: {{ cidr: {cidr}, blockSize: {size} }}\n"
    )
}

fn node(name: &str) -> String {
    format!("---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: {name} }}\n")
}

fn request(text: &str) -> Result<Request, Refusal> {
    Request::put(vec![Source {
        name: "f.yaml".to_owned(),
        text: text.to_owned(),
    }])
}

fn target(store: &dyn Datastore) -> Target<'_> {
    Target {
        store,
        kind: "etcd",
        rules: RULES,
    }
}

async fn apply(store: &Memory, text: &str) -> Result<Done, Refusal> {
    carry_out(&target(store), &request(text)?, false).await
}

async fn remove(store: &Memory, keys: &[(ResourceKind, &str)]) -> Result<Done, Refusal> {
    let keys = keys
        .iter()
        .map(|(kind, name)| Key::resource(*kind, *name))
        .collect();
    carry_out(&target(store), &Request::delete(keys), false).await
}

fn own(store: &Memory, block: &str, node: &str) {
    let key = Key::Block(block.parse().expect("a prefix"));
    let value = format!(r#"{{"format":1,"pool":"pods","node":"{node}","incarnation":"1"}}"#);
    store
        .write_now(&Write::Put(key, value), &Expect::Any)
        .expect("written");
}

fn words(done: &Done) -> Vec<String> {
    let word = |changed: &Changed| format!("{}/{} {}", changed.kind, changed.name, changed.action.word());
    done.resources.iter().map(word).collect()
}

fn names(store: &Memory) -> Vec<String> {
    let listed = store.list_now(Space::Resources).expect("listed").items;
    listed.iter().map(|item| item.key.to_string()).collect()
}

#[tokio::test]
async fn each_resource_says_what_became_of_it() {
    let store = Memory::new();
    let text = node("a") + &pool("pods", "10.1.0.0/16", 26);
    let done = apply(&store, &text).await.expect("applied");
    assert_eq!(
        words(&done),
        ["IPPool/pods created", "Node/a created"],
        "pools first"
    );
    let revision = store.list_now(Space::Resources).expect("listed").revision;
    // The same again, otherwise spelled: nothing is written.
    let again = text.replace("{ name: a }", "\n  name: \"a\"  # the first");
    let done = apply(&store, &again).await.expect("applied");
    assert_eq!(words(&done), ["IPPool/pods unchanged", "Node/a unchanged"]);
    assert_eq!(
        store.list_now(Space::Resources).expect("listed").revision,
        revision
    );
    let done = apply(&store, &text.replace("10.1.0.0/16", "10.0.0.0/15"))
        .await
        .expect("applied");
    assert_eq!(words(&done), ["IPPool/pods configured", "Node/a unchanged"]);
    let gone = remove(
        &store,
        &[(ResourceKind::IpPool, "pods"), (ResourceKind::Node, "a")],
    )
    .await
    .expect("deleted");
    assert_eq!(
        words(&gone),
        ["Node/a deleted", "IPPool/pods deleted"],
        "pools last"
    );
    assert!(names(&store).is_empty());
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let store = Memory::new();
    let wanted = request(&node("a")).expect("good");
    let done = carry_out(&target(&store), &wanted, true).await.expect("planned");
    assert_eq!(
        (words(&done), names(&store)),
        (vec!["Node/a created".to_owned()], vec![])
    );
}

#[tokio::test]
async fn what_is_wrong_is_refused_before_anything_changes() {
    let store = Memory::new();
    apply(&store, &(pool("pods", "10.1.0.0/16", 26) + &node("a")))
        .await
        .expect("applied");
    let before = store.list_now(Space::Resources).expect("listed");
    let twice = node("x") + &node("x");
    let large = node("x") + &format!("# {}\n", "x".repeat(10 << 20));
    let cases: [(String, &str); 8] = [
        (node("new") + &pool("other", "10.1.4.0/22", 26), "f.yaml:9:"),
        (node("new") + &pool("other", "10.2.0.0/27", 26), "blockSize"),
        (
            node("new") + "---\napiVersion: roadbed.dev/v2\nkind: Node\nmetadata: {name: b}\n",
            "of another version",
        ),
        (twice, "another Node is named x"),
        (node("Upper"), "f.yaml:4:19: metadata.name"),
        (
            node("new") + "---\napiVersion: roadbed.dev/v1\nkind: Node\n",
            "metadata.name: is required",
        ),
        (node("new") + "---\na: [\n", "f.yaml:"),
        (large, "are not read"),
    ];
    for (text, wanted) in cases {
        let refusal = apply(&store, &text).await.expect_err(wanted);
        assert!(matches!(refusal, Refusal::Problems(_)), "{refusal:?}");
        let said = refusal.to_string();
        assert!(
            said.contains(wanted) && said.ends_with("nothing was changed"),
            "{wanted}: {said}"
        );
        assert_eq!(
            store.list_now(Space::Resources).expect("listed"),
            before,
            "{wanted}"
        );
    }
    let across = vec![("f", node("x")), ("g", node("x"))]
        .into_iter()
        .map(|(name, text)| Source {
            name: name.to_owned(),
            text,
        });
    let said = Request::put(across.collect()).expect_err("twice").to_string();
    assert!(
        said.contains("g:2") && said.contains("the first at f:2"),
        "{said}"
    );
}

#[tokio::test]
async fn a_pool_with_blocks_keeps_them() {
    let store = Memory::new();
    apply(&store, &pool("pods", "10.1.0.0/16", 26))
        .await
        .expect("applied");
    own(&store, "10.1.9.0/26", "node-a");
    own(&store, "10.1.10.0/26", "node-b");
    for (text, wanted) in [
        (pool("pods", "10.1.0.0/20", 27), "blockSize from 26 to 27"),
        (pool("pods", "10.1.0.0/21", 26), "keep a range that holds them"),
        (
            pool("pods", "10.9.0.0/16", 26),
            "owners of its blocks: node-a (1), node-b (1)",
        ),
    ] {
        let refusal = apply(&store, &text).await.expect_err(wanted);
        assert!(matches!(refusal, Refusal::Pools(_)), "{refusal:?}");
        assert!(refusal.to_string().contains(wanted), "{refusal}");
    }
    let refusal = remove(&store, &[(ResourceKind::IpPool, "pods")])
        .await
        .expect_err("owned");
    assert!(refusal.to_string().contains("cannot be deleted"), "{refusal}");
    apply(&store, &pool("pods", "10.0.0.0/15", 26))
        .await
        .expect("it may grow");
}

#[tokio::test]
async fn a_block_claimed_meanwhile_is_seen() {
    let store = Memory::new();
    apply(&store, &pool("pods", "10.1.0.0/16", 26))
        .await
        .expect("applied");
    // After the first look, a node claims a block that the new range does not hold.
    let racing = Racing {
        store: store.clone(),
        looks: AtomicUsize::new(0),
        then: Box::new(|store| own(store, "10.1.200.0/26", "node-a")),
    };
    let wanted = request(&pool("pods", "10.1.0.0/17", 26)).expect("good");
    let refusal = carry_out(&target(&racing), &wanted, false)
        .await
        .expect_err("claimed");
    assert!(
        refusal.to_string().contains("owners of its blocks: node-a (1)"),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_resource_written_meanwhile_is_seen() {
    let store = Memory::new();
    let racing = Racing {
        store: store.clone(),
        looks: AtomicUsize::new(0),
        then: Box::new(|store| {
            let key = Key::resource(ResourceKind::IpPool, "other");
            store
                .write_now(&Write::Put(key, pool("other", "10.1.0.0/16", 26)), &Expect::Any)
                .expect("written");
        }),
    };
    let wanted = request(&pool("pods", "10.1.4.0/22", 26)).expect("good");
    let refusal = carry_out(&target(&racing), &wanted, false)
        .await
        .expect_err("they overlap");
    assert!(matches!(refusal, Refusal::Problems(_)), "{refusal}");
    assert_eq!(names(&store), ["IPPool/other"]);
}

/// A store in which somebody writes right after the resources were listed for the first time.
struct Racing {
    store: Memory,
    looks: AtomicUsize,
    then: Box<dyn Fn(&Memory) + Send + Sync>,
}

impl Datastore for Racing {
    fn describe(&self) -> String {
        self.store.describe()
    }

    fn get(&self, key: &Key) -> Answer<'_, Option<Item>> {
        self.store.get(key)
    }

    fn list(&self, space: Space) -> Answer<'_, Listing> {
        let listed = self.store.list_now(space);
        if space == Space::Resources && self.looks.fetch_add(1, Ordering::Relaxed) == 0 {
            (self.then)(&self.store);
        }
        Box::pin(std::future::ready(listed))
    }

    fn watch(&self, space: Space, after: Revision) -> Answer<'_, BoxStream<'static, Result<Changes, Error>>> {
        self.store.watch(space, after)
    }

    fn write(&self, write: Write, expect: Expect) -> Answer<'_, Outcome> {
        self.store.write(write, expect)
    }

    fn transactional(&self) -> Option<&dyn Transactional> {
        self.store.transactional()
    }
}

#[tokio::test]
async fn lost_answers_and_conflicts_are_looked_at_again() {
    let store = Memory::new();
    let commits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&commits);
    store.set_faults(move |call: &Call<'_>| match call {
        Call::Commit(_) => match counter.fetch_add(1, Ordering::Relaxed) {
            0 => Fault::LostBefore,
            1 => Fault::Lost,
            _ => Fault::None,
        },
        _ => Fault::None,
    });
    let done = apply(&store, &(node("a") + &node("b"))).await.expect("applied");
    assert_eq!(
        words(&done),
        ["Node/a created", "Node/b created"],
        "what it did, not what it found"
    );
    assert_eq!(commits.load(Ordering::Relaxed), 2, "not written twice");
    let gone = remove(&store, &[(ResourceKind::Node, "a")])
        .await
        .expect("deleted");
    assert_eq!(words(&gone), ["Node/a deleted"]);
}

#[tokio::test]
async fn a_store_that_is_away_or_full_says_so() {
    let store = Memory::new();
    for (fault, wanted) in [
        (Fault::Unavailable, "cannot be reached"),
        (Fault::Full, "takes no writes"),
    ] {
        store.set_faults(move |_| fault);
        let said = apply(&store, &node("a")).await.expect_err(wanted).to_string();
        assert!(said.contains(wanted), "{said}");
    }
    store.clear_faults();
    assert!(names(&store).is_empty());
}

#[tokio::test]
async fn more_than_one_transaction_says_how_far_it_came() {
    let store = Memory::new();
    let many: String = (0..250).map(|n| node(&format!("n{n:03}"))).collect();
    let commits = AtomicUsize::new(0);
    store.set_faults(move |call: &Call<'_>| match call {
        Call::Commit(_) if commits.fetch_add(1, Ordering::Relaxed) >= 2 => Fault::Full,
        _ => Fault::None,
    });
    let refusal = apply(&store, &many).await.expect_err("full");
    assert!(
        matches!(
            refusal,
            Refusal::Partly {
                done: 200,
                of: 250,
                ..
            }
        ),
        "{refusal:?}"
    );
    let said = refusal.to_string();
    assert!(
        said.starts_with("200 of 250 changes are written, Node/n200 is not:"),
        "{said}"
    );
    store.clear_faults();
    let done = apply(&store, &many).await.expect("the rest");
    assert_eq!(done.resources.len(), 250);
    assert_eq!(names(&store).len(), 250);
}

#[tokio::test]
async fn deleting_says_what_is_missing_and_what_follows() {
    let store = Memory::new();
    apply(&store, &(node("a") + &pool("pods", "10.1.0.0/16", 26)))
        .await
        .expect("applied");
    let refusal = remove(&store, &[(ResourceKind::Node, "a"), (ResourceKind::Node, "zz")])
        .await
        .expect_err("missing");
    assert_eq!(
        refusal.to_string(),
        "Node/zz is not in memory; `roadbed get Node` lists what is"
    );
    assert_eq!(names(&store).len(), 2);
    own(&store, "10.1.9.0/26", "a");
    let done = remove(&store, &[(ResourceKind::Node, "a")])
        .await
        .expect("deleted");
    assert!(
        done.resources[0]
            .note
            .contains("10.1.9.0/26: other nodes collect them 300 s after"),
        "{done:?}"
    );
}

#[tokio::test]
async fn a_spoilt_store_is_mended_step_by_step() {
    let store = Memory::new();
    for name in ["x", "y"] {
        let key = Key::resource(ResourceKind::IpPool, name);
        let text = format!(
            "{{apiVersion: roadbed.dev/v1, kind: IPPool, metadata: {{name: {name}}}, spec: {{cidr: wrong}}}}"
        );
        store
            .write_now(&Write::Put(key, text), &Expect::Any)
            .expect("written");
    }
    let done = apply(&store, &pool("x", "10.1.0.0/16", 26))
        .await
        .expect("one of two");
    assert_eq!(words(&done), ["IPPool/x configured"]);
    let refusal = apply(&store, &pool("z", "nonsense", 26))
        .await
        .expect_err("new mistakes are refused");
    assert!(refusal.to_string().contains("f.yaml:5"), "{refusal}");
}
