//! Verbs without an agent: what is told before it would be asked, and that nothing makes the plugin panic.

use std::ffi::OsString;

use proptest::prelude::*;

use super::*;

const VERBS: [&str; 6] = ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"];
const PROGRAMS: [Program; 2] = [Program::Main, Program::Ipam];

fn with(command: &'static str) -> impl Fn(&str) -> Option<OsString> {
    move |key| match key {
        "CNI_COMMAND" => Some(command.into()),
        "CNI_CONTAINERID" => Some("c1".into()),
        "CNI_IFNAME" => Some("eth0".into()),
        "CNI_NETNS" => Some("/run/netns/x".into()),
        _ => None,
    }
}

#[test]
fn version_answers_as_runtimes_ask() {
    for program in PROGRAMS {
        for (stdin, echoed) in [(r#"{"cniVersion":"1.0.0"}"#, "1.0.0"), ("", "1.1.0")] {
            let (_, outcome) = run(program, &with("VERSION"), stdin.as_bytes());
            let json = outcome.unwrap().unwrap();
            assert_eq!(json["cniVersion"], echoed);
            assert_eq!(
                json["supportedVersions"],
                serde_json::json!(["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
            );
        }
        let error = run(program, &with("VERSION"), b"nonsense").1.unwrap_err();
        assert_eq!(error.code as u32, 6);
    }
}

#[test]
fn errors_name_a_version_that_the_runtime_knows() {
    let of = |stdin: &[u8]| run(Program::Main, &with("CHECK"), stdin).0;
    assert_eq!(of(br#"{"cniVersion":"0.4.0"}"#), Version::V0_4_0);
    assert_eq!(of(br#"{"cniVersion":"9.9.9"}"#), NEWEST);
    assert_eq!(of(b""), NEWEST);
}

/// JSON that is nearly a configuration, with a socket that never exists and a queue that cannot be written.
fn nearly() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("7".to_owned()),
        Just("{}".to_owned()),
        Just("[\"x\"]".to_owned()),
        Just("true".to_owned()),
        "[a-z0-9./:]{0,12}".prop_map(|s| format!("{s:?}")),
    ];
    let inner = prop_oneof![
        Just("ips"),
        Just("interfaces"),
        Just("interface"),
        Just("address"),
        Just("name"),
        Just("dst"),
        Just("gateway"),
        Just("routes"),
        Just("containerID"),
        Just("net.x"),
    ];
    let value = leaf.prop_recursive(3, 12, 3, move |value| {
        let list = proptest::collection::vec(value.clone(), 0..3);
        prop_oneof![
            list.prop_map(|all| format!("[{}]", all.join(","))),
            proptest::collection::vec((inner.clone(), value), 0..3).prop_map(|all| {
                let all: Vec<String> = all.iter().map(|(k, v)| format!("{k:?}:{v}")).collect();
                format!("{{{}}}", all.join(","))
            }),
        ]
    });
    let key = prop_oneof![
        Just("name"),
        Just("mtu"),
        Just("dns"),
        Just("ipam"),
        Just("routes"),
        Just("sysctl"),
        Just("runtimeConfig"),
        Just("prevResult"),
        Just("args"),
        Just("cni.dev/valid-attachments"),
    ];
    proptest::collection::btree_map(key, value, 0..6).prop_map(|fields| {
        let mut text = r#"{"cniVersion":"1.1.0","name":"n","socket":"/nonexistent/agent.sock","stateDir":"/proc/nonexistent","#
            .to_owned();
        for (key, value) in fields {
            text.push_str(&format!("{key:?}:{value},"));
        }
        text + r#""type":"roadbed"}"#
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_stdin_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in nearly()) {
        for program in PROGRAMS {
            for verb in VERBS {
                let _ = run(program, &with(verb), &bytes);
                let (_, outcome) = run(program, &with(verb), text.as_bytes());
                prop_assert!(verb == "VERSION" || outcome.is_err(), "{verb}");
            }
        }
    }

    #[test]
    fn no_environment_makes_it_panic(values in proptest::collection::vec(proptest::option::of(".{0,40}"), 5)) {
        let keys = ["CNI_COMMAND", "CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS", "CNI_ARGS"];
        for program in PROGRAMS {
            for verb in VERBS {
                let lookup = |key: &str| match key {
                    "CNI_COMMAND" => Some(verb.into()),
                    _ => {
                        let at = keys.iter().position(|k| *k == key)?;
                        values[at].clone().map(OsString::from)
                    }
                };
                let _ = run(program, &lookup, br#"{"cniVersion":"1.1.0","name":"n","socket":"/nonexistent/s","stateDir":"/proc/nonexistent"}"#);
            }
        }
    }
}
