//! A fabric for one scenario: the topology file and the files that its nodes read are written to a folder of
//! the test's own, and the lab goes away with the value, also when the test fails.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use lab::kernel::process::ProcessId;
use lab::{Lab, Options};
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// Tells the labs of one run of the tests apart.
static COUNTER: AtomicU32 = AtomicU32::new(0);

/// Where nodes find the folder of resources: a folder, so that an editor's rename is seen too.
const CLUSTER: &str = "/etc/roadbed/cluster";

/// What the fabric is to be.
#[derive(Default)]
pub struct Builder {
    scenario: String,
    nodes: BTreeMap<String, String>,
    links: Vec<[String; 2]>,
    resources: String,
    agent_settings: String,
    datastore: Option<String>,
    files: Vec<(String, String)>,
    without_agents: bool,
}

/// A fabric that is up.
pub struct Fabric {
    lab: Lab,
    dir: TempDir,
    agents: Vec<String>,
    started: Mutex<Vec<Child>>,
}

impl Builder {
    /// An empty fabric; the name appears in its namespaces.
    pub fn new(scenario: &str) -> Builder {
        Builder {
            scenario: scenario.into(),
            ..Builder::default()
        }
    }

    /// A node that runs the agent. `exec` lines give it its addresses and routes.
    pub fn agent(mut self, name: &str, exec: &[&str]) -> Builder {
        let binds = format!("binds: [\"cluster-{name}:{CLUSTER}\"]\n      startup-config: agent.yaml");
        self.files.push((format!("cluster-{name}/.keep"), String::new()));
        self.node(name, "roadbed", &binds, exec);
        self
    }

    /// A router of FRR with its configuration.
    pub fn frr(mut self, name: &str, config: &str, exec: &[&str]) -> Builder {
        self.files.push((format!("{name}.conf"), config.to_owned()));
        self.node(name, "frr", &format!("startup-config: {name}.conf"), exec);
        self
    }

    /// The same with bfdd beside bgpd.
    pub fn frr_with_bfd(mut self, name: &str, config: &str, exec: &[&str]) -> Builder {
        self.files.push((format!("{name}.conf"), config.to_owned()));
        let daemons = "bgpd=yes\nbfdd=yes\n".to_owned();
        self.files.push((format!("{name}.daemons"), daemons));
        let extra =
            format!("binds: [\"{name}.daemons:/etc/frr/daemons\"]\n      startup-config: {name}.conf");
        self.node(name, "frr", &extra, exec);
        self
    }

    /// A host with a file `/etc/NAME.conf` and a program that runs as long as the lab is up.
    pub fn program(self, name: &str, config: &str, command: &str, exec: &[&str]) -> Builder {
        self.program_with(
            name,
            &[(format!("{name}.conf"), config.to_owned())],
            command,
            exec,
        )
    }

    /// The same with several files, by their names below `/etc`.
    pub fn program_with(
        mut self,
        name: &str,
        files: &[(String, String)],
        command: &str,
        exec: &[&str],
    ) -> Builder {
        let binds: Vec<String> = files
            .iter()
            .map(|(file, _)| format!("\"{file}:/etc/{file}\""))
            .collect();
        self.files.extend_from_slice(files);
        let extra = format!("binds: [{}]\n      cmd: {command}", binds.join(", "));
        self.node(name, "linux", &extra, exec);
        self
    }

    /// A plain host.
    pub fn host(mut self, name: &str, exec: &[&str]) -> Builder {
        self.node(name, "linux", "", exec);
        self
    }

    /// A pod of a node.
    pub fn pod(mut self, name: &str, on: &str) -> Builder {
        self.node(
            name,
            "linux",
            &format!("labels: {{ roadbed.dev/pod-on: {on} }}"),
            &[],
        );
        self
    }

    /// A cable.
    pub fn link(mut self, a: &str, b: &str) -> Builder {
        self.links.push([a.into(), b.into()]);
        self
    }

    /// The resources that all agents read.
    pub fn resources(mut self, text: &str) -> Builder {
        self.resources = text.to_owned();
        self
    }

    /// Further lines of the agents' own file.
    pub fn agent_settings(mut self, text: &str) -> Builder {
        self.agent_settings = text.to_owned();
        self
    }

    /// Where the agents' resources come from, in place of their files: `datastore` of their own file.
    pub fn datastore(mut self, text: &str) -> Builder {
        self.datastore = Some(text.to_owned());
        self
    }

    /// Brings it up without its agents and pods: the scenario starts them in an order of its own.
    pub fn up_without_agents(mut self) -> Fabric {
        self.without_agents = true;
        self.up()
    }

    /// Brings it up.
    pub fn up(self) -> Fabric {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder");
            std::fs::write(path, text).expect("write a file of the fabric");
        };
        let name = lab_name(&self.scenario);
        write(
            "agent.yaml",
            &format!(
                "datastore: {}\n{}",
                (self.datastore.clone()).unwrap_or_else(|| format!("{{ kind: file, path: {CLUSTER} }}")),
                self.agent_settings
            ),
        );
        for (file, text) in &self.files {
            write(file, text);
        }
        write("fabric.clab.yml", &self.topology());
        let agents: Vec<String> = self.files.iter().filter_map(|(f, _)| agent_of(f)).collect();
        for agent in &agents {
            write(&format!("cluster-{agent}/resources.yaml"), &self.resources);
        }
        let options = Options {
            name: Some(name),
            roadbed_bin: Some(super::roadbed()),
            cni_bin: Some(super::cni()),
            without_agents: self.without_agents,
        };
        let lab = Lab::up(dir.path().join("fabric.clab.yml"), &options).unwrap_or_else(|e| panic!("{e}"));
        Fabric {
            lab,
            dir,
            agents,
            started: Mutex::default(),
        }
    }

    fn node(&mut self, name: &str, kind: &str, extra: &str, exec: &[&str]) {
        let mut text = format!("      kind: {kind}\n");
        if !extra.is_empty() {
            let _ = writeln!(text, "      {extra}");
        }
        if !exec.is_empty() {
            text.push_str("      exec:\n");
        }
        for line in exec {
            let _ = writeln!(text, "        - {line}");
        }
        self.nodes.insert(name.to_owned(), text);
    }

    fn topology(&self) -> String {
        let mut text = format!("name: {}\ntopology:\n  nodes:\n", self.scenario);
        for (name, node) in &self.nodes {
            let _ = write!(text, "    {name}:\n{node}");
        }
        text.push_str("  links:\n");
        for [a, b] in &self.links {
            let _ = writeln!(text, "    - endpoints: [\"{a}\", \"{b}\"]");
        }
        text
    }
}

/// A name of its own for each fabric.
fn lab_name(scenario: &str) -> String {
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("t{}-{number}-{scenario}", std::process::id())
}

fn agent_of(file: &str) -> Option<String> {
    Some(file.strip_prefix("cluster-")?.strip_suffix("/.keep")?.to_owned())
}

impl Fabric {
    /// Brings up a topology of the repository, such as one of the examples.
    #[track_caller]
    pub fn of_file(file: &str, scenario: &str) -> Fabric {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let options = Options {
            name: Some(lab_name(scenario)),
            roadbed_bin: Some(super::roadbed()),
            cni_bin: Some(super::cni()),
            ..Options::default()
        };
        let lab = Lab::up(path, &options).unwrap_or_else(|e| panic!("{e}"));
        Fabric {
            agents: lab.nodes("roadbed"),
            lab,
            dir: tempfile::tempdir().expect("a temporary folder"),
            started: Mutex::default(),
        }
    }

    /// Replaces the resources of one agent as a careful editor does: a new file in the place of the old.
    pub fn edit(&self, agent: &str, text: &str) {
        let file = self.resources_file(agent);
        let next = self.dir.path().join("next.yaml");
        std::fs::write(&next, text).expect("write the new resources");
        std::fs::rename(next, file).expect("put the new resources in place");
    }

    /// The file of resources of an agent, as the test sees it.
    pub fn resources_file(&self, agent: &str) -> PathBuf {
        self.dir.path().join(format!("cluster-{agent}/resources.yaml"))
    }

    /// Writes a file that every node sees, and returns its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).expect("write a file of the scenario");
        path.display().to_string()
    }

    /// Runs a program inside a node, insists on success, returns its output.
    #[track_caller]
    pub fn run(&self, node: &str, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        match self.lab.exec_ok(node, &words) {
            Ok(text) => text,
            Err(error) => panic!("{error}"),
        }
    }

    /// The process of a node that the lab or [`Fabric::start`] has started under this name.
    #[track_caller]
    pub fn process(&self, node: &str, name: &str) -> ProcessId {
        let report = self.lab.inspect().expect("the lab can be inspected");
        let node = report.iter().find(|n| n.name == node).expect("the node exists");
        let process = node.processes.iter().find(|p| p.name == name);
        let process = process.unwrap_or_else(|| panic!("no process {name}: {:?}", node.processes));
        ProcessId::of(process.pid).unwrap_or_else(|| panic!("{name} has ended; its log is {}", process.log))
    }

    /// Kills a process and waits until it is gone.
    #[track_caller]
    pub fn kill(&self, process: ProcessId) {
        process.signal(Signal::SIGKILL);
        assert!(
            process.wait_gone(super::SOON),
            "process {} survives SIGKILL",
            process.pid
        );
    }

    /// Starts a program inside a node. It ends with the fabric at the latest.
    #[track_caller]
    pub fn start(&self, node: &str, line: &str) -> ProcessId {
        let words: Vec<&str> = line.split_whitespace().collect();
        let quiet = |command: &mut std::process::Command| {
            use std::process::Stdio;
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
        };
        let child = self
            .lab
            .spawn_with(node, &words, quiet)
            .unwrap_or_else(|e| panic!("{e}"));
        let id = ProcessId::of(i32::try_from(child.id()).expect("a pid")).expect("it runs");
        self.started
            .lock()
            .expect("no test panics with this lock")
            .push(child);
        id
    }
}

impl Deref for Fabric {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

impl Drop for Fabric {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for agent in &self.agents {
                let log = self.lab.log(agent, "agent");
                let lines: Vec<&str> = log.lines().collect();
                let last = &lines[lines.len().saturating_sub(25)..];
                eprintln!("--- the end of the log of agent {agent}:\n{}", last.join("\n"));
            }
        }
        for mut child in std::mem::take(&mut *self.started.lock().unwrap_or_else(|e| e.into_inner())) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
