use std::sync::Arc;

use proptest::prelude::*;

use super::*;

fn net(text: &str) -> IpNet {
    text.parse().expect("a prefix")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn rules() -> ServiceRules {
    ServiceRules {
        cluster_ips: vec![net("10.96.0.0/12"), net("fd00:96::/108")],
        external_ips: vec![net("198.51.100.0/24"), net("192.0.2.7/32")],
        load_balancer_ips: vec![
            net("203.0.113.0/24"),
            net("203.0.113.77/32"),
            net("2001:db8:1b::/64"),
        ],
        load_balancer_aggregation: true,
    }
}

fn service(cluster_ip: &str) -> Service {
    Service {
        cluster_ips: vec![ip(cluster_ip)],
        ..Service::default()
    }
}

fn endpoint(node: &str, ipv4: bool) -> EndpointNode {
    let node = node.to_owned();
    EndpointNode { node, ipv4 }
}

/// A cluster with one Service `default/web`, whose endpoints are at these nodes.
fn cluster(service: Service, endpoints: &[EndpointNode]) -> Cluster {
    let name = ObjectName::new("default", "web");
    Cluster {
        synced: true,
        services: Arc::new(BTreeMap::from([(name.clone(), service)])),
        endpoints: Arc::new(BTreeMap::from([(name, endpoints.iter().cloned().collect())])),
        ..Cluster::default()
    }
}

/// What is announced beyond the whole ranges of [`rules`].
fn beyond_ranges(cluster: &Cluster, rules: &ServiceRules) -> Vec<String> {
    let ranges = announce(&Cluster::default(), rules, "a");
    let all = announce(cluster, rules, "a");
    assert!(ranges.keys().all(|range| all.contains_key(range)), "{all:?}");
    all.keys()
        .filter(|prefix| !ranges.contains_key(prefix))
        .map(IpNet::to_string)
        .collect()
}

#[test]
fn ranges_are_announced_by_every_node_but_for_single_addresses() {
    let all = announce(&Cluster::default(), &rules(), "a");
    let prefixes: Vec<String> = all.keys().map(IpNet::to_string).collect();
    let expected = [
        "10.96.0.0/12",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "2001:db8:1b::/64",
        "fd00:96::/108",
    ];
    assert_eq!(prefixes, expected);
    assert_eq!(
        all[&net("10.96.0.0/12")],
        "range of serviceClusterIPs: announced by every node"
    );
}

#[test]
fn nothing_is_announced_where_nothing_is_configured() {
    let mut web = service("10.96.0.1");
    web.external_local = true;
    web.external_ips = vec![ip("198.51.100.1")];
    let cluster = cluster(web, &[endpoint("a", true)]);
    assert_eq!(announce(&cluster, &ServiceRules::default(), "a"), BTreeMap::new());
}

#[test]
fn a_service_of_policy_cluster_is_in_the_ranges() {
    let mut web = service("10.96.0.1");
    web.external_ips = vec![ip("198.51.100.1")];
    web.load_balancer_ips = vec![ip("203.0.113.1")];
    let cluster = cluster(web, &[endpoint("a", true), endpoint("b", true)]);
    assert_eq!(beyond_ranges(&cluster, &rules()), Vec::<String>::new());
}

#[test]
fn a_service_of_policy_local_is_announced_where_its_endpoints_are() {
    let mut web = service("10.96.0.1");
    web.external_local = true;
    web.external_ips = vec![ip("198.51.100.1"), ip("8.8.8.8"), ip("192.0.2.7")];
    web.load_balancer_ips = vec![ip("203.0.113.1"), ip("203.0.113.77"), ip("9.9.9.9")];
    let here = cluster(web.clone(), &[endpoint("a", true)]);
    let expected = [
        "10.96.0.1/32",
        "192.0.2.7/32",
        "198.51.100.1/32",
        "203.0.113.1/32",
        "203.0.113.77/32",
    ];
    assert_eq!(beyond_ranges(&here, &rules()), expected);
    let reason = &announce(&here, &rules(), "a")[&net("203.0.113.1/32")];
    assert_eq!(
        reason,
        "load balancer address of Service default/web: externalTrafficPolicy is Local, and this node has a ready endpoint"
    );
    let elsewhere = cluster(web.clone(), &[endpoint("b", true)]);
    assert_eq!(beyond_ranges(&elsewhere, &rules()), Vec::<String>::new());
    let nowhere = cluster(web, &[]);
    assert_eq!(beyond_ranges(&nowhere, &rules()), Vec::<String>::new());
}

#[test]
fn endpoints_count_for_their_own_family() {
    let mut web = service("10.96.0.1");
    web.cluster_ips.push(ip("fd00:96::1"));
    web.external_local = true;
    web.load_balancer_ips = vec![ip("203.0.113.1"), ip("2001:db8:1b::1")];
    let four = cluster(web.clone(), &[endpoint("a", true), endpoint("b", false)]);
    assert_eq!(beyond_ranges(&four, &rules()), ["10.96.0.1/32", "203.0.113.1/32"]);
    let six = cluster(web.clone(), &[endpoint("a", false)]);
    assert_eq!(
        beyond_ranges(&six, &rules()),
        ["2001:db8:1b::1/128", "fd00:96::1/128"]
    );
    let both = cluster(web, &[endpoint("a", false), endpoint("a", true)]);
    assert_eq!(beyond_ranges(&both, &rules()).len(), 4);
}

#[test]
fn internal_policy_local_is_about_the_cluster_ip_alone() {
    let mut web = service("10.96.0.1");
    web.internal_local = true;
    web.load_balancer_ips = vec![ip("203.0.113.1")];
    let here = cluster(web.clone(), &[endpoint("a", true)]);
    assert_eq!(beyond_ranges(&here, &rules()), ["10.96.0.1/32"]);
    let elsewhere = cluster(web, &[endpoint("b", true)]);
    assert_eq!(beyond_ranges(&elsewhere, &rules()), Vec::<String>::new());
}

#[test]
fn single_addresses_are_announced_where_a_service_has_them() {
    let mut web = service("10.96.0.1");
    web.external_ips = vec![ip("192.0.2.7")];
    let cluster_policy = cluster(web.clone(), &[]);
    assert_eq!(beyond_ranges(&cluster_policy, &rules()), ["192.0.2.7/32"]);
    web.external_local = true;
    let local = cluster(web, &[endpoint("b", true)]);
    assert_eq!(beyond_ranges(&local, &rules()), Vec::<String>::new());
}

#[test]
fn a_single_cluster_ip_is_announced_by_every_node_but_where_local_decides() {
    let rules = ServiceRules {
        cluster_ips: vec![net("10.96.0.10/32")],
        ..ServiceRules::default()
    };
    let announced = |cluster: &Cluster| announce(cluster, &rules, "a").contains_key(&net("10.96.0.10/32"));
    assert!(announced(&cluster(service("10.96.0.10"), &[])));
    assert!(announced(&cluster(service("10.96.0.11"), &[])));
    assert!(
        !announced(&Cluster::default()),
        "not known yet whether Local decides"
    );
    let mut web = service("10.96.0.10");
    web.external_local = true;
    assert!(!announced(&cluster(web.clone(), &[endpoint("b", true)])));
    assert!(announced(&cluster(web, &[endpoint("a", true)])));
}

#[test]
fn without_aggregation_each_load_balancer_address_goes_by_itself() {
    let mut rules = rules();
    rules.load_balancer_aggregation = false;
    let ranges = announce(&Cluster::default(), &rules, "a");
    assert!(!ranges.contains_key(&net("203.0.113.0/24")) && ranges.contains_key(&net("198.51.100.0/24")));
    let mut web = service("10.96.0.1");
    web.load_balancer_ips = vec![ip("203.0.113.1"), ip("9.9.9.9")];
    // Of policy Cluster: every node, as long as anybody serves it.
    assert_eq!(
        beyond_ranges(&cluster(web.clone(), &[endpoint("b", true)]), &rules),
        ["203.0.113.1/32"]
    );
    assert_eq!(
        beyond_ranges(&cluster(web.clone(), &[]), &rules),
        Vec::<String>::new()
    );
    assert_eq!(
        beyond_ranges(&cluster(web.clone(), &[endpoint("b", false)]), &rules),
        Vec::<String>::new()
    );
    web.external_local = true;
    assert_eq!(
        beyond_ranges(&cluster(web, &[endpoint("b", true)]), &rules),
        Vec::<String>::new()
    );
}

#[test]
fn headless_services_have_nothing() {
    let mut web = service("10.96.0.1");
    web.cluster_ips.clear();
    web.external_local = true;
    web.external_ips = vec![ip("198.51.100.1"), ip("192.0.2.7")];
    let cluster = cluster(web, &[endpoint("a", true)]);
    assert_eq!(beyond_ranges(&cluster, &rules()), Vec::<String>::new());
}

#[test]
fn an_excluded_node_announces_nothing() {
    let mut web = service("10.96.0.1");
    web.external_local = true;
    let mut cluster = cluster(web, &[endpoint("a", true)]);
    let mut label = |value: &str| {
        cluster.node_labels = BTreeMap::from([(EXCLUDE.to_owned(), value.to_owned())]);
        announce(&cluster, &rules(), "a").len()
    };
    assert_eq!(label("true"), 0);
    // kubeadm's label on nodes of the control plane.
    assert_eq!(label(""), 6);
}

#[test]
fn nothing_of_services_before_they_are_known() {
    let mut web = service("10.96.0.1");
    web.external_local = true;
    let mut cluster = cluster(web, &[endpoint("a", true)]);
    cluster.synced = false;
    assert_eq!(beyond_ranges(&cluster, &rules()), Vec::<String>::new());
}

#[test]
fn two_services_with_one_address_are_two_reasons() {
    let mut web = service("10.96.0.1");
    web.external_local = true;
    web.external_ips = vec![ip("198.51.100.1")];
    let mut cluster = cluster(web.clone(), &[endpoint("a", true)]);
    web.cluster_ips = vec![ip("10.96.0.2")];
    let other = ObjectName::new("shop", "front");
    Arc::make_mut(&mut cluster.services).insert(other.clone(), web);
    Arc::make_mut(&mut cluster.endpoints).insert(other, BTreeSet::from([endpoint("a", true)]));
    let reason = announce(&cluster, &rules(), "a")[&net("198.51.100.1/32")].clone();
    assert!(
        reason.contains("default/web") && reason.contains("shop/front"),
        "{reason}"
    );
}

#[test]
fn what_is_not_announced_is_explained() {
    let mut web = service("10.96.0.1");
    web.external_ips = vec![ip("8.8.8.8"), ip("198.51.100.1")];
    let cluster = cluster(web, &[]);
    let of = |address: &str| -> Vec<(bool, String)> {
        let rules = rules();
        let verdicts = explain(&cluster, &rules, "a", ip(address)).into_iter();
        verdicts
            .map(|verdict| (verdict.announced, verdict.to_string()))
            .collect()
    };
    let outside = "external address of Service default/web: outside of the ranges of serviceExternalIPs";
    assert_eq!(of("8.8.8.8"), [(false, outside.to_owned())]);
    let whole =
        "external address of Service default/web: every node announces it with the range 198.51.100.0/24";
    assert_eq!(
        of("198.51.100.1"),
        [
            (
                true,
                "range of serviceExternalIPs: announced by every node".to_owned()
            ),
            (false, whole.to_owned())
        ]
    );
}

/// Addresses from a small space, so that they meet ranges and each other.
fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0u8..4, 0u8..8).prop_map(|(a, b)| IpAddr::from([10, 0, a, b])),
        (0u16..4, 0u16..8).prop_map(|(a, b)| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, a, b])),
    ]
}

fn range() -> impl Strategy<Value = IpNet> {
    (address(), 0u8..12).prop_map(|(address, short)| {
        let whole = IpNet::from(address);
        IpNet::new(address, whole.max_prefix_len() - short).expect("short enough")
    })
}

fn any_rules() -> impl Strategy<Value = ServiceRules> {
    let ranges = || proptest::collection::vec(range(), 0..4);
    (ranges(), ranges(), ranges(), any::<bool>()).prop_map(
        |(cluster_ips, external_ips, load_balancer_ips, load_balancer_aggregation)| ServiceRules {
            cluster_ips,
            external_ips,
            load_balancer_ips,
            load_balancer_aggregation,
        },
    )
}

fn any_service() -> impl Strategy<Value = (Service, BTreeSet<EndpointNode>)> {
    let addresses = || proptest::collection::vec(address(), 0..3);
    let endpoints = proptest::collection::btree_set(
        ("[abc]?", any::<bool>()).prop_map(|(node, ipv4)| EndpointNode { node, ipv4 }),
        0..4,
    );
    let flags = (any::<bool>(), any::<bool>());
    (addresses(), addresses(), addresses(), flags, endpoints).prop_map(
        |(cluster_ips, external_ips, load_balancer_ips, (external_local, internal_local), endpoints)| {
            let service = Service {
                cluster_ips,
                external_ips,
                load_balancer_ips,
                external_local,
                internal_local,
                ..Service::default()
            };
            (service, endpoints)
        },
    )
}

fn any_cluster() -> impl Strategy<Value = Cluster> {
    let services = proptest::collection::vec(any_service(), 0..5);
    (services, any::<bool>()).prop_map(|(all, synced)| {
        let names = (0..).map(|n| ObjectName::new("default", format!("s{n}")));
        let all: Vec<_> = names.zip(all).collect();
        Cluster {
            synced,
            services: Arc::new(
                all.iter()
                    .map(|(name, (service, _))| (name.clone(), service.clone()))
                    .collect(),
            ),
            endpoints: Arc::new(
                all.into_iter()
                    .map(|(name, (_, endpoints))| (name, endpoints))
                    .collect(),
            ),
            ..Cluster::default()
        }
    })
}

proptest! {
    /// Whatever people write into Services, nothing leaves the ranges.
    #[test]
    fn nothing_is_announced_outside_of_the_ranges(cluster in any_cluster(), rules in any_rules()) {
        for (prefix, reason) in announce(&cluster, &rules, "a") {
            let within = rules.ranges().any(|range| range.contains(&prefix));
            prop_assert!(within, "{prefix}: {reason}");
            prop_assert!(!reason.is_empty());
        }
    }

    /// A prefix beyond the ranges is one address that a Service has, and where the Service is Local there is an endpoint.
    #[test]
    fn each_single_prefix_has_a_service_that_serves_it_here(cluster in any_cluster(), rules in any_rules()) {
        for prefix in announce(&cluster, &rules, "a").into_keys() {
            if rules.ranges().any(|range| range.trunc() == prefix) {
                continue;
            }
            let address = prefix.addr();
            prop_assert_eq!(prefix, IpNet::from(address));
            let serves = |(name, service): (&ObjectName, &Service)| {
                let has = [&service.cluster_ips, &service.external_ips, &service.load_balancer_ips];
                let here = cluster.endpoints[name].contains(&endpoint("a", address.is_ipv4()));
                has.iter().any(|all| all.contains(&address)) && (here || !service.external_local)
            };
            prop_assert!(cluster.services.iter().any(serves), "{}", prefix);
        }
    }

    /// An address within a range that reaches a Local service is announced by exactly the nodes with endpoints.
    #[test]
    fn local_addresses_go_where_the_endpoints_are(
        (service, endpoints) in any_service(),
        rules in any_rules(),
    ) {
        let service = Service { external_local: true, ..service };
        let endpoints: Vec<EndpointNode> = endpoints.into_iter().collect();
        let cluster = cluster(service.clone(), &endpoints);
        for address in service.external_ips.iter().filter(|_| !service.cluster_ips.is_empty()) {
            let prefix = IpNet::from(*address);
            let within = rules.external_ips.iter().any(|range| range.contains(address));
            let elsewhere = rules.cluster_ips.contains(&prefix)
                || service.cluster_ips.contains(address)
                || service.load_balancer_ips.contains(address);
            if !within || elsewhere {
                continue;
            }
            for node in ["a", "b", "c", "d"] {
                let announced = announce(&cluster, &rules, node).contains_key(&prefix);
                prop_assert_eq!(announced, endpoints.contains(&endpoint(node, address.is_ipv4())));
            }
        }
    }

    /// Nothing of the agent's order matters: the same values make the same announcements on nodes alike.
    #[test]
    fn policy_cluster_is_the_same_on_every_node(cluster in any_cluster(), rules in any_rules()) {
        let mut cluster = cluster;
        for service in Arc::make_mut(&mut cluster.services).values_mut() {
            (service.external_local, service.internal_local) = (false, false);
        }
        prop_assert_eq!(announce(&cluster, &rules, "a"), announce(&cluster, &rules, "z"));
    }

    #[test]
    fn excluded_nodes_are_silent(cluster in any_cluster(), rules in any_rules()) {
        let node_labels = BTreeMap::from([(EXCLUDE.to_owned(), "true".to_owned())]);
        let cluster = Cluster { node_labels, ..cluster };
        prop_assert!(announce(&cluster, &rules, "a").is_empty());
    }
}
