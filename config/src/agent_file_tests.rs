use super::*;

fn read(text: &str, env: &[(&str, &str)]) -> Result<AgentConfig, Vec<String>> {
    let env = env
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    let inputs = Inputs {
        file: Some(("agent.yaml", text)),
        env: &env,
        hostname: "Host-1",
    };
    AgentConfig::read(inputs).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn defaults() {
    let config = read("", &[]).expect("an empty file is fine");
    assert_eq!(config.node_name.as_str(), "host-1");
    assert_eq!(
        config.datastore,
        Datastore::File {
            path: "/etc/roadbed/resources.yaml".into()
        }
    );
    assert_eq!(config.state_dir, PathBuf::from("/var/lib/roadbed"));
    assert_eq!(config.socket, PathBuf::from("/run/roadbed/agent.sock"));
    assert_eq!(config.metrics, Some(SocketAddr::from(([127, 0, 0, 1], 9178))));
    assert_eq!((config.route_protocol, config.repair), (82, true));
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = "nodeName: node-a\ndatastore: {kind: file, path: /a.yaml}\nmetrics: off\nrouteProtocol: 90\nrepair: false\n";
    let config = read(text, &[]).expect("valid");
    assert_eq!(
        (config.metrics, config.route_protocol, config.repair),
        (None, 90, false)
    );
    let env = [
        ("ROADBED_NODE_NAME", "node-b"),
        ("ROADBED_DATASTORE_PATH", "/b"),
        ("HOME", "/"),
        ("ROADBED_PORT_9178_TCP", "x"),
        ("ROADBED_METRICS", "[::1]:1"),
    ];
    let config = read(text, &env).expect("valid");
    assert_eq!(config.node_name.as_str(), "node-b");
    assert_eq!(config.datastore, Datastore::File { path: "/b".into() });
    assert_eq!(config.metrics, "[::1]:1".parse().ok());
}

#[test]
fn every_mistake_is_reported() {
    let text = "nodename: a\ndatastore:\n  kind: file\n  path: relative\n  endpoints: [https://x]\n  colour: red\nsocket: [a]\n\
                routeProtocol: 2\nrepair: perhaps\nmetrics: 9178\n";
    let problems = read(text, &[("ROADBED_SOKET", "/x"), ("ROADBED_STATE_DIR", "x")]).expect_err("mistakes");
    let expected = [
        "agent.yaml:1:1: nodename: unknown key; did you mean nodeName?",
        "agent.yaml:6:3: datastore.colour: unknown key; remove it",
        "agent.yaml:7:9: socket: must be a single value, this is a list",
        "$ROADBED_SOKET: no key of the agent file has this variable; did you mean ROADBED_SOCKET?",
        "agent.yaml:5:14: datastore.endpoints: does not go with kind: file; remove it",
        "agent.yaml:4:9: datastore.path: `relative` is not an absolute path: begin it with /",
        "$ROADBED_STATE_DIR: stateDir: `x` is not an absolute path: begin it with /",
        "agent.yaml:10:10: metrics: `9178` is not an address with a port: 127.0.0.1:9178, or off",
        "agent.yaml:8:16: routeProtocol: `2` is not a number from 5 to 255",
        "agent.yaml:9:9: repair: `perhaps` is not true or false",
    ];
    assert_eq!(problems, expected);
}

#[test]
fn other_datastores_are_named_as_not_built() {
    for kind in ["etcd", "kubernetes"] {
        let problems = read("", &[("ROADBED_DATASTORE_KIND", kind)]).expect_err("not built");
        assert_eq!(
            problems,
            [format!(
                "$ROADBED_DATASTORE_KIND: datastore.kind: {kind} is not built yet; use kind: file"
            )]
        );
    }
}

#[test]
fn variables_follow_the_rule() {
    assert_eq!(variable("datastore.caFile"), "ROADBED_DATASTORE_CA_FILE");
    assert_eq!(variable("nodeName"), "ROADBED_NODE_NAME");
    assert_eq!(variable("metrics"), "ROADBED_METRICS");
}
