//! The floor: this program as a relay that does no more than a session needs and hands whole messages from those who feed to those who
//! are fed. Where several feed the same, it hands on what the first one says.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Context, bail};
use bench_support::place::{Program, write};

use crate::message::{self, HEADER, KEEPALIVE, OPEN};
use crate::parse;
use crate::scene::{Place, ROUTER, ROUTER_AS, Scene};

const ROOM: usize = 1 << 18;

/// Starts it.
pub fn start(place: &Place, scene: &Scene, folder: &Path) -> anyhow::Result<Vec<Program>> {
    let own = std::env::current_exe().context("this program has no path")?;
    // Several of one role say the same; several of a mesh do not.
    let only_first = scene.keeps_feeders_apart();
    let flag = write(folder, "relay", if only_first { "first" } else { "all" })?;
    let argv = [&own.display().to_string(), "--relay", &flag];
    Ok(vec![place.router.start(&argv, &folder.join("copy.log"))?])
}

/// Whether what this peer says is handed on. Those on the second link are fed.
fn feeds(peer: Ipv4Addr) -> bool {
    peer.octets()[1] == ROUTER[0].octets()[1]
}

/// The relay itself; it ends with its process.
pub fn relay(flag: &Path) -> anyhow::Result<()> {
    let only_first = std::fs::read_to_string(flag).context("no word on what to do")? == "first";
    let first = Ipv4Addr::from(u32::from(ROUTER[0]) + 1);
    let listener = TcpListener::bind(("0.0.0.0", 179)).context("cannot listen for BGP")?;
    let fed: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    loop {
        let (stream, from) = listener.accept().context("cannot accept")?;
        let SocketAddr::V4(from) = from else { continue };
        let (from, fed) = (*from.ip(), fed.clone());
        std::thread::spawn(move || {
            let done = if feeds(from) {
                serve(stream, &fed, !only_first || from == first)
            } else {
                take(stream, &fed)
            };
            // The other end of a session that is over has closed it.
            if let Err(error) = done {
                eprintln!("{from}: {error:#}");
            }
        });
    }
}

/// Brings the session up; what came after the other end's KEEPALIVE.
fn open(stream: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    stream.set_nodelay(true)?;
    stream.write_all(&message::open(ROUTER_AS, ROUTER[0].into()))?;
    stream.write_all(&message::keepalive())?;
    let (mut held, mut part) = (Vec::new(), [0; 4096]);
    loop {
        while let Some((kind, _, length)) = parse::message(&held)? {
            held.drain(..length);
            match kind {
                OPEN => {}
                KEEPALIVE => return Ok(held),
                other => bail!("message type {other} before the session is up"),
            }
        }
        match stream.read(&mut part)? {
            0 => bail!("closed before the session is up"),
            count => held.extend(&part[..count]),
        }
    }
}

fn take(mut stream: TcpStream, fed: &Mutex<Vec<TcpStream>>) -> anyhow::Result<()> {
    open(&mut stream)?;
    let writer = stream.try_clone()?;
    if let Ok(mut fed) = fed.lock() {
        fed.push(writer);
    }
    // Keepalives.
    while stream.read(&mut [0; 4096])? > 0 {}
    Ok(())
}

fn serve(mut stream: TcpStream, fed: &Mutex<Vec<TcpStream>>, hand_on: bool) -> anyhow::Result<()> {
    let mut held = open(&mut stream)?;
    let mut scratch = vec![0; ROOM];
    loop {
        // What came along with the last message of the handshake is handed on without another read.
        let whole = whole(&held);
        if whole > 0
            && hand_on
            && let Ok(mut fed) = fed.lock()
        {
            for stream in fed.iter_mut() {
                stream.write_all(&held[..whole])?;
            }
        }
        held.drain(..whole);
        match stream.read(&mut scratch)? {
            0 => return Ok(()),
            count => held.extend(&scratch[..count]),
        }
    }
}

/// How many of these bytes are whole messages.
fn whole(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Some(header) = bytes.get(end..end + HEADER) {
        let length = usize::from(u16::from_be_bytes([header[16], header[17]])).max(HEADER);
        if end + length > bytes.len() {
            break;
        }
        end += length;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Peer, Role};

    #[test]
    fn only_whole_messages_are_handed_on() {
        let mut bytes = message::keepalive();
        message::end_of_rib(&mut bytes);
        let all = bytes.len();
        for end in 0..=all {
            let expected = match end {
                ..19 => 0,
                _ if end < all => 19,
                _ => all,
            };
            assert_eq!(whole(&bytes[..end]), expected, "{end}");
        }
    }

    #[test]
    fn sides_are_told_apart_by_address() {
        assert!(feeds(Peer::feeding(600, 1, Role::Feeder).address));
        assert!(!feeds(Peer::taking(0, 1, Role::Receiver).address));
    }
}
