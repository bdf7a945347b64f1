//! What containerd is told: its `config.toml`, the folder of plugins, the network configuration.
//!
//! Everything is in one temporary folder, so that nothing of the machine's own containerd is read or written.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::calls;
use crate::error::Error;

/// The image that containerd has: sandboxes and containers are made of it.
pub const IMAGE: &str = "localhost/cri-testbed:1";

/// Where Debian puts the reference plugins.
const REFERENCE: &str = "/usr/lib/cni";

/// A plugin of one's own in the folder of plugins.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// The name that network configurations call it by.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its calls are written down, for [`crate::Containerd::calls`].
    pub recorded: bool,
}

/// What to start.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Plugins besides the reference plugins.
    pub plugins: Vec<Plugin>,
    /// The network configuration list; `None`: none yet, the network is not ready.
    pub conflist: Option<String>,
}

/// The folders and files of one containerd.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    dir: PathBuf,
}

impl Layout {
    pub fn of(dir: &Path) -> Layout {
        Layout { dir: dir.to_owned() }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.join("c.sock")
    }

    pub fn config(&self) -> PathBuf {
        self.dir.join("config.toml")
    }

    pub fn log(&self) -> PathBuf {
        self.dir.join("containerd.log")
    }

    pub fn image(&self) -> PathBuf {
        self.dir.join("image.tar")
    }

    pub fn calls(&self) -> PathBuf {
        self.dir.join("calls.log")
    }

    pub fn conflist(&self) -> PathBuf {
        self.dir.join("net.d/10-pods.conflist")
    }

    pub fn plugins(&self) -> PathBuf {
        self.dir.join("bin")
    }

    pub fn networks(&self) -> PathBuf {
        self.dir.join("net.d")
    }

    /// Writes everything.
    pub fn write(&self, options: &Options) -> Result<(), Error> {
        let what = || format!("write the configuration of containerd to {}", self.dir.display());
        for dir in ["bin", "net.d", "root", "state", "opt"] {
            std::fs::create_dir_all(self.dir.join(dir)).map_err(Error::system(what()))?;
        }
        std::fs::write(self.config(), self.toml()).map_err(Error::system(what()))?;
        let reference = std::fs::read_dir(REFERENCE).map_err(Error::system(format!(
            "read {REFERENCE} (install containernetworking-plugins)"
        )))?;
        for entry in reference {
            let entry = entry.map_err(Error::system(what()))?;
            symlink(entry.path(), self.plugins().join(entry.file_name())).map_err(Error::system(what()))?;
        }
        for plugin in &options.plugins {
            self.install(plugin)?;
        }
        if let Some(conflist) = &options.conflist {
            self.write_conflist(conflist)?;
        }
        Ok(())
    }

    /// Puts the network configuration in place, whole. The temporary file is in the same folder: containerd 1.6
    /// reads the folder again when something in it is written, removed or renamed away, but does not notice
    /// a file that is renamed into it from elsewhere.
    pub fn write_conflist(&self, text: &str) -> Result<(), Error> {
        let (next, file) = (self.dir.join("net.d/.10-pods.conflist.next"), self.conflist());
        std::fs::write(&next, text)
            .and_then(|()| std::fs::rename(&next, &file))
            .map_err(Error::system(format!("write {}", file.display())))
    }

    fn install(&self, plugin: &Plugin) -> Result<(), Error> {
        let at = self.plugins().join(&plugin.name);
        let what = || format!("install the plugin {}", at.display());
        if !plugin.recorded {
            return symlink(&plugin.program, &at).map_err(Error::system(what()));
        }
        let script = calls::recorder(&plugin.program, &self.calls());
        std::fs::write(&at, script).map_err(Error::system(what()))?;
        std::fs::set_permissions(&at, std::fs::Permissions::from_mode(0o755)).map_err(Error::system(what()))
    }

    fn toml(&self) -> String {
        let dir = self.dir.display();
        format!(
            r#"version = 2
root = "{dir}/root"
state = "{dir}/state"
disabled_plugins = [
    "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]

[grpc]
address = "{socket}"

[plugins."io.containerd.internal.v1.opt"]
path = "{dir}/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{IMAGE}"
# Without CAP_SYS_RESOURCE nobody may make a process less likely to be killed than itself.
restrict_oom_score_adj = true
stream_server_address = "127.0.0.1"
stream_server_port = "0"

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{dir}/bin"
conf_dir = "{dir}/net.d"
max_conf_num = 1
"#,
            socket = self.socket().display(),
        )
    }
}
