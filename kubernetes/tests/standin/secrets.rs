//! Secrets with passwords, on the stand-in of the API server.

use std::collections::BTreeSet;

use kubernetes::secrets::{Follower, Secret, Secrets};
use serde_json::json;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::bed::Bed;

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn until(known: &mut watch::Receiver<Arc<Secrets>>, like: impl Fn(&Secrets) -> bool) {
    let found = tokio::time::timeout(Duration::from_secs(30), known.wait_for(|known| like(known)))
        .await
        .is_ok_and(|found| found.is_ok());
    assert!(found, "known: {:?}", known.borrow());
}

#[tokio::test]
async fn a_secret_is_followed_until_it_is_not_wanted_any_more() {
    let bed = Bed::new();
    let follower = Follower::new(bed.client());
    let mut known = follower.known();
    follower.want(&names(&["roadbed-bgp-passwords"]));
    let missing = |known: &Secrets| known.get("roadbed-bgp-passwords") == Some(&Secret::Missing);
    until(&mut known, missing).await;

    let path = "/api/v1/namespaces/kube-system/secrets/roadbed-bgp-passwords";
    for (text, base64) in [("one", "b25l"), ("two", "dHdv")] {
        bed.put(path, "v1", "Secret", json!({"data": {"tor": base64}}));
        let wanted = Secret::Known([("tor".to_owned(), text.as_bytes().to_vec())].into());
        until(&mut known, |known| {
            known.get("roadbed-bgp-passwords") == Some(&wanted)
        })
        .await;
    }
    bed.standin.remove(path);
    until(&mut known, missing).await;
    follower.want(&names(&[]));
    until(&mut known, |known| known.is_empty()).await;
}

#[tokio::test]
async fn a_secret_without_the_right_to_it_says_so_until_it_is_granted() {
    let bed = Bed::new();
    bed.grant(|resource| resource != "secrets");
    bed.put(
        "/api/v1/namespaces/kube-system/secrets/mine",
        "v1",
        "Secret",
        json!({"data": {"tor": "b25l"}}),
    );
    let follower = Follower::new(bed.client());
    let mut known = follower.known();
    follower.want(&names(&["mine"]));
    until(
        &mut known,
        |known| matches!(known.get("mine"), Some(Secret::Unread(why)) if why.contains("orbidden")),
    )
    .await;
    bed.grant(|_| true);
    until(&mut known, |known| {
        matches!(known.get("mine"), Some(Secret::Known(_)))
    })
    .await;
}
