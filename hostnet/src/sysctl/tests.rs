use std::fs;

use super::*;

/// A tree of files in place of `/proc/sys`, removed at the end.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new(values: &[(&str, &str)]) -> Self {
        let tree = Tree(tempfile::tempdir().unwrap());
        for (key, value) in values {
            let path = tree.0.path().join(key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{value}\n")).unwrap();
        }
        tree
    }

    fn keys(&self, wanted: &Wanted) -> Vec<String> {
        check_under(self.0.path(), wanted)
            .into_iter()
            .map(|drift| format!("{}={}", drift.key, drift.wanted))
            .collect()
    }
}

fn wanted() -> Wanted {
    Wanted {
        ipv6: true,
        uplinks: ["eth0".into()].into(),
        tunnels: ["rb-vxlan".into()].into(),
    }
}

#[test]
fn a_fresh_host() {
    let tree = Tree::new(&[
        ("net/ipv4/ip_forward", "0"),
        ("net/ipv4/conf/all/rp_filter", "1"),
        ("net/ipv4/conf/eth0/rp_filter", "0"),
        ("net/ipv4/conf/rb-vxlan/rp_filter", "1"),
        ("net/ipv6/conf/eth0/accept_ra", "1"),
        ("net/ipv6/conf/all/forwarding", "0"),
    ]);
    let expected = [
        "net/ipv4/ip_forward=1",
        "net/ipv4/conf/eth0/rp_filter=2",
        "net/ipv4/conf/rb-vxlan/rp_filter=2",
        "net/ipv6/conf/eth0/accept_ra=2",
        "net/ipv6/conf/all/forwarding=1",
    ];
    assert_eq!(tree.keys(&wanted()), expected);
    let report = apply_under(tree.0.path(), &wanted());
    assert_eq!((report.changed.len(), report.refused.len()), (5, 0));
    assert_eq!(tree.keys(&wanted()), [""; 0]);
    assert_eq!(
        proc::read(tree.0.path(), "net/ipv4/conf/all/rp_filter").as_deref(),
        Some("1")
    );
}

#[test]
fn nothing_is_changed_that_need_not_be() {
    let tree = Tree::new(&[
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv4/conf/all/rp_filter", "2"),
        ("net/ipv4/conf/eth0/rp_filter", "1"),
        ("net/ipv6/conf/eth0/accept_ra", "0"),
        ("net/ipv6/conf/all/forwarding", "0"),
    ]);
    assert_eq!(
        tree.keys(&Wanted {
            ipv6: false,
            ..wanted()
        }),
        [""; 0]
    );
    assert_eq!(tree.keys(&wanted()), ["net/ipv6/conf/all/forwarding=1"]);
}

#[test]
fn what_cannot_be_set_is_told_with_the_remedy() {
    let tree = Tree::new(&[]);
    let report = apply_under(tree.0.path(), &Wanted::default());
    let text = report.refused[0].to_string();
    assert!(
        text.starts_with("net/ipv4/ip_forward is missing, must be 1: "),
        "{text}"
    );
    assert!(text.contains("cannot set net/ipv4/ip_forward to 1"), "{text}");
    // A file that refuses, as all do in a container's /proc/sys.
    let refused = proc::write(Path::new(proc::ROOT), "kernel/osrelease", "1").unwrap_err();
    assert!(
        refused.to_string().contains("sysctl -w kernel/osrelease=1"),
        "{refused}"
    );
}

/// In a network namespace of its own, which goes with its thread.
#[test]
fn the_real_thing() {
    let thread = std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
            .expect("a new network namespace (root needed)");
        let wanted = Wanted {
            ipv6: true,
            uplinks: ["lo".into()].into(),
            tunnels: ["none".into()].into(),
        };
        proc::write(Path::new(proc::ROOT), "net/ipv4/conf/lo/rp_filter", "1").unwrap();
        let report = apply(&wanted);
        assert!(report.refused.is_empty(), "{:?}", report.refused);
        assert_eq!(check(&wanted), []);
        let value = |key: &str| proc::read(Path::new(proc::ROOT), key).unwrap();
        assert_eq!(value("net/ipv4/ip_forward"), "1");
        assert_eq!(value("net/ipv4/conf/lo/rp_filter"), "2");
        assert_eq!(value("net/ipv6/conf/all/forwarding"), "1");
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
