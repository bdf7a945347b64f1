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
        ("ROADBED_PORT", "x"),
        ("ROADBED_SERVICE_PORT_METRICS", "x"),
        ("ROADBED_METRICS_SERVICE_HOST", "x"),
        ("ROADBED_METRICS_PORT_9178_TCP_ADDR", "x"),
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
fn variables_follow_the_rule() {
    assert_eq!(variable("datastore.caFile"), "ROADBED_DATASTORE_CA_FILE");
    assert_eq!(variable("nodeName"), "ROADBED_NODE_NAME");
    assert_eq!(variable("metrics"), "ROADBED_METRICS");
}

fn etcd(keys: &str) -> Result<AgentConfig, Vec<String>> {
    read(&format!("datastore:\n  kind: etcd\n{keys}"), &[])
}

#[test]
fn etcd_has_defaults_and_everything_can_be_said() {
    let config =
        etcd("  endpoints: [https://10.0.0.5:2379/, 'https://[2001:db8::0:5]', https://etcd-3.example]\n");
    let Ok(AgentConfig {
        datastore: Datastore::Etcd(settings),
        warnings,
        ..
    }) = config
    else {
        panic!("{config:?}")
    };
    assert_eq!(warnings, []);
    let endpoints = [
        "https://10.0.0.5:2379",
        "https://[2001:db8::5]:2379",
        "https://etcd-3.example:2379",
    ];
    assert_eq!(settings, EtcdSettings::new(endpoints));
    assert_eq!(settings.prefix, "/roadbed");

    let env = [
        ("ROADBED_DATASTORE_KIND", "etcd"),
        ("ROADBED_DATASTORE_ENDPOINTS", "https://a:1, https://b:2"),
        ("ROADBED_DATASTORE_PREFIX", "/east/roadbed"),
        ("ROADBED_DATASTORE_CA_FILE", "/pki/ca.pem"),
        ("ROADBED_DATASTORE_CERT_FILE", "/pki/c.pem"),
        ("ROADBED_DATASTORE_KEY_FILE", "/pki/k.pem"),
        ("ROADBED_DATASTORE_USERNAME", "roadbed"),
        ("ROADBED_DATASTORE_PASSWORD_FILE", "/pki/pw"),
    ];
    let config = read("", &env).expect("valid");
    let json = serde_json::to_value(&config.datastore).expect("serializes");
    assert_eq!(
        json,
        serde_json::json!({
            "kind": "etcd", "endpoints": ["https://a:1", "https://b:2"], "prefix": "/east/roadbed",
            "caFile": "/pki/ca.pem", "certFile": "/pki/c.pem", "keyFile": "/pki/k.pem",
            "username": "roadbed", "passwordFile": "/pki/pw",
        })
    );
    assert_eq!(
        serde_json::from_value::<Datastore>(json).expect("reads"),
        config.datastore
    );
}

#[test]
fn mistakes_about_etcd_are_named() {
    let at = |column: usize, line: usize| format!("agent.yaml:{line}:{column}: datastore.");
    let form = "write https://10.0.0.5:2379 or the like";
    for (endpoint, why) in [
        ("10.0.0.5:2379", "`10.0.0.5:2379` is not a URL"),
        ("ftp://a", "`ftp://a` is neither https nor http"),
        ("https://", "`https://` has no host"),
        ("https://a b:1", "`https://a b:1` has no host"),
        ("https://a:0", "`https://a:0` has no port from 1 to 65535"),
        ("https://a:99999", "`https://a:99999` has no port from 1 to 65535"),
        (
            "https://a/v3?token=secret",
            "`https://a` has more than host and port behind it",
        ),
        ("https://[::1", "`https://[::1` has no `]`"),
        ("https://[x]:1", "`https://[x]:1` has no IPv6 address in [ ]"),
        ("https://[::1]x", "`https://[::1]x` is not a URL"),
    ] {
        let problems = etcd(&format!("  endpoints: ['{endpoint}']\n")).expect_err(endpoint);
        assert_eq!(problems, [format!("{}endpoints: {why}: {form}", at(14, 3))]);
    }
    let secret = etcd("  endpoints: ['https://root:secret@a:2379']\n").expect_err("a password");
    assert!(secret[0].contains("username and passwordFile") && !secret[0].contains("secret"));
    let secret = etcd("  endpoints: ['https://a']\n  password: secret\n").expect_err("a password");
    assert_eq!(
        secret,
        ["agent.yaml:4:3: datastore.password: unknown key; did you mean datastore.passwordFile?"]
    );
    let env = [("ROADBED_DATASTORE_PASSWORD", "secret")];
    assert!(!read("", &env).expect_err("no such variable")[0].contains("secret"));

    for prefix in ["", "roadbed", "/", "/a/", "/a//b", "/a b", "/é"] {
        let problems = etcd(&format!("  endpoints: [https://a]\n  prefix: '{prefix}'\n")).expect_err(prefix);
        assert_eq!(problems.len(), 1, "{prefix}: {problems:?}");
    }
    let problems = etcd(
        "  certFile: /c\n  username: ''\n  path: /x\n  kubeconfig: /k\n  caFile: relative\n  endpoints: [https://a, http://b, https://a:2379]\n",
    );
    let expected = [
        format!("{}path: does not go with kind: etcd; remove it", at(9, 5)),
        format!("{}kubeconfig: does not go with kind: etcd; remove it", at(15, 6)),
        format!(
            "{}endpoints: `https://a:2379` is there twice; remove one",
            at(14, 8)
        ),
        format!(
            "{}endpoints: some are https, some http; write all of them alike",
            at(14, 8)
        ),
        format!(
            "{}caFile: `relative` is not an absolute path: begin it with /",
            at(11, 7)
        ),
        format!("{}username: is empty; write the name, or remove it", at(13, 4)),
        format!(
            "{}certFile: is given without keyFile; write datastore.keyFile too",
            at(13, 3)
        ),
        format!(
            "{}username: is given without passwordFile; write datastore.passwordFile too",
            at(13, 4)
        ),
    ];
    assert_eq!(problems.expect_err("mistakes"), expected);
    let missing = etcd("").expect_err("no endpoints");
    assert_eq!(
        missing,
        [
            "agent settings: datastore.endpoints: is required with kind: etcd; list the URLs of the members, such as [https://10.0.0.5:2379]"
        ]
    );
}

#[test]
fn open_connections_are_warned_about() {
    let config = etcd(
        "  endpoints: [http://a]\n  caFile: /ca\n  certFile: /c\n  keyFile: /k\n  username: u\n  passwordFile: /p\n",
    );
    let warnings: Vec<_> = config.expect("only warnings").warnings;
    let fields: Vec<_> = warnings.iter().map(|warning| warning.field.as_str()).collect();
    assert_eq!(
        fields,
        ["datastore.caFile", "datastore.certFile", "datastore.passwordFile"]
    );
    assert!(warnings.iter().all(|warning| !warning.is_error()));
}

#[test]
fn kubernetes_may_have_a_kubeconfig() {
    let env = |path| {
        [
            ("ROADBED_DATASTORE_KIND", "kubernetes"),
            ("ROADBED_DATASTORE_KUBECONFIG", path),
        ]
    };
    let config = read("", &env("/k")[..1]).expect("valid");
    assert_eq!(
        config.datastore,
        Datastore::Kubernetes(KubernetesSettings::default())
    );
    assert_eq!(config.datastore.kind(), "kubernetes");
    let config = read("", &env("/k")).expect("valid");
    assert_eq!(
        config.datastore,
        Datastore::Kubernetes(KubernetesSettings {
            kubeconfig: Some("/k".into())
        })
    );
    let problems = read("", &env("k")).expect_err("relative");
    assert!(problems[0].contains("absolute path"), "{problems:?}");
    let problems = read("", &[("ROADBED_DATASTORE_KIND", "etc")]).expect_err("no kind");
    assert_eq!(
        problems,
        ["$ROADBED_DATASTORE_KIND: datastore.kind: `etc` is not a datastore; did you mean etcd?"]
    );
}

#[test]
fn a_node_belongs_to_a_kubernetes_or_not() {
    let kubernetes = |text: &str, env: &[(&str, &str)]| {
        let config = read(text, env).expect("valid");
        let warned: Vec<_> = config.warnings.iter().map(ToString::to_string).collect();
        (config.kubernetes.map(|settings| settings.kubeconfig), warned)
    };
    let none = (None, vec![]);
    assert_eq!(kubernetes("", &[]), none);
    // As in a pod: the downward API names the node, the rest is the default.
    let pod = [
        ("ROADBED_NODE_NAME", "ip-10-0-0-7.ec2.internal"),
        ("ROADBED_DATASTORE_KIND", "kubernetes"),
    ];
    assert_eq!(kubernetes("", &pod), (Some(None), vec![]));
    let config = read("nodeName: written", &pod).expect("valid");
    assert_eq!(config.node_name.as_str(), "ip-10-0-0-7.ec2.internal");

    let store = "datastore: {kind: kubernetes, kubeconfig: /k}\n";
    assert_eq!(kubernetes(store, &[]), (Some(Some("/k".into())), vec![]));
    let other = [("ROADBED_KUBERNETES_KUBECONFIG", "/other")];
    assert_eq!(kubernetes(store, &other), (Some(Some("/other".into())), vec![]));
    assert_eq!(
        kubernetes(store, &[("ROADBED_KUBERNETES_ENABLED", "false")]),
        none
    );
    let etcd = "datastore: {kind: etcd, endpoints: [https://a]}\nkubernetes:\n  enabled: true\n";
    assert_eq!(kubernetes(etcd, &[]), (Some(None), vec![]));
    assert_eq!(kubernetes(etcd, &other), (Some(Some("/other".into())), vec![]));
    let idle = "kubernetes:\n  kubeconfig: /k\n";
    let warning = "agent.yaml:2:15: warning: kubernetes.kubeconfig: has no effect: kubernetes.enabled is false; \
                   write kubernetes.enabled: true";
    assert_eq!(kubernetes(idle, &[]), (None, vec![warning.to_owned()]));

    let wrong = "kubernetes: {enabled: yes, kubeconfig: k, enable: true}\n";
    let expected = [
        "agent.yaml:1:43: kubernetes.enable: unknown key; did you mean kubernetes.enabled?",
        "agent.yaml:1:23: kubernetes.enabled: `yes` is not true or false",
        "agent.yaml:1:40: kubernetes.kubeconfig: `k` is not an absolute path: begin it with /",
    ];
    assert_eq!(read(wrong, &[]).expect_err("mistakes"), expected);
}

#[test]
fn routes_go_into_the_kernel_as_written() {
    let routes = |text: &str, env: &[(&str, &str)]| read(text, env).expect("valid").routes;
    assert_eq!(routes("", &[]), RouteSettings::default());
    let written = "nexthopObjects: on\nnexthopCompat: off\nrouteMetric: 1024\nrouteTable: 100\nmaxRoutes: 5000\nresilientBuckets: 128\n";
    let expected = RouteSettings {
        nexthop_objects: NexthopObjects::On,
        nexthop_compat: NexthopCompat::Off,
        route_metric: Some(1024),
        route_table: 100,
        max_routes: Some(5000),
        resilient_buckets: Some(128),
    };
    assert_eq!(routes(written, &[]), expected);
    let env = [
        ("ROADBED_NEXTHOP_OBJECTS", "off"),
        ("ROADBED_ROUTE_TABLE", "main"),
        ("ROADBED_MAX_ROUTES", "off"),
        ("ROADBED_RESILIENT_BUCKETS", "off"),
    ];
    let changed = RouteSettings {
        nexthop_objects: NexthopObjects::Off,
        route_table: MAIN_TABLE,
        max_routes: None,
        resilient_buckets: None,
        ..expected
    };
    assert_eq!(routes(written, &env), changed);

    let wrong = "nexthopObjects: onn\nnexthopCompat: on\nrouteMetric: 0\nrouteTable: 255\nmaxRoutes: none\nresilientBuckets: 1\n";
    let expected = [
        "agent.yaml:1:17: nexthopObjects: `onn` is none of auto, on, off; did you mean on?",
        "agent.yaml:2:16: nexthopCompat: `on` is none of keep, off",
        "agent.yaml:3:14: routeMetric: `0` is not a number from 1 to 2147483646",
        "agent.yaml:4:13: routeTable: table 255 (local) belongs to the kernel: write main, or another number",
        "agent.yaml:5:12: maxRoutes: `none` is not a number from 1, or off",
        "agent.yaml:6:19: resilientBuckets: `1` is not a number from 2 to 65535, or off",
    ];
    assert_eq!(read(wrong, &[]).expect_err("mistakes"), expected);
}

/// The probes of `Auto` have routes of their own, which another writer would fight over.
#[test]
fn what_the_probes_use_is_not_to_be_had() {
    let wrong = "routeProtocol: 83\nrouteTable: 21058\n";
    let expected = [
        "agent.yaml:1:16: routeProtocol: 83 marks the routes of Auto's probes: write another number",
        "agent.yaml:2:13: routeTable: table 21058 holds the routes of Auto's probes: write main, or another number",
    ];
    assert_eq!(read(wrong, &[]).expect_err("mistakes"), expected);
}
