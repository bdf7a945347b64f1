//! Network namespaces, programs in them, and threads that work in them; all of it is gone with the values.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use anyhow::{Context, anyhow, ensure};
use nix::sched::{CloneFlags, setns};

/// A network namespace with its loopback up.
#[derive(Debug)]
pub struct Namespace(String);

impl Namespace {
    /// Makes it.
    pub fn new(name: String) -> anyhow::Result<Namespace> {
        ip(&format!("netns add {name}"))?;
        let namespace = Namespace(name);
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Its name, as ip-netns(8) knows it.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// `ip` within it; what it prints.
    pub fn ip(&self, arguments: &str) -> anyhow::Result<String> {
        ip(&format!("-n {} {arguments}", self.0))
    }

    /// Joins the two by a veth pair whose ends have the same name.
    pub fn wire(&self, other: &Namespace, link: &str) -> anyhow::Result<()> {
        ip(&format!(
            "link add {link} netns {} type veth peer name {link} netns {}",
            self.0, other.0
        ))?;
        Ok(())
    }

    /// The number of one of its links.
    pub fn link_index(&self, link: &str) -> anyhow::Result<u32> {
        let text = self.ip(&format!("-o link show {link}"))?;
        let number = text
            .split(':')
            .next()
            .and_then(|number| number.trim().parse().ok());
        number.with_context(|| format!("ip printed no interface number: {text}"))
    }

    /// Runs something within it, on a thread made for it.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
        let path = format!("/run/netns/{}", self.0);
        let file = std::fs::File::open(&path).with_context(|| format!("cannot open {path}"))?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                setns(file, CloneFlags::CLONE_NEWNET).context("cannot enter a network namespace")?;
                work()
            });
            thread
                .join()
                .map_err(|_| anyhow!("a thread of the benchmark panicked"))?
        })
    }

    /// The same on a thread that goes on by itself.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<JoinHandle<anyhow::Result<T>>> {
        let path = format!("/run/netns/{}", self.0);
        let file = std::fs::File::open(&path).with_context(|| format!("cannot open {path}"))?;
        Ok(std::thread::spawn(move || {
            setns(file, CloneFlags::CLONE_NEWNET).context("cannot enter a network namespace")?;
            work()
        }))
    }

    /// Starts a program within it; its words go to the file.
    pub fn start(&self, argv: &[&str], log: &Path) -> anyhow::Result<Program> {
        let log = std::fs::File::create(log).context("cannot make a log file")?;
        let child = Command::new("ip")
            .args(["netns", "exec", &self.0])
            .args(argv)
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("cannot share the log file")?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", argv.join(" ")))?;
        Ok(Program(child))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // What went wrong before is what is reported.
        let _ = ip(&format!("netns del {}", self.0));
    }
}

/// A program in the foreground, ended with the value. `ip netns exec` becomes the program, so the number is the program's.
#[derive(Debug)]
pub struct Program(Child);

impl Program {
    /// The process number.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `ip` with these words; what it prints.
pub fn ip(arguments: &str) -> anyhow::Result<String> {
    let done = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .context("cannot run ip")?;
    let error = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "ip {arguments}: {error}");
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Writes a file that a program reads; its path as text.
pub fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<String> {
    let path = folder.join(name);
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path.display().to_string())
}
