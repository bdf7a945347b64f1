//! Real network namespaces for tests, with real packets. `nft` and `ip` judge; what is under test needs neither.
//!
//! A namespace lives as long as the thread that made it: nothing is mounted, nothing can be left behind, also after a kill.

use std::net::UdpSocket;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};

use crate::ruleset::{Counter, counters};

type Job = Box<dyn FnOnce() + Send>;

/// A network namespace, and the thread that lives in it.
pub(crate) struct Ns {
    pub(crate) thread_id: i32,
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Ns {
    pub(crate) fn new() -> Ns {
        let (ready, at) = mpsc::channel();
        let (jobs, work) = mpsc::channel::<Job>();
        let thread = thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("these tests need root");
            sh("ip link set lo up");
            ready.send(nix::unistd::gettid().as_raw()).unwrap();
            work.into_iter().for_each(|job| job());
        });
        Ns {
            thread_id: at.recv().expect("the namespace's thread"),
            jobs: Some(jobs),
            thread: Some(thread),
        }
    }

    pub(crate) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (answer, result) = mpsc::channel();
        let job: Job = Box::new(move || {
            let _ = answer.send(work());
        });
        self.jobs.as_ref().unwrap().send(job).unwrap();
        result
            .recv_timeout(Duration::from_secs(60))
            .expect("the namespace's thread did not answer")
    }

    pub(crate) fn sh(&self, command: &str) -> String {
        let command = command.to_owned();
        self.run(move || sh(&command))
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

/// Runs a command line in the network namespace of the calling thread, and gives what it printed.
pub(crate) fn sh(command: &str) -> String {
    let output = Command::new("sh").args(["-ec", command]).output().expect("sh");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(output.status.success(), "{command}: {out}{err}");
    out
}

/// Asks until it is so; the deadline is only for what is broken.
pub(crate) fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is() {
        assert!(begin.elapsed() < Duration::from_secs(20), "not in time: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A node that forwards, without any reverse path filter: what is dropped, the guard drops. Its default route leads to the
/// world, so that every address has a route.
pub(crate) struct Node {
    pub(crate) ns: Ns,
    pub(crate) world: Ns,
}

pub(crate) const NODE: [&str; 2] = ["192.0.2.7", "2001:db8:ffff::7"];

impl Node {
    pub(crate) fn new() -> Node {
        let node = Node {
            ns: Ns::new(),
            world: Ns::new(),
        };
        node.ns.sh(
            "for f in all default; do echo 0 > /proc/sys/net/ipv4/conf/$f/rp_filter; done
             echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
             ip addr add 192.0.2.7/32 dev lo; ip addr add 2001:db8:ffff::7/128 dev lo nodad",
        );
        node.ns.sh(&format!(
            "ip link add up0 type veth peer name eth0 netns {}
             ip addr add 203.0.113.1/24 dev up0; ip addr add 2001:db8:eeee::1/64 dev up0 nodad; ip link set up0 up
             ip route add default via 203.0.113.2; ip -6 route add default via 2001:db8:eeee::2",
            node.world.thread_id
        ));
        node.world.sh(
            "ip addr add 203.0.113.2/24 dev eth0; ip addr add 2001:db8:eeee::2/64 dev eth0 nodad; ip link set eth0 up",
        );
        node
    }

    /// A pod as the plugin makes it: addresses of its own, gateways that are link-local, a route on the node.
    pub(crate) fn pod(&self, link: &str, number: u8) -> Ns {
        let pod = Ns::new();
        let [v4, v6] = addresses(number);
        self.ns.sh(&format!(
            "ip link add {link} type veth peer name eth0 netns {}
             ip addr add 169.254.1.1/32 dev {link}; ip addr add fe80::1/64 dev {link} nodad; ip link set {link} up
             ip route add {v4}/32 dev {link}; ip -6 route add {v6}/128 dev {link}",
            pod.thread_id
        ));
        pod.sh(&format!(
            "ip addr add {v4}/32 dev eth0; ip addr add {v6}/128 dev eth0 nodad; ip link set eth0 up
             ip route add 169.254.1.1 dev eth0 scope link; ip route add default via 169.254.1.1
             ip -6 route add default via fe80::1 dev eth0"
        ));
        // The router's link-local address, with which it answers.
        until("the link is up", || {
            pod.sh("ip -6 addr show dev eth0 tentative").is_empty()
        });
        pod
    }

    pub(crate) fn counters(&self) -> Vec<Counter> {
        self.ns.run(|| counters().expect("readable"))
    }

    pub(crate) fn count(&self, rule: &str) -> u64 {
        let counters = self.counters();
        counters
            .iter()
            .find(|counter| counter.rule == rule)
            .expect("the rule")
            .packets
    }
}

pub(crate) fn addresses(number: u8) -> [String; 2] {
    [format!("10.244.0.{number}"), format!("2001:db8:244::{number}")]
}

/// Takes datagrams at an address, each once, as its text.
pub(crate) fn listen(ns: &Ns, address: &str) -> UdpSocket {
    let at = with_port(address, 7000);
    ns.run(move || {
        let socket = UdpSocket::bind(at).expect("bound");
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket
    })
}

/// Sends a datagram from one address to another.
pub(crate) fn send(ns: &Ns, from: &str, to: &str, text: &[u8]) {
    let (from, to, text) = (with_port(from, 0), with_port(to, 7000), text.to_vec());
    ns.run(move || {
        let socket = UdpSocket::bind(&from).unwrap_or_else(|error| panic!("{from}: {error}"));
        socket.send_to(&text, to).expect("sent");
    });
}

pub(crate) fn with_port(address: &str, port: u16) -> String {
    match address.contains(':') {
        true => format!("[{address}]:{port}"),
        false => format!("{address}:{port}"),
    }
}

pub(crate) fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 16];
    let length = socket.recv(&mut buffer).expect("a datagram");
    buffer.truncate(length);
    buffer
}

/// Nothing (more) has come.
pub(crate) fn is_silent(socket: &UdpSocket) -> bool {
    socket.set_nonblocking(true).unwrap();
    let silent = socket.recv(&mut [0; 1]).is_err();
    socket.set_nonblocking(false).unwrap();
    silent
}
