//! The keys of the agent file and their variables.

/// Every key, with what it says and its default, for the manual.
pub const KEYS: &[(&str, &str)] = &[
    (
        "nodeName",
        "Name of this node's Node resource. Default: the hostname.",
    ),
    (
        "datastore.kind",
        "`file` (default), `etcd` or `kubernetes`. The other keys of `datastore` go with one kind each.",
    ),
    (
        "datastore.path",
        "kind `file`: a YAML file, or a folder of `*.yaml`. Default /etc/roadbed/resources.yaml.",
    ),
    (
        "datastore.endpoints",
        "kind `etcd`, required: list of URLs of its members, all `https://` or all `http://`; port 2379 where none is written. The next one is asked where one does not answer.",
    ),
    (
        "datastore.prefix",
        "kind `etcd`: prefix of all keys, begins with `/` and does not end with it. Default /roadbed. Two clusters in one etcd have different ones.",
    ),
    (
        "datastore.caFile",
        "kind `etcd`: PEM file with the certificates that the members' are checked against.",
    ),
    (
        "datastore.certFile",
        "kind `etcd`: PEM file with the client certificate. Together with `keyFile`.",
    ),
    (
        "datastore.keyFile",
        "kind `etcd`: PEM file with the key of the client certificate.",
    ),
    (
        "datastore.username",
        "kind `etcd`: user name. Together with `passwordFile`.",
    ),
    (
        "datastore.passwordFile",
        "kind `etcd`: file with the password, a line break at its end left away. There is no key for the password itself.",
    ),
    (
        "datastore.kubeconfig",
        "kind `kubernetes`: path of a kubeconfig. Default: the service account of the pod that the agent runs in.",
    ),
    (
        "kubernetes.enabled",
        "Whether this node belongs to a Kubernetes whose services, annotations of pods and Nodes are looked at and written to. Default: true with `datastore.kind: kubernetes`, else false.",
    ),
    (
        "kubernetes.kubeconfig",
        "Path of the kubeconfig for that. Default: `datastore.kubeconfig`, else the service account of the pod that the agent runs in.",
    ),
    (
        "stateDir",
        "Folder of the address ledger and of the last good intent. Default /var/lib/roadbed.",
    ),
    (
        "socket",
        "Unix socket of the API. Default /run/roadbed/agent.sock.",
    ),
    (
        "metrics",
        "Address of /metrics, /healthz and /readyz. Default 127.0.0.1:9178; `off` for none.",
    ),
    (
        "routeProtocol",
        "Routing protocol number of our routes, 5 to 255 but for 83, which marks those of `Auto`'s probes. Default 82.",
    ),
    (
        "nexthopObjects",
        "Whether routes refer to nexthop objects of the kernel: `auto` (default), `on`, or `off` for plain routes. `status` says which form is in use.",
    ),
    (
        "nexthopCompat",
        "`keep` (default) leaves the sysctl `net.ipv4.nexthop_compat_mode` as it is. `off` sets it to 0: a next hop that moves costs one write however many routes refer to it, and other programs see these routes with the id of the object alone.",
    ),
    (
        "resilientBuckets",
        "Buckets of the groups of next hops where a route has several (2 to 65535, many times their number, such as 128): when one comes or goes, only flows that must move do. Needs nexthop objects. Default `off`: ordinary groups.",
    ),
    (
        "routeMetric",
        "Metric of learned routes on this node, 1 to 2147483646. Default: `ipv4NormalRoutePriority` and `ipv6NormalRoutePriority` of the BGPConfiguration, else 1082.",
    ),
    (
        "routeTable",
        "Routing table of our routes: `main` (default), or a number. For another one than `main` you make the rule that leads to it (`ip rule`).",
    ),
    (
        "maxRoutes",
        "The most learned routes that go into the kernel; what is beyond is held back and said in `status`. Default `off`: no limit.",
    ),
    (
        "repair",
        "Whether drift in the kernel is repaired. Default true; false is for tests.",
    ),
];

/// The variable of a key: `datastore.caFile` → `ROADBED_DATASTORE_CA_FILE`.
pub fn variable(key: &str) -> String {
    let mut name = String::from("ROADBED_");
    for c in key.chars() {
        match c {
            '.' => name.push('_'),
            c if c.is_ascii_uppercase() => {
                name.push('_');
                name.push(c);
            }
            c => name.push(c.to_ascii_uppercase()),
        }
    }
    name
}
