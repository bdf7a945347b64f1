//! Beside FRR's zebra and what the user has put into the tables by hand: each keeps its own, through everything that we do and
//! through the other's end.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use routesync::DesiredRoute;

use crate::space::*;

/// zebra and staticd, ended with the value.
struct Frr {
    folder: tempfile::TempDir,
    daemons: Vec<Child>,
}

impl Frr {
    /// Starts both in the namespace of this thread.
    fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("frr.conf");
        std::fs::write(&file, config).unwrap();
        let owned = Command::new("chown")
            .args(["-R", "frr:frr"])
            .arg(folder.path())
            .status();
        assert!(
            owned.unwrap().success(),
            "FRR is not installed: run scripts/install-deps test"
        );
        let mut frr = Frr {
            folder,
            daemons: Vec::new(),
        };
        for daemon in ["zebra", "staticd"] {
            frr.run(daemon, &file);
        }
        frr
    }

    fn run(&mut self, daemon: &str, config: &Path) {
        let programs = ["/usr/lib/frr", "/usr/libexec/frr"].map(|folder| format!("{folder}/{daemon}"));
        let program = programs.iter().find(|path| Path::new(path).is_file());
        let program = program.expect("FRR is not installed: run scripts/install-deps test");
        let here = self.folder.path();
        let log = std::fs::File::create(here.join(format!("{daemon}.log"))).unwrap();
        let child = Command::new(program)
            .args(["-u", "frr", "-g", "frr", "-P", "0", "--vty_socket"])
            .arg(here)
            .arg("-z")
            .arg(here.join("zserv.api"))
            .arg("-f")
            .arg(config)
            .arg("-i")
            .arg(here.join(format!("{daemon}.pid")))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.daemons.push(child.unwrap());
        let began = Instant::now();
        while !here.join("zserv.api").exists() {
            assert!(
                began.elapsed() < PATIENCE,
                "zebra does not listen: {}",
                self.words()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn words(&self) -> String {
        let files =
            ["zebra.log", "staticd.log"].map(|file| std::fs::read_to_string(self.folder.path().join(file)));
        files.map(Result::unwrap_or_default).join("\n")
    }

    fn configure(&self, line: &str) {
        let done = Command::new("vtysh")
            .arg("--vty_socket")
            .arg(self.folder.path())
            .args(["-c", "configure terminal", "-c", line])
            .output()
            .expect("FRR is installed");
        let words = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{line}: {words} {}", self.words());
    }

    /// SIGTERM, on which zebra removes its routes; waits for the end.
    fn end(&mut self) {
        for child in &mut self.daemons {
            let pid = i32::try_from(child.id()).unwrap();
            _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGTERM);
            _ = child.wait();
        }
        self.daemons.clear();
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        for child in &mut self.daemons {
            _ = child.kill();
            _ = child.wait();
        }
    }
}

const ZEBRAS: [&str; 3] = ["10.9.0.0/24", "10.9.1.0/24", "fd00:9::/64"];

/// The routes and objects of everybody else.
fn others() -> String {
    let tables = [
        "-4 route show table all",
        "-6 route show table all",
        "nexthop show",
    ]
    .map(ip);
    let lines = tables.iter().flat_map(|text| text.lines());
    // Times that count down are no change.
    let lines = lines.filter(|line| !line.contains("proto 82") && !line.contains("expires"));
    // The kernel's own for each link: they come a while after the link, when nobody has claimed the address.
    let of_links = ["fe80::", "local fe80::", "anycast fe80::", "multicast ff00::"];
    let lines = lines.filter(|line| !of_links.iter().any(|own| line.starts_with(own)));
    // zebra makes objects of its own for what it sees of ours.
    let lines = lines.filter(|line| !(line.starts_with("id ") && line.contains("proto zebra")));
    let mut lines: Vec<_> = lines.map(str::trim_end).collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
fn zebras_and_the_users_routes_are_never_touched() {
    in_namespace(|| async {
        let mut frr = Frr::start(
            "log stdout warnings\n!\nip route 10.9.0.0/24 192.0.2.7\nip route 10.9.1.0/24 192.0.2.7\n\
             ipv6 route fd00:9::/64 2001:db8::7\n!\n",
        );
        for destination in ZEBRAS {
            until_shown(destination, |now| now.contains("metric 20")).await;
        }
        // The user's: by hand, with our metric, over an object of the user's, and in a table of the user's.
        ip("nexthop add id 4242 via 192.0.2.6 dev eth0");
        for route in [
            "10.8.0.0/24 via 192.0.2.6 metric 50 proto static",
            "10.8.1.0/24 nhid 4242 metric 50",
            "blackhole 10.8.2.0/24 metric 50",
            "10.1.0.0/24 via 192.0.2.6 metric 70",
            "10.8.0.0/24 via 192.0.2.6 table 100",
        ] {
            ip(&format!("route add {route}"));
        }
        let before = others();
        let handle = start();
        handle.publish_nexthops(sets([("node", vec![hop(Some("192.0.2.9"), "eth0")])]));
        let free = [
            (key("10.1.0.0/24", 50), over("node")),
            (key("10.2.0.0/24", 50), via("192.0.2.9", "eth0")),
            (key("fd00:2::/64", 50), via("2001:db8::9", "eth0")),
        ];
        // Not beside a route of zebra's with another metric: zebra takes a stranger's route for the better one, and removes its own.

        let taken = [
            (key("10.8.0.0/24", 50), over("node")),
            (key("10.8.1.0/24", 50), via("192.0.2.9", "eth0")),
            (key("10.8.2.0/24", 50), DesiredRoute::blackhole()),
            (key("10.9.1.0/24", 20), over("node")),
        ];
        publish(&handle, fib(free.clone().into_iter().chain(taken.clone()), true)).await;
        let status = status_where(&handle, |status| status.installed == free.len()).await;
        let failed: Vec<_> = status.failed.iter().map(|(key, ..)| *key).collect();
        assert_eq!(failed, taken.clone().map(|(key, _)| key));
        assert_eq!(others(), before);
        // They move, go and come back; somebody removes ours, and all is read anew.
        let generation = handle.publish_nexthops(sets([("node", vec![hop(Some("198.51.100.9"), "eth1")])]));
        status_where(&handle, |status| status.in_sync_with >= generation).await;
        ip("route del 10.1.0.0/24 proto 82");
        ip("route del 10.2.0.0/24 proto 82");
        status_where(&handle, |status| {
            status.repaired >= 2 && status.installed == free.len()
        })
        .await;
        install(&handle, fib([], true)).await;
        assert_eq!((ours(), others()), (0, before.clone()));
        publish(&handle, fib(free.clone().into_iter().chain(taken), true)).await;
        status_where(&handle, |status| status.installed == free.len()).await;
        assert_eq!(others(), before);
        // zebra gives up a route: ours takes the place at once. zebra ends: its routes go, ours and the user's stay.
        frr.configure("no ip route 10.9.1.0/24 192.0.2.7");
        status_where(&handle, |status| status.installed == free.len() + 1).await;
        frr.end();
        until_shown("10.9.0.0/24", |now| !now.contains("metric 20")).await;
        let status = status_where(&handle, |status| status.failed.len() == 3).await;
        assert_eq!(status.installed, free.len() + 1);
        let left = others();
        for theirs in [
            "10.8.0.0/24 via 192.0.2.6",
            "10.8.1.0/24 nhid 4242",
            "blackhole 10.8.2.0/24",
            "id 4242 via",
        ] {
            assert!(left.contains(theirs), "{left}");
        }
        assert_eq!(
            routesync::cleanup(routesync::Protocol::default()).await.unwrap(),
            free.len() + 1
        );
        assert_eq!((ours(), others()), (0, left));
    });
}
