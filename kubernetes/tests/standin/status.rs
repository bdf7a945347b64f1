//! The node's BGPNodeStatus, by its real definition.

use kube_standin::Resource;
use kubernetes::report::Report;
use serde_json::{Value, json};

use crate::bed::{Bed, problem, until};

const STATUS: &str = "/apis/roadbed.dev/v1/bgpnodestatuses/a";
const WRITE: &str = "PATCH /apis/roadbed.dev/v1/bgpnodestatuses/a";

fn install(bed: &Bed) {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../deploy/crds/status/bgpnodestatuses.yaml"
    );
    let text = std::fs::read_to_string(path).expect("the definition is in deploy/");
    let definition: Value = serde_saphyr::from_str(&text).expect("YAML");
    bed.standin
        .install(Resource::of_definition(&definition).expect("a definition"));
}

fn report(state: &str, received: u64) -> Report {
    Report {
        routing: None,
        bgp: Some(json!({
            "asn": 64512, "routerID": null,
            "peers": [{"name": "tor", "address": "192.0.2.1", "state": state, "received": received, "reason": null}],
        })),
    }
}

fn status(bed: &Bed) -> Value {
    bed.standin
        .object(STATUS)
        .map(|object| object["status"].clone())
        .unwrap_or_default()
}

fn says(bed: &Bed, state: &str, received: u64) -> Option<()> {
    let peer = status(bed)["peers"][0].clone();
    (peer["state"] == state && peer["received"] == received).then_some(())
}

#[tokio::test]
async fn it_is_made_kept_and_made_anew() {
    let bed = Bed::new();
    let handle = bed.start(false).await;
    handle.report(report("Idle", 0));
    problem(&handle, Some("apply the definitions of deploy/crds")).await;
    install(&bed);
    until("it is there", || says(&bed, "Idle", 0)).await;
    problem(&handle, None).await;
    let object = bed.standin.object(STATUS).expect("it");
    let owner = &object["metadata"]["ownerReferences"][0];
    assert_eq!(
        (&owner["kind"], &owner["uid"]),
        (&json!("Node"), &bed.node()["metadata"]["uid"])
    );
    assert!(status(&bed)["lastUpdated"].is_string());
    assert_eq!(status(&bed)["peers"][0].get("reason"), None, "no nulls");

    // The same again is no write; a state is one, and a counter in its time.
    bed.standin.requests();
    handle.report(report("Idle", 0));
    handle.report(report("Established", 0));
    until("the state is written", || says(&bed, "Established", 0)).await;
    handle.report(report("Established", 7));
    until("the counter is written", || says(&bed, "Established", 7)).await;
    assert_eq!(bed.requests(WRITE), 2);

    // Somebody deletes it: the next difference brings it back whole.
    bed.standin.remove(STATUS);
    handle.report(report("Idle", 7));
    until("it is back", || says(&bed, "Idle", 7)).await;
    let object = bed.standin.object(STATUS).expect("it");
    assert!(object["metadata"]["ownerReferences"][0]["uid"].is_string());
    problem(&handle, None).await;
}

#[tokio::test]
async fn a_restart_finds_it_as_it_was_left() {
    let bed = Bed::new();
    install(&bed);
    let handle = bed.start(false).await;
    handle.report(report("Established", 3));
    until("it is there", || says(&bed, "Established", 3)).await;
    drop(handle);
    let before = bed.standin.object(STATUS);
    let handle = bed.start(false).await;
    bed.standin.requests();
    handle.report(report("Established", 3));
    until("it is read", || {
        (bed.requests("GET /apis/roadbed.dev/v1/bgpnodestatuses/a") == 1).then_some(())
    })
    .await;
    handle.report(report("Established", 4));
    until("the counter is written", || says(&bed, "Established", 4)).await;
    assert_eq!(bed.requests(WRITE), 1);
    assert_ne!(bed.standin.object(STATUS), before);
}

#[tokio::test]
async fn what_is_no_longer_reported_goes() {
    let bed = Bed::new();
    install(&bed);
    let handle = bed.start(false).await;
    handle.report(report("Established", 3));
    until("it is there", || says(&bed, "Established", 3)).await;
    handle.report(Report {
        routing: None,
        bgp: Some(json!({"asn": 64513})),
    });
    until("the peers are gone", || {
        let status = status(&bed);
        (status["asn"] == 64513 && status.get("peers").is_none()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_outage_ends_with_the_newest_report() {
    let mut bed = Bed::new();
    install(&bed);
    let handle = bed.start(false).await;
    handle.report(report("Established", 3));
    until("it is there", || says(&bed, "Established", 3)).await;
    bed.standin.stop();
    handle.report(report("Idle", 3));
    problem(&handle, Some("BGPNodeStatus")).await;
    handle.report(report("Active", 3));
    bed.standin.restart();
    until("the newest is there", || says(&bed, "Active", 3)).await;
    problem(&handle, None).await;
}
