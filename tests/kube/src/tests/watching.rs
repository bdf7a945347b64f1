//! Watches as a client sees them: each event as its kind and the name of its object.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::{JSON, ask};
use crate::Standin;

struct Watch(BufReader<TcpStream>);

impl Watch {
    fn open(standin: &Standin, path: &str) -> Watch {
        let mut stream =
            TcpStream::connect(standin.url().trim_start_matches("http://")).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a limit");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
        let mut watch = Watch(BufReader::new(stream));
        assert!(watch.line().contains("200"), "{path}");
        watch
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line in time");
        line
    }

    /// The next event: headers and the lengths of chunks are left out.
    fn next(&mut self) -> (String, Value) {
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "the watch goes on");
            if line.starts_with('{') {
                let event: Value = serde_json::from_str(&line).expect("JSON");
                return (
                    event["type"].as_str().expect("a type").to_owned(),
                    event["object"].clone(),
                );
            }
        }
    }

    fn seen(&mut self) -> String {
        let (what, object) = self.next();
        format!("{what} {}", object["metadata"]["name"].as_str().unwrap_or("-"))
    }
}

fn pod(standin: &Standin, name: &str, node: &str) -> Value {
    let object =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"nodeName": node}});
    standin.put(&format!("/api/v1/namespaces/default/pods/{name}"), object)
}

#[test]
fn what_leaves_a_selector_is_deleted_and_what_enters_is_added() {
    let standin = Standin::start();
    let (_, list) = ask(&standin, "GET", "/api/v1/pods", JSON, &Value::Null);
    let at = list["metadata"]["resourceVersion"]
        .as_str()
        .expect("a version")
        .to_owned();
    let path = format!("/api/v1/pods?watch=true&resourceVersion={at}&fieldSelector=spec.nodeName%3Dn1");
    let mut watch = Watch::open(&standin, &path);
    pod(&standin, "a", "");
    pod(&standin, "b", "n2");
    pod(&standin, "a", "n1");
    assert_eq!(watch.seen(), "ADDED a");
    let moved = pod(&standin, "a", "n2");
    let (what, last) = watch.next();
    assert_eq!(
        (what.as_str(), &last["spec"]["nodeName"]),
        ("DELETED", &json!("n1"))
    );
    assert_eq!(
        last["metadata"]["resourceVersion"],
        moved["metadata"]["resourceVersion"]
    );
    pod(&standin, "c", "n1");
    assert_eq!(watch.seen(), "ADDED c");
    standin.remove("/api/v1/namespaces/default/pods/c");
    standin.remove("/api/v1/namespaces/default/pods/b");
    assert_eq!(watch.seen(), "DELETED c");
    pod(&standin, "d", "n1");
    assert_eq!(watch.seen(), "ADDED d", "of b nothing is seen");
}

#[test]
fn a_list_may_come_as_a_watch() {
    let standin = Standin::start();
    pod(&standin, "a", "n1");
    let path = "/api/v1/pods?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = Watch::open(&standin, path);
    assert_eq!(watch.seen(), "ADDED a");
    let (what, end) = watch.next();
    assert_eq!(
        (
            what.as_str(),
            &end["metadata"]["annotations"]["k8s.io/initial-events-end"]
        ),
        ("BOOKMARK", &json!("true"))
    );
    pod(&standin, "b", "n1");
    assert_eq!(watch.seen(), "ADDED b");
    standin.bookmark();
    let (what, mark) = watch.next();
    assert_eq!(
        (what.as_str(), mark["metadata"].get("annotations")),
        ("BOOKMARK", None)
    );
    let (code, _) = ask(
        &standin,
        "GET",
        "/api/v1/pods?watch=true&sendInitialEvents=true",
        JSON,
        &Value::Null,
    );
    assert_eq!(code, 422, "without resourceVersionMatch");
    standin.refuse_streaming_lists();
    assert_eq!(ask(&standin, "GET", path, JSON, &Value::Null).0, 422);
}

#[test]
fn a_watch_from_nowhere_begins_with_what_there_is() {
    let standin = Standin::start();
    pod(&standin, "a", "n1");
    let mut watch = Watch::open(&standin, "/api/v1/namespaces/default/pods?watch=1");
    assert_eq!(watch.seen(), "ADDED a");
    pod(&standin, "a", "n2");
    assert_eq!(watch.seen(), "MODIFIED a");
    standin.compact(false);
    let mut late = Watch::open(&standin, "/api/v1/pods?watch=1&resourceVersion=1");
    let (what, status) = late.next();
    assert_eq!((what.as_str(), &status["code"]), ("ERROR", &json!(410)));
}
