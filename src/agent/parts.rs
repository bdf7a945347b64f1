//! The long-lived parts and the handles to them.

use std::sync::Arc;

use anyhow::Context;
use config::agent_file::{AgentConfig, NexthopObjects};
use config::api::stop::Stop;
use config::intent::Intent;
use config::vocabulary::NodeName;
use ipam::keeper::{self, KeeperInputs, KeeperSettings};
use kubernetes::secrets::Follower;
use tokio::sync::watch;

use super::drain::Drainage;
use super::flows::Flows;
use super::guard::Guard;
use super::passwords;
use super::pods::Pods;
use super::probes::Probes;

/// Handles to everything that runs beside the reconciler.
#[derive(Clone)]
pub struct Parts {
    /// This node.
    pub node: NodeName,
    /// Blocks are claimed in the datastore.
    pub shared_out: bool,
    /// Where resources come from.
    pub store: store::Handle,
    /// Owner of our routes in the kernel.
    pub fib: routesync::Handle,
    /// Owner of our tunnel devices.
    pub tunnels: tunnel::Handle,
    /// Probes of direct paths, and tests of checksum offload.
    pub probes: Probes,
    /// Owner of this node's claims in the datastore.
    pub keeper: Arc<keeper::Handle>,
    /// Pods and their addresses.
    pub pods: Arc<Pods>,
    /// The guard of pod interfaces, and natOutgoing.
    pub guard: Guard,
    /// Tracked flows that are not to stay where nobody is any more.
    pub flows: Flows,
    /// Whether this node is taken out of service.
    pub drain: Drainage,
    /// That the agent is asked to end for good.
    pub leaving: Arc<watch::Sender<Option<Stop>>>,
    /// Passwords of BGP sessions.
    pub passwords: passwords::Reader,
    /// The way to Kubernetes, where the node belongs to one.
    pub kubernetes: Option<kubernetes::Handle>,
    /// The BGP speaker; it starts with the first good plan.
    pub bgp: watch::Receiver<Option<bgpd::Handle>>,
    bgp_started: Arc<watch::Sender<Option<bgpd::Handle>>>,
}

impl Parts {
    /// Starts every part but BGP, which needs a plan first.
    pub async fn start(config: &AgentConfig) -> anyhow::Result<Parts> {
        let store = store::open(&config.datastore, Some(&config.state_dir))
            .await
            .context("cannot use the datastore")?;
        let protocol = routesync::Protocol(config.route_protocol);
        let fib = routesync::start(routesync::Settings {
            protocol,
            repair: config.repair,
            nexthops: match config.routes.nexthop_objects {
                NexthopObjects::Auto => routesync::NexthopMode::Auto,
                NexthopObjects::On => routesync::NexthopMode::Objects,
                NexthopObjects::Off => routesync::NexthopMode::Plain,
            },
            max_routes: (config.routes.max_routes).and_then(|most| usize::try_from(most).ok()),
            ..Default::default()
        })
        .context("cannot talk to the kernel about routes (is this run as root?)")?;
        let tunnels = tunnel::start(tunnel::Settings {
            repair: config.repair,
            ..Default::default()
        })
        .context("cannot talk to the kernel about tunnels (is this run as root?)")?;
        let shared_out = store::rules_of(&config.datastore).shared_out;
        let pods = Arc::new(Pods::open(&config.state_dir, shared_out)?);
        let inputs = KeeperInputs {
            intent: intents(&store),
            resources: store.resources(),
            ownership: store.ownership(),
        };
        let settings = KeeperSettings::new(config.node_name.clone(), shared_out);
        let keeper = keeper::start(pods.ipam(), store.datastore(), inputs, settings);
        pods.ask_cluster(keeper.status(), store.ownership(), store.datastore());
        let (kubernetes, secrets) = kubernetes_of(config).await?.unzip();
        if let Some(kubernetes) = &kubernetes {
            pods.ask_kubernetes(kubernetes.clone());
        }
        let (bgp_started, bgp) = watch::channel(None);
        let flows = Flows::start().context("cannot start a thread for tracked flows")?;
        Ok(Parts {
            node: config.node_name.clone(),
            shared_out,
            store,
            fib,
            tunnels,
            probes: Probes::start()?,
            pods,
            keeper: Arc::new(keeper),
            guard: Guard::start(flows.clone())
                .context("cannot start a thread for the guard of pod interfaces")?,
            flows,
            drain: Drainage::open(&config.state_dir)?,
            leaving: Arc::new(watch::channel(None).0),
            passwords: passwords::Reader::start(secrets),
            kubernetes,
            bgp,
            bgp_started: Arc::new(bgp_started),
        })
    }

    /// Makes the speaker known to everyone.
    pub fn bgp_is(&self, handle: Option<bgpd::Handle>) {
        self.bgp_started.send_replace(handle);
    }

    /// The speaker, once it runs.
    pub fn speaker(&self) -> Option<bgpd::Handle> {
        self.bgp.borrow().clone()
    }
}

/// Where the agent's file says that the node belongs to a Kubernetes. A server that is away is no error.
async fn kubernetes_of(config: &AgentConfig) -> anyhow::Result<Option<(kubernetes::Handle, Follower)>> {
    let Some(settings) = &config.kubernetes else {
        return Ok(None);
    };
    let client = store::kubernetes::client(settings)
        .await
        .context("cannot use Kubernetes")?;
    let settings = kubernetes::Settings {
        node: config.node_name.to_string(),
        // Until the resources ask for it: Services and their endpoints are most of what a cluster has.
        services: false,
    };
    let secrets = Follower::new(client.clone());
    Ok(Some((kubernetes::start(client, settings), secrets)))
}

/// The intents of a store, without the rest of its state. Lasts as long as someone listens.
fn intents(store: &store::Handle) -> watch::Receiver<Option<Arc<Intent>>> {
    let mut states = store.state();
    let first = states.borrow_and_update().intent.clone();
    let (sender, receiver) = watch::channel(first);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                changed = states.changed() => if changed.is_err() { return },
                () = sender.closed() => return,
            }
            let intent = states.borrow_and_update().intent.clone();
            sender.send_if_modified(|known| {
                let differs = *known != intent;
                *known = intent;
                differs
            });
        }
    });
    receiver
}
