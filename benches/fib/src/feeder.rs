//! The other end of the router's one BGP session: waits for the router to connect, and sends what it is told to.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::bgp;
use crate::place::Place;

/// Enough for every router's timers of connecting.
const PATIENCE: Duration = Duration::from_secs(60);

/// An established session.
#[derive(Debug)]
pub struct Feeder {
    stream: Arc<Mutex<TcpStream>>,
}

/// The place where the router will connect to; there before the router starts.
#[derive(Debug)]
pub struct Waiting(TcpListener);

impl Waiting {
    /// Listens at port 179 of the feeder's namespace.
    pub fn open(place: &Place) -> anyhow::Result<Waiting> {
        let listener =
            place.at_feeder(|| TcpListener::bind(("0.0.0.0", 179)).context("cannot listen for BGP"))?;
        listener.set_nonblocking(true).context("cannot listen for BGP")?;
        Ok(Waiting(listener))
    }

    /// Takes the router's connection and brings the session up.
    pub fn establish(self) -> anyhow::Result<Feeder> {
        let began = Instant::now();
        loop {
            ensure!(
                began.elapsed() < PATIENCE,
                "the router has not connected in {PATIENCE:?}"
            );
            match self.0.accept() {
                Ok((stream, _)) => match handshake(stream) {
                    Ok(feeder) => return Ok(feeder),
                    Err(error) => eprintln!("a connection came to nothing, waiting for the next: {error:#}"),
                },
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(error).context("cannot accept"),
            }
        }
    }
}

fn handshake(stream: TcpStream) -> anyhow::Result<Feeder> {
    stream.set_nonblocking(false).context("cannot block")?;
    stream.set_nodelay(true).context("cannot send at once")?;
    let mut writer = stream.try_clone().context("cannot share the connection")?;
    let mut reader = stream;
    writer.write_all(&bgp::open())?;
    reader.set_read_timeout(Some(Duration::from_secs(10)))?;
    loop {
        let (kind, body) = read(&mut reader)?;
        match kind {
            1 => writer.write_all(&bgp::keepalive())?,
            bgp::KEEPALIVE => break,
            3 => bail!("the router refuses the session: {body:?}"),
            _ => {}
        }
    }
    writer.write_all(&bgp::end_of_rib())?;
    reader.set_read_timeout(None)?;
    let stream = Arc::new(Mutex::new(writer));
    let answers = stream.clone();
    // Ends with the connection.
    std::thread::spawn(move || {
        while let Ok((kind, body)) = read(&mut reader) {
            match kind {
                bgp::KEEPALIVE => {
                    let Ok(mut stream) = answers.lock() else { return };
                    if stream.write_all(&bgp::keepalive()).is_err() {
                        return;
                    }
                }
                3 => eprintln!("the router ends the session: {body:?}"),
                _ => {}
            }
        }
    });
    Ok(Feeder { stream })
}

fn read(stream: &mut TcpStream) -> anyhow::Result<(u8, Vec<u8>)> {
    let mut head = [0; 19];
    stream.read_exact(&mut head)?;
    let length = usize::from(u16::from_be_bytes([head[16], head[17]]));
    let mut body = vec![0; length.saturating_sub(19)];
    stream.read_exact(&mut body)?;
    Ok((head[18], body))
}

impl Feeder {
    /// Sends the messages; returns when the router's end, or the buffers on the way, have taken them.
    pub fn send(&self, messages: &[u8]) -> anyhow::Result<()> {
        let mut stream = self
            .stream
            .lock()
            .map_err(|_| anyhow::anyhow!("the feeder has panicked"))?;
        stream.write_all(messages).context("the session is lost")
    }
}
