//! etcdctl, and what is done with it: users, compaction, alarms.

use std::process::Command;

use crate::cluster::Cluster;
use crate::network::inside;

impl Cluster {
    /// Runs `etcdctl` (v3 API) against all members that are up, as the user of the options; its output.
    ///
    /// # Errors
    /// What it said, if it failed.
    pub fn etcdctl(&self, arguments: &[&str]) -> Result<String, String> {
        self.run(arguments, self.options.auth.as_ref())
    }

    /// The store's revision now.
    pub fn revision(&self) -> i64 {
        let text = self.must(&["get", "/", "--write-out=json"]);
        let answer: serde_json::Value = serde_json::from_str(&text).expect("etcdctl writes JSON");
        answer["header"]["revision"]
            .as_i64()
            .expect("a header has a revision")
    }

    /// Forgets every revision before the present one.
    pub fn compact(&self) -> i64 {
        let revision = self.revision();
        self.must(&["compact", "--physical", &revision.to_string()]);
        revision
    }

    /// Gives free pages back, and takes all alarms off.
    pub fn make_room(&self) {
        self.compact();
        self.must(&["--command-timeout=30s", "defrag"]);
        self.must(&["alarm", "disarm"]);
    }

    /// [`Cluster::etcdctl`] where a failure is a panic.
    pub fn must(&self, arguments: &[&str]) -> String {
        let done = self.etcdctl(arguments);
        done.unwrap_or_else(|e| panic!("etcdctl {arguments:?}: {e}"))
    }

    /// Makes the user and switches authentication on.
    pub(crate) fn enable_auth(&self) {
        let Some((user, password)) = &self.options.auth else {
            return;
        };
        let must = |arguments: &[&str]| {
            let done = self.run(arguments, None);
            done.unwrap_or_else(|e| panic!("etcdctl {arguments:?}: {e}"));
        };
        must(&["role", "add", "root"]);
        let names = ["root", user.as_str()];
        for name in &names[..if user == "root" { 1 } else { 2 }] {
            must(&["user", "add", &format!("{name}:{password}")]);
            must(&["user", "grant-role", name, "root"]);
        }
        must(&["auth", "enable"]);
    }

    fn run(&self, arguments: &[&str], user: Option<&(String, String)>) -> Result<String, String> {
        let up = (0..self.members.len()).filter(|i| self.members[*i].is_up());
        let endpoints: Vec<String> = up.map(|i| self.endpoint(i)).collect();
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3");
        command.arg(format!("--endpoints={}", endpoints.join(",")));
        command.args(["--dial-timeout=5s", "--command-timeout=10s"]);
        if let Some(files) = self.client_paths() {
            command.arg(format!("--cacert={}", files.ca.display()));
            command.arg(format!("--cert={}", files.cert.display()));
            command.arg(format!("--key={}", files.key.display()));
        }
        if let Some((name, password)) = user {
            command.arg(format!("--user={name}:{password}"));
        }
        command.args(arguments);
        let output = inside(self.client_namespace(), || command.output());
        let output = output.unwrap_or_else(|e| panic!("cannot start etcdctl (package etcd-client): {e}"));
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }
}
