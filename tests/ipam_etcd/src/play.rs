//! The play: the cluster, the nodes, the faults, and the verdict.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use config::EtcdSettings;
use datastore::Datastore;
use etcd_testbed::{Cluster, Options, Place};
use nix::sched::{CloneFlags, setns};
use store::etcd::EtcdStore;
use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::counted::{Counted, Counts, median};
use crate::faults::{self, MemberFaults, NodeFaults};
use crate::figures::Figures;
use crate::node::{Control, Group, Node, Totals};
use crate::registry::Registry;
use crate::scene::{self, Scale};
use crate::{bare, follower, history, verdict};

const PREFIX: &str = "/roadbed";
/// Views are followed so many times, each later than the others, and shared by some nodes.
const GROUPS: usize = 4;
/// For everything to be as it has to be once all members are healthy again.
const SETTLE: Duration = Duration::from_secs(120);

/// What the two threads tell each other.
#[derive(Default)]
struct Signals {
    /// Members are to be made to fail.
    faults: AtomicBool,
    /// Enough of it.
    enough: AtomicBool,
    /// All members are healthy again.
    healthy: AtomicBool,
}

/// Plays it.
///
/// # Panics
/// Whatever does not hold.
pub fn run(scale: &Scale) -> Figures {
    let mut cluster = Cluster::start(Options {
        members: 3,
        place: Place::Namespaces,
        ..Options::default()
    });
    let endpoints = cluster.endpoints();
    let namespace = cluster.client_namespace().expect("it was asked for").to_owned();
    let signals = Signals::default();
    std::thread::scope(|scope| {
        let nodes = scope.spawn(|| {
            let end = EndOfFaults(&signals);
            enter(&namespace);
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(4)
                .enable_all()
                .build();
            let runtime = runtime.expect("a runtime can be built");
            let figures = runtime.block_on(nodes(scale, endpoints, &signals));
            drop(end);
            figures
        });
        while !signals.faults.load(Ordering::SeqCst) && !signals.enough.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let members = match scale.faults {
            true => faults::members(&mut cluster, &signals.enough, scale.seed),
            false => MemberFaults::default(),
        };
        signals.healthy.store(true, Ordering::SeqCst);
        let figures = nodes
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Figures { members, ..figures }
    })
}

/// Ends the faults when the other thread ends, also by a panic.
struct EndOfFaults<'a>(&'a Signals);

impl Drop for EndOfFaults<'_> {
    fn drop(&mut self) {
        self.0.enough.store(true, Ordering::SeqCst);
    }
}

/// This thread, and the threads that it starts, from now on in the clients' network namespace.
fn enter(namespace: &str) {
    let path = format!("/run/netns/{namespace}");
    let file = File::open(&path).unwrap_or_else(|e| panic!("cannot open {path}: {e}"));
    setns(file, CloneFlags::CLONE_NEWNET).unwrap_or_else(|e| panic!("cannot enter {path}: {e}"));
}

/// A client of the cluster.
fn connect(endpoints: &[String]) -> Arc<dyn Datastore> {
    let settings = EtcdSettings {
        endpoints: endpoints.to_vec(),
        prefix: PREFIX.to_owned(),
        ca_file: None,
        cert_file: None,
        key_file: None,
        username: None,
        password_file: None,
    };
    Arc::new(EtcdStore::connect(&settings).expect("the settings are right"))
}

async fn nodes(scale: &Scale, endpoints: Vec<String>, signals: &Signals) -> Figures {
    let counts = Arc::new(Counts::default());
    let mut chance = Chance::new(scale.seed);
    let groups: Vec<Group> = (0..GROUPS)
        .map(|number| group(&endpoints, &counts, number))
        .collect();
    let plain = connect(&endpoints);
    scene::write(&*plain, scale.nodes)
        .await
        .expect("the cluster is healthy");

    let (end_of_history, history_ends) = tokio::sync::watch::channel(None);
    let witness = history::follow(endpoints.clone(), PREFIX.to_owned(), history_ends);
    let witness = tokio::spawn(witness);
    let registry = Arc::new(Registry::default());
    let folders = folder();
    let begun = Instant::now();
    let mut running = JoinSet::new();
    let mut controls = Vec::new();
    for number in 0..scale.nodes {
        let name = scene::node_name(number);
        let folder = folders.path().join(name.as_str());
        let control = Arc::new(Control::new(name, scale.blocks_per_node()));
        let group = groups[number % GROUPS].with_own_client(&endpoints, &counts, number);
        let node = Node::new(control.clone(), group, folder, registry.clone(), chance.draw());
        controls.push(control.clone());
        running.spawn(node.run());
        if number == 0 {
            // As clusters begin: one node is first, and writes down how the pools are laid out.
            wait_until_content(&[control], begun, Duration::ZERO).await;
        }
    }

    signals.faults.store(true, Ordering::SeqCst);
    let deaths = scale.nodes / 50;
    let mut mishaps = NodeFaults::default();
    if scale.faults {
        let end = Instant::now() + scale.faults_for;
        mishaps = faults::nodes(&controls, &*plain, end, deaths, chance.draw()).await;
    }
    wait_until_content(&controls, begun, scale.faults_for).await;
    signals.enough.store(true, Ordering::SeqCst);
    while !signals.healthy.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Nodes that were drained or reborn at the end have to get their blocks back.
    wait_until_content(&controls, begun, Duration::ZERO).await;
    controls
        .iter()
        .for_each(|control| control.stop.store(true, Ordering::SeqCst));
    let nodes: Vec<Node> = running.join_all().await;

    settle(&nodes, &*plain).await;
    let wrong = verdict::broken(&nodes, &registry);
    assert!(
        wrong.is_empty(),
        "{} things are wrong: {:#?}",
        wrong.len(),
        first(&wrong)
    );
    let took = begun.elapsed();
    let revision = history::mark_end(&endpoints, PREFIX)
        .await
        .expect("the cluster is healthy");
    end_of_history.send_replace(Some(revision));
    let history = tokio::time::timeout(SETTLE, witness).await;
    let history = history
        .expect("the witness reaches the end")
        .expect("it does not panic");
    assert!(history.wrong.is_empty(), "{:#?}", first(&history.wrong));
    assert_eq!(
        history.blocks.len(),
        owned(&nodes),
        "the witness and the ledgers agree"
    );

    let sample = counts.sample().expect("blocks were claimed");
    let bare = bare::times(&endpoints, &sample, 300)
        .await
        .expect("the cluster is healthy");
    Figures {
        nodes: scale.nodes,
        blocks: owned(&nodes),
        pods: registry.counts(),
        took,
        operations: counts.operations(),
        listings: counts.lists.load(Ordering::Relaxed),
        totals: totals(&nodes),
        history,
        members: MemberFaults::default(),
        mishaps,
        claim: median(counts.claim_times()),
        bare: median(bare),
    }
}

/// A client and its views; each group starts at another member and is behind by another time.
fn group(endpoints: &[String], counts: &Arc<Counts>, number: usize) -> Group {
    let store = client(endpoints, counts, number);
    let lag = Duration::from_millis([20, 40, 80, 150][number % 4]);
    let views = ipam::keeper::follow(follower::inputs(store.clone(), lag));
    Group { store, views }
}

impl Group {
    /// The same views, and a client of its own.
    fn with_own_client(&self, endpoints: &[String], counts: &Arc<Counts>, number: usize) -> Group {
        Group {
            store: client(endpoints, counts, number),
            views: self.views.clone(),
        }
    }
}

/// A client that starts at another member for another number.
pub fn client(endpoints: &[String], counts: &Arc<Counts>, number: usize) -> Arc<dyn Datastore> {
    let mut endpoints = endpoints.to_vec();
    let first = number % endpoints.len();
    endpoints.rotate_left(first);
    Arc::new(Counted::new(connect(&endpoints), counts.clone()))
}

/// Ledgers are fsynced; where memory has a file system, two hundred of them do not wait for one disk.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    folder.expect("a temporary folder can be made")
}

async fn wait_until_content(controls: &[Arc<Control>], begun: Instant, at_least: Duration) {
    let deadline = begun + at_least + Duration::from_secs(900);
    let still = AtomicUsize::new(usize::MAX);
    loop {
        let alive = controls.iter().filter(|c| !c.dead.load(Ordering::SeqCst));
        let wanting = alive.filter(|c| !c.content.load(Ordering::SeqCst)).count();
        if wanting == 0 && begun.elapsed() >= at_least {
            return;
        }
        if std::env::var_os("IPAM_VERBOSE").is_some() && still.swap(wanting, Ordering::SeqCst) != wanting {
            println!(
                "{:.1} s: {wanting} nodes want blocks",
                begun.elapsed().as_secs_f64()
            );
        }
        assert!(
            Instant::now() < deadline,
            "{wanting} nodes do not get their blocks"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn settle(nodes: &[Node], store: &dyn Datastore) {
    let deadline = Instant::now() + SETTLE;
    loop {
        let wrong = verdict::unsettled(nodes, store).await;
        if wrong.is_empty() {
            return;
        }
        let troubles: Vec<_> = nodes
            .iter()
            .filter_map(Node::status)
            .flat_map(|s| s.troubles.clone())
            .collect();
        assert!(
            Instant::now() < deadline,
            "{} differences: {:#?}; troubles: {:#?}",
            wrong.len(),
            first(&wrong),
            troubles.iter().take(10).collect::<Vec<_>>()
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn first(wrong: &[String]) -> &[String] {
    &wrong[..wrong.len().min(20)]
}

fn owned(nodes: &[Node]) -> usize {
    nodes
        .iter()
        .filter_map(Node::ipam)
        .map(|ipam| ipam.blocks().len())
        .sum()
}

fn totals(nodes: &[Node]) -> Totals {
    let now = |node: &Node| {
        let mut totals = node.past;
        if let Some(status) = node.status() {
            totals.add(&status);
        }
        totals
    };
    nodes.iter().map(now).fold(Totals::default(), Totals::plus)
}
