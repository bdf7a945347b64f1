//! What the agent does with its store, on a real etcd: it follows, loses it, boots without it, gets it back; and the
//! commands change it as a whole.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::{EtcdSettings, Source};
use datastore::{Key, Space};
use etcd_testbed::{Cluster, Options, Place};
use store::change::{Action, Request, Target, carry_out};
use store::last_good::FILE;
use store::{Handle, Origin, StoreState};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(60);

fn pools(count: u8) -> Vec<Source> {
    let pool = |n| {
        format!(
            "---\napiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: p{n} }}\nspec: {{ cidr: 10.{n}.0.0/16 }}\n"
        )
    };
    vec![Source {
        name: "pools.yaml".to_owned(),
        text: (1..=count).map(pool).collect(),
    }]
}

async fn apply(settings: &config::Datastore, sources: Vec<Source>) -> Vec<Action> {
    let store = store::connect(settings).await.expect("a store");
    let target = Target {
        store: store.as_ref(),
        kind: store::kind_of(settings),
        rules: store::rules_of(settings),
    };
    let request = Request::put(sources).expect("good");
    let done = carry_out(&target, &request, false).await.expect("applied");
    done.resources.iter().map(|changed| changed.action).collect()
}

async fn until_state(handle: &Handle, what: &str, wanted: impl Fn(&StoreState) -> bool) -> Arc<StoreState> {
    let mut states = handle.state();
    let found = timeout(DEADLINE, states.wait_for(|state| wanted(state))).await;
    match found {
        Ok(Ok(state)) => Arc::clone(&state),
        _ => panic!("{what}: {:?}", handle.state().borrow()),
    }
}

async fn until_away(handle: &Handle, away: bool) {
    let mut contact = handle.contact();
    let found = timeout(DEADLINE, contact.wait_for(|contact| contact.is_away() == away)).await;
    assert!(found.is_ok(), "away {away}: {:?}", handle.contact().borrow());
}

fn count(state: &StoreState) -> usize {
    state.intent.as_ref().map_or(0, |intent| intent.pools.len())
}

async fn until_kept(folder: &Path, name: &str) {
    let kept = async {
        loop {
            let text = std::fs::read_to_string(folder.join(FILE)).unwrap_or_default();
            if text.contains(name) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(DEADLINE, kept).await.is_ok(), "{name} is kept");
}

#[tokio::test]
async fn a_node_lives_through_an_outage_and_a_boot_within_it() {
    let mut cluster = Cluster::start(Options {
        members: 1,
        place: Place::Loopback,
        ..Options::default()
    });
    let settings = config::Datastore::Etcd(EtcdSettings::new(cluster.endpoints()));
    let folder = tempfile::tempdir().expect("folder");
    assert_eq!(apply(&settings, pools(2)).await, [Action::Created; 2]);
    let handle = store::open(&settings, Some(folder.path())).await.expect("opens");
    let state = handle.state().borrow().clone();
    assert_eq!(
        (count(&state), state.origin, state.is_bad()),
        (2, Origin::Live, false)
    );
    until_kept(folder.path(), "p2").await;

    cluster.kill(0);
    until_away(&handle, true).await;
    assert_eq!(count(&handle.state().borrow()), 2, "the intent does not move");
    drop(handle);

    let handle = store::open(&settings, Some(folder.path()))
        .await
        .expect("opens without its store");
    let state = handle.state().borrow().clone();
    assert!(matches!(state.origin, Origin::LastGood { .. }), "{state:?}");
    assert_eq!((count(&state), state.is_bad()), (2, true));
    assert!(handle.contact().borrow().is_away() && handle.ownership().borrow().is_none());

    cluster.restart(0);
    cluster.await_healthy();
    let state = until_state(&handle, "the live state", |state| state.origin == Origin::Live).await;
    assert_eq!((count(&state), state.is_bad()), (2, false));
    until_away(&handle, false).await;
    // 150 pools are two transactions; two are there already.
    let actions = apply(&settings, pools(150)).await;
    let unchanged = actions
        .iter()
        .filter(|action| **action == Action::Unchanged)
        .count();
    assert_eq!((unchanged, actions.len()), (2, 150));
    until_state(&handle, "all of them", |state| count(state) == 150).await;
    let listed = handle.datastore().list(Space::Resources).await.expect("listed");
    assert!(
        listed
            .items
            .iter()
            .all(|item| matches!(item.key, Key::Resource(..)))
    );
    until_kept(folder.path(), "p150").await;
}
