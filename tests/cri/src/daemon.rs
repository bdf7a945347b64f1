//! One containerd: started, waited for, and taken away with everything that it made.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::calls::{self, Call};
use crate::clean;
use crate::client::Client;
use crate::config::{IMAGE, Layout, Options};
use crate::error::Error;
use crate::image;
use crate::place::Place;

/// How long containerd may take until the CRI answers and has the image.
const START: Duration = Duration::from_secs(60);

/// Tells the cgroups of one run of the tests apart.
static COUNTER: AtomicU32 = AtomicU32::new(1);

/// A running containerd.
#[derive(Debug)]
pub struct Containerd {
    child: Child,
    client: Client,
    layout: Layout,
    place: Place,
    cgroup: String,
    // Last: removed after everything else.
    dir: TempDir,
}

impl Containerd {
    /// Starts it, and returns when it answers on the CRI and has the image.
    pub fn start(place: Place, options: &Options) -> Result<Containerd, Error> {
        let dir = tempfile::Builder::new().prefix("cri-").tempdir();
        let dir = dir.map_err(Error::system("make a temporary folder"))?;
        let layout = Layout::of(dir.path());
        layout.write(options)?;
        image::write(IMAGE, &busybox()?, &layout.image())?;
        place.prepare()?;
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let cgroup = format!("/cri-testbed-{}-{number}", std::process::id());
        let client = Client::new(&layout.socket(), &cgroup)?;
        let child = spawn(&place, &layout)?;
        let containerd = Containerd {
            child,
            client,
            layout,
            place,
            cgroup,
            dir,
        };
        containerd.wait(|client| client.version().map(|_| true))?;
        containerd.import()?;
        containerd.wait(Client::has_image)?;
        Ok(containerd)
    }

    /// The CRI.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Kills it as the system does when memory runs out; its pods stay, and nobody looks after them.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Kills it and starts it again: it finds its pods as they are.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.kill();
        self.child = spawn(&self.place, &self.layout)?;
        self.wait(Client::has_image)
    }

    /// The folder that has everything of it.
    pub fn folder(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// The calls of recorded plugins so far, in their order.
    pub fn calls(&self) -> Vec<Call> {
        calls::read(&self.layout.calls())
    }

    /// Replaces the network configuration list, as an installer does: whole, under its final name.
    pub fn set_conflist(&self, text: &str) -> Result<(), Error> {
        self.layout.write_conflist(text)
    }

    /// Its folder of plugins (`bin_dir`), for an installer.
    pub fn plugin_folder(&self) -> PathBuf {
        self.layout.plugins()
    }

    /// Its folder of network configurations (`conf_dir`), for an installer.
    pub fn network_folder(&self) -> PathBuf {
        self.layout.networks()
    }

    /// The end of containerd's log.
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(self.layout.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Brings the image into the namespace of the CRI.
    fn import(&self) -> Result<(), Error> {
        let (socket, image) = (self.layout.socket(), self.layout.image());
        let words = [socket.to_string_lossy(), image.to_string_lossy()];
        let import = [
            "ctr", "-a", &words[0], "-n", "k8s.io", "images", "import", &words[1],
        ];
        self.place.run(&import).map(drop)
    }

    fn wait(&self, ready: impl Fn(&Client) -> Result<bool, Error>) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            let last = match ready(&self.client) {
                Ok(true) => return Ok(()),
                Ok(false) => "not yet".to_owned(),
                Err(error) => error.to_string(),
            };
            if start.elapsed() > START {
                return Err(Error::Silent {
                    last,
                    log: self.log(),
                });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the end of the log of containerd:\n{}", self.log());
        }
        // As the kubelet drains a node; whatever it refuses is removed by hand below.
        for pod in self.client.pods().unwrap_or_default() {
            let _ = self.client.stop_pod(&pod);
            let _ = self.client.remove_pod(&pod);
        }
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.child.id().cast_signed()),
            nix::sys::signal::Signal::SIGTERM,
        );
        if !clean::ended(&mut self.child) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        clean::sweep(&self.place, &self.layout.socket(), &self.cgroup, self.dir.path());
    }
}

fn spawn(place: &Place, layout: &Layout) -> Result<Child, Error> {
    let log = OpenOptions::new().create(true).append(true).open(layout.log());
    let child = log.and_then(|out| {
        let errors = out.try_clone()?;
        let mut command = place.command("containerd");
        command.arg("--config").arg(layout.config());
        command
            .stdout(Stdio::from(out))
            .stderr(Stdio::from(errors))
            .spawn()
    });
    child.map_err(Error::system("start containerd (install containerd)"))
}

/// The static busybox of the distribution.
fn busybox() -> Result<PathBuf, Error> {
    let places = ["/usr/bin/busybox", "/bin/busybox"].map(PathBuf::from);
    let missing = || std::io::Error::other("it is at none of its places; install busybox-static");
    places
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| Error::system("find busybox")(missing()))
}
