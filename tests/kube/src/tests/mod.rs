//! The stand-in as a client sees it, over plain sockets.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::{Fail, Resource, Standin};

mod apply;
mod core;
mod watching;

/// A request, and the status and body of its answer.
fn ask(standin: &Standin, method: &str, path: &str, kind: &str, body: &Value) -> (u16, Value) {
    ask_as(standin, "nobody", method, path, kind, body)
}

fn ask_as(
    standin: &Standin,
    token: &str,
    method: &str,
    path: &str,
    kind: &str,
    body: &Value,
) -> (u16, Value) {
    let mut stream = TcpStream::connect(standin.url().trim_start_matches("http://")).expect("a connection");
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .expect("a status");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn things() -> Standin {
    let standin = Standin::start();
    standin.install(Resource::new("crd.projectcalico.org", "v1", "things", "Thing"));
    standin
}

const THINGS: &str = "/apis/crd.projectcalico.org/v1/things";
const A: &str = "/apis/crd.projectcalico.org/v1/things/a";
const JSON: &str = "application/json";

fn thing(spec: Value) -> Value {
    json!({"apiVersion": "crd.projectcalico.org/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec})
}

#[test]
fn a_life_of_an_object() {
    let standin = things();
    let (code, made) = ask(&standin, "POST", THINGS, JSON, &thing(json!({"a": 1})));
    assert_eq!((code, &made["metadata"]["generation"]), (201, &json!(1)));
    let (code, again) = ask(&standin, "POST", THINGS, JSON, &thing(json!({"a": 1})));
    assert_eq!((code, &again["reason"]), (409, &json!("AlreadyExists")));
    // A replace over what was seen; the same again is a conflict.
    let mut next = thing(json!({"a": 2}));
    next["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
    let (code, replaced) = ask(&standin, "PUT", A, JSON, &next);
    assert_eq!((code, &replaced["metadata"]["generation"]), (200, &json!(2)));
    assert_eq!(replaced["metadata"]["uid"], made["metadata"]["uid"]);
    assert_eq!(ask(&standin, "PUT", A, JSON, &next).0, 409);
    // What changes nothing is no write.
    next["metadata"]["resourceVersion"] = replaced["metadata"]["resourceVersion"].clone();
    assert_eq!(ask(&standin, "PUT", A, JSON, &next).1, replaced);
    // Deletion with a precondition that does not hold, and with one that does.
    let wrong = json!({"preconditions": {"uid": "other"}});
    assert_eq!(ask(&standin, "DELETE", A, JSON, &wrong).0, 409);
    let right = json!({"preconditions": {"uid": made["metadata"]["uid"]}});
    assert_eq!(ask(&standin, "DELETE", A, JSON, &right).1["status"], "Success");
    let (code, gone) = ask(&standin, "GET", A, JSON, &Value::Null);
    assert_eq!(
        (code, &gone["kind"], &gone["details"]["name"]),
        (404, &json!("Status"), &json!("a"))
    );
    let (_, other) = ask(&standin, "POST", THINGS, JSON, &thing(json!({})));
    assert_ne!(other["metadata"]["uid"], made["metadata"]["uid"], "another life");
}

#[test]
fn patches_and_the_status_by_itself() {
    let standin = things();
    let apply = "application/apply-patch+yaml";
    let (code, refused) = ask(&standin, "PATCH", A, apply, &thing(json!({"a": 1})));
    assert_eq!(
        (code, &refused["kind"]),
        (422, &json!("Status")),
        "no fieldManager"
    );
    let applied = format!("{A}?fieldManager=me");
    assert_eq!(
        ask(&standin, "PATCH", &applied, apply, &thing(json!({"a": 1}))).0,
        201
    );
    let merge = "application/merge-patch+json";
    let (_, merged) = ask(
        &standin,
        "PATCH",
        A,
        merge,
        &json!({"spec": {"a": null, "b": 2}, "status": {"s": 1}}),
    );
    assert_eq!((&merged["spec"], merged.get("status")), (&json!({"b": 2}), None));
    let status = format!("{A}/status");
    let (_, merged) = ask(
        &standin,
        "PATCH",
        &status,
        merge,
        &json!({"spec": {"b": 3}, "status": {"s": 1}}),
    );
    assert_eq!(
        (&merged["spec"], &merged["status"]),
        (&json!({"b": 2}), &json!({"s": 1}))
    );
}

#[test]
fn pages_selectors_and_what_is_not_served() {
    let standin = things();
    for (name, rack) in [("a", "r1"), ("b", "r2"), ("c", "r1")] {
        let mut object = thing(json!({}));
        object["metadata"] = json!({"name": name, "labels": {"rack": rack}});
        standin.put(&format!("{THINGS}/{name}"), object);
    }
    let names = |query: &str| {
        let (code, list) = ask(&standin, "GET", &format!("{THINGS}?{query}"), JSON, &Value::Null);
        assert_eq!(code, 200, "{list}");
        let items = list["items"].as_array().expect("items").iter();
        let names: Vec<_> = items
            .map(|item| item["metadata"]["name"].as_str().expect("a name").to_owned())
            .collect();
        (
            names.join(" "),
            list["metadata"]["continue"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    };
    assert_eq!(names("labelSelector=rack%3Dr1").0, "a c");
    let (first, token) = names("limit=2");
    assert_eq!(first, "a b");
    let rest = format!("limit=2&continue={token}");
    assert_eq!(names(&rest), ("c".to_owned(), String::new()));
    standin.put(
        "/api/v1/namespaces/x",
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}),
    );
    standin.compact(true);
    assert_eq!(
        ask(&standin, "GET", &format!("{THINGS}?{rest}"), JSON, &Value::Null).0,
        410
    );
    for path in [
        "/apis/crd.projectcalico.org/v1/others",
        "/apis/crd.projectcalico.org/v2/things",
        "/version",
    ] {
        assert_eq!(
            ask(&standin, "GET", path, JSON, &Value::Null),
            (404, Value::Null),
            "{path}: no Status"
        );
    }
}

#[test]
fn faults_come_as_ordered_and_end() {
    let mut standin = things();
    standin.fail(Fail {
        retry_after: Some(1),
        ..Fail::next(429, 1)
    });
    assert_eq!(ask(&standin, "GET", THINGS, JSON, &Value::Null).0, 429);
    assert_eq!(ask(&standin, "GET", THINGS, JSON, &Value::Null).0, 200);
    standin.stop();
    assert!(TcpStream::connect(standin.url().trim_start_matches("http://")).is_err());
    standin.restart();
    assert_eq!(ask(&standin, "GET", THINGS, JSON, &Value::Null).0, 200);
}
