//! The plugin against a socket that behaves badly, one that is older, and none.

#![allow(clippy::unwrap_used)]

mod support;

use std::os::unix::net::UnixListener;

use serde_json::{Value, json};
use support::{Call, Place, http, refusal};

/// A configuration with what the verb needs.
fn conf(place: &Place, verb: &str) -> Value {
    let mut conf = place.conf("1.1.0");
    match verb {
        "CHECK" => {
            conf["prevResult"] = json!({ "interfaces": [{ "name": "eth0", "sandbox": "/run/netns/x" }] });
        }
        "GC" => conf["cni.dev/valid-attachments"] = json!([]),
        _ => {}
    }
    conf
}

/// Calls the plugin against one answer: its code.
fn code(verb: &str, answer: &str) -> u64 {
    let place = Place::new();
    let server = place.answer(vec![answer.to_owned()]);
    let done = Call::new(verb).stdin(conf(&place, verb)).run();
    server.join().unwrap();
    done.code()
}

#[test]
fn without_an_agent_the_runtime_is_told_to_try_again() {
    let place = Place::new();
    let stale = || drop(UnixListener::bind(place.socket()).unwrap());
    for prepare in [&|| (), &stale as &dyn Fn()] {
        prepare();
        for (verb, code) in [("ADD", 11), ("CHECK", 11), ("GC", 11), ("STATUS", 50)] {
            let done = Call::new(verb).stdin(conf(&place, verb)).run();
            assert_eq!(done.code(), code, "{verb}");
            let details = done.json().unwrap()["details"].as_str().unwrap().to_owned();
            assert!(details.contains("is `roadbed agent` running"), "{details}");
        }
    }
}

#[test]
fn answers_that_break_off_or_make_no_sense_are_errors() {
    for (answer, expected) in [
        // The agent died in the middle: the runtime is to try again.
        ("", 11),
        ("HTTP/1.1 200 OK\r\nContent-Le", 11),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", 11),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 102),
        ("HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", 102),
    ] {
        assert_eq!(code("ADD", answer), expected, "{answer:?}");
    }
    assert_eq!(code("STATUS", ""), 50);
}

#[test]
fn the_agents_words_reach_the_runtime() {
    for (status, kind, expected) in [
        (503, "tryLater", 11),
        (400, "invalid", 7),
        (404, "notFound", 3),
        (409, "conflict", 101),
        (500, "internal", 100),
        (500, "of a later version", 100),
    ] {
        let place = Place::new();
        let server = place.answer(vec![refusal(status, kind, "it is so")]);
        let done = Call::new("ADD").stdin(place.conf("1.0.0")).run();
        server.join().unwrap();
        assert_eq!(done.code(), expected, "{kind}");
        let error = done.json().unwrap();
        assert_eq!(
            (&error["msg"], &error["details"]),
            (&json!("it is so"), &json!("do this"))
        );
    }
}

#[test]
fn an_older_agent_is_named_as_what_it_is() {
    let fallback = |path: &str| {
        refusal(
            404,
            "notFound",
            &format!("this agent (version 0.0.9) has no {path}"),
        )
    };
    for (verb, path) in [
        ("CHECK", "/v1/cni/check"),
        ("GC", "/v1/cni/gc"),
        ("STATUS", "/v1/cni/status"),
    ] {
        assert_eq!(code(verb, &fallback(path)), 102, "{verb}");
        assert_eq!(code(verb, &http(404, &json!(null))), 102, "{verb}");
    }
    let place = Place::new();
    let server = place.answer(vec![fallback("/v1/cni/ipam/add")]);
    let done = Call::new("ADD")
        .named("roadbed-ipam")
        .stdin(place.bridge("1.0.0"))
        .run();
    server.join().unwrap();
    assert_eq!(done.code(), 102);
    assert!(done.stdout.contains("older than this plugin"), "{done:?}");
}

#[test]
fn an_agent_that_passes_over_the_mac_is_not_believed() {
    let place = Place::new();
    let server = place.answer(vec![http(200, &support::added())]);
    let done = Call::new("ADD")
        .set("CNI_ARGS", "MAC=02:00:00:00:00:99")
        .stdin(place.conf("1.0.0"))
        .run();
    assert_eq!(server.join().unwrap()[0].body["mac"], "02:00:00:00:00:99");
    assert_eq!(done.code(), 102);
}
