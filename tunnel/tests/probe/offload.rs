//! A card that does not compute the checksums it is asked to: packets leave one node as they are in memory, half checksums
//! and all, by a packet socket that copies them to the other link.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{LinkAddr, MsgFlags, SockaddrLike, recvfrom, sendto};
use std::os::fd::AsRawFd;
use tunnel::Device;
use tunnel::offload::{Check, Finding, Report, cure, examine, is_offloaded};
use tunnel::probe::Settings;

use crate::fabric::*;
use crate::tunnels::tunnels;

const VXLAN_PORT: [u8; 2] = 4789u16.to_be_bytes();
const ETHERNET: usize = 14;
/// A frame that this host sends itself (linux/if_packet.h).
const PACKET_OUTGOING: u8 = 4;

/// Copies VXLAN packets between the router's links; the router itself drops them.
struct BadCard {
    end: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl BadCard {
    fn new(fabric: &Fabric) -> Self {
        fabric.drop_packets("udp dport 4789");
        let end = Arc::new(AtomicBool::new(false));
        let macs = [&fabric.a, &fabric.b].map(mac);
        let threads = [("to-1", "to-2", macs[1]), ("to-2", "to-1", macs[0])];
        fabric.router.enter();
        let threads = threads.map(|(from, to, mac)| {
            let end = end.clone();
            // The socket is of the namespace of this thread.
            let socket =
                socket2::Socket::new(socket2::Domain::PACKET, socket2::Type::RAW, Some(0x0300.into()))
                    .unwrap();
            socket
                .set_read_timeout(Some(std::time::Duration::from_millis(50)))
                .unwrap();
            let (from, to) = (link(from), link(to));
            std::thread::spawn(move || copy(&socket, from, to, mac, &end))
        });
        Self {
            end,
            threads: threads.into(),
        }
    }
}

impl Drop for BadCard {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn mac(node: &Node) -> [u8; 6] {
    let text = node.namespace.run("ip -br link show dev eth0");
    let mac = text.split_whitespace().nth(2).unwrap();
    let bytes: Vec<u8> = mac
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    bytes.try_into().unwrap()
}

fn link(name: &str) -> LinkAddr {
    let mut all = getifaddrs()
        .unwrap()
        .filter(|interface| interface.interface_name == name);
    all.find_map(|interface| interface.address?.as_link_addr().copied())
        .unwrap()
}

fn copy(socket: &socket2::Socket, from: LinkAddr, to: LinkAddr, mac: [u8; 6], end: &AtomicBool) {
    let mut frame = [0; 2048];
    while !end.load(Ordering::Relaxed) {
        let Ok((length, Some(source))) = recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut frame) else {
            continue;
        };
        let vxlan = frame[ETHERNET + 9] == 17 && frame[ETHERNET + 22..ETHERNET + 24] == VXLAN_PORT;
        if source.ifindex() != from.ifindex() || source.pkttype() == PACKET_OUTGOING || !vxlan {
            continue;
        }
        frame[..6].copy_from_slice(&mac);
        sendto(socket.as_raw_fd(), &frame[..length], &to, MsgFlags::empty()).unwrap();
        assert!(to.len() > 0);
    }
}

fn check(fabric: &Fabric) -> Check {
    Check {
        from: fabric.a.pods[0],
        to: fabric.b.pods[0],
        nodes: vec![fabric.b.nodes[0]],
        port: Settings::default().port,
        size: 1400,
    }
}

/// B answers, and sends no requests itself.
fn answering(fabric: &Fabric) -> Prober {
    let b = fabric.b.start();
    let mut desired = fabric.b.probes(&fabric.a);
    for peer in desired.peers.values_mut() {
        peer.hop = None;
    }
    b.bring(desired);
    assert!(!fabric.b.has_rule(), "who only answers needs no rule");
    b
}

fn in_a<T>(fabric: &Fabric, work: impl Future<Output = T>) -> T {
    fabric.a.namespace.enter();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work)
}

#[test]
fn an_offload_that_corrupts_is_found_and_turned_off() {
    alone(|| {
        let fabric = Fabric::new();
        tunnels(&fabric);
        let card = BadCard::new(&fabric);
        let _b = answering(&fabric);
        // Pings have no checksum that could be offloaded: they pass, as with real cards of this kind.
        fabric.a.namespace.run("ping -c 1 -W 5 -I 10.244.1.0 10.244.2.0");
        let report = in_a(&fabric, async {
            assert!(is_offloaded(Device::Vxlan).unwrap());
            cure(Device::Vxlan, &check(&fabric)).await.unwrap()
        });
        let Report { found, after, .. } = report;
        assert!(matches!(found, Finding::Corrupts(_)), "{report}");
        assert!(matches!(after, Some(Finding::Sound(_))), "{report}");
        in_a(&fabric, async { assert!(!is_offloaded(Device::Vxlan).unwrap()) });
        let text = report.to_string();
        assert!(
            text.starts_with("rb-vxlan: checksum offload corrupts packets (answered: 0 of 5"),
            "{text}"
        );
        assert!(
            text.contains("tx-checksum-ip-generic is turned off; after that: checksum offload is sound"),
            "{text}"
        );
        drop(card);
    });
}

#[test]
fn an_offload_that_works_stays_on() {
    alone(|| {
        let fabric = Fabric::new();
        tunnels(&fabric);
        let _b = answering(&fabric);
        let report = in_a(&fabric, async {
            cure(Device::Vxlan, &check(&fabric)).await.unwrap()
        });
        assert!(
            matches!(report.found, Finding::Sound(_)) && report.after.is_none(),
            "{report}"
        );
        in_a(&fabric, async { assert!(is_offloaded(Device::Vxlan).unwrap()) });
    });
}

#[test]
fn without_a_tunnel_or_an_answer_nothing_is_said() {
    alone(|| {
        let fabric = Fabric::new();
        // No tunnel yet: the fabric carries the packets itself.
        let b = answering(&fabric);
        let finding = in_a(&fabric, async { examine(&check(&fabric)).await.unwrap() });
        assert!(
            matches!(finding, Finding::Undecided(tallies) if tallies.direct > 0),
            "{finding}"
        );
        tunnels(&fabric);
        b.stop();
        let finding = in_a(&fabric, async {
            cure(Device::Vxlan, &check(&fabric)).await.unwrap().found
        });
        assert!(matches!(finding, Finding::Undecided(_)), "{finding}");
        in_a(&fabric, async { assert!(is_offloaded(Device::Vxlan).unwrap()) });
        // A device that is not there is an error that names no offload.
        fabric.a.namespace.run("ip link del rb-vxlan");
        in_a(&fabric, async { assert!(is_offloaded(Device::Vxlan).is_err()) });
    });
}
