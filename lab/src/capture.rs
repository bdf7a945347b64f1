//! What really was on the wire: tcpdump inside a node.
//!
//! `start` returns when tcpdump listens, so nothing sent afterwards is missed. Packets come through a pipe and
//! are kept in memory, cut after 1600 bytes; later they are counted with any pcap-filter(7) expression. Nothing
//! but pipes is passed to tcpdump, because distributions confine which files it may touch.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::Error;
use crate::fabric::Lab;
use crate::wait;

/// How long tcpdump may take to listen.
const START: Duration = Duration::from_secs(10);

/// A running capture; dropping it ends tcpdump.
#[derive(Debug)]
pub struct Capture {
    what: String,
    child: Child,
    /// The capture file so far.
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Capture {
    /// Captures what matches `filter` (everything where empty) on an interface of a node.
    pub fn start(lab: &Lab, node: &str, interface: &str, filter: &str) -> Result<Capture, Error> {
        let argv = [
            "tcpdump",
            "-i",
            interface,
            "-n",
            "-U",
            "--immediate-mode",
            "-s",
            "1600",
            "-w",
            "-",
            filter,
        ];
        let mut child = lab.spawn(node, &argv).map_err(missing)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = bytes.clone();
        let reader = std::thread::spawn(move || stdout.map_or((), |stdout| keep(stdout, &kept)));
        let mut capture = Capture {
            what: format!("{node}:{interface}"),
            child,
            bytes,
            reader: Some(reader),
        };
        let (tell, told) = mpsc::channel();
        if let Some(stderr) = stderr {
            // Reads to the end, so that tcpdump never writes to a closed pipe.
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    let _ = tell.send(line);
                }
            });
        }
        let mut last = String::from("nothing");
        while let Ok(line) = told.recv_timeout(START) {
            if line.contains("listening on") {
                return Ok(capture);
            }
            last = line;
        }
        capture.end();
        Err(Error::Timeout {
            what: format!("tcpdump on {}", capture.what),
            seconds: START.as_secs_f64(),
            last,
        })
    }

    /// The number of packets so far that match `filter` (all where empty).
    pub fn count(&self, filter: &str) -> Result<usize, Error> {
        let text = self.read(&["--count"], filter)?;
        let number = text.split_whitespace().next().and_then(|word| word.parse().ok());
        number.ok_or_else(|| {
            Error::Request(format!(
                "tcpdump counted the packets of {} as {text:?}",
                self.what
            ))
        })
    }

    /// The packets so far that match `filter`, as tcpdump writes them; a tunnelled packet takes two lines.
    pub fn packets(&self, filter: &str) -> Result<Vec<String>, Error> {
        Ok(self.read(&[], filter)?.lines().map(str::to_owned).collect())
    }

    /// The same with all that tcpdump reads in them, as far as it knows the protocol.
    pub fn decoded(&self, filter: &str) -> Result<String, Error> {
        self.read(&["-v"], filter)
    }

    /// The packets so far that match `filter`, each as hexadecimal digits from its network header on.
    pub fn hex(&self, filter: &str) -> Result<Vec<String>, Error> {
        let text = self.read(&["-x"], filter)?;
        let mut packets: Vec<String> = Vec::new();
        for line in text.lines() {
            let octets = line.trim_start().strip_prefix("0x");
            match (octets.and_then(|rest| rest.split_once(':')), packets.last_mut()) {
                (Some((_, digits)), Some(packet)) => {
                    packet.extend(digits.chars().filter(char::is_ascii_hexdigit));
                }
                _ => packets.push(String::new()),
            }
        }
        Ok(packets)
    }

    fn read(&self, options: &[&str], filter: &str) -> Result<String, Error> {
        let so_far = self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let read = || {
            let mut command = Command::new("tcpdump");
            command.args(["-n", "-t", "-r", "-"]).args(options).arg(filter);
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let mut child = command.spawn()?;
            let stdin = child.stdin.take();
            std::thread::scope(|scope| {
                // tcpdump may end before it has read everything, for a filter that it does not understand.
                scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(&so_far)));
                child.wait_with_output()
            })
        };
        let done = read().map_err(Error::system("read a capture with tcpdump"))?;
        // A file that ends in the middle of a packet is one that is being written; anything else is a mistake.
        let errors = String::from_utf8_lossy(&done.stderr);
        if !done.status.success() && !errors.contains("truncated") {
            return Err(Error::Request(format!(
                "tcpdump cannot read the capture of {}: {errors}",
                self.what
            )));
        }
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }

    /// Waits until at least `n` packets match.
    pub fn wait_for(&self, filter: &str, n: usize, deadline: Duration) -> Result<(), Error> {
        wait::until(
            deadline,
            format!("{n} packets `{filter}` on {}", self.what),
            || {
                let seen = self.count(filter).map_err(|e| e.to_string())?;
                if seen >= n {
                    Ok(())
                } else {
                    Err(format!("{seen} packets"))
                }
            },
        )
    }

    /// Ends the capture; what it has can still be counted.
    pub fn end(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            if let Ok(pid) = i32::try_from(self.child.id()) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
            }
            let _ = self.child.wait();
        }
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.end();
    }
}

/// Appends what tcpdump writes until it ends.
fn keep(mut from: impl Read, to: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        to.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(&buffer[..n]);
    }
}

fn missing(e: Error) -> Error {
    match e {
        Error::System { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Error::Missing {
            what: "tcpdump".into(),
            remedy: "install it with `apt-get install tcpdump`".into(),
        },
        e => e,
    }
}
