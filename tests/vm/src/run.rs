//! Following a machine that runs: what its program prints is passed on, what its console says is understood, the
//! deadline is kept, and nothing of it is left when it is over.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::machine::Machine;
use crate::processes;
use crate::protocol::Word;
use crate::words::last_lines;

/// How much of the streams a message shows.
const SHOWN: usize = 40;

/// How long a machine whose program has ended may take to be off.
const OFF: Duration = Duration::from_secs(15);

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// With this code.
    Exited(i32),
    /// By this signal.
    Killed(i32),
}

impl Status {
    /// Whether it ended with code 0.
    pub fn success(self) -> bool {
        self == Status::Exited(0)
    }
}

/// What came of a job.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How the program ended.
    pub status: Status,
    /// All that it printed, both streams in one.
    pub output: String,
    /// The console: the kernel's log, and the guest's own words.
    pub console: String,
    /// From the start to the program's.
    pub boot: Duration,
    /// From the start until the machine was off.
    pub total: Duration,
}

/// A machine's processes; they end with the value.
pub(crate) struct Running {
    machine: Machine,
    child: Child,
    argument: String,
    started: Instant,
}

impl Running {
    /// Starts it. `argument` is found in the command line of each of its processes.
    pub fn start(machine: Machine, mut command: Command, argument: String) -> Result<Running, Error> {
        let child = command
            .spawn()
            .map_err(Error::system(format!("start {command:?}")))?;
        Ok(Running {
            machine,
            child,
            argument,
            started: Instant::now(),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Not waited for yet, so the pid is the child's still.
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        let left = processes::end_all(&self.argument);
        if !left.is_empty() {
            eprintln!(
                "processes of the machine {} survive SIGKILL: {left:?}",
                self.argument
            );
        }
    }
}

/// What the reading threads tell.
enum Event {
    Output(Vec<u8>),
    Console(String),
    Closed,
}

/// All that was seen of a machine.
#[derive(Default)]
struct Seen {
    output: Vec<u8>,
    console: Vec<String>,
    up: Option<Instant>,
    last: Option<Word>,
    closed: usize,
}

/// Follows a machine to its end. `early` is the file with what it printed by itself.
pub(crate) fn follow(
    mut running: Running,
    mark: &str,
    deadline: Duration,
    early: &Path,
    output: &mut (dyn Write + Send),
) -> Result<Outcome, Error> {
    let (tell, events) = mpsc::channel();
    let streams = (running.child.stdout.take(), running.child.stderr.take());
    if let Some(stdout) = streams.0 {
        let tell = tell.clone();
        std::thread::spawn(move || read_output(stdout, &tell));
    }
    if let Some(stderr) = streams.1 {
        std::thread::spawn(move || read_console(stderr, &tell));
    }
    let mut seen = Seen::default();
    let in_time = listen(&events, mark, running.started + deadline, output, &mut seen)?;
    let machine = running.machine.name();
    let started = running.started;
    let ended = running.child.try_wait().ok().flatten();
    drop(running);
    let total = started.elapsed();
    let text = String::from_utf8_lossy(&seen.output).into_owned();
    let mut console = seen.console.join("\n");
    let (word, shown) = (seen.last, last_lines(&text, SHOWN));
    match word {
        Some(Word::Ended(status)) => Ok(Outcome {
            status,
            output: text,
            console,
            boot: seen.up.map_or(total, |up| up - started),
            total,
        }),
        Some(Word::Failed(why)) => Err(Error::Ended {
            machine,
            why,
            output: shown,
            console: last_lines(&console, SHOWN),
        }),
        _ if !in_time => Err(Error::Deadline {
            machine,
            deadline,
            output: shown,
            console: last_lines(&console, SHOWN),
        }),
        _ => {
            console.push('\n');
            console.push_str(&std::fs::read_to_string(early).unwrap_or_default());
            Err(Error::Ended {
                machine,
                why: ended.map_or_else(|| "its streams closed".into(), |status| status.to_string()),
                output: shown,
                console: last_lines(&console, SHOWN),
            })
        }
    }
}

/// Listens until both streams are closed, or the time is over: then false. After the program's end the machine
/// has [`OFF`] at most: one that does not turn itself off is as good as off.
fn listen(
    events: &Receiver<Event>,
    mark: &str,
    deadline: Instant,
    output: &mut (dyn Write + Send),
    seen: &mut Seen,
) -> Result<bool, Error> {
    let mut deadline = deadline;
    while seen.closed < 2 {
        let left = deadline.saturating_duration_since(Instant::now());
        match events.recv_timeout(left) {
            Ok(Event::Output(bytes)) => {
                output
                    .write_all(&bytes)
                    .and_then(|()| output.flush())
                    .map_err(Error::system("pass on what the program prints"))?;
                seen.output.extend_from_slice(&bytes);
            }
            Ok(Event::Console(line)) => {
                match Word::parse(mark, &line) {
                    Some(Word::Up) => seen.up = Some(Instant::now()),
                    Some(word) => {
                        seen.last = Some(word);
                        deadline = Instant::now() + OFF;
                    }
                    None => {}
                }
                seen.console.push(line);
            }
            Ok(Event::Closed) => seen.closed += 1,
            Err(RecvTimeoutError::Timeout) => return Ok(false),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(true)
}

fn read_output(mut stream: impl Read, tell: &mpsc::Sender<Event>) {
    let mut buffer = [0_u8; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        if tell.send(Event::Output(buffer[..count].to_vec())).is_err() {
            return;
        }
    }
    let _ = tell.send(Event::Closed);
}

fn read_console(stream: impl Read, tell: &mpsc::Sender<Event>) {
    let mut lines = BufReader::new(stream);
    let mut line = Vec::new();
    while let Ok(1..) = lines.read_until(b'\n', &mut line) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if tell.send(Event::Console(text)).is_err() {
            return;
        }
        line.clear();
    }
    let _ = tell.send(Event::Closed);
}
