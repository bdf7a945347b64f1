//! The conformance suite.

use std::sync::Arc;
use std::time::Duration;

use datastore::conformance::{self, Capabilities};
use etcd_testbed::{Cluster, Options};
use store::etcd::EtcdStore;

use super::support::{run, settings};

fn conforms(options: Options) {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Arc::new(Cluster::start(options));
    // Keys of others under the prefix are in nobody's way.
    for path in [
        "/roadbed/v1/ownership/strange",
        "/roadbed/v1/resources/IPPool/Upper",
        "/roadbed/v1",
    ] {
        cluster.must(&["put", path, "x"]);
    }
    let settings = settings(&cluster, dir.path());
    let capabilities = Capabilities {
        compact: Some(Box::new(move || {
            let cluster = Arc::clone(&cluster);
            Box::pin(async move { drop(tokio::task::spawn_blocking(move || cluster.compact()).await) })
        })),
        presence_ttl: Some(Duration::from_secs(5)),
        refuses: Some(10_000_000),
        many: 2_500,
        ..Capabilities::everything(|time| Box::pin(tokio::time::sleep(time)))
    };
    run(async {
        let store = EtcdStore::connect(&settings).unwrap();
        conformance::check(&store, &capabilities).await;
    });
}

#[test]
fn one_plain_member_conforms() {
    conforms(Options::default());
}

#[test]
fn three_members_with_tls_and_a_user_conform() {
    conforms(Options {
        members: 3,
        tls: true,
        auth: Some(("roadbed".into(), "a pass:word".into())),
        ..Options::default()
    });
}
