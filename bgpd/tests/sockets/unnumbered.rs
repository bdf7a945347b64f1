//! Peers that are known by their interface: two namespaces with a veth between them, and no address but those that the
//! kernel makes by itself.

use crate::support::*;
use bgpd::Handle;
use bgpd_proto::rib::{NextHopState, Originated};
use bgpd_proto::speaker::{PeerConfig, SpeakerConfig};
use bgpd_proto::types::{Asn, PeerId, RemoteAs, RouterId, ScopedAddr};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Each namespace has it for itself.
const PORT: u16 = 179;

async fn speaker(host: u8, interface: &str) -> Handle {
    let mut config = SpeakerConfig::new(
        Asn(65000 + u32::from(host)),
        RouterId(Ipv4Addr::new(192, 0, 2, host)),
    );
    let mut peer = PeerConfig::new("neighbour", RemoteAs::External);
    peer.remote_port = PORT;
    peer.connect_retry = Duration::from_secs(1);
    peer.offer.extended_next_hop = true;
    let id = PeerId::Interface(interface.parse().unwrap());
    config.peers.insert(id, peer);
    let handle = bgpd::start(config, vec![SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), PORT)])
        .await
        .unwrap();
    let prefixes = [format!("2001:db8:{host}::/48"), format!("10.{host}.0.0/24")];
    let routes = prefixes.map(|prefix| (prefix.parse().unwrap(), Originated::default()));
    handle.originate(BTreeMap::from(routes)).await;
    handle
}

/// Comes up and learns the other's routes, IPv6 and IPv4, both with a link-local next hop.
async fn learns(handle: &Handle, interface: &str) {
    let id = PeerId::Interface(interface.parse().unwrap());
    wait_up(handle, id).await;
    wait(handle, "the other's routes", move |speaker| {
        let status = &speaker.peers(Instant::now())[0];
        status.families.len() == 2 && status.families.iter().all(|family| family.accepted == 1)
    })
    .await;
    let hops = handle
        .query(|speaker, _| speaker.tracked_next_hops())
        .await
        .unwrap();
    let on_link = |hop: &ScopedAddr| hop.is_link_local() && hop.zone == id.interface();
    assert!(hops.len() == 1 && hops.iter().all(on_link), "{hops:?}");
    let reachable = |hop| (hop, NextHopState::Reachable { metric: 1 });
    handle
        .set_next_hops(hops.into_iter().map(reachable).collect())
        .await;
    wait_routes(handle, 4).await;
}

/// Learns, and says so; then waits until the other end has come as far.
async fn meet(handle: &Handle, interface: &str, done: &Sender<()>, other: Receiver<()>) {
    learns(handle, interface).await;
    done.send(()).unwrap();
    heard(other).await;
}

/// Waits for the other end, while the speaker of this one goes on.
async fn heard(other: Receiver<()>) {
    tokio::task::spawn_blocking(move || other.recv_timeout(DEADLINE))
        .await
        .unwrap()
        .unwrap();
}

/// Two namespaces, the second on a thread of its own, and a link between them whose ends are `left` and `right`: `left` is told
/// how to make the link, and makes it when it likes; `right` begins when it is there.
fn two_ends<L: Future<Output = ()>, R: Future<Output = ()>>(
    left: impl FnOnce(Wire) -> L + Send + 'static,
    right: impl FnOnce() -> R + Send + 'static,
) {
    let (place, there) = channel::<String>();
    let (wired, wires) = channel::<()>();
    let other = std::thread::spawn(move || {
        in_namespace(&[], move || async move {
            let own = std::fs::read_link("/proc/thread-self").unwrap();
            place.send(format!("/proc/{}/ns/net", own.display())).unwrap();
            wires.recv_timeout(DEADLINE).unwrap();
            ip("link set right up");
            right().await;
        });
    });
    in_namespace(&[], move || left(Wire { there, wired }));
    other.join().unwrap();
}

/// A link that is yet to be made.
struct Wire {
    there: Receiver<String>,
    wired: Sender<()>,
}

impl Wire {
    fn connect(&self) {
        let namespace = self.there.recv_timeout(DEADLINE).unwrap();
        ip(&format!(
            "link add left type veth peer name right netns {namespace}"
        ));
        ip("link set left up");
        self.wired.send(()).unwrap();
    }
}

#[test]
fn neighbours_find_each_other_on_their_link() {
    let (a_done, a_came) = channel();
    let (b_done, b_came) = channel();
    two_ends(
        move |wire| async move {
            // The interface comes after the speaker that waits for it.
            let handle = speaker(1, "left").await;
            wire.connect();
            meet(&handle, "left", &a_done, b_came).await;
        },
        move || async move {
            let handle = speaker(2, "right").await;
            meet(&handle, "right", &b_done, a_came).await;
        },
    );
}

/// FRR with one neighbour, on its interface `right`. Its processes end with this.
struct Frr {
    folder: tempfile::TempDir,
    processes: Vec<Child>,
}

const FRR: &str = "\
router bgp 65002
 bgp router-id 192.0.2.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor right interface remote-as external
 neighbor right timers connect 1
 address-family ipv4 unicast
  network 10.2.0.0/24
 exit-address-family
 address-family ipv6 unicast
  network 2001:db8:2::/48
  neighbor right activate
 exit-address-family
";

impl Frr {
    /// Starts it in the namespace of this thread.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap().to_owned();
        std::fs::write(folder.path().join("frr.conf"), FRR).unwrap();
        let owned = Command::new("chown").args(["-R", "frr:frr", &path]).status();
        assert!(owned.unwrap().success());
        let mut frr = Self {
            folder,
            processes: Vec::new(),
        };
        frr.spawn("zebra", &path);
        let deadline = Instant::now() + DEADLINE;
        while !frr.folder.path().join("zserv.api").exists() {
            assert!(Instant::now() < deadline, "zebra does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        frr.spawn("bgpd", &path);
        frr
    }

    fn spawn(&mut self, program: &str, path: &str) {
        let mut command = Command::new(format!("/usr/lib/frr/{program}"));
        command.args(["-u", "frr", "-g", "frr", "--vty_socket", path]);
        command.args([
            "-z",
            &format!("{path}/zserv.api"),
            "-f",
            &format!("{path}/frr.conf"),
        ]);
        command.args(["-i", &format!("{path}/{program}.pid")]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.processes.push(command.spawn().unwrap());
    }

    /// Waits until it shows `text` to `question`.
    fn wait(&self, question: &str, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let mut command = Command::new("vtysh");
            command
                .arg("--vty_socket")
                .arg(self.folder.path())
                .args(["-c", question]);
            let output = command.output().unwrap();
            let shown = String::from_utf8_lossy(&output.stdout);
            if shown.contains(text) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "`{text}` is not in: {shown}{}",
                String::from_utf8_lossy(&output.stderr)
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

#[test]
fn frr_and_we_find_each_other_and_ipv4_goes_over_ipv6() {
    let (done, came) = channel::<()>();
    let (seen, sees) = channel::<()>();
    two_ends(
        move |wire| async move {
            wire.connect();
            let handle = speaker(1, "left").await;
            learns(&handle, "left").await;
            done.send(()).unwrap();
            // Until FRR has seen ours as well, it is not left alone.
            heard(sees).await;
        },
        move || async move {
            let frr = Frr::start();
            frr.wait("show bgp ipv6 unicast", "2001:db8:1::/48");
            frr.wait("show bgp ipv4 unicast", "10.1.0.0/24");
            // With the next hop that RFC 8950 allows, and good enough to be used.
            frr.wait("show bgp ipv4 unicast 10.1.0.0/24", "best");
            seen.send(()).unwrap();
            heard(came).await;
        },
    );
}
