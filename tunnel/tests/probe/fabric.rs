//! Two nodes, the router between them, commands, and waiting for verdicts.

use std::fs::File;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns, unshare};
use tunnel::Family;
use tunnel::probe::{
    self, DesiredProbes, Handle, LocalEnd, NativeHop, ProbeKey, ProbePeer, ProbeVerdict, Settings, Silence,
    Tuning,
};

/// Enough for a loaded machine; nothing waits that long when all is well.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Runs a test on a thread of its own, for it changes the thread's namespace.
pub fn alone(test: impl FnOnce() + Send + 'static) {
    if let Err(panic) = std::thread::spawn(test).join() {
        std::panic::resume_unwind(panic);
    }
}

/// A network namespace without a name; it lives as long as a process, socket or this file is in it.
pub struct Namespace(File);

impl Namespace {
    pub fn new() -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("needs root: unshare(CLONE_NEWNET)");
        // Replies come by another link than requests leave by.
        for name in ["all", "default"] {
            write(&format!("/proc/sys/net/ipv4/conf/{name}/rp_filter"), "0");
        }
        run("ip link set lo up");
        Self(File::open("/proc/thread-self/ns/net").unwrap())
    }

    /// Moves the calling thread into it.
    pub fn enter(&self) {
        setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
    }

    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// Runs a command in it; it must succeed.
    pub fn run(&self, line: &str) -> String {
        self.enter();
        run(line)
    }
}

pub fn write(path: &str, value: &str) {
    std::fs::write(path, value).unwrap_or_else(|error| panic!("{path}: {error}"));
}

/// Runs a command in the thread's namespace; it must succeed.
pub fn run(line: &str) -> String {
    let mut words = line.split_whitespace();
    let output = Command::new(words.next().unwrap())
        .args(words)
        .output()
        .expect(line);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{line}` failed: {text}{errors}");
    text
}

/// Waits for a condition.
pub fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Quick, and patient with a loaded machine.
pub fn settings() -> Settings {
    Settings {
        tuning: Tuning {
            fast: Duration::from_millis(40),
            steady: Duration::from_millis(150),
            timeout: Duration::from_millis(700),
            full_every: 4,
            hold: Duration::from_millis(500),
            hold_most: Duration::from_secs(1),
            ..Tuning::default()
        },
        ..Settings::default()
    }
}

/// A node: its addresses of both families, and who it is probed by.
pub struct Node {
    pub name: &'static str,
    pub namespace: Namespace,
    pub nodes: [IpAddr; 2],
    pub pods: [IpAddr; 2],
    pub gateways: [IpAddr; 2],
}

/// A task that probes, on a thread of its own.
pub struct Prober {
    handle: Option<Handle>,
    thread: Option<JoinHandle<()>>,
}

impl Prober {
    pub fn handle(&self) -> &Handle {
        self.handle.as_ref().unwrap()
    }

    pub fn verdict(&self, peer: &Node, family: Family) -> ProbeVerdict {
        self.handle()
            .verdicts()
            .borrow()
            .of(&ProbeKey::new(peer.name, family))
    }

    /// Publishes and waits until it is done, without a problem.
    pub fn bring(&self, desired: DesiredProbes) {
        let generation = self.handle().publish(desired);
        let verdicts = self.handle().verdicts();
        until("the task has taken over what is wanted", || {
            verdicts.borrow().generation >= generation
        });
        assert_eq!(verdicts.borrow().problems, Vec::<String>::new());
    }

    pub fn carries(&self, peer: &Node, family: Family) {
        self.reaches(peer, family, "Carries", ProbeVerdict::carries);
    }

    pub fn silent(&self, peer: &Node, family: Family, why: Silence) {
        let silent =
            |verdict: &ProbeVerdict| matches!(verdict, ProbeVerdict::Silent(reason, _) if *reason == why);
        self.reaches(peer, family, &format!("Silent({why:?})"), silent);
    }

    fn reaches(&self, peer: &Node, family: Family, what: &str, is: impl Fn(&ProbeVerdict) -> bool) {
        let end = Instant::now() + DEADLINE;
        loop {
            let verdict = self.verdict(peer, family);
            if is(&verdict) {
                return;
            }
            assert!(Instant::now() < end, "{} is not {what}: {verdict}", peer.name);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends the task and waits for its end.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.handle = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.end();
    }
}

impl Node {
    /// Starts its task.
    pub fn start(&self) -> Prober {
        let (sender, receiver) = std::sync::mpsc::channel();
        let file = self.namespace.0.try_clone().unwrap();
        let thread = std::thread::spawn(move || {
            Namespace(file).enter();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let handle = probe::start(settings()).unwrap();
                let mut verdicts = handle.verdicts();
                sender.send(handle).unwrap();
                // Until the task ends.
                while verdicts.changed().await.is_ok() {}
            });
        });
        Prober {
            handle: Some(receiver.recv().unwrap()),
            thread: Some(thread),
        }
    }

    /// Removes what is ours from its kernel.
    pub fn cleanup(&self) -> usize {
        self.namespace.enter();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(probe::cleanup()).unwrap()
    }

    /// Probes `peer` in both families.
    pub fn probes(&self, peer: &Node) -> DesiredProbes {
        let mut desired = DesiredProbes::default();
        for (at, family) in [Family::Ipv4, Family::Ipv6].into_iter().enumerate() {
            let local = LocalEnd {
                pod: self.pods[at],
                node: self.nodes[at],
            };
            desired.local.insert(family, local);
            let hop = NativeHop {
                gateway: self.gateways[at],
                interface: "eth0".into(),
            };
            let other = ProbePeer {
                pod: peer.pods[at],
                others: Vec::new(),
                nodes: vec![peer.nodes[at]],
                hop: Some(hop),
                size: 1500,
            };
            desired.peers.insert(ProbeKey::new(peer.name, family), other);
        }
        desired
    }

    pub fn has_rule(&self) -> bool {
        self.namespace.run("ip rule show").contains("fwmark 0x52420000")
    }

    pub fn table(&self) -> String {
        self.namespace.run("ip route show table 21058") + &self.namespace.run("ip -6 route show table 21058")
    }
}

/// Two nodes in two subnets, and the router that knows their pods' subnets.
pub struct Fabric {
    pub a: Node,
    pub b: Node,
    pub router: Namespace,
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

impl Fabric {
    pub fn new() -> Self {
        let router = Namespace::new();
        write("/proc/sys/net/ipv4/ip_forward", "1");
        write("/proc/sys/net/ipv6/conf/all/forwarding", "1");
        let a = Self::node(&router, "node-a", 1);
        let b = Self::node(&router, "node-b", 2);
        Self { a, b, router }
    }

    fn node(router: &Namespace, name: &'static str, n: u8) -> Node {
        let node = Node {
            name,
            namespace: Namespace::new(),
            nodes: [ip(&format!("192.0.{n}.11")), ip(&format!("2001:db8:{n}::11"))],
            pods: [ip(&format!("10.244.{n}.0")), ip(&format!("fd00:10:244:{n}::"))],
            gateways: [ip(&format!("192.0.{n}.1")), ip(&format!("2001:db8:{n}::1"))],
        };
        run("ip link add eth0 type veth peer name peer0");
        run(&format!("ip link set peer0 netns {} name to-{n}", router.path()));
        run(&format!("ip address add {}/24 dev eth0", node.nodes[0]));
        run(&format!("ip address add {}/64 dev eth0 nodad", node.nodes[1]));
        run(&format!("ip address add {}/32 dev lo", node.pods[0]));
        run(&format!("ip address add {}/128 dev lo", node.pods[1]));
        run("ip link set eth0 up");
        router.enter();
        run(&format!("ip address add {}/24 dev to-{n}", node.gateways[0]));
        run(&format!(
            "ip address add {}/64 dev to-{n} nodad",
            node.gateways[1]
        ));
        run(&format!("ip link set to-{n} up"));
        run(&format!("ip route add {}/26 via {}", node.pods[0], node.nodes[0]));
        run(&format!("ip route add {}/64 via {}", node.pods[1], node.nodes[1]));
        node.namespace.enter();
        run(&format!("ip route add default via {}", node.gateways[0]));
        run(&format!("ip route add default via {}", node.gateways[1]));
        node
    }

    /// Both nodes probe each other.
    pub fn start(&self) -> [Prober; 2] {
        let probers = [self.a.start(), self.b.start()];
        probers[0].bring(self.a.probes(&self.b));
        probers[1].bring(self.b.probes(&self.a));
        probers
    }

    /// The router drops what `condition` (nft) describes.
    pub fn drop_packets(&self, condition: &str) {
        self.router.run("nft add table inet fault");
        self.router
            .run("nft add chain inet fault forward { type filter hook forward priority 0 ; }");
        self.router
            .run(&format!("nft add rule inet fault forward {condition} drop"));
    }

    pub fn heal(&self) {
        self.router.run("nft delete table inet fault");
    }
}
