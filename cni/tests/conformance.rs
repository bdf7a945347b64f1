//! The rules of the specification, each verb in each version, for both programs: which parameters are required, which
//! codes errors have, and the form of every result. The plugin is executed as a runtime does; a stand-in answers
//! on the agent's socket.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use support::{Call, Done, Place, added, http, leased};

const VERSIONS: [&str; 5] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
const PROGRAMS: [&str; 2] = ["roadbed", "roadbed-ipam"];

/// A verb by the specification: the version that brought it, and the variables that it requires.
struct Verb {
    name: &'static str,
    since: &'static str,
    required: &'static [&'static str],
}

/// Specification 1.1.0, "CNI operations". `CNI_PATH`, which GC requires of the runtime, is of no use to us.
const VERBS: [Verb; 6] = [
    Verb {
        name: "ADD",
        since: "0.3.0",
        required: &["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
    },
    Verb {
        name: "DEL",
        since: "0.3.0",
        required: &["CNI_CONTAINERID", "CNI_IFNAME"],
    },
    Verb {
        name: "CHECK",
        since: "0.4.0",
        required: &["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
    },
    Verb {
        name: "GC",
        since: "1.1.0",
        required: &[],
    },
    Verb {
        name: "STATUS",
        since: "1.1.0",
        required: &[],
    },
    Verb {
        name: "VERSION",
        since: "0.3.0",
        required: &[],
    },
];

/// A configuration with which the verb succeeds.
fn conf(place: &Place, program: &str, verb: &str, version: &str) -> Value {
    let mut conf = match program {
        "roadbed" => place.conf(version),
        _ => place.bridge(version),
    };
    match verb {
        "CHECK" => {
            conf["prevResult"] = json!({
                "interfaces": [{ "name": "br0" }, { "name": "eth0", "sandbox": "/run/netns/x", "mac": "02:00:00:00:00:02" }],
                "ips": [{ "address": "10.244.1.5/26", "interface": 1 }],
            });
        }
        "GC" => conf["cni.dev/valid-attachments"] = json!([{ "containerID": "c9", "ifname": "eth0" }]),
        _ => {}
    }
    conf
}

/// What the agent answers, and where it is asked.
fn agent(program: &str, verb: &str) -> Option<(&'static str, Value)> {
    match (verb, program) {
        ("ADD", "roadbed") => Some(("POST /v1/cni/add", added())),
        ("ADD", _) => Some(("POST /v1/cni/ipam/add", leased())),
        ("DEL", _) => Some(("POST /v1/cni/del", json!({ "released": [] }))),
        ("CHECK", _) => Some(("POST /v1/cni/check", json!({ "drifts": [] }))),
        ("GC", _) => Some(("POST /v1/cni/gc", json!({ "removed": [], "failed": [] }))),
        ("STATUS", _) => Some((
            "GET /v1/cni/status",
            json!({ "available": true, "connected": true, "reasons": [] }),
        )),
        _ => None,
    }
}

/// A call that is to succeed, with what the agent was asked.
fn succeed(program: &'static str, verb: &Verb, version: &str, call: Call) -> (Done, Value) {
    let place = Place::new();
    let call = call
        .named(program)
        .stdin(conf(&place, program, verb.name, version));
    let Some((path, answer)) = agent(program, verb.name) else {
        return (call.run(), Value::Null);
    };
    let server = place.answer(vec![http(200, &answer)]);
    let done = call.run();
    assert!(done.ok, "{program} {} {version}: {done:?}", verb.name);
    let asked = server.join().unwrap().remove(0);
    assert_eq!(asked.what, path);
    (done, asked.body)
}

#[test]
fn every_verb_succeeds_in_each_version_that_has_it() {
    for program in PROGRAMS {
        for verb in &VERBS {
            for version in VERSIONS.iter().filter(|v| **v >= verb.since) {
                let (done, _) = succeed(program, verb, version, Call::new(verb.name));
                match verb.name {
                    "ADD" => assert_eq!(done.result()["cniVersion"], *version),
                    "VERSION" => assert_eq!(
                        done.result(),
                        json!({ "cniVersion": version, "supportedVersions": VERSIONS })
                    ),
                    // No other verb prints anything on success.
                    _ => done.nothing(),
                }
            }
        }
    }
}

#[test]
fn a_version_that_lacks_a_verb_is_error_1() {
    let place = Place::new();
    for program in PROGRAMS {
        for verb in VERBS.iter().filter(|v| v.name != "VERSION") {
            let before = VERSIONS.iter().filter(|v| **v < verb.since);
            for version in before.chain(&["0.1.0", "0.2.0", "1.2.0", "2.0.0", "one"]) {
                let stdin = conf(&place, program, verb.name, version);
                let done = Call::new(verb.name).named(program).stdin(stdin).run();
                assert_eq!(done.code(), 1, "{program} {} {version}", verb.name);
                // The object is in a version that there is.
                let named = done.json().unwrap()["cniVersion"].clone();
                assert!(VERSIONS.contains(&named.as_str().unwrap()), "{named}");
            }
            let mut none = conf(&place, program, verb.name, "1.0.0");
            none.as_object_mut().unwrap().remove("cniVersion");
            assert_eq!(Call::new(verb.name).named(program).stdin(none).run().code(), 1);
        }
    }
}

#[test]
fn a_missing_variable_is_error_4_and_is_named() {
    let place = Place::new();
    for program in PROGRAMS {
        for verb in &VERBS {
            for key in verb.required {
                for call in [Call::new(verb.name).unset(key), Call::new(verb.name).set(key, "")] {
                    let call = call
                        .named(program)
                        .stdin(conf(&place, program, verb.name, "1.1.0"));
                    let done = call.run();
                    assert_eq!(done.code(), 4, "{} without {key}", verb.name);
                    let message = done.json().unwrap()["msg"].to_string();
                    assert!(message.contains(key), "{message}");
                }
            }
        }
    }
    assert_eq!(Call::new("ADD").unset("CNI_COMMAND").stdin("{}").run().code(), 4);
    assert_eq!(Call::new("PLUG").stdin("{}").run().code(), 4);
}

#[test]
fn what_is_not_required_may_be_missing() {
    let all = [
        "CNI_CONTAINERID",
        "CNI_NETNS",
        "CNI_IFNAME",
        "CNI_ARGS",
        "CNI_PATH",
    ];
    for program in PROGRAMS {
        for verb in &VERBS {
            let optional = all.iter().filter(|key| !verb.required.contains(key));
            let call = optional.fold(Call::new(verb.name), |call, key| call.unset(key));
            let (done, body) = succeed(program, verb, "1.1.0", call);
            assert!(done.ok);
            if verb.name == "DEL" {
                assert_eq!(body, json!({ "containerId": "c1", "ifname": "eth0" }));
            }
        }
    }
}

#[test]
fn what_is_no_configuration_is_error_6() {
    for program in PROGRAMS {
        for verb in &VERBS {
            for stdin in ["{", "[]", "nonsense", "\"1.0.0\"", "{\"cniVersion\":"] {
                let done = Call::new(verb.name).named(program).stdin(stdin).run();
                assert_eq!(done.code(), 6, "{} {stdin}", verb.name);
            }
        }
    }
    // VERSION is asked before there is a configuration.
    let versions = Call::new("VERSION").run().result();
    assert_eq!(versions["supportedVersions"], json!(VERSIONS));
}

#[test]
fn results_have_the_form_of_their_version() {
    for version in VERSIONS {
        let (done, _) = succeed("roadbed", &VERBS[0], version, Call::new("ADD"));
        let result = done.result();
        assert_eq!(
            keys(&result),
            ["cniVersion", "dns", "interfaces", "ips", "routes"]
        );
        let [host, pod] = [0, 1].map(|n| result["interfaces"][n].clone());
        let mtu: &[&str] = if version >= "1.1.0" { &["mtu"] } else { &[] };
        assert_eq!(keys(&host), [&["mac"], mtu, &["name"]].concat(), "{version}");
        assert_eq!(
            keys(&pod),
            [&["mac"], mtu, &["name", "sandbox"]].concat(),
            "{version}"
        );
        assert_eq!(
            (&pod["name"], &pod["sandbox"]),
            (&json!("eth0"), &json!("/run/netns/x"))
        );
        let family: &[&str] = if version < "1.0.0" { &["version"] } else { &[] };
        for (ip, number) in result["ips"].as_array().unwrap().iter().zip(["4", "6"]) {
            assert_eq!(
                keys(ip),
                [&["address", "gateway", "interface"], family].concat(),
                "{version}"
            );
            assert_eq!(ip["interface"], 1);
            assert!(family.is_empty() || ip["version"] == number, "{ip}");
        }
        assert_eq!(
            result["routes"],
            added()["routes"],
            "destinations and gateways as they are"
        );
    }
}

#[test]
fn the_ipam_plugins_results_know_no_interfaces() {
    for version in VERSIONS {
        let (done, body) = succeed("roadbed-ipam", &VERBS[0], version, Call::new("ADD"));
        let result = done.result();
        assert_eq!(keys(&result), ["cniVersion", "dns", "ips", "routes"]);
        let family: &[&str] = if version < "1.0.0" { &["version"] } else { &[] };
        assert_eq!(
            keys(&result["ips"][0]),
            [&["address", "gateway"], family].concat()
        );
        assert_eq!(
            (&body["gateway"], &body["network"]),
            (&json!("block"), &json!("lan"))
        );
    }
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}
