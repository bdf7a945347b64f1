//! What pods see: answers to pings, a TCP connection with data both ways, the largest packet that goes through.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::support::{Fabric, eventually};

/// More than fits into the queues of one packet: segments of full size are on the way.
const DATA: usize = 200_000;
/// No answer on one machine takes this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer to one ping.
pub fn ping(fabric: &Fabric, from: &str, to: &str) {
    eventually(&format!("{from} pings {to}"), || {
        fabric
            .exec_ok(from, &["ping", "-c", "1", "-W", "1", to])
            .map(drop)
            .map_err(|e| e.to_string())
    });
}

/// A packet of exactly `bytes` goes through unfragmented, and one of a byte more does not leave the pod.
pub fn mtu(fabric: &Fabric, from: &str, to: &str, bytes: usize) {
    let headers = if to.contains(':') { 48 } else { 28 };
    let send = |bytes: usize| {
        let size = (bytes - headers).to_string();
        fabric.exec_ok(
            from,
            &["ping", "-c", "1", "-W", "2", "-M", "do", "-s", size.as_str(), to],
        )
    };
    send(bytes).unwrap_or_else(|e| panic!("{bytes} bytes from {from} to {to}: {e}"));
    assert!(
        send(bytes + 1).is_err(),
        "{} bytes went from {from} to {to}",
        bytes + 1
    );
}

/// Data goes both ways over one connection.
pub fn tcp(fabric: &Fabric, from: &str, to: &str, address: &str) {
    let address: IpAddr = address.parse().expect("an address");
    let listen = || TcpListener::bind(SocketAddr::new(address, 0));
    let listener = fabric
        .in_namespace(to, listen)
        .expect("the namespace of the pod")
        .expect("a listener in the pod");
    let target = listener.local_addr().expect("its address");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut data = vec![0; DATA];
        stream.read_exact(&mut data)?;
        stream.write_all(&data)
    });
    let exchange = || -> std::io::Result<usize> {
        let mut stream = TcpStream::connect_timeout(&target, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&vec![7; DATA])?;
        let mut back = Vec::new();
        stream.read_to_end(&mut back)?;
        Ok(back.iter().filter(|byte| **byte == 7).count())
    };
    let done = fabric
        .in_namespace(from, exchange)
        .expect("the namespace of the pod");
    match done {
        Ok(count) => assert_eq!(count, DATA, "{from} to {target}: data got lost"),
        Err(error) => panic!("{from} to {target}: {error}"),
    }
    server
        .join()
        .expect("the server ends")
        .expect("the server served");
}
