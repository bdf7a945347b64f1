use std::path::Path;

use super::{Runner, Topology};

fn parse(text: &str) -> Result<Topology, String> {
    Topology::parse(text, Path::new("/nowhere/t.clab.yml")).map_err(|e| e.to_string())
}

/// A topology around some lines of `nodes:` and `links:`.
fn with(nodes: &str, links: &str) -> String {
    format!("name: t\ntopology:\n  nodes:\n{nodes}  links:\n{links}")
}

const TWO: &str = "    a: { kind: linux }\n    b: { kind: linux }\n";

#[test]
fn the_image_chooses_what_runs() {
    let cases = [
        ("kind: linux, image: 'frrouting/frr:10.2'", "frr"),
        ("kind: linux, image: 'roadbed:latest'", "roadbed"),
        ("kind: linux, image: 'alpine:3'", "host"),
        ("kind: linux", "host"),
        ("kind: frr", "frr"),
        ("kind: roadbed", "roadbed"),
    ];
    for (node, runner) in cases {
        let text = with(&format!("    x: {{ {node} }}\n"), "    []\n");
        assert_eq!(parse(&text).unwrap().nodes["x"].runner.word(), runner, "{node}");
    }
}

#[test]
fn defaults_kinds_and_nodes_are_laid_over_each_other() {
    let text = "
name: t
topology:
  defaults: { kind: linux, env: { A: '1', B: '1' }, exec: [one] }
  kinds:
    linux: { image: 'frrouting/frr', env: { B: '2', C: '2' }, exec: [two] }
  nodes:
    x: { env: { C: '3' }, exec: [three] }
    y: { image: alpine, cmd: sleep 1 }
    z:
";
    let topology = parse(text).unwrap();
    let x = &topology.nodes["x"];
    assert_eq!(x.runner, Runner::Frr);
    assert_eq!(x.exec, ["one", "two", "three"]);
    let env: Vec<_> = x.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(env, ["A=1", "B=2", "C=3"]);
    assert_eq!(topology.nodes["y"].runner, Runner::Host);
    assert_eq!(topology.nodes["y"].cmd.as_deref(), Some("sleep 1"));
    assert_eq!(topology.nodes["z"].exec, ["one", "two"]);
}

#[test]
fn a_label_makes_a_pod() {
    let nodes = "    n: { kind: roadbed }\n    p: { kind: linux, labels: { roadbed.dev/pod-on: n, roadbed.dev/pod-name: web } }\n";
    let topology = parse(&with(nodes, "    []\n")).unwrap();
    assert_eq!(
        topology.nodes["p"].runner,
        Runner::Pod {
            on: "n".into(),
            pod_name: "web".into()
        }
    );
}

#[test]
fn mistakes_are_told_with_their_line() {
    let link = |text: &str| with(TWO, &format!("    - endpoints: {text}\n"));
    let cases = [
        ("nmae: t\n".to_owned(), "t.clab.yml:1:", "nmae"),
        (
            "name: t\ntopology:\n  nodes:\n    a:\n      kind: linux\n      imgae: x\n".into(),
            ":6:",
            "imgae",
        ),
        ("name: t\ntopology:\n  nodes: [\n".into(), "t.clab.yml:", ""),
        ("name: -t\ntopology: {}\n".into(), ":1:", "no good name"),
        (
            with("    a/b: { kind: linux }\n", "    []\n"),
            ":4:",
            "no good name",
        ),
        (
            with("    a: { kind: ceos }\n", "    []\n"),
            ":4:",
            "kind ceos cannot be run here",
        ),
        (with("    a: {}\n", "    []\n"), ":4:", "has no kind"),
        (
            with("    a: { kind: linux, binds: ['/x'] }\n", "    []\n"),
            ":4:",
            "source:destination",
        ),
        (
            with("    a: { kind: linux, binds: ['/:x'] }\n", "    []\n"),
            ":4:",
            "absolute path",
        ),
        (
            with("    a: { kind: linux, binds: ['/:/etc/../x'] }\n", "    []\n"),
            ":4:",
            "absolute path",
        ),
        (
            with("    a: { kind: linux, binds: ['/:/x:rx'] }\n", "    []\n"),
            ":4:",
            "option \"rx\"",
        ),
        (
            with("    a: { kind: linux, binds: ['gone:/x'] }\n", "    []\n"),
            ":4:",
            "/nowhere/gone",
        ),
        (
            with("    a: { kind: linux, startup-config: x }\n", "    []\n"),
            ":4:",
            "runs FRR or roadbed",
        ),
        (
            with(
                "    p: { kind: linux, labels: { roadbed.dev/pod-on: q } }\n",
                "    []\n",
            ),
            ":4:",
            "names no node",
        ),
        (link("['a:eth1']"), ":7:", "two endpoints"),
        (link("['a', 'b:eth1']"), ":7:", "node:interface"),
        (link("['a:eth1', 'c:eth1']"), ":7:", "no node \"c\""),
        (
            link("['a:eth1', 'b:an-interface-name']"),
            ":7:",
            "no interface name",
        ),
        (link("['a:eth1', 'a:eth1']"), ":7:", "used twice"),
    ];
    for (text, place, message) in cases {
        let error = parse(&text).expect_err(&text);
        assert!(
            error.contains(place) && error.contains(message),
            "{text}\n=> {error}"
        );
    }
}

#[test]
fn keys_without_meaning_here_are_warned_of() {
    let text =
        "name: t\nmgmt: { network: x }\ntopology:\n  nodes:\n    a: { kind: linux, ports: ['80:80'] }\n";
    let warnings = parse(text).unwrap().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings[0].contains(":2: mgmt has no meaning") && warnings[1].contains(":5: ports"),
        "{warnings:?}"
    );
}

#[test]
fn the_example_is_read() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/two-racks.clab.yml");
    let topology = Topology::load(&file).unwrap();
    let count = |word| {
        topology
            .nodes
            .values()
            .filter(|n| n.runner.word() == word)
            .count()
    };
    assert_eq!(
        (count("frr"), count("roadbed"), count("pod"), count("host")),
        (2, 4, 4, 2)
    );
    assert_eq!(topology.links.len(), 7);
    assert_eq!(topology.warnings, Vec::<String>::new());
}
