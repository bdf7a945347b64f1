//! A node's own view of the file system.
//!
//! Programs keep their standard paths: `/run` is empty but for the network namespaces, `/etc` and `/var/lib`
//! are the machine's with a private layer of changes on top (overlayfs), `/sys` shows the node's network
//! namespace. All of it lives in memory inside the node's mount namespace and vanishes with it.

use std::path::{Component, Path, PathBuf};

use nix::mount::{MsFlags, mount};

use crate::error::Error;
use crate::kernel::namespaces::NETNS_DIR;
use crate::topology::Bind;

const NONE: Option<&str> = None;

/// Folders that get a private layer of changes.
const LAYERED: [&str; 2] = ["/etc", "/var/lib"];

/// Folders that programs expect in `/run`.
const RUN_DIRS: [&str; 4] = ["frr", "roadbed", "lock", "netns"];

/// Builds the view in the calling thread's mount namespace, which must be new and private. `base` is a folder
/// of the machine over which the new `/run` is put together before it moves to its place.
pub fn build(base: &Path, binds: &[Bind]) -> Result<(), Error> {
    let tmpfs = format!("prepare the node's private files on {}", base.display());
    mount(
        Some("roadbed-lab"),
        base,
        Some("tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some("mode=0755"),
    )
    .map_err(Error::system(tmpfs))?;
    for dir in RUN_DIRS {
        make_dir(&base.join(dir))?;
    }
    let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(NETNS_DIR), &base.join("netns"), NONE, bind, NONE)
        .map_err(Error::system("show the network namespaces inside the node"))?;
    for dir in LAYERED {
        overlay(
            dir,
            &base
                .join(".lab")
                .join(dir.trim_start_matches('/').replace('/', "-")),
        )?;
    }
    // Daemons keep crash notes in /var/tmp; they are not to stay on the machine.
    let var_tmp = base.join(".lab/var-tmp");
    make_dir(&var_tmp)?;
    mount(Some(&var_tmp), "/var/tmp", NONE, MsFlags::MS_BIND, NONE)
        .map_err(Error::system("give the node a /var/tmp of its own"))?;
    for b in binds {
        bind_mount(base, b)?;
    }
    // The old /sys shows the machine's interfaces; a new one shows those of the mounting thread's namespace.
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), NONE)
        .map_err(Error::system("mount /sys for the node"))?;
    mount(Some(base), "/run", NONE, MsFlags::MS_MOVE, NONE)
        .map_err(Error::system("put the node's /run in place"))
}

fn make_dir(dir: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(dir).map_err(Error::system(format!("create {}", dir.display())))
}

fn overlay(dir: &str, changes: &Path) -> Result<(), Error> {
    let (upper, work) = (changes.join("upper"), changes.join("work"));
    make_dir(&upper)?;
    make_dir(&work)?;
    let options = format!(
        "lowerdir={dir},upperdir={},workdir={}",
        upper.display(),
        work.display()
    );
    mount(
        Some("roadbed-lab"),
        dir,
        Some("overlay"),
        MsFlags::empty(),
        Some(options.as_str()),
    )
    .map_err(|e| match e {
        nix::errno::Errno::ENODEV => Error::Missing {
            what: "overlayfs in this kernel".into(),
            remedy: "load it with `modprobe overlay`; nodes need it for an /etc of their own".into(),
        },
        e => Error::system(format!("lay a private layer over {dir}"))(e),
    })
}

/// Mounts one file or folder. What is below `/run` is put where `/run` is being built.
fn bind_mount(base: &Path, bind: &Bind) -> Result<(), Error> {
    let what = || format!("bind {} to {}", bind.source.display(), bind.destination.display());
    let below_run = bind
        .destination
        .strip_prefix("/run")
        .or_else(|_| bind.destination.strip_prefix("/var/run"));
    let destination = below_run.map_or_else(|_| bind.destination.clone(), |rest| base.join(rest));
    if !destination.exists() {
        if !is_private(base, &destination) {
            return Err(Error::Request(format!(
                "cannot bind to {}: it does not exist, and only below /etc, /var/lib and /run can a node make it \
                 without changing this machine",
                bind.destination.display()
            )));
        }
        let dir = if bind.source.is_dir() {
            Some(destination.as_path())
        } else {
            destination.parent()
        };
        make_dir(dir.unwrap_or(Path::new("/")))?;
        if !bind.source.is_dir() {
            std::fs::File::create(&destination).map_err(Error::system(what()))?;
        }
    }
    mount(
        Some(&bind.source),
        &destination,
        NONE,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        NONE,
    )
    .map_err(Error::system(what()))?;
    if bind.read_only {
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(NONE, &destination, NONE, flags, NONE).map_err(Error::system(what()))?;
    }
    Ok(())
}

fn is_private(base: &Path, path: &Path) -> bool {
    let plain: PathBuf = path
        .components()
        .filter(|c| !matches!(c, Component::CurDir))
        .collect();
    plain.starts_with(base) || LAYERED.iter().any(|dir| plain.starts_with(dir))
}
