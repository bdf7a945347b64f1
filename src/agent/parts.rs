//! The long-lived parts and the handles to them.

use std::sync::Arc;

use anyhow::Context;
use config::agent_file::AgentConfig;
use tokio::sync::watch;

use super::pods::Pods;

/// Handles to everything that runs beside the reconciler.
#[derive(Clone)]
pub struct Parts {
    /// Where resources come from.
    pub store: store::Handle,
    /// Owner of our routes in the kernel.
    pub fib: routesync::Handle,
    /// Owner of our tunnel devices.
    pub tunnels: tunnel::Handle,
    /// Pods and their addresses.
    pub pods: Arc<Pods>,
    /// The BGP speaker; it starts with the first good plan.
    pub bgp: watch::Receiver<Option<bgpd::Handle>>,
    bgp_started: Arc<watch::Sender<Option<bgpd::Handle>>>,
}

impl Parts {
    /// Starts every part but BGP, which needs a plan first.
    pub async fn start(config: &AgentConfig) -> anyhow::Result<Parts> {
        let config::Datastore::File { path } = &config.datastore else {
            anyhow::bail!("datastore.kind: {} is not wired up yet; use kind: file", config.datastore.kind());
        };
        let store =
            store::FileStore::start(path).with_context(|| format!("cannot watch {}", path.display()))?;
        let protocol = routesync::Protocol(config.route_protocol);
        let fib = routesync::start(routesync::Settings {
            protocol,
            repair: config.repair,
            ..Default::default()
        })
        .context("cannot talk to the kernel about routes (is this run as root?)")?;
        let tunnels = tunnel::start(tunnel::Settings {
            repair: config.repair,
            ..Default::default()
        })
        .context("cannot talk to the kernel about tunnels (is this run as root?)")?;
        let pods = Pods::open(&config.state_dir)?;
        let (bgp_started, bgp) = watch::channel(None);
        Ok(Parts {
            store,
            fib,
            tunnels,
            pods: Arc::new(pods),
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
