//! The plugin as a runtime starts it, against a socket that behaves badly, and one that behaves.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::{Value, json};

/// Runs the plugin: whether it succeeded, and what it printed.
fn plugin(verb: &str, netns: &str, socket: &Path) -> (bool, Option<Value>) {
    let conf = json!({ "cniVersion": "1.0.0", "name": "pods", "type": "roadbed", "socket": socket });
    let mut child = Command::new(env!("CARGO_BIN_EXE_roadbed-cni"))
        .env_clear()
        .envs([
            ("CNI_COMMAND", verb),
            ("CNI_CONTAINERID", "c1"),
            ("CNI_IFNAME", "eth0"),
            ("CNI_NETNS", netns),
        ])
        .env(
            "CNI_ARGS",
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0",
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(conf.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let value = (!printed.is_empty()).then(|| serde_json::from_str(&printed).unwrap());
    (output.status.success(), value)
}

/// Reads one request: its head, and its body as JSON.
fn request(stream: &mut UnixStream) -> (String, Value) {
    let mut bytes = Vec::new();
    let mut one = [0; 1];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut one).unwrap();
        bytes.push(one[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

/// Answers one connection with these bytes, and calls the plugin against it.
fn against(answer: &'static str, verb: &str, netns: &str) -> (bool, Option<Value>, String, Value) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("agent.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let asked = request(&mut stream);
        stream.write_all(answer.as_bytes()).unwrap();
        asked
    });
    let (ok, value) = plugin(verb, netns, &socket);
    let (head, body) = server.join().unwrap();
    (ok, value, head, body)
}

#[test]
fn without_an_agent_the_runtime_is_told_to_try_again() {
    let dir = tempfile::tempdir().unwrap();
    let stale = dir.path().join("stale.sock");
    drop(UnixListener::bind(&stale).unwrap());
    for (verb, socket) in [("ADD", dir.path().join("none.sock")), ("DEL", stale)] {
        let (ok, value) = plugin(verb, "/run/netns/x", &socket);
        let value = value.unwrap();
        assert!(!ok);
        assert_eq!(
            (&value["code"], &value["cniVersion"]),
            (&json!(11), &json!("1.0.0")),
            "{verb}: {value}"
        );
    }
}

#[test]
fn answers_that_break_off_or_make_no_sense_are_errors() {
    for (answer, code) in [
        // The agent died in the middle: the runtime is to try again.
        ("", 11),
        ("HTTP/1.1 200 OK\r\nContent-Le", 11),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", 11),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 102),
        ("HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", 102),
        (
            "HTTP/1.1 503 S\r\n\r\n{\"kind\":\"tryLater\",\"message\":\"no pod subnet\",\"action\":\"wait\"}",
            11,
        ),
    ] {
        let (ok, value, ..) = against(answer, "ADD", "/run/netns/x");
        assert!(!ok);
        assert_eq!(value.unwrap()["code"], code, "{answer:?}");
    }
}

#[test]
fn the_agents_words_reach_the_runtime() {
    let answer =
        "HTTP/1.1 409 C\r\n\r\n{\"kind\":\"conflict\",\"message\":\"taken\",\"action\":\"ask for another\"}";
    let (_, value, ..) = against(answer, "ADD", "/run/netns/x");
    let value = value.unwrap();
    assert_eq!(
        (&value["msg"], &value["details"]),
        (&json!("taken"), &json!("ask for another"))
    );
}

#[test]
fn add_carries_all_and_prints_the_result() {
    let answer = concat!(
        "HTTP/1.1 200 OK\r\n\r\n",
        r#"{"hostInterface":{"name":"rb0","mac":"m"},"podInterface":{"name":"eth0","mac":"n"},"#,
        r#""addresses":[{"address":"10.0.0.5/32","gateway":"169.254.1.1"}],"routes":[],"mtu":1450}"#
    );
    let (ok, value, head, body) = against(answer, "ADD", "/run/netns/x");
    assert!(ok);
    assert_eq!(value.unwrap()["ips"][0]["address"], "10.0.0.5/32");
    assert!(head.starts_with("POST /v1/cni/add "), "{head}");
    assert_eq!(
        (&body["containerId"], &body["netns"]),
        (&json!("c1"), &json!("/run/netns/x"))
    );
    assert_eq!(body["pod"]["name"], "web-0");
}

#[test]
fn del_prints_nothing_and_works_without_a_namespace() {
    let (ok, value, head, body) = against("HTTP/1.1 200 OK\r\n\r\n{\"released\":[]}", "DEL", "");
    assert_eq!((ok, value), (true, None));
    assert!(head.starts_with("POST /v1/cni/del "), "{head}");
    assert!(body.get("netns").is_none(), "{body}");
}
