//! The harness itself: that clusters come up as asked, fail as told, and leave nothing behind.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use etcd_testbed::{Cluster, Options, Place};

fn namespaces_of_this_process() -> Vec<String> {
    let mark = format!("etcd-{}-", std::process::id());
    let Ok(entries) = std::fs::read_dir("/run/netns") else {
        return Vec::new();
    };
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(&mark)).collect()
}

#[test]
fn one_plain_member_answers() {
    let cluster = Cluster::start(Options::default());
    cluster.must(&["put", "/a", "1"]);
    assert_eq!(cluster.must(&["get", "/a", "--print-value-only"]).trim(), "1");
    assert_eq!(cluster.await_leader(), 0);
    assert_eq!(cluster.compact(), cluster.revision());
}

#[test]
fn three_members_on_loopback_trust_each_other() {
    let cluster = Cluster::start(Options {
        members: 3,
        tls: true,
        ..Options::default()
    });
    cluster.must(&["put", "/a", "1"]);
}

#[test]
fn two_clusters_at_once_know_nothing_of_each_other() {
    let (one, two) = (
        Cluster::start(Options::default()),
        Cluster::start(Options::default()),
    );
    one.must(&["put", "/a", "1"]);
    assert_eq!(two.must(&["get", "/a"]), "");
    assert_ne!(one.endpoints(), two.endpoints());
}

#[test]
fn three_members_with_tls_and_a_user_survive_their_leader_and_leave_nothing() {
    let auth = Some(("roadbed".to_owned(), "pass word".to_owned()));
    let mut cluster = Cluster::start(Options {
        members: 3,
        tls: true,
        auth,
        place: Place::Namespaces,
        ..Options::default()
    });
    let dir = cluster
        .client_paths()
        .expect("tls")
        .ca
        .parent()
        .expect("a folder")
        .to_owned();
    cluster.must(&["put", "/a", "1"]);
    let first = cluster.await_leader();
    cluster.kill(first);
    let second = cluster.await_leader();
    assert_ne!(first, second);
    cluster.must(&["put", "/a", "2"]);
    cluster.restart(first);
    cluster.await_healthy();
    let second = cluster.await_leader();
    cluster.cut(second);
    let third = cluster.await_leader();
    assert_ne!(second, third);
    cluster.must(&["put", "/a", "3"]);
    cluster.heal(second);
    cluster.await_healthy();
    cluster.isolate(third);
    let fourth = cluster.await_leader();
    assert_ne!(fourth, third);
    cluster.must(&["put", "/a", "3"]);
    cluster.rejoin(third);
    cluster.await_healthy();
    let third = cluster.await_leader();
    cluster.pause(third);
    assert_ne!(cluster.await_leader(), third);
    cluster.resume(third);
    cluster.await_healthy();
    assert_eq!(cluster.must(&["get", "/a", "--print-value-only"]).trim(), "3");
    drop(cluster);
    assert_eq!(namespaces_of_this_process(), Vec::<String>::new());
    assert!(!dir.exists());
}

#[test]
fn a_client_without_the_right_password_is_refused() {
    let auth = Some(("root".to_owned(), "secret".to_owned()));
    let cluster = Cluster::start(Options {
        auth,
        ..Options::default()
    });
    cluster.must(&["put", "/a", "1"]);
    let refused = cluster.etcdctl(&["--user=root:other", "get", "/a"]);
    assert!(
        refused.is_err_and(|e| e.contains("authentication failed")),
        "a wrong password was taken"
    );
}

#[test]
fn a_panic_takes_the_members_away_too() {
    let endpoint = std::panic::catch_unwind(|| {
        let cluster = Cluster::start(Options::default());
        std::panic::panic_any(cluster.endpoint(0));
    });
    let endpoint = *endpoint
        .expect_err("it panics")
        .downcast::<String>()
        .expect("the endpoint");
    await_silence(&endpoint);
}

/// Set for the process that is killed below; it starts a cluster and says where.
const VICTIM: &str = "ETCD_TESTBED_VICTIM";

#[test]
fn a_killed_test_leaves_nothing() {
    if std::env::var_os(VICTIM).is_some() {
        let cluster = Cluster::start(Options::default());
        println!("\nat {}", cluster.endpoint(0));
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let mut victim = Command::new(std::env::current_exe().expect("a test has a file"))
        .args(["--exact", "--nocapture", "a_killed_test_leaves_nothing"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test starts again");
    let lines = BufReader::new(victim.stdout.take().expect("piped")).lines();
    let mut said = lines.filter_map(|line| line.ok()?.strip_prefix("at ").map(str::to_owned));
    let endpoint = said.next();
    victim.kill().expect("it runs");
    victim.wait().expect("it runs");
    await_silence(&endpoint.expect("the cluster came up"));
}

fn await_silence(endpoint: &str) {
    let address = endpoint.trim_start_matches("http://").to_owned();
    let start = Instant::now();
    while std::net::TcpStream::connect(&address).is_ok() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{address} still answers"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
