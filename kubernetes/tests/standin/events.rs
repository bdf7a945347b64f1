//! Events on the Node.

use kubernetes::report::Note;
use serde_json::Value;

use crate::bed::{Bed, known, problem, until};

const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/default/events";

fn down(peer: &str) -> Note {
    Note {
        warning: true,
        reason: "BGPPeerDown".into(),
        about: peer.into(),
        message: format!("BGP session with {peer} went down: hold timer expired"),
    }
}

fn events(bed: &Bed) -> Vec<Value> {
    bed.standin.objects(EVENTS)
}

#[tokio::test]
async fn repetitions_are_one_event_that_counts() {
    let bed = Bed::new();
    let handle = bed.start(false).await;
    known(&handle, "everything is listed", |cluster| cluster.synced).await;
    handle.note(down("192.0.2.1"));
    let event = until("an event", || events(&bed).first().cloned()).await;
    assert_eq!(event["regarding"]["kind"], "Node");
    assert_eq!(event["regarding"]["uid"], bed.node()["metadata"]["uid"]);
    assert_eq!(
        (&event["type"], &event["reason"]),
        (&Value::from("Warning"), &Value::from("BGPPeerDown"))
    );
    for _ in 0..99 {
        handle.note(down("192.0.2.1"));
    }
    handle.note(down("192.0.2.2"));
    until("both are told", || {
        let all = events(&bed);
        let counted = all.iter().any(|event| event["series"]["count"] == 100);
        (all.len() == 2 && counted).then_some(())
    })
    .await;
    problem(&handle, None).await;
}

#[tokio::test]
async fn an_event_that_the_server_has_dropped_is_made_anew() {
    let bed = Bed::new();
    let handle = bed.start(false).await;
    handle.note(down("192.0.2.1"));
    let event = until("an event", || events(&bed).first().cloned()).await;
    let name = event["metadata"]["name"].as_str().expect("a name").to_owned();
    bed.standin.remove(&format!("{EVENTS}/{name}"));
    handle.note(down("192.0.2.1"));
    let event = until("another event", || events(&bed).first().cloned()).await;
    assert_eq!(event["series"]["count"], 2);
}

#[tokio::test]
async fn a_flood_in_an_outage_is_a_few_events_after_it() {
    let mut bed = Bed::new();
    let handle = bed.start(false).await;
    known(&handle, "everything is listed", |cluster| cluster.synced).await;
    bed.standin.stop();
    for round in 0..2000 {
        handle.note(down(&format!("192.0.2.{}", round % 3)));
        tokio::task::yield_now().await;
    }
    problem(&handle, Some("events")).await;
    bed.standin.restart();
    until("three events", || (events(&bed).len() == 3).then_some(())).await;
    problem(&handle, None).await;
    let counts: u64 = until("they count", || {
        let counts: Option<Vec<u64>> = events(&bed)
            .iter()
            .map(|event| event["series"]["count"].as_u64())
            .collect();
        counts.map(|counts| counts.iter().sum())
    })
    .await;
    assert!(counts <= 2000);
}
