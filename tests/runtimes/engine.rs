//! podman with everything of its own inside one node: storage, configuration, control groups. It runs in the
//! node's namespaces, so that what libcni and podman write to the standard places goes with the node.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::bench::{OUR_PLUGINS, REFERENCE_PLUGINS};
use crate::support::{Fabric, check, require};

/// Programs of busybox that the containers have.
const PROGRAMS: [&str; 9] = [
    "sh", "sleep", "ping", "nc", "ip", "cat", "httpd", "wget", "sysctl",
];

/// podman on one node. Everything of it goes when the value goes.
pub struct Engine<'a> {
    fabric: &'a Fabric,
    node: String,
    dir: TempDir,
}

impl<'a> Engine<'a> {
    /// podman with these networks; containers without a wish join the one named `pods`.
    pub fn new(fabric: &'a Fabric, node: &str, networks: &[Value]) -> Engine<'a> {
        for (program, package) in [("podman", "podman"), ("runc", "runc"), ("conmon", "conmon")] {
            require(program, package);
        }
        let dir = tempfile::tempdir().expect("a temporary folder");
        let engine = Engine {
            fabric,
            node: node.into(),
            dir,
        };
        for folder in ["net.d", "root", "run", "tmp"] {
            std::fs::create_dir(engine.dir.path().join(folder)).expect("a folder");
        }
        for network in networks {
            engine.network(network);
        }
        engine.write("containers.conf", &engine.configuration());
        engine.show_control_groups();
        engine
    }

    /// Adds a network.
    pub fn network(&self, network: &Value) {
        let name = network["name"].as_str().expect("a network has a name");
        self.write(&format!("net.d/{name}.conflist"), &network.to_string());
    }

    /// Takes a network away.
    pub fn forget_network(&self, name: &str) {
        std::fs::remove_file(self.dir.path().join(format!("net.d/{name}.conflist")))
            .expect("the network's file");
    }

    /// `podman ARGUMENTS`.
    pub fn try_podman(&self, arguments: &[&str]) -> Output {
        let at = |name: &str| self.dir.path().join(name).display().to_string();
        let mut words = vec![
            "env".to_owned(),
            format!("CONTAINERS_CONF={}", at("containers.conf")),
            "podman".to_owned(),
            format!("--root={}", at("root")),
            format!("--runroot={}", at("run")),
            format!("--tmpdir={}", at("tmp")),
            "--storage-driver=vfs".to_owned(),
        ];
        words.extend(arguments.iter().map(|word| (*word).to_owned()));
        self.fabric
            .exec(&self.node, &words)
            .unwrap_or_else(|e| panic!("{e}"))
    }

    /// The same, which has to succeed; what it wrote.
    #[track_caller]
    pub fn podman(&self, arguments: &[&str]) -> String {
        let done = self.try_podman(arguments);
        let errors = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "podman {arguments:?}: {errors}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// Starts a container that runs a command, with these options of `podman run`.
    #[track_caller]
    pub fn run(&self, name: &str, options: &[&str], command: &[&str]) {
        let done = self.try_run(name, options, command);
        assert!(done.status.success(), "podman run {name} {options:?}: {done:?}");
    }

    /// The same, which may fail.
    pub fn try_run(&self, name: &str, options: &[&str], command: &[&str]) -> Output {
        let files = self.root_filesystem(name);
        let parent = format!("--cgroup-parent=/{}", self.control_group());
        let head = ["run", "--detach", &parent, "--name", name];
        self.try_podman(&[&head, options, &["--rootfs", &files], command].concat())
    }

    /// Runs a command inside a container.
    #[track_caller]
    pub fn exec(&self, name: &str, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.podman(&[&["exec", name], &words[..]].concat())
    }

    /// Ends a container and removes it.
    #[track_caller]
    pub fn remove(&self, name: &str) {
        self.podman(&["stop", "--time", "0", name]);
        self.podman(&["rm", name]);
    }

    /// The pathname of a container's network namespace.
    pub fn netns(&self, name: &str) -> String {
        let path = self.podman(&["inspect", "--format", "{{.NetworkSettings.SandboxKey}}", name]);
        path.trim().to_owned()
    }

    /// A root file system of static programs.
    fn root_filesystem(&self, name: &str) -> String {
        let root = self.dir.path().join(format!("fs-{name}"));
        for folder in ["bin", "etc", "proc", "sys", "dev", "tmp", "run"] {
            std::fs::create_dir_all(root.join(folder)).expect("a folder");
        }
        let program = root.join("bin/busybox");
        if !program.exists() {
            std::fs::copy("/bin/busybox", &program).expect("busybox-static is installed");
            for name in PROGRAMS {
                std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).expect("a link");
            }
        }
        root.display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).expect("write a file of podman");
    }

    fn configuration(&self) -> String {
        let dir = self.dir.path().display();
        format!(
            "[network]\nnetwork_backend = \"cni\"\n\
             cni_plugin_dirs = [\"{OUR_PLUGINS}\", \"{REFERENCE_PLUGINS}\"]\n\
             network_config_dir = \"{dir}/net.d\"\ndefault_network = \"pods\"\n\
             [engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nruntime = \"runc\"\n\
             [containers]\ncgroupns = \"host\"\n\
             default_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n"
        )
    }

    /// The control group over all containers, which podman leaves behind.
    fn control_group(&self) -> String {
        format!("{}-{}", self.fabric.name(), self.node)
    }

    /// A node has a `/sys` of its own, without the control groups: they are mounted in it once more, as the
    /// machine has them.
    fn show_control_groups(&self) {
        let mounts = std::fs::read_to_string("/proc/self/mounts").expect("the machine's mounts");
        for line in mounts.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [_, path, kind, options, ..] = words[..] else {
                continue;
            };
            if !path.starts_with("/sys/fs/cgroup") || !["tmpfs", "cgroup", "cgroup2"].contains(&kind) {
                continue;
            }
            // Which hierarchy it is; the rest are options of every mount.
            let which: Vec<&str> = options
                .split(',')
                .filter(|option| {
                    kind == "cgroup"
                        && !["rw", "ro", "relatime", "nosuid", "nodev", "noexec"].contains(option)
                })
                .collect();
            let which = match which.as_slice() {
                [] => String::new(),
                [name] if name.starts_with("name=") => format!("-o none,{name}"),
                all => format!("-o {}", all.join(",")),
            };
            self.fabric.run(&self.node, &format!("mkdir -p {path}"));
            self.fabric
                .run(&self.node, &format!("mount -t {kind} {which} cgroup {path}"));
        }
    }
}

impl Drop for Engine<'_> {
    fn drop(&mut self) {
        // Containers, their monitors and namespaces end with this; the folder goes with the value.
        let done = self.try_podman(&["rm", "--all", "--force", "--time", "0"]);
        if !done.status.success() {
            eprintln!("podman rm: {}", String::from_utf8_lossy(&done.stderr));
        }
        // A group can go when the last process in it has, which the kernel takes a moment for.
        let gone = lab::wait::until(Duration::from_secs(5), "the control groups are gone", || {
            let left = remove_groups(&self.control_group());
            check(left.is_empty(), || format!("{left:?}"))
        });
        if let Err(error) = gone {
            eprintln!("{error}");
        }
    }
}

/// The folders in a folder; none where it is not there.
fn folders(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|e| e.path()).filter(|path| path.is_dir()).collect()
}

/// Removes a control group in every hierarchy, with those in it; what could not be removed.
fn remove_groups(name: &str) -> Vec<PathBuf> {
    let top = PathBuf::from("/sys/fs/cgroup");
    let hierarchies = folders(&top).into_iter().chain([top]);
    let mut left = Vec::new();
    for group in hierarchies
        .map(|hierarchy| hierarchy.join(name))
        .filter(|group| group.is_dir())
    {
        remove_group(&group);
        left.extend(group.is_dir().then_some(group));
    }
    left
}

/// The files in a control group are not files: folders are all that has to go.
fn remove_group(group: &Path) {
    folders(group).iter().for_each(|inner| remove_group(inner));
    let _ = std::fs::remove_dir(group);
}
