//! natOutgoing in real network namespaces: what is in the table, and which packets keep their source.

mod packets;
mod table;

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use ipnet::IpNet;

use crate::nat;
use crate::ruleset::{Ensured, TableError, Wanted, ensure};
use crate::testing::Ns;

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts
        .iter()
        .map(|text| text.parse().expect("a network"))
        .collect()
}

/// Two pools with natOutgoing, one without, and two nodes.
fn wanted() -> Wanted {
    let pools = ["10.244.0.0/16", "2001:db8:244::/48"];
    let others = [
        "10.245.0.0/16",
        "192.0.2.7/32",
        "192.0.2.8/32",
        "2001:db8:ffff::7/128",
        "2001:db8:ffff::8/128",
    ];
    let nat = nat::Wanted {
        pools: nets(&pools),
        exceptions: nets(&[&pools[..], &others[..]].concat()),
        ..nat::Wanted::default()
    };
    Wanted { nat }
}

fn set(ns: &Ns, wanted: &Wanted) -> Result<Ensured, TableError> {
    let wanted = wanted.clone();
    ns.run(move || ensure(&wanted))
}

/// A server that answers each datagram and each line with the address from which it came, as it sees it.
fn echo(ns: &Ns, address: &str) {
    let at = crate::testing::with_port(address, 7000);
    let (udp, tcp) = ns.run(move || {
        (
            UdpSocket::bind(&at).expect("bound"),
            TcpListener::bind(&at).expect("bound"),
        )
    });
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((_, from)) = udp.recv_from(&mut buffer) {
            let _ = udp.send_to(from.ip().to_string().as_bytes(), from);
        }
    });
    std::thread::spawn(move || {
        for stream in tcp.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer_lines(stream));
        }
    });
}

fn answer_lines(mut stream: TcpStream) {
    use std::io::{BufRead, BufReader, Write};
    let Ok(from) = stream.peer_addr() else { return };
    let Ok(reader) = stream.try_clone() else { return };
    for _ in BufReader::new(reader).lines().map_while(Result::ok) {
        if writeln!(stream, "{from}").is_err() {
            return;
        }
    }
}

/// Asks a server how it sees the address that asks, by UDP; nothing where no answer comes.
fn seen_as(ns: &Ns, from: &str, to: &str) -> Option<String> {
    let (from, to) = (
        crate::testing::with_port(from, 0),
        crate::testing::with_port(to, 7000),
    );
    ns.run(move || {
        let socket = UdpSocket::bind(&from).expect("bound");
        socket
            .set_read_timeout(Some(Duration::from_millis(500)))
            .expect("a timeout");
        let mut buffer = [0; 2048];
        // The first packets may wait for neighbours.
        for _ in 0..10 {
            socket.send_to(b"who am I", &to).ok()?;
            if let Ok(length) = socket.recv(&mut buffer) {
                return Some(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
        }
        None
    })
}
