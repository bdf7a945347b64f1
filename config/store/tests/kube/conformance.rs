//! The suite for all datastores.

use std::sync::Arc;
use std::time::Duration;

use datastore::conformance::{Capabilities, check};
use datastore::{Datastore, Transactional};

use crate::support::{standin, store};

fn sleep(time: Duration) -> futures::future::BoxFuture<'static, ()> {
    Box::pin(tokio::time::sleep(time))
}

#[tokio::test]
async fn the_store_conforms() {
    let standin = Arc::new(standin());
    let store = store(&standin).await;
    let server = standin.clone();
    let mut capabilities = Capabilities::everything(sleep);
    capabilities.compact = Some(Box::new(move || {
        // Bookmarks tell watches that are up to date of the moment, as a server does about once a minute.
        server.bookmark();
        server.compact(false);
        Box::pin(async {})
    }));
    capabilities.presence_ttl = Some(Duration::from_secs(5));
    capabilities.refuses = Some(2_000_000);
    capabilities.many = 600;
    check(&store, &capabilities).await;
}

#[tokio::test]
async fn it_is_not_transactional() {
    let standin = standin();
    let store = store(&standin).await;
    let transactional: Option<&dyn Transactional> = Datastore::transactional(&store);
    assert!(transactional.is_none());
    assert!(store.describe().starts_with("kubernetes http://127.0.0.1:"));
}
