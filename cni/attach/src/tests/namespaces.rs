//! Nodes and pods for tests: real network namespaces, held by threads.
//!
//! A namespace lives as long as its thread, and its path is that of the thread in `/proc`: nothing is mounted,
//! nothing can be left behind, also after a kill.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use nix::sched::{CloneFlags, unshare};

use crate::netlink::Netlink;
use crate::requests::{self, Change, Route};
use crate::{PodLink, host_ifname};

pub const NODE_V4: &str = "192.0.2.7";
pub const NODE_V6: &str = "2001:db8:ffff::7";

type Job = Box<dyn FnOnce() + Send>;

/// A network namespace, and the thread that lives in it.
pub struct Ns {
    pub path: PathBuf,
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Ns {
    pub fn new() -> Ns {
        let (ready, at) = mpsc::channel();
        let (jobs, work) = mpsc::channel::<Job>();
        let thread = thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("these tests need root");
            let path = format!(
                "/proc/{}/task/{}/ns/net",
                std::process::id(),
                nix::unistd::gettid()
            );
            ready.send(PathBuf::from(path)).unwrap();
            work.into_iter().for_each(|job| job());
        });
        Ns {
            path: at.recv().unwrap(),
            jobs: Some(jobs),
            thread: Some(thread),
        }
    }

    /// A node: loopback up, with an address of each family that pods can reach.
    pub fn node() -> Ns {
        let node = Ns::new();
        node.run(|| {
            let up = Change {
                up: true,
                ..Change::default()
            };
            let mut all = vec![requests::change(1, &up, "set lo up".into())];
            for address in [NODE_V4, NODE_V6] {
                let address: IpAddr = address.parse().unwrap();
                all.push(requests::put_address(1, address.into(), "lo"));
            }
            Netlink::open().unwrap().carry_out(all).unwrap();
        });
        node
    }

    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (answer, result) = mpsc::channel();
        let job: Job = Box::new(move || answer.send(work()).unwrap());
        self.jobs.as_ref().unwrap().send(job).unwrap();
        result
            .recv_timeout(Duration::from_secs(60))
            .expect("the namespace's thread did not answer")
    }
}

impl Drop for Ns {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub fn pod_link(netns: &Path, container: &str, addresses: &[&str]) -> PodLink {
    PodLink {
        netns: netns.to_owned(),
        ifname: "eth0".into(),
        host_ifname: host_ifname(container, "eth0"),
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        mtu: 1450,
        mac: None,
        default_route: Default::default(),
        routes: Vec::new(),
        sysctls: Default::default(),
    }
}

/// The links of a namespace without loopback, as (name, MTU).
pub fn links(ns: &Ns) -> Vec<(String, u32)> {
    ns.run(|| {
        let all = requests::links(&mut Netlink::open().unwrap()).unwrap();
        all.into_iter()
            .filter(|l| l.index != 1)
            .map(|l| (l.name, l.mtu))
            .collect()
    })
}

/// What routesync does on a node: the host routes of the pod.
pub fn host_routes(link: &PodLink) {
    let index = index_of(&link.host_ifname);
    let route = |&address: &IpAddr| Route {
        table: 254,
        destination: IpNet::from(address),
        gateway: None,
        onlink: false,
    };
    let all = link
        .addresses
        .iter()
        .map(|a| requests::add_route(index, &route(a), "the node's end"));
    Netlink::open().unwrap().carry_out(all.collect()).unwrap();
}

/// A connection from one namespace to an address of another, with an echo; how long it took.
pub fn talk(from: &Ns, to: &Ns, address: &str) -> Duration {
    let address: IpAddr = address.parse().unwrap();
    let listener = to.run(move || TcpListener::bind(SocketAddr::new(address, 0)).unwrap());
    let target = listener.local_addr().unwrap();
    let echo = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        stream.write_all(&byte).unwrap();
    });
    let took = from.run(move || {
        let start = Instant::now();
        let mut stream = TcpStream::connect_timeout(&target, Duration::from_secs(5)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(b"!").unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        start.elapsed()
    });
    echo.join().unwrap();
    took
}

/// Waits for a state of the kernel that comes by itself.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "still not so after 10 s: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The index of a link in the namespace of the thread.
pub fn index_of(name: &str) -> u32 {
    requests::link(&mut Netlink::open().unwrap(), name)
        .unwrap()
        .unwrap()
        .index
}
