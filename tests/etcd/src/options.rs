//! What a cluster is to be like.

use std::time::Duration;

/// Where the members run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On one address of 127.0.0.0/8 that no other cluster has.
    Loopback,
    /// Each member in a network namespace of its own, joined by a bridge in a hub namespace, and one more namespace
    /// for clients. Needs root. Nothing of it reaches the host's network.
    Namespaces,
}

/// When etcd forgets old revisions by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoCompaction {
    /// What is older than this (etcd looks about every tenth of it).
    Periodic(Duration),
    /// What is more than so many revisions ago (etcd looks every five minutes).
    Revisions(u64),
}

/// What a cluster is to be like. The default is one plain member on loopback.
#[derive(Debug, Clone)]
pub struct Options {
    /// 1 or 3 (any odd number works).
    pub members: usize,
    /// Mutual TLS for clients and between members, with certificates made for this cluster.
    pub tls: bool,
    /// A user with this password and the role `root`; authentication is switched on. User `root`, without
    /// whom etcd does not switch it on, gets the same password.
    pub auth: Option<(String, String)>,
    /// How long a simple token lives; etcd's own default is 300 s.
    pub auth_token_ttl: Option<Duration>,
    /// Where the members run.
    pub place: Place,
    /// Between heartbeats of the leader.
    pub heartbeat: Duration,
    /// Without a heartbeat for so long, a member asks to be leader.
    pub election: Duration,
    /// How large the database may grow before alarm NOSPACE is raised.
    pub quota_bytes: Option<u64>,
    /// After so many transactions raft writes a snapshot.
    pub snapshot_count: Option<u64>,
    /// When old revisions are forgotten by themselves; never by default.
    pub auto_compaction: Option<AutoCompaction>,
    /// More arguments for each member.
    pub extra: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            members: 1,
            tls: false,
            auth: None,
            auth_token_ttl: None,
            place: Place::Loopback,
            heartbeat: Duration::from_millis(50),
            election: Duration::from_millis(500),
            quota_bytes: None,
            snapshot_count: None,
            auto_compaction: None,
            extra: Vec::new(),
        }
    }
}

impl Options {
    /// The arguments that these options mean.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            format!("--heartbeat-interval={}", self.heartbeat.as_millis()),
            format!("--election-timeout={}", self.election.as_millis()),
        ];
        if self.auth.is_some() {
            arguments.push("--bcrypt-cost=4".into());
        }
        if let Some(ttl) = self.auth_token_ttl {
            arguments.push(format!("--auth-token-ttl={}", ttl.as_secs()));
        }
        if let Some(bytes) = self.quota_bytes {
            arguments.push(format!("--quota-backend-bytes={bytes}"));
        }
        if let Some(count) = self.snapshot_count {
            arguments.push(format!("--snapshot-count={count}"));
        }
        let (mode, retention) = match self.auto_compaction {
            None => return [arguments, self.extra.clone()].concat(),
            Some(AutoCompaction::Periodic(time)) => ("periodic", format!("{}s", time.as_secs())),
            Some(AutoCompaction::Revisions(count)) => ("revision", count.to_string()),
        };
        arguments.push(format!("--auto-compaction-mode={mode}"));
        arguments.push(format!("--auto-compaction-retention={retention}"));
        [arguments, self.extra.clone()].concat()
    }
}
