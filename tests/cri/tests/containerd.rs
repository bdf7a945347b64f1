//! The testbed itself: what it starts works with the distribution's own plugins, and nothing of it stays.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cri_testbed::{Containerd, Options, Place, Pod};

/// A network namespace and a mount namespace that go away with the value.
struct Node {
    name: String,
    holder: Child,
}

impl Node {
    fn new(name: &str) -> Node {
        let name = format!("cri-{}-{name}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &name]).status();
        assert!(made.expect("ip is there").success());
        let holder = Command::new("unshare")
            .args(["--mount", "--propagation", "slave", "sh", "-c"])
            .args([
                "mkdir -p /run/containerd && mount -t tmpfs own /run/containerd && echo && exec sleep 600",
            ])
            .stdout(Stdio::piped())
            .spawn();
        let mut holder = holder.expect("unshare is there");
        // It speaks when it is in its own mount namespace.
        let mut first = [0];
        let mut out = holder.stdout.take().expect("piped");
        std::io::Read::read_exact(&mut out, &mut first).expect("it speaks");
        Node { name, holder }
    }

    fn place(&self) -> Place {
        Place {
            net: Path::new("/run/netns").join(&self.name),
            mnt: format!("/proc/{}/ns/mnt", self.holder.id()).into(),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

/// `ptp` and `host-local` of the distribution.
fn reference(data: &Path) -> String {
    let data = data.display();
    format!(
        r#"{{ "cniVersion": "1.0.0", "name": "reference", "plugins": [ {{ "type": "ptp", "ipam": {{
            "type": "host-local", "dataDir": "{data}", "subnet": "10.88.0.0/24",
            "routes": [ {{ "dst": "0.0.0.0/0" }} ] }} }} ] }}"#
    )
}

/// Cgroups of this process's testbeds.
fn cgroups() -> Vec<PathBuf> {
    let all = ["/sys/fs/cgroup", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified"];
    let entries = all.iter().filter_map(|dir| std::fs::read_dir(dir).ok());
    let ours = format!("cri-testbed-{}-", std::process::id());
    let paths = entries.flatten().flatten().map(|entry| entry.path());
    paths
        .filter(|path| path.to_string_lossy().contains(&ours))
        .collect()
}

/// Processes whose command line names a folder.
fn processes_of(folder: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").expect("proc").flatten();
    let lines = processes.filter_map(|p| std::fs::read_to_string(p.path().join("cmdline")).ok());
    lines.filter(|line| line.contains(folder)).collect()
}

#[test]
fn pods_of_the_reference_plugins_come_up_and_go() {
    let node = Node::new("works");
    let data = tempfile::tempdir().expect("a folder");
    let containerd = Containerd::start(node.place(), &Options::default()).unwrap_or_else(|e| panic!("{e}"));
    let client = containerd.client();
    assert!(client.version().unwrap().starts_with("containerd "));
    let without = client.network_ready().unwrap();
    assert!(
        without.is_err_and(|why| !why.is_empty()),
        "there is no network yet"
    );

    containerd.set_conflist(&reference(data.path())).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while let Err(why) = client.network_ready().unwrap() {
        assert!(std::time::Instant::now() < deadline, "{why}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let pod = Pod::new("web");
    let sandbox = client.run_pod(&pod).unwrap_or_else(|e| panic!("{e}"));
    let addresses = client.addresses(&sandbox).unwrap();
    assert!(
        addresses.first.to_string().starts_with("10.88.0."),
        "{addresses:?}"
    );
    let (netns, result) = client.network(&sandbox).unwrap();
    assert!(netns.contains("/netns/cni-"), "{netns}");
    assert!(result["Interfaces"]["eth0"].is_object(), "{result}");

    let container = client
        .start_container(&sandbox, &pod, &["/bin/sleep", "1000"])
        .unwrap();
    let done = client
        .exec(&container, &["/bin/ping", "-c", "1", "-W", "5", "10.88.0.1"])
        .unwrap();
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(
        client
            .exec(&container, &["/bin/sh", "-c", "exit 3"])
            .unwrap()
            .code,
        3
    );
    client.stop_pod(&sandbox).unwrap();
    client.remove_pod(&sandbox).unwrap();
    assert_eq!(client.pods().unwrap(), Vec::<String>::new());
}

#[test]
fn nothing_stays_where_containerd_was_killed_with_a_pod_running() {
    let node = Node::new("killed");
    let data = tempfile::tempdir().expect("a folder");
    let options = Options {
        conflist: Some(reference(data.path())),
        ..Options::default()
    };
    let mut containerd = Containerd::start(node.place(), &options).unwrap_or_else(|e| panic!("{e}"));
    let pod = Pod::new("left");
    let sandbox = containerd
        .client()
        .run_pod(&pod)
        .unwrap_or_else(|e| panic!("{e}"));
    let (netns, _) = containerd.client().network(&sandbox).unwrap();
    let folder = containerd.folder().to_string_lossy().into_owned();
    assert!(!processes_of(&folder).is_empty(), "a shim serves the pod");
    assert!(!cgroups().is_empty(), "the pod has a cgroup");
    assert!(Path::new(&netns).exists());
    containerd.kill();
    drop(containerd);
    assert_eq!(processes_of(&folder), Vec::<String>::new());
    assert!(!Path::new(&netns).exists(), "{netns} stays");
    assert!(!Path::new(&folder).exists(), "{folder} stays");
    let own =
        |path: &PathBuf| std::fs::read_to_string(path.join("cgroup.procs")).is_ok_and(|p| !p.is_empty());
    assert!(!cgroups().iter().any(own), "{:?}", cgroups());
}
