//! Claims of one node: the transaction itself, the whole way from a pod that waits to its address, and a bare etcd
//! transaction of the same size on the same cluster.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use etcd_testbed::{Cluster, Options};
use ipam::keeper::{self, KeeperSettings};
use ipam::{Ipam, LocalRules, Owner, PoolRule, Request};
use ipam_proof::counted::{Counts, median};
use ipam_proof::{bare, follower, play, scene};

use crate::report::{millis, ratio};

/// Claims so many blocks.
pub fn run(blocks: usize) {
    let cluster = Cluster::start(Options {
        members: 3,
        ..Options::default()
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime
        .expect("a runtime can be built")
        .block_on(claims(cluster.endpoints(), blocks));
}

async fn claims(endpoints: Vec<String>, blocks: usize) {
    let counts = Arc::new(Counts::default());
    let store = play::client(&endpoints, &counts, 0);
    scene::write(&*store, 1).await.expect("the cluster is healthy");
    let views = keeper::follow(follower::inputs(store.clone(), Duration::ZERO));
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let ipam = Arc::new(Ipam::open(folder.path()).expect("a ledger can be made"));
    ipam.set_rules(rules());
    let settings = KeeperSettings::new(scene::node_name(0), true);
    let handle = keeper::start_on(ipam.clone(), store, views, settings);
    let mut waits = Vec::new();
    let mut pod = 0;
    while ipam.blocks().len() < blocks {
        pod += 1;
        waits.extend(add(&ipam, pod).await);
    }
    let commits = handle
        .status()
        .borrow()
        .commits_by_kind
        .get("claim")
        .copied()
        .unwrap_or_default();
    let sample = counts.sample().expect("blocks were claimed");
    let bare = bare::times(&endpoints, &sample, blocks)
        .await
        .expect("the cluster is healthy");
    let (claim, bare) = (median(counts.claim_times()), median(bare));
    println!("{:<58} {commits}", "claims");
    println!("{:<58} median {:>8.3} ms", "a claim's transaction", millis(claim));
    println!(
        "{:<58} median {:>8.3} ms",
        "a bare etcd transaction of its size",
        millis(bare)
    );
    ratio("claim / bare", claim, bare);
    println!(
        "{:<58} median {:>8.3} ms",
        "a pod that waits for a block, until it has its address",
        millis(median(waits))
    );
}

/// One pod; how long it waited, if it had to wait for a block.
async fn add(ipam: &Arc<Ipam>, pod: usize) -> Option<Duration> {
    let request = Request {
        owner: Owner::new(format!("pod-{pod}"), "eth0"),
        network: "pods".to_owned(),
        pod: None,
        netns: String::new(),
        host_ifname: "rb0".to_owned(),
        wanted: Vec::new(),
        pools: vec!["pods".to_owned()],
        sticky: None,
    };
    let mut since = None;
    loop {
        let (ledger, asked) = (ipam.clone(), request.clone());
        let answer = tokio::task::spawn_blocking(move || ledger.assign(&asked, SystemTime::now()));
        match answer.await.expect("assigning does not panic") {
            Ok(_) => return since.map(|since: Instant| since.elapsed()),
            Err(error) => {
                since.get_or_insert_with(Instant::now);
                let until = SystemTime::now() + Duration::from_secs(10);
                error.wants().into_iter().for_each(|want| ipam.want(want, until));
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn rules() -> LocalRules {
    let (name, cidr, _) = scene::POOLS[0];
    LocalRules {
        cool_down: Duration::from_secs(1),
        reserved: Vec::new(),
        pools: vec![PoolRule {
            name: name.to_owned(),
            cidr: cidr.parse().expect("a prefix"),
            open: true,
            automatic: true,
        }],
        shared_out: true,
    }
}
