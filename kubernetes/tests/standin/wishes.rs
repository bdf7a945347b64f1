//! What pods ask for.

use kubernetes::WishError;
use serde_json::json;

use crate::bed::{Bed, known};

#[tokio::test]
async fn of_pods_that_are_known_and_of_others() {
    let mut bed = Bed::new();
    bed.put(
        "/api/v1/namespaces/default",
        "v1",
        "Namespace",
        json!({"metadata": {"labels": {"team": "blue"}, "annotations": {"roadbed.dev/sticky": "true"}}}),
    );
    let mine = bed.pod(
        "mine",
        "a",
        json!({"cni.projectcalico.org/ipAddrs": "[\"10.244.0.9\"]"}),
    );
    // As if the watch had not brought it yet: it is another node's.
    let late = bed.pod("late", "b", json!({"roadbed.dev/pools": "blue"}));
    bed.pod("wrong", "a", json!({"roadbed.dev/addresses": "10.244"}));
    let handle = bed.start(false).await;
    known(&handle, "everything is listed", |cluster| cluster.synced).await;

    bed.standin.requests();
    let wishes = handle
        .wishes("default", "mine", Some(&mine))
        .await
        .expect("sense")
        .expect("a pod");
    assert_eq!(wishes.addresses.len(), 1);
    assert!(wishes.sticky);
    assert_eq!(wishes.namespace_labels["team"], "blue");
    assert_eq!(bed.requests("GET"), 0, "it is known");
    let wishes = handle
        .wishes("default", "late", Some(&late))
        .await
        .expect("sense")
        .expect("a pod");
    assert_eq!(wishes.pools, ["blue"]);
    assert_eq!(bed.requests("GET /api/v1/namespaces/default/pods/late"), 1);
    // Another pod of that name, and none.
    assert_eq!(handle.wishes("default", "mine", Some("other")).await, Ok(None));
    assert_eq!(handle.wishes("default", "none", None).await, Ok(None));
    let Err(WishError::Invalid(text)) = handle.wishes("default", "wrong", None).await else {
        panic!("it makes no sense");
    };
    assert!(
        text.contains("pod default/wrong: annotation roadbed.dev/addresses"),
        "{text}"
    );

    bed.standin.stop();
    assert!(matches!(
        handle.wishes("default", "mine", Some(&mine)).await,
        Ok(Some(_))
    ));
    let Err(WishError::Away(text)) = handle.wishes("default", "late", Some(&late)).await else {
        panic!("nobody can be asked");
    };
    assert!(text.contains("pod default/late is not known"), "{text}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let bed = Bed::new();
    let handle = bed.start(false).await;
    known(&handle, "everything is listed", |cluster| cluster.synced).await;
    bed.standin.delay(std::time::Duration::from_secs(600));
    let asked = handle.wishes("default", "any", None).await;
    assert_eq!(
        asked,
        Err(WishError::Away(
            "pod default/any is not known: the API server does not answer".into()
        ))
    );
}
