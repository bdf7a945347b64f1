//! A cluster: started, asked, and taken away.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use crate::certificates::{self, ClientFiles, ServerFiles};
use crate::janitor::Janitor;
use crate::member::Member;
use crate::network::{Network, Site, inside};
use crate::options::{Options, Place};
use crate::probe;

/// How long members may take to become healthy on a busy machine.
pub(crate) const HEALTHY: Duration = Duration::from_secs(40);

/// A running etcd cluster. Dropping it ends everything.
pub struct Cluster {
    pub(crate) options: Options,
    pub(crate) members: Vec<Member>,
    pub(crate) network: Network,
    pub(crate) janitor: Janitor,
    pub(crate) dir: TempDir,
    client: Option<ClientFiles>,
}

impl Cluster {
    /// Starts a cluster and waits until every member is healthy and the user, if one is asked for, exists.
    ///
    /// # Panics
    /// If etcd is not installed or does not become healthy; the text holds the end of its log.
    pub fn start(options: Options) -> Cluster {
        let dir = tempfile::Builder::new().prefix("etcd-testbed-").tempdir();
        let dir = dir.expect("a temporary folder can be made");
        let janitor = Janitor::start();
        janitor.dir(dir.path());
        let network = match options.place {
            Place::Loopback => Network::loopback(options.members),
            Place::Namespaces => Network::namespaces(options.members, &janitor),
        };
        let addresses: Vec<_> = network.sites.iter().map(|site| site.address).collect();
        let (server, client) = match options.tls.then(|| certificates::make(dir.path(), &addresses)) {
            Some((server, client)) => (Some(server), Some(client)),
            None => (None, None),
        };
        let mut cluster = Cluster {
            members: Vec::new(),
            options,
            network,
            janitor,
            dir,
            client,
        };
        let tls = server.zip(cluster.client.clone());
        for (i, site) in cluster.network.sites.iter().enumerate() {
            cluster.members.push(Member {
                site: site.clone(),
                arguments: cluster.arguments(i, site, tls.as_ref()),
                process: None,
                paused: false,
                cut: false,
                isolated: false,
            });
        }
        for i in 0..cluster.members.len() {
            cluster.launch(i);
        }
        cluster.await_healthy();
        cluster.enable_auth();
        cluster
    }

    /// The URLs of all members.
    pub fn endpoints(&self) -> Vec<String> {
        (0..self.members.len()).map(|i| self.endpoint(i)).collect()
    }

    /// The URL of one member.
    pub fn endpoint(&self, member: usize) -> String {
        let site = &self.members[member].site;
        format!("{}://{}:{}", self.scheme(), site.address, site.client_port)
    }

    /// The certificate files for clients; none without TLS.
    pub fn client_paths(&self) -> Option<&ClientFiles> {
        self.client.as_ref()
    }

    /// The user and password asked for.
    pub fn credentials(&self) -> Option<&(String, String)> {
        self.options.auth.as_ref()
    }

    /// The name of the namespace that clients are to use; none on loopback.
    pub fn client_namespace(&self) -> Option<&str> {
        self.network.client_namespace()
    }

    /// Runs `f` where the clients are: on a thread inside their namespace, or just so on loopback. A runtime that
    /// `f` builds has its sockets there as well.
    pub fn in_client_namespace<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        inside(self.client_namespace(), f)
    }

    /// Waits until every member that is up answers linearizable reads.
    pub fn await_healthy(&mut self) {
        for i in 0..self.members.len() {
            self.await_member(i);
        }
    }

    fn await_member(&mut self, i: usize) {
        let log = self.log(i);
        let member = &mut self.members[i];
        if !member.is_up() {
            return;
        }
        probe::until(HEALTHY, &format!("etcd member {i} to be healthy"), || {
            if let Some(status) = member.died() {
                panic!("etcd member {i} ended ({status}): {}", tail(&log));
            }
            probe::healthy(&member.site).map_err(|e| format!("{e}; its log ends: {}", tail(&log)))
        });
    }

    pub(crate) fn launch(&mut self, i: usize) {
        let log = self.log(i);
        self.members[i].start(&log, &self.janitor);
    }

    fn log(&self, i: usize) -> PathBuf {
        self.dir.path().join(format!("m{i}.log"))
    }

    fn scheme(&self) -> &'static str {
        if self.options.tls { "https" } else { "http" }
    }

    fn arguments(&self, i: usize, site: &Site, tls: Option<&(ServerFiles, ClientFiles)>) -> Vec<String> {
        let scheme = self.scheme();
        let peer = |site: &Site| format!("{scheme}://{}:{}", site.address, site.peer_port);
        let sites = self.network.sites.iter().enumerate();
        let all: Vec<String> = sites.map(|(n, site)| format!("m{n}={}", peer(site))).collect();
        let clients = format!("{scheme}://{}:{}", site.address, site.client_port);
        let mut arguments = vec![
            format!("--name=m{i}"),
            format!("--data-dir={}", self.dir.path().join(format!("m{i}")).display()),
            format!("--listen-client-urls={clients}"),
            format!("--advertise-client-urls={clients}"),
            format!("--listen-peer-urls={}", peer(site)),
            format!("--initial-advertise-peer-urls={}", peer(site)),
            format!(
                "--listen-metrics-urls=http://{}:{}",
                site.address, site.probe_port
            ),
            format!("--initial-cluster={}", all.join(",")),
            "--initial-cluster-state=new".into(),
            "--logger=zap".into(),
            "--log-level=warn".into(),
            "--log-outputs=stderr".into(),
        ];
        for prefix in ["", "peer-"] {
            let Some((server, client)) = tls else { break };
            arguments.push(format!("--{prefix}cert-file={}", server.cert.display()));
            arguments.push(format!("--{prefix}key-file={}", server.key.display()));
            arguments.push(format!("--{prefix}trusted-ca-file={}", client.ca.display()));
            arguments.push(format!("--{prefix}client-cert-auth"));
        }
        arguments.extend(self.options.arguments());
        arguments
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in &mut self.members {
            member.kill(&self.janitor);
        }
    }
}

/// The last lines of a log.
fn tail(log: &std::path::Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
