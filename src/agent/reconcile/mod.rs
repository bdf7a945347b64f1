//! The one loop: whatever changed, decide everything anew and hand complete desired state on.
//!
//! Changes only wake it; it reads the latest value of each source, so bursts coalesce (law 6). Each stage
//! compares what it is given with what is, so publishing the same again costs nothing.

mod hand_on;
mod premises;
mod settling;
mod take_up;
mod wake;

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use bgpd::Shutdown;
use config::agent_file::{AgentConfig, RouteSettings};
use config::api::drain::Drain;
use config::api::stop::Stop;
use config::intent::Intent;
use config::vocabulary::NodeName;
use routesync::KernelView;
use tokio::sync::watch;

use super::host::Host;
use super::parts::Parts;
use super::probes::Prober;
use super::snapshot::Snapshot;
use super::{ownership, services};
use crate::decide::{self, Begun, Decisions, Extent, Inputs, Place, RibSnapshot, Table};
use crate::plan::{Ownership, Passwords, Plan};
use premises::{Given, Premises};
use settling::Settling;
use wake::Wake;

/// The longest rest between two rounds. A round is followed by a rest as long as itself, so that a full table
/// that arrives in small pieces is decided on in batches, and a single pod waits for next to nothing.
const LONGEST_REST: Duration = Duration::from_millis(200);
/// How long a change of links or of the kernel's routes waits at most: a path may be dead.
const LINKS_REST: Duration = Duration::from_millis(10);
/// Rounds up to here are followed by no rest: few changes are due then, and somebody waits for each.
const SHORT_ROUND: Duration = Duration::from_millis(4);
/// How soon a part that failed to start is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// The longest that routes wait for what they need of the tunnels: devices, forwarding entries, neighbours.
const TUNNELS_FIRST: Duration = Duration::from_millis(200);

/// The rest after a round that took so long.
fn rest_after(round: Duration) -> Duration {
    match round < SHORT_ROUND {
        true => Duration::ZERO,
        false => round.min(LONGEST_REST),
    }
}

/// Owner of the decisions.
pub struct Reconciler {
    parts: Parts,
    node: NodeName,
    intent: Option<Arc<Intent>>,
    /// The intent that made the plan in force: an older one where the newest makes none.
    compiled: Option<Arc<Intent>>,
    owned: Option<Ownership>,
    /// Those that the plan in force was made with.
    passwords: Arc<Passwords>,
    /// Whether the node is drained in it.
    drain: Drain,
    ownership: ownership::Known,
    cluster: services::Source,
    services: services::Known,
    /// The ledger did not take up the resources yet.
    pods_wait: bool,
    listen_port: u16,
    routes: RouteSettings,
    settling: Settling,
    decisions: Option<Arc<Decisions>>,
    /// Those of these decisions; none where they do not stand by themselves.
    premises: Option<Premises>,
    /// A copy of what BGP knows, and what of it has changed since the last decisions.
    rib: RibSnapshot,
    changed: Extent,
    /// What is decided about learned routes.
    table: Arc<RwLock<Table>>,
    /// `routesync` has the whole wish, with this leave to sweep.
    handed: Option<bool>,
    settled: bool,
    host: Host,
    prober: Prober,
    snapshot: Snapshot,
    snapshots: watch::Sender<Snapshot>,
}

impl Reconciler {
    /// A reconciler, and where its results appear.
    pub fn new(parts: Parts, config: &AgentConfig) -> (Self, watch::Receiver<Snapshot>) {
        let (snapshots, seen) = watch::channel(Snapshot::default());
        let cluster = services::Source::new(parts.kubernetes.as_ref());
        let prober = Prober::new(parts.probes.clone(), routesync::Protocol(config.route_protocol));
        let reconciler = Reconciler {
            parts,
            node: config.node_name.clone(),
            intent: None,
            compiled: None,
            owned: None,
            passwords: Arc::default(),
            drain: Drain::default(),
            ownership: ownership::Known::default(),
            cluster,
            services: services::Known::default(),
            pods_wait: false,
            listen_port: 0,
            routes: config.routes,
            settling: Settling::default(),
            decisions: None,
            premises: None,
            rib: RibSnapshot::default(),
            changed: Extent::default(),
            table: Arc::default(),
            handed: None,
            settled: false,
            host: Host::new(config.routes.nexthop_compat),
            prober,
            snapshot: Snapshot::default(),
            snapshots,
        };
        (reconciler, seen)
    }

    /// Runs until a part has ended.
    pub async fn run(&mut self) -> anyhow::Result<()> {
        let mut store = self.parts.store.state();
        let mut view = self.parts.fib.view();
        let mut pods = self.parts.pods.changes();
        let mut bgp = self.parts.bgp.clone();
        let mut records = self.parts.store.ownership();
        let mut verdicts = self.parts.probes.watch();
        let mut passwords = self.parts.passwords.known();
        let mut drain = self.parts.drain.watch();
        loop {
            let rib = self.parts.speaker().map(|b| b.changes());
            // Seen before the round starts: what changes during the round makes another one.
            let mut rib = Wake::new(rib);
            store.mark_unchanged();
            view.mark_unchanged();
            pods.mark_unchanged();
            bgp.mark_unchanged();
            records.mark_unchanged();
            verdicts.mark_unchanged();
            passwords.mark_unchanged();
            drain.mark_unchanged();
            self.cluster.seen();
            let started = Instant::now();
            let again = self.round().await;
            self.snapshots.send_replace(self.snapshot.clone());
            let rest = rest_after(started.elapsed());
            // Sleeping for no time takes up to a millisecond.
            if !rest.is_zero() {
                tokio::time::sleep(rest.min(LINKS_REST)).await;
                tokio::select! {
                    () = tokio::time::sleep(rest.saturating_sub(LINKS_REST)) => {}
                    changed = view.changed() => {
                        changed?;
                        // Still to be seen by what waits below.
                        view.mark_changed();
                    }
                }
            }
            tokio::select! {
                changed = store.changed() => changed?,
                changed = view.changed() => changed?,
                changed = pods.changed() => changed?,
                changed = bgp.changed() => changed?,
                changed = records.changed() => changed?,
                changed = verdicts.changed() => changed?,
                changed = passwords.changed() => changed?,
                changed = drain.changed() => changed?,
                () = rib.changed() => {}
                () = self.services_changed() => {}
                () = tokio::time::sleep(again.unwrap_or_default()), if again.is_some() => {}
            }
        }
    }

    /// Closes the BGP sessions in silence: peers that speak graceful restart keep our routes.
    pub async fn leave(&mut self) {
        if let Some(bgp) = self.parts.speaker() {
            self.parts.bgp_is(None);
            let asked = self.parts.leaving.borrow().clone();
            let mode = match asked {
                Some(Stop { message }) => Shutdown::Cease(message),
                None => Shutdown::Silent,
            };
            bgp.shutdown(mode).await;
        }
    }

    /// One round. Returns when to make another one whatever happens: because something failed that time may
    /// heal, or because the Loc-RIB is to be looked at with the next hops that were resolved just now.
    async fn round(&mut self) -> Option<Duration> {
        let retry = self.take_up().await.then_some(RETRY);
        let Some(plan) = self.snapshot.plan.clone() else {
            return retry;
        };
        if !self.take_news(plan.install_routes).await {
            return retry;
        }
        let view = self.parts.fib.view().borrow().clone();
        if view.generation == 0 {
            // Before the first look at the kernel nothing can be decided; the view's change wakes us.
            return retry;
        }
        // A ledger that was lost knows of no pod and no block until the datastore has told it: until then their
        // routes are not left over.
        let mut rib = std::mem::take(&mut self.rib);
        let fed = rib.fully_fed && !(self.parts.shared_out && self.parts.pods.ipam().is_fresh());
        self.settled = fed && (self.settled || self.is_settled(&plan, &rib, &view));
        let (fed_by_bgp, settled) = (rib.fully_fed, self.settled);
        rib.fully_fed = settled;
        let announced = self.announced_services();
        let pods = self.parts.pods.links();
        let own_pod_addresses = self.parts.pods.own_addresses();
        let verdicts = self.prober.probe(&plan, &view, &own_pod_addresses).await;
        let inputs = Inputs {
            plan: &plan,
            rib: &rib,
            view: &view,
            pods: &pods,
            own_pod_addresses: &own_pod_addresses,
            services: announced.as_ref(),
            place: Place::of(&self.routes, &plan),
            verdicts: &verdicts,
        };
        let changed = std::mem::take(&mut self.changed);
        let given = Given {
            plan: &plan,
            view: &view,
            pods: &pods,
        };
        let mut unsettled = None;
        let table = self.table.clone();
        let last = self.decisions.as_deref();
        let known = (self.premises.as_ref()).is_some_and(|premises| premises.are(&given, &inputs));
        let again = match last.filter(|_| known) {
            Some(last) => Begun::again(inputs, &table, changed, last),
            None => Err(changed),
        };
        let same_outline = again.is_ok();
        let begun = again.unwrap_or_else(|changed| {
            Begun::new(inputs, &table, changed, |devices, paths| {
                unsettled = self.settling.hold(devices, paths);
            })
        });
        if !same_outline {
            self.premises = (unsettled.is_none()).then(|| Premises::of(&given, &inputs));
        }
        self.hand_on_first(&begun).await;
        let (decisions, changed) = begun.finish();
        let decisions = Arc::new(decisions);
        self.hand_on(&decisions, &changed).await;
        // The kernel gets it now; what follows can wait.
        tokio::task::yield_now().await;
        self.parts
            .flows
            .follow(&plan, &pods, &decisions, &changed, settled);
        if !same_outline {
            self.look_around(inputs, &decisions);
        }
        let host_waits = self.host.apply(&decisions.outline.host);
        self.snapshot.host_problems = self.host.problems();
        self.snapshot.host_advice = self.host.advice();
        self.snapshot.fully_fed = settled;
        self.rib = RibSnapshot {
            fully_fed: fed_by_bgp,
            ..rib
        };
        self.snapshot.decisions = Some(decisions.clone());
        self.decisions = Some(decisions);
        if fed && !self.settled {
            return Some(Duration::ZERO);
        }
        let retry = retry.or(host_waits.then_some(RETRY));
        retry.into_iter().chain(unsettled).min()
    }

    /// Looks at what depends on the outline alone: the test of checksum offload, and what does not fit together.
    fn look_around(&mut self, inputs: Inputs<'_>, decisions: &Decisions) {
        self.prober.test_offload(inputs, decisions);
        let (now, known) = (Instant::now(), std::mem::take(&mut self.snapshot.findings));
        let since = |finding| (known.get(&finding).copied().unwrap_or(now), finding);
        let found = decide::findings::of(inputs).into_iter();
        let found = found
            .chain(decide::findings::of_sizes(&decisions.outline.tunnels))
            .map(since);
        self.snapshot.findings = found.map(|(since, finding)| (finding, since)).collect();
    }

    /// The Loc-RIB was chosen with the same next hops that it asks for now. Before that, a route that was just
    /// learned is missing for want of its next hop, and a sweep would take its forerunner out of the kernel.
    fn is_settled(&self, plan: &Plan, rib: &RibSnapshot, view: &KernelView) -> bool {
        let next_hops = decide::next_hops_of(plan, rib, view, self.parts.kubernetes.is_some());
        match &self.decisions {
            Some(last) => last.outline.next_hops == next_hops,
            None => next_hops.is_empty(),
        }
    }

    /// Waits until something else is to be announced for Services. Most of what happens in a cluster, endpoints that
    /// come and go on other nodes above all, changes nothing here and makes no round.
    async fn services_changed(&mut self) {
        loop {
            self.cluster.changed().await;
            let started = Instant::now();
            let (cluster, intent) = (self.cluster.now(), &self.compiled);
            if let (Some(cluster), Some(intent)) = (cluster, intent)
                && self.services.differs(cluster, intent, &self.node)
            {
                return;
            }
            tokio::time::sleep(started.elapsed().min(LONGEST_REST)).await;
        }
    }

    /// What is announced for Services, by the resources that made the plan in force; none without Kubernetes.
    fn announced_services(&mut self) -> Option<decide::Services> {
        let cluster = self.cluster.now()?;
        Some(match &self.compiled {
            Some(intent) => self.services.now(cluster, intent, &self.node).clone(),
            None => decide::Services::new(),
        })
    }

    /// Brings the copy of what BGP knows up to date; false where there is no BGP. Routes that are not to be installed are not
    /// copied.
    async fn take_news(&mut self, routes: bool) -> bool {
        let Some(bgp) = self.parts.speaker() else {
            return false;
        };
        let Ok(news) = bgp.news(routes).await else {
            return false;
        };
        self.snapshot.loc_rib = news.prefixes;
        self.changed.note(&news.loc_rib);
        self.rib.take(news);
        true
    }
}
