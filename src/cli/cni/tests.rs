use super::conflist::{Chained, Network, before, chain, is_our_network, is_our_plugin, users};
use super::files::{Removed, hold, put, remove};
use super::*;

use std::os::unix::fs::{MetadataExt, PermissionsExt};

/// Something that passes for our plugin.
fn plugin(version: &str) -> Vec<u8> {
    let socket = config::api::DEFAULT_SOCKET;
    format!("\x7fELF {version} {socket}\0").into_bytes()
}

/// A node: folders for plugins and configurations, and a plugin to install.
struct Node(tempfile::TempDir);

impl Node {
    fn new() -> Node {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("roadbed-cni"), plugin("1")).expect("a file");
        Node(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn install(&self, chain: Option<Vec<Chained>>) -> anyhow::Result<()> {
        run(&Command::Install(Install {
            folders: Folders {
                bin_dir: self.path("bin"),
                conf_dir: self.path("net.d"),
                stay: false,
            },
            socket: config::api::DEFAULT_SOCKET.into(),
            state_dir: conflist::STATE_DIR.into(),
            from: Some(self.path("roadbed-cni")),
            network_name: "roadbed".into(),
            chain,
            plugin_only: false,
            wait: false,
            timeout: None,
        }))
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).expect("a folder");
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    fn inode(&self, name: &str) -> u64 {
        std::fs::metadata(self.path(name)).expect("a file").ino()
    }
}

#[test]
fn an_install_is_complete_and_the_same_again_changes_nothing() {
    let node = Node::new();
    node.install(None).expect("installed");
    assert_eq!(node.names("bin"), ["roadbed", "roadbed-ipam"]);
    assert_eq!(node.names("net.d"), [NETWORK_FILE]);
    let network: serde_json::Value =
        serde_json::from_slice(&std::fs::read(node.path("net.d/10-roadbed.conflist")).unwrap()).unwrap();
    assert_eq!(network["cniVersion"], "1.0.0");
    assert_eq!(network["plugins"][0]["type"], "roadbed");
    let files = ["bin/roadbed", "bin/roadbed-ipam", "net.d/10-roadbed.conflist"];
    let mode = |name: &str| std::fs::metadata(node.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(files.map(mode), [0o755, 0o755, 0o644]);
    let before = files.map(|name| node.inode(name));
    node.install(None).expect("installed");
    assert_eq!(files.map(|name| node.inode(name)), before);
    // A new version replaces the plugin, in a file of its own, and leaves the configuration.
    std::fs::write(node.path("roadbed-cni"), plugin("2")).unwrap();
    node.install(None).expect("installed");
    let after = files.map(|name| node.inode(name));
    assert!(after[0] != before[0] && after[1] != before[1] && after[2] == before[2]);
    assert_eq!(std::fs::read(node.path("bin/roadbed")).unwrap(), plugin("2"));
}

#[test]
fn plugins_that_are_there_are_chained_and_missing_ones_refused() {
    let node = Node::new();
    let refused = node
        .install(Some(vec![Chained::Portmap]))
        .expect_err("it is not there");
    assert!(refused.to_string().contains("portmap"), "{refused}");
    assert!(!node.path("net.d/10-roadbed.conflist").exists());
    std::fs::write(node.path("bin/portmap"), "x").unwrap();
    assert_eq!(chain(None, &node.path("bin")).unwrap(), [Chained::Portmap]);
    assert_eq!(chain(Some(&[]), &node.path("bin")).unwrap(), []);
    node.install(None).expect("installed");
    let text = std::fs::read_to_string(node.path("net.d/10-roadbed.conflist")).unwrap();
    assert!(
        text.contains("portMappings") && !text.contains("bandwidth"),
        "{text}"
    );
}

#[test]
fn what_is_not_the_plugin_is_not_installed() {
    let node = Node::new();
    std::fs::write(node.path("roadbed-cni"), "#!/bin/sh\n").unwrap();
    assert!(node.install(None).is_err());
    assert!(!node.path("bin").exists());
}

#[test]
fn an_uninstall_takes_what_is_ours_and_nothing_else() {
    let node = Node::new();
    node.install(None).expect("installed");
    std::fs::write(node.path("bin/bridge"), "x").unwrap();
    std::fs::write(node.path("net.d/20-other.conflist"), "{}").unwrap();
    // An install that was killed.
    std::fs::write(node.path("bin/.roadbed.new"), "half").unwrap();
    uninstall(&node.path("bin"), &node.path("net.d")).expect("uninstalled");
    assert_eq!(node.names("bin"), ["bridge"]);
    assert_eq!(node.names("net.d"), ["20-other.conflist"]);
    uninstall(&node.path("bin"), &node.path("net.d")).expect("there is nothing left to do");
    // Somebody else's of the same names.
    std::fs::write(node.path("bin/roadbed"), "\x7fELF of others").unwrap();
    std::fs::write(
        node.path("net.d/10-roadbed.conflist"),
        r#"{"plugins":[{"type":"bridge"}]}"#,
    )
    .unwrap();
    uninstall(&node.path("bin"), &node.path("net.d")).expect("uninstalled");
    assert!(node.path("bin/roadbed").exists() && node.path("net.d/10-roadbed.conflist").exists());
    uninstall(&node.path("nowhere"), &node.path("nowhere")).expect("there is nothing to do");
    assert!(!node.path("nowhere").exists());
}

#[test]
fn files_are_replaced_whole_and_links_are_not_followed() {
    let node = Node::new();
    let _held = hold(&node.path("d")).unwrap();
    std::fs::write(node.path("elsewhere"), "theirs").unwrap();
    for name in ["f", ".f.new"] {
        std::os::unix::fs::symlink(node.path("elsewhere"), node.path("d").join(name)).unwrap();
    }
    assert!(
        put(&node.path("d"), "f", b"theirs", 0o644).unwrap(),
        "a link is no file of ours"
    );
    assert_eq!(std::fs::read(node.path("elsewhere")).unwrap(), b"theirs");
    assert!(std::fs::symlink_metadata(node.path("d/f")).unwrap().is_file());
    assert!(
        put(&node.path("d"), "f", b"theirs", 0o600).unwrap(),
        "another mode"
    );
    assert!(!put(&node.path("d"), "f", b"theirs", 0o600).unwrap());
    assert_eq!(remove(&node.path("d"), "f", |_| false).unwrap(), Removed::NotOurs);
    assert_eq!(remove(&node.path("d"), "f", |_| true).unwrap(), Removed::Gone);
    assert_eq!(remove(&node.path("d"), "f", |_| true).unwrap(), Removed::Absent);
}

#[test]
fn others_that_come_first_or_use_our_plugin_are_found() {
    let node = Node::new();
    node.install(None).expect("installed");
    for (name, text) in [
        (
            "05-first.conf",
            r#"{"type":"bridge","ipam":{"type":"host-local"}}"#,
        ),
        ("00-notes.txt", ""),
        (".05-hidden.new", ""),
        (
            "20-lan.conflist",
            r#"{"plugins":[{"type":"macvlan","ipam":{"type":"roadbed-ipam"}}]}"#,
        ),
    ] {
        std::fs::write(node.path("net.d").join(name), text).unwrap();
    }
    assert_eq!(
        before(&node.path("net.d"), NETWORK_FILE).unwrap(),
        ["05-first.conf"]
    );
    assert_eq!(
        users(&node.path("net.d")).unwrap(),
        [NETWORK_FILE, "20-lan.conflist"]
    );
}

#[test]
fn ours_is_told_from_others() {
    assert!(is_our_plugin(&plugin("1")) && !is_our_plugin(b"\x7fELF") && !is_our_plugin(b""));
    let network = Network {
        name: "pods",
        socket: Path::new("/run/other.sock"),
        state_dir: Path::new("/srv/state"),
        chain: vec![Chained::Bandwidth],
    };
    let text = network.text();
    assert!(is_our_network(text.as_bytes()));
    for part in ["/run/other.sock", "/srv/state", "\"pods\"", "bandwidth"] {
        assert!(text.contains(part), "{part}");
    }
    assert!(!is_our_network(
        br#"{"type":"bridge","ipam":{"type":"roadbed-ipam"}}"#
    ));
    assert!(!is_our_network(b"not json"));
}
