use proptest::prelude::*;

use super::*;

fn notes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn wishes(pod: &[(&str, &str)], namespace: &[(&str, &str)]) -> Result<Wishes, String> {
    let pod = Pod {
        uid: "u".into(),
        annotations: notes(pod),
    };
    let namespace = Namespace {
        labels: notes(&[("team", "blue")]),
        annotations: notes(namespace),
    };
    of(&ObjectName::new("shop", "web-0"), &pod, &namespace)
}

fn pools(pod: &[(&str, &str)], namespace: &[(&str, &str)]) -> Vec<String> {
    wishes(pod, namespace).expect("they make sense").pools
}

#[test]
fn nothing_asked_for() {
    let expected = Wishes {
        namespace_labels: notes(&[("team", "blue")]),
        ..Wishes::default()
    };
    assert_eq!(wishes(&[], &[]), Ok(expected.clone()));
    // What says nothing is as if it were not there.
    assert_eq!(
        wishes(
            &[
                (ADDRESSES, " "),
                (POOLS, ""),
                ("cni.projectcalico.org/ipAddrs", "[]")
            ],
            &[]
        ),
        Ok(expected)
    );
}

#[test]
fn ours() {
    let asked = wishes(
        &[
            (ADDRESSES, "10.244.1.5, 2001:db8::5"),
            (POOLS, "a,b"),
            (MAC, "02-00-5E-10-00-1"),
        ],
        &[],
    );
    let asked = asked.expect("they make sense");
    assert_eq!(asked.addresses.len(), 2);
    assert_eq!(asked.pools, ["a", "b"]);
    assert_eq!(asked.mac.as_deref(), Some("02:00:5e:10:00:01"));
    assert!(!asked.sticky);
}

#[test]
fn calicos() {
    let asked = wishes(
        &[
            ("cni.projectcalico.org/ipAddrs", r#"["10.0.0.1"]"#),
            (
                "cni.projectcalico.org/ipv4pools",
                r#"["default-ipv4-ippool", "10.1.0.0/16"]"#,
            ),
            ("cni.projectcalico.org/ipv6pools", r#"["six"]"#),
            ("cni.projectcalico.org/hwAddr", "1c:0c:0a:c0:ff:ee"),
        ],
        &[],
    );
    let asked = asked.expect("they make sense");
    assert_eq!(asked.addresses, ["10.0.0.1".parse::<IpAddr>().expect("one")]);
    assert_eq!(asked.pools, ["default-ipv4-ippool", "10.1.0.0/16", "six"]);
    assert_eq!(asked.mac.as_deref(), Some("1c:0c:0a:c0:ff:ee"));
}

#[test]
fn stickiness() {
    let sticky = |pod: &[(&str, &str)], namespace: &[(&str, &str)]| wishes(pod, namespace).map(|w| w.sticky);
    assert_eq!(sticky(&[(STICKY, "true")], &[]), Ok(true));
    assert_eq!(sticky(&[], &[(STICKY, "true")]), Ok(true));
    assert_eq!(sticky(&[(STICKY, "false")], &[(STICKY, "true")]), Ok(false));
    assert_eq!(sticky(&[(ADDRESSES, "10.0.0.1")], &[]), Ok(false));
}

#[test]
fn the_nearest_pools_win() {
    const V4: &str = "cni.projectcalico.org/ipv4pools";
    const V6: &str = "cni.projectcalico.org/ipv6pools";
    let (pod_ours, pod_v4) = ((POOLS, "pod"), (V4, r#"["pod4"]"#));
    let (ns_ours, ns_v4, ns_v6) = ((POOLS, "ns"), (V4, r#"["ns4"]"#), (V6, r#"["ns6"]"#));
    for (pod, namespace, expected) in [
        (&[pod_ours, pod_v4][..], &[ns_ours][..], &["pod"][..]),
        (&[pod_v4], &[ns_ours], &["pod4"]),
        (&[pod_v4], &[ns_v4, ns_v6], &["pod4", "ns6"]),
        (&[], &[ns_ours, ns_v4], &["ns"]),
        (&[], &[ns_v4, ns_v6], &["ns4", "ns6"]),
        (&[(V4, "[]")], &[ns_v4], &["ns4"]),
    ] {
        assert_eq!(pools(pod, namespace), expected, "{pod:?} {namespace:?}");
    }
}

#[test]
fn what_makes_no_sense_is_named() {
    for (key, value, needle) in [
        (ADDRESSES, "10.244.1", "\"10.244.1\" is not an IP address"),
        (
            ADDRESSES,
            "10.0.0.1,10.0.0.2",
            "more than one address of a family",
        ),
        (ADDRESSES, "10.0.0.1,", "empty place"),
        (ADDRESSES, "0.0.0.0", "cannot be the address of a pod"),
        ("cni.projectcalico.org/ipAddrs", "10.0.0.1", "not a JSON list"),
        (
            "cni.projectcalico.org/ipv4pools",
            r#"[""]"#,
            "an element is empty",
        ),
        (
            "cni.projectcalico.org/ipAddrsNoIpam",
            r#"["10.0.0.1"]"#,
            "past the pools",
        ),
        (POOLS, "a,,b", "empty place"),
        (STICKY, "yes", "neither"),
        (MAC, "02:00:5e:10:00", "not a hardware address"),
        (MAC, "02:00:5e:10:00:zz", "not a hardware address"),
        (MAC, "02:00:5e:10:00:01:02", "not a hardware address"),
        (MAC, "01:00:5e:00:00:01", "a group address"),
        ("cni.projectcalico.org/hwAddr", "00:00:00:00:00:00", "or zero"),
    ] {
        let error = wishes(&[(key, value)], &[]).expect_err(key);
        assert!(
            error.starts_with(&format!("pod shop/web-0: annotation {key}: ")),
            "{error}"
        );
        assert!(error.contains(needle), "{error}");
    }
    let error = wishes(&[], &[(STICKY, "perhaps")]).expect_err("of the namespace");
    assert!(
        error.starts_with("namespace shop: annotation roadbed.dev/sticky: "),
        "{error}"
    );
}

proptest! {
    /// Whatever is written there, it is taken or refused.
    #[test]
    fn no_text_is_too_odd(text in any::<String>(), json in any::<Vec<String>>()) {
        let json = serde_json::to_string(&json).expect("a list");
        for key in [ADDRESSES, POOLS, STICKY, MAC] {
            let _ = wishes(&[(key, &text)], &[(key, &text)]);
        }
        for key in [CALICO_ADDRESSES, CALICO_POOLS[0], CALICO_MAC] {
            let _ = wishes(&[(key, &text)], &[]);
            let _ = wishes(&[(key, &json)], &[]);
        }
    }
}
