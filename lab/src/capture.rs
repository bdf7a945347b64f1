//! What really was on the wire: tcpdump inside a node.
//!
//! `start` returns when tcpdump listens, so nothing sent afterwards is missed. Packets go to a file that this
//! process opened, and are counted later with any pcap-filter(7) expression.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
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
    file: File,
}

impl Capture {
    /// Captures what matches `filter` (everything where empty) on an interface of a node.
    pub fn start(lab: &Lab, node: &str, interface: &str, filter: &str) -> Result<Capture, Error> {
        let file = scratch().map_err(Error::system("make a file for a capture"))?;
        let packets = file
            .try_clone()
            .map_err(Error::system("make a file for a capture"))?;
        let argv = [
            "tcpdump",
            "-i",
            interface,
            "-n",
            "-U",
            "--immediate-mode",
            "-s",
            "256",
            "-w",
            "-",
            filter,
        ];
        let spawned = lab.spawn_with(node, &argv, |command| {
            command
                .stdin(Stdio::null())
                .stdout(packets)
                .stderr(Stdio::piped());
        });
        let mut child = spawned.map_err(missing)?;
        let what = format!("{node}:{interface}");
        let (tell, told) = mpsc::channel();
        if let Some(stderr) = child.stderr.take() {
            // Reads to the end, so that tcpdump never writes to a closed pipe.
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    let _ = tell.send(line);
                }
            });
        }
        let mut capture = Capture { what, child, file };
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

    fn read(&self, options: &[&str], filter: &str) -> Result<String, Error> {
        let read = || {
            // Another open file of the same contents: the writer keeps its own position.
            let again = File::open(format!("/proc/self/fd/{}", self.file.as_raw_fd()))?;
            let mut command = Command::new("tcpdump");
            command
                .args(["-n", "-t", "-r", "-"])
                .args(options)
                .arg(filter)
                .stdin(again)
                .output()
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
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.end();
    }
}

/// A file without a name.
fn scratch() -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(nix::libc::O_TMPFILE);
    options.open(std::env::temp_dir())
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
