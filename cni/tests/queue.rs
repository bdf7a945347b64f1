//! DELs that the agent does not hear.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::Read;
use std::time::{Duration, Instant};

use config::api::cni::CniDel;
use config::api::queue;
use serde_json::{Value, json};
use socket2::{Domain, SockAddr, Socket, Type};
use support::{Call, Done, Place, http, refusal, serve};

fn del(place: &Place) -> Done {
    Call::new("DEL").stdin(place.conf("1.0.0")).run()
}

fn expected(netns: Option<&str>) -> CniDel {
    CniDel {
        container_id: "c1".into(),
        ifname: "eth0".into(),
        netns: netns.map(Into::into),
    }
}

#[test]
fn without_an_agent_a_del_waits_on_disk_and_succeeds() {
    for program in ["roadbed", "roadbed-ipam"] {
        let place = Place::new();
        let conf = match program {
            "roadbed" => place.conf("0.3.1"),
            _ => place.bridge("0.3.1"),
        };
        let call = Call::new("DEL").named(program).stdin(&conf);
        let done = call.run();
        done.nothing();
        assert!(done.stderr.contains("c1/eth0"), "{done:?}");
        let waiting = place.waiting();
        assert_eq!(waiting.len(), 1);
        assert_eq!(waiting[0].del, Ok(expected(Some("/run/netns/x"))));

        // Runtimes call again, without a namespace: it is the same DEL.
        call.unset("CNI_NETNS").run().nothing();
        assert_eq!(place.waiting()[0].del, Ok(expected(None)));
        assert_eq!(place.waiting().len(), 1);
    }
}

#[test]
fn an_agent_that_answers_leaves_no_queue() {
    let place = Place::new();
    let server = place.answer(vec![http(200, &json!({ "released": ["10.244.1.5"] }))]);
    del(&place).nothing();
    assert_eq!(server.join().unwrap()[0].what, "POST /v1/cni/del");
    assert!(!place.state_dir().exists());
}

#[test]
fn an_agent_that_comes_up_meanwhile_is_asked_again() {
    let place = Place::new();
    // It dies in the middle of the first, and is there again for the second.
    let server = place.answer(vec![String::new(), http(200, &json!({ "released": [] }))]);
    del(&place).nothing();
    assert_eq!(server.join().unwrap().len(), 2);
    assert_eq!(place.waiting(), []);
}

#[test]
fn a_del_that_the_agent_cannot_do_now_waits_too() {
    let place = Place::new();
    let server = place.answer(vec![refusal(503, "tryLater", "the ledger is being recovered")]);
    let done = del(&place);
    done.nothing();
    assert!(done.stderr.contains("the ledger is being recovered"), "{done:?}");
    assert_eq!(server.join().unwrap().len(), 1, "it looks at the queue itself");
    assert_eq!(place.waiting().len(), 1);
}

#[test]
fn a_del_that_is_refused_for_good_is_an_error() {
    for (status, kind, code) in [(400, "invalid", 7), (500, "internal", 100)] {
        let place = Place::new();
        let server = place.answer(vec![refusal(status, kind, "no")]);
        assert_eq!(del(&place).code(), code);
        server.join().unwrap();
        assert_eq!(place.waiting(), []);
    }
}

#[test]
fn a_queue_that_cannot_be_written_is_error_11() {
    let place = Place::new();
    std::fs::write(place.state_dir(), "no folder").unwrap();
    let done = del(&place);
    assert_eq!(done.code(), 11);
    let error = done.json().unwrap();
    assert!(
        error["details"].to_string().contains("cni-queue")
            && error["details"].to_string().contains("roadbed agent"),
        "{error}"
    );
}

#[test]
fn a_configuration_that_add_refuses_does_not_keep_a_pod() {
    let place = Place::new();
    let mut conf = place.conf("1.0.0");
    let wrong = json!({ "mtu": -1, "ipam": { "type": "host-local" }, "prevResult": 7, "runtimeConfig": [] });
    conf.as_object_mut()
        .unwrap()
        .extend(wrong.as_object().unwrap().clone());
    assert_eq!(Call::new("ADD").stdin(&conf).run().code(), 2);
    Call::new("DEL").stdin(&conf).run().nothing();
    assert_eq!(place.waiting().len(), 1);
}

/// An agent that is stopped, and whose queue of connections is full: even connecting hangs.
#[test]
fn a_silent_agent_does_not_hold_the_runtime_for_ever() {
    let place = Place::new();
    let address = SockAddr::unix(place.socket()).unwrap();
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&address).unwrap();
    listener.listen(0).unwrap();
    let connect = || {
        let one = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        one.set_nonblocking(true).unwrap();
        one.connect(&address).map(|()| one)
    };
    let mut held = Vec::new();
    let full = loop {
        match connect() {
            Ok(one) => held.push(one),
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), std::io::ErrorKind::WouldBlock);
    let began = Instant::now();
    del(&place).nothing();
    assert!(
        began.elapsed() < Duration::from_secs(100),
        "runtimes give two minutes"
    );
    assert_eq!(place.waiting().len(), 1);
    drop((listener, held));
}

/// What the plugin writes is what the agent reads; the two are built from one source, other tools are not.
#[test]
fn the_file_is_the_request() {
    let place = Place::new();
    del(&place).nothing();
    let path = queue::file(&queue::folder(&place.state_dir()), "c1", "eth0");
    let mut text = String::new();
    std::fs::File::open(path)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    let written: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        written,
        json!({ "containerId": "c1", "ifname": "eth0", "netns": "/run/netns/x" })
    );
    let socket = place.socket();
    let server = serve(&socket, vec![http(200, &json!({ "released": [] }))]);
    del(&place).nothing();
    assert_eq!(server.join().unwrap()[0].body, written);
}
