//! What each verb carries to the agent, and what it makes of the answer.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use support::{Call, Done, Place, added, http, leased};

/// One call against one answer: how it ended, and what the agent was asked.
fn call(place: &Place, call: Call, conf: &Value, answer: &Value) -> (Done, Value) {
    let server = place.answer(vec![http(200, answer)]);
    let done = call.stdin(conf).run();
    let asked = server.join().unwrap().remove(0);
    std::fs::remove_file(place.socket()).unwrap();
    (done, asked.body)
}

#[test]
fn add_carries_all_that_is_asked_for() {
    let place = Place::new();
    let mut conf = place.conf("1.0.0");
    let more = json!({
        "mtu": 1400, "pools": ["blue"], "sticky": true, "defaultRoute": true, "routes": [{ "dst": "10.0.0.0/8" }],
        "sysctl": { "net.core.somaxconn": 512 }, "waitFor": "announced", "dns": { "nameservers": ["10.0.0.2"] },
        "capabilities": { "ips": true, "mac": true },
        "runtimeConfig": { "ips": ["10.244.1.5/24"], "mac": "02:00:00:00:00:02" },
    });
    conf.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let args =
        "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=u;IP=2001:db8::5;MAC=02:00:00:00:00:99";
    let add = Call::new("ADD").set("CNI_ARGS", args);
    let (done, body) = call(&place, add.clone(), &conf, &added());
    let expected = json!({
        "containerId": "c1", "netns": "/run/netns/x", "ifname": "eth0", "network": "pods",
        "pod": { "namespace": "default", "name": "web-0", "uid": "u" },
        "mtu": 1400, "ips": ["10.244.1.5", "2001:db8::5"], "pools": ["blue"], "poolsOfNetwork": true, "sticky": true,
        "mac": "02:00:00:00:00:02", "defaultRoute": true, "routes": ["10.0.0.0/8"],
        "sysctls": { "net.core.somaxconn": "512" }, "waitAnnounced": true,
    });
    assert_eq!(body, expected);
    assert_eq!(done.result()["dns"], json!({ "nameservers": ["10.0.0.2"] }));

    // What the caller says wins over the network.
    let add = add.set(
        "CNI_ARGS",
        format!("{args};ROADBED_POOLS=red;ROADBED_STICKY=false"),
    );
    let (_, body) = call(&place, add, &conf, &added());
    assert_eq!((&body["pools"], &body["sticky"]), (&json!(["red"]), &Value::Null));
    assert_eq!(body["poolsOfNetwork"], Value::Null);
}

#[test]
fn add_in_a_chain_prints_both_results() {
    let place = Place::new();
    let mut conf = place.conf("1.0.0");
    conf["prevResult"] = json!({
        "cniVersion": "1.0.0",
        "interfaces": [{ "name": "net0", "sandbox": "/run/netns/x" }],
        "ips": [{ "address": "192.0.2.5/24", "interface": 0 }],
        "routes": [{ "dst": "0.0.0.0/0", "gw": "192.0.2.1" }],
        "dns": { "domain": "a.example" },
    });
    let (done, _) = call(&place, Call::new("ADD"), &conf, &added());
    let result = done.result();
    let names: Vec<&Value> = result["interfaces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| &i["name"])
        .collect();
    assert_eq!(names, ["net0", "rb0123456789a", "eth0"]);
    let on: Vec<&Value> = result["ips"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| &i["interface"])
        .collect();
    assert_eq!(on, [0, 2, 2]);
    assert_eq!(result["routes"].as_array().unwrap().len(), 4);
    assert_eq!(result["dns"]["domain"], "a.example");

    // A name that is taken is told before anything is made.
    conf["prevResult"]["interfaces"][0]["name"] = json!("eth0");
    let done = Call::new("ADD").stdin(&conf).run();
    assert_eq!(done.code(), 7);
    assert!(done.stdout.contains("eth0"), "{done:?}");
}

#[test]
fn check_asks_about_what_add_printed() {
    let place = Place::new();
    let mut conf = place.conf("1.1.0");
    conf["mtu"] = json!(1400);
    conf["sysctl"] = json!({ "net.core.somaxconn": "512" });
    conf["defaultRoute"] = json!(true);
    conf["routes"] = json!(["198.51.100.0/24"]);
    let result = call(&place, Call::new("ADD"), &conf, &added()).0.result();
    conf["prevResult"] = result;
    let none = json!({ "drifts": [] });
    let (done, body) = call(&place, Call::new("CHECK"), &conf, &none);
    done.nothing();
    let expected = json!({
        "containerId": "c1", "netns": "/run/netns/x", "ifname": "eth0", "network": "pods",
        "addresses": ["10.244.1.5/32", "2001:db8::5/128"], "mac": "02:00:00:00:00:02", "mtu": 1450,
        "defaultRoute": true, "routes": ["198.51.100.0/24"], "sysctls": { "net.core.somaxconn": "512" },
    });
    assert_eq!(body, expected);

    let drifts = json!({ "drifts": [
        { "what": "host route of 10.244.1.5", "expected": "dev rb0123456789a" },
        { "what": "mtu of eth0", "expected": "1450", "found": "9000" },
    ] });
    let (done, _) = call(&place, Call::new("CHECK"), &conf, &drifts);
    assert_eq!(done.code(), 103);
    let details = done.json().unwrap()["details"].to_string();
    for part in [
        "host route of 10.244.1.5: not there",
        "mtu of eth0: 9000, expected 1450",
    ] {
        assert!(details.contains(part), "{details}");
    }
}

#[test]
fn check_without_a_result_of_ours_is_error_7() {
    let place = Place::new();
    for previous in [Value::Null, json!({ "interfaces": [{ "name": "eth0" }] })] {
        let mut conf = place.conf("1.0.0");
        conf["prevResult"] = previous;
        assert_eq!(Call::new("CHECK").stdin(conf).run().code(), 7);
    }
}

#[test]
fn gc_names_what_stays_and_reports_what_could_not_go() {
    let place = Place::new();
    let mut conf = place.conf("1.1.0");
    conf["cni.dev/valid-attachments"] = json!([{ "containerID": "c1", "ifname": "eth0" }]);
    let gc = Call::new("GC").unset("CNI_CONTAINERID").unset("CNI_IFNAME");
    let clean = json!({ "removed": [{ "containerId": "c2", "ifname": "eth0" }], "failed": [] });
    let (done, body) = call(&place, gc.clone(), &conf, &clean);
    done.nothing();
    let expected = json!({ "network": "pods", "valid": [{ "containerId": "c1", "ifname": "eth0" }] });
    assert_eq!(body, expected);

    let partly = json!({ "removed": [], "failed": ["c3/eth0: the kernel is busy"] });
    let (done, _) = call(&place, gc.clone(), &conf, &partly);
    assert_eq!(done.code(), 11);
    assert!(done.stdout.contains("the kernel is busy"), "{done:?}");

    conf.as_object_mut().unwrap().remove("cni.dev/valid-attachments");
    assert_eq!(gc.stdin(conf).run().code(), 7);
}

#[test]
fn status_tells_who_is_affected() {
    let place = Place::new();
    for (available, connected, code) in [(false, true, 50), (false, false, 51), (true, false, 51)] {
        let answer = json!({ "available": available, "connected": connected, "reasons": ["a", "b"] });
        let (done, _) = call(&place, Call::new("STATUS"), &place.conf("1.1.0"), &answer);
        assert_eq!(done.code(), code);
        assert_eq!(done.json().unwrap()["details"], "a; b");
    }
}

#[test]
fn the_ipam_plugin_carries_its_section() {
    let place = Place::new();
    let mut conf = place.bridge("1.0.0");
    conf["ipam"]["pools"] = json!(["lan"]);
    conf["ipam"]["gateway"] = json!(["192.0.2.1/24"]);
    conf["ipam"]["routes"] =
        json!([{ "dst": "0.0.0.0/0" }, { "dst": "10.0.0.0/8", "gw": "192.0.2.9", "mtu": 1400 }]);
    conf["runtimeConfig"] = json!({ "ips": ["192.0.2.5"] });
    let ipam = |verb| Call::new(verb).named("/opt/cni/bin/roadbed-ipam");
    let (done, body) = call(&place, ipam("ADD"), &conf, &leased());
    let expected = json!({
        "containerId": "c1", "netns": "/run/netns/x", "ifname": "eth0", "network": "lan",
        "pod": { "namespace": "default", "name": "web-0" },
        "ips": ["192.0.2.5"], "pools": ["lan"], "poolsOfNetwork": true, "gateway": { "given": ["192.0.2.1/24"] },
    });
    assert_eq!(body, expected);
    let routes = json!([{ "dst": "0.0.0.0/0" }, { "dst": "10.0.0.0/8", "gw": "192.0.2.9" }]);
    assert_eq!(done.result()["routes"], routes);

    // CHECK is about the lease; ptp and macvlan pass on their own result.
    conf["prevResult"] = json!({
        "interfaces": [{ "name": "eth0", "sandbox": "/run/netns/x", "mac": "02:00:00:00:00:07" }],
        "ips": [{ "address": "10.244.1.5/26", "gateway": "10.244.1.1", "interface": 0 }],
    });
    let (done, body) = call(&place, ipam("CHECK"), &conf, &json!({ "drifts": [] }));
    done.nothing();
    let expected = json!({
        "containerId": "c1", "netns": "/run/netns/x", "ifname": "eth0", "network": "lan",
        "ipamOnly": true, "addresses": ["10.244.1.5/26"],
    });
    assert_eq!(body, expected);
    let done = Call::new("ADD")
        .named("roadbed-ipam")
        .stdin(place.conf("1.0.0"))
        .run();
    assert_eq!(done.code(), 7, "called as a main plugin");
}
