//! Against a real etcd.

use config::EtcdSettings;
use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use etcd_testbed::{Cluster, Options};
use store::calico::{Error, Report, Snapshot, read_etcd};

use crate::{check, data, runtime};

/// Settings as an operator would give them.
fn settings(cluster: &Cluster, password_file: Option<&std::path::Path>) -> EtcdSettings {
    let files = cluster.client_paths();
    EtcdSettings {
        ca_file: files.map(|files| files.ca.clone()),
        cert_file: files.map(|files| files.cert.clone()),
        key_file: files.map(|files| files.key.clone()),
        username: cluster.credentials().map(|(user, _)| user.clone()),
        password_file: password_file.map(Into::into),
        ..EtcdSettings::new(cluster.endpoints())
    }
}

/// Writes pairs as their owner.
async fn fill(cluster: &Cluster, pairs: Vec<(String, String)>) {
    let mut options = ConnectOptions::new();
    if let Some((user, password)) = cluster.credentials() {
        options = options.with_user(user, password);
    }
    if let Some(files) = cluster.client_paths() {
        let read = |path| std::fs::read(path).expect("a certificate");
        let identity = Identity::from_pem(read(&files.cert), read(&files.key));
        let tls = TlsOptions::new()
            .ca_certificate(Certificate::from_pem(read(&files.ca)))
            .identity(identity);
        options = options.with_tls(tls);
    }
    let mut client = Client::connect(cluster.endpoints(), Some(options))
        .await
        .expect("a client");
    for (key, value) in pairs {
        client.put(key, value, None).await.expect("a write");
    }
}

fn read(cluster: &Cluster, pairs: Vec<(String, String)>) -> Result<Snapshot, Error> {
    runtime().block_on(async {
        fill(cluster, pairs).await;
        read_etcd(&settings(cluster, None)).await
    })
}

#[test]
fn a_cluster_in_etcd_is_reported() {
    let cluster = Cluster::start(Options::default());
    let snapshot = read(&cluster, data::etcd()).expect("read");
    assert_eq!(snapshot.unreadable, []);
    let report = Report::new(&snapshot);
    check(&report);
    assert_eq!(report.source, format!("etcd {}", cluster.endpoint(0)));
}

#[test]
fn reading_writes_nothing() {
    let cluster = Cluster::start(Options::default());
    runtime().block_on(fill(&cluster, data::etcd()));
    let before = cluster.revision();
    runtime()
        .block_on(read_etcd(&settings(&cluster, None)))
        .expect("read");
    assert_eq!(cluster.revision(), before);
}

#[test]
fn damaged_values_are_named_and_the_rest_is_read() {
    let cluster = Cluster::start(Options::default());
    let root = "/calico/resources/v3/projectcalico.org";
    let mut pairs = data::etcd();
    let whole = pairs.len();
    pairs.extend(
        [
            (format!("{root}/ippools/torn"), "{\"spec\":"),
            (format!("{root}/bgppeers/list"), "[]"),
            (format!("{root}/a/b/c/d/e"), "{}"),
            (
                "/calico/ipam/v2/assignment/ipv4/block/10.244.9.0-26".into(),
                "no JSON",
            ),
            (
                "/calico/ipam/v2/assignment/ipv4/block/10.244.9.64-26".into(),
                "{\"cidr\":\"10.244.0.0/26\"}",
            ),
            ("/calico/ipam/v2/assignment/ipv4/block/nothing".into(), "{}"),
            (
                "/calico/ipam/v2/host/node-a/ipv4/block/10.244.9.0-26".into(),
                "{\"state\":\"odd\"}",
            ),
        ]
        .map(|(key, value)| (key, value.to_owned())),
    );
    let damaged: Vec<String> = pairs[whole..].iter().map(|(key, _)| key.clone()).collect();
    let snapshot = read(&cluster, pairs).expect("read");
    let mut found: Vec<String> = snapshot.unreadable.iter().map(|u| u.key.clone()).collect();
    let mut expected = damaged;
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let report = Report::new(&snapshot);
    assert_eq!((report.ipam.blocks, report.summary.unreadable), (9, 7));
    check(&report);
}

#[test]
fn many_blocks_are_read_in_pages() {
    let cluster = Cluster::start(Options::default());
    let mut pairs = data::etcd();
    let empty = data::block(&("10.0.0.0/30", Some("host:node-a"), vec![]));
    // Two full pages and a bit, with what is there.
    for index in 0..205u16 {
        let cidr = format!("10.1.{}.{}", index / 64, index % 64 * 4);
        let mut block = empty.clone();
        block["cidr"] = format!("{cidr}/30").into();
        pairs.push((
            format!("/calico/ipam/v2/assignment/ipv4/block/{cidr}-30"),
            block.to_string(),
        ));
    }
    let snapshot = read(&cluster, pairs).expect("read");
    assert_eq!((snapshot.blocks.len(), snapshot.unreadable.len()), (214, 0));
    let mut ranges: Vec<_> = snapshot.blocks.iter().map(|block| block.cidr).collect();
    ranges.dedup();
    assert_eq!(ranges.len(), 214);
}

#[test]
fn certificates_users_and_their_absence() {
    let auth = Some(("reader".to_owned(), "not to be seen".to_owned()));
    let cluster = Cluster::start(Options {
        tls: true,
        auth,
        ..Options::default()
    });
    let password = tempfile::NamedTempFile::new().expect("a file");
    let write = |text: &str| std::fs::write(password.path(), text).expect("written");
    write("not to be seen\n");
    let good = settings(&cluster, Some(password.path()));
    runtime().block_on(fill(&cluster, data::etcd()));
    let snapshot = runtime().block_on(read_etcd(&good)).expect("read");
    check(&Report::new(&snapshot));

    write("another one");
    let said = runtime()
        .block_on(read_etcd(&good))
        .expect_err("a wrong password")
        .to_string();
    assert!(said.contains("--password-file"), "{said}");
    assert!(
        !said.contains("another one") && !said.contains("not to be seen"),
        "{said}"
    );
    let without = EtcdSettings {
        cert_file: None,
        key_file: None,
        ..good.clone()
    };
    let said = runtime()
        .block_on(read_etcd(&without))
        .expect_err("no client certificate")
        .to_string();
    assert!(said.contains("client certificate"), "{said}");
    let missing = EtcdSettings {
        ca_file: Some("/nonexistent/ca.pem".into()),
        ..good
    };
    let said = runtime()
        .block_on(read_etcd(&missing))
        .expect_err("no such file")
        .to_string();
    assert!(said.starts_with("/nonexistent/ca.pem: cannot be read"), "{said}");
}

#[test]
fn what_is_not_there_is_said() {
    let cluster = Cluster::start(Options::default());
    let said = read(&cluster, vec![]).expect_err("nothing").to_string();
    assert!(
        said.contains("no data of Calico's") && said.contains("--kubeconfig"),
        "{said}"
    );
    let old = vec![(
        "/calico/v1/ipam/v4/pool/192.168.0.0-16".to_owned(),
        "{}".to_owned(),
    )];
    let said = read(&cluster, old).expect_err("too old").to_string();
    assert!(said.contains("before version 3"), "{said}");
    let nobody = EtcdSettings::new(["http://127.0.0.1:1"]);
    let said = runtime()
        .block_on(read_etcd(&nobody))
        .expect_err("nobody")
        .to_string();
    assert!(
        said.contains("127.0.0.1:1") && said.contains("check the endpoints"),
        "{said}"
    );
}
