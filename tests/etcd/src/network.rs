//! Addresses for the members, and namespaces joined by a bridge where those are asked for.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns};

use crate::janitor::Janitor;

/// The first of the ports on a loopback address; the lock is held on it, members use those above.
const PORT: u16 = 23_790;

/// Tells the clusters of one process apart.
static COUNTER: AtomicU32 = AtomicU32::new(0);

/// Where one member is.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub address: IpAddr,
    pub client_port: u16,
    pub peer_port: u16,
    /// Plain HTTP: health and metrics, for the harness alone.
    pub probe_port: u16,
    pub namespace: Option<String>,
}

/// The network of one cluster.
pub(crate) struct Network {
    pub sites: Vec<Site>,
    /// The namespace of the bridge and that of the clients.
    spaces: Option<(String, String)>,
    /// Held for as long as the address is ours.
    _lock: Option<TcpListener>,
}

impl Network {
    /// An address of 127.0.0.0/8 that nobody else has: whoever listens on its first port owns it.
    pub fn loopback(members: usize) -> Network {
        for _ in 0..10_000 {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let seed = std::process::id().wrapping_mul(97).wrapping_add(number);
            let [_, b, c, d] = seed.to_be_bytes();
            let address = Ipv4Addr::new(127, 64 + b % 128, c, d.clamp(1, 254));
            let Ok(lock) = TcpListener::bind((address, PORT)) else {
                continue;
            };
            let site = |i: usize| {
                let first = PORT + 1 + 3 * u16::try_from(i).expect("a small number");
                Site {
                    address: IpAddr::V4(address),
                    client_port: first,
                    peer_port: first + 1,
                    probe_port: first + 2,
                    namespace: None,
                }
            };
            return Network {
                sites: (0..members).map(site).collect(),
                spaces: None,
                _lock: Some(lock),
            };
        }
        panic!("no address of 127.0.0.0/8 is free");
    }

    /// A namespace for each member, one for clients, and a hub with the bridge that joins them.
    pub fn namespaces(members: usize, janitor: &Janitor) -> Network {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let base = format!("etcd-{}-{number}", std::process::id());
        let (hub, client) = (format!("{base}-hub"), format!("{base}-client"));
        let site = |i: usize| Site {
            address: IpAddr::V4(Ipv4Addr::new(
                10,
                99,
                0,
                11 + u8::try_from(i).expect("a small number"),
            )),
            client_port: 2379,
            peer_port: 2380,
            probe_port: 2381,
            namespace: Some(format!("{base}-m{i}")),
        };
        let sites: Vec<Site> = (0..members).map(site).collect();
        let mut script = String::from("link add br0 type bridge\nlink set br0 up\n");
        janitor.namespace(&hub);
        ip(&["netns", "add", &hub]);
        let ends = sites.iter().enumerate().map(|(i, site)| {
            let name = site.namespace.clone().unwrap_or_default();
            (format!("m{i}"), name, site.address)
        });
        let client_end = (
            "client".to_owned(),
            client.clone(),
            IpAddr::V4(Ipv4Addr::new(10, 99, 0, 2)),
        );
        let ends: Vec<_> = ends.chain([client_end]).collect();
        for (port, space, _) in &ends {
            janitor.namespace(space);
            ip(&["netns", "add", space]);
            script += &format!("link add {port} type veth peer name eth0 netns {space}\n");
            script += &format!("link set {port} master br0 up\n");
        }
        batch(&hub, &script);
        for (_, space, address) in &ends {
            batch(
                space,
                &format!("link set lo up\naddr add {address}/24 dev eth0\nlink set eth0 up\n"),
            );
        }
        Network {
            sites,
            spaces: Some((hub, client)),
            _lock: None,
        }
    }

    /// The namespace of the clients.
    pub fn client_namespace(&self) -> Option<&str> {
        self.spaces.as_ref().map(|(_, client)| client.as_str())
    }

    /// Takes a member's link down or up.
    pub fn link(&self, member: usize, state: &str) {
        let Some((hub, _)) = &self.spaces else {
            panic!("only members in namespaces (Place::Namespaces) can be cut off");
        };
        ip(&["-n", hub, "link", "set", &format!("m{member}"), state]);
    }

    /// Lets a member talk with clients but not with the other members (`add`), or with all again (`del`).
    pub fn peers(&self, member: usize, verb: &str) {
        let Some(space) = &self.sites[member].namespace else {
            panic!("only members in namespaces (Place::Namespaces) can be isolated");
        };
        let others = self.sites.iter().enumerate().filter(|(i, _)| *i != member);
        for (_, other) in others {
            ip(&[
                "-n",
                space,
                "route",
                verb,
                "blackhole",
                &format!("{}/32", other.address),
            ]);
        }
    }
}

/// Runs `f` just so, or on a thread of its own inside a namespace if one is named. Processes that it starts and
/// sockets that it opens stay there.
pub fn inside<T: Send>(namespace: Option<&str>, f: impl FnOnce() -> T + Send) -> T {
    let Some(name) = namespace else { return f() };
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let path = format!("/run/netns/{name}");
            let file = File::open(&path).unwrap_or_else(|e| panic!("cannot open {path}: {e}"));
            setns(file, CloneFlags::CLONE_NEWNET).unwrap_or_else(|e| panic!("cannot enter {path}: {e}"));
            f()
        });
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output();
    let output = output.unwrap_or_else(|e| panic!("cannot run ip (package iproute2): {e}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments:?} (needs root): {text}");
}

fn batch(namespace: &str, script: &str) {
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    std::fs::write(file.path(), script).expect("a temporary file can be written");
    ip(&["-n", namespace, "-batch", &file.path().display().to_string()]);
}
