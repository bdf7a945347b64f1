//! The machine's file systems: the read-only root of the machine outside, under a layer of changes in memory, with
//! the kernel's own file systems and an empty `/run` on top.

use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::error::Error;

const NONE: Option<&str> = None;

/// Where the new root is put together: every distribution has the folder.
const STAGE: &str = "/run";

/// `/proc`, which everything else begins with; it may be there already.
pub fn proc() -> Result<(), Error> {
    match mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), NONE) {
        Ok(()) | Err(Errno::EBUSY) => Ok(()),
        Err(e) => Err(Error::system("mount /proc")(e)),
    }
}

/// Makes the new root and moves into it.
pub fn root() -> Result<(), Error> {
    let stage = Path::new(STAGE);
    tmpfs(stage, "mode=0755")?;
    let (upper, work, root) = (stage.join("upper"), stage.join("work"), stage.join("root"));
    for dir in [&upper, &work, &root] {
        make(dir)?;
    }
    let options = format!(
        "lowerdir=/,upperdir={},workdir={}",
        upper.display(),
        work.display()
    );
    mount(
        Some("overlay"),
        &root,
        Some("overlay"),
        MsFlags::empty(),
        Some(options.as_str()),
    )
    .map_err(Error::system("lay the changes over the root"))?;
    kernel_file_systems(&root)?;
    nix::unistd::chdir(&root).map_err(Error::system("enter the new root"))?;
    // The old root ends up over the new one at the same place, and is let go of (pivot_root(2)).
    nix::unistd::pivot_root(".", ".").map_err(Error::system("change the root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(Error::system("let go of the old root"))?;
    nix::unistd::chdir("/").map_err(Error::system("enter /"))?;
    Ok(())
}

fn kernel_file_systems(root: &Path) -> Result<(), Error> {
    for (kind, dir) in [("proc", "proc"), ("sysfs", "sys"), ("devtmpfs", "dev")] {
        let target = root.join(dir);
        mount(Some(kind), &target, Some(kind), MsFlags::empty(), NONE)
            .map_err(Error::system(format!("mount {kind}")))?;
    }
    let (pts, shm, run) = (root.join("dev/pts"), root.join("dev/shm"), root.join("run"));
    make(&pts)?;
    make(&shm)?;
    mount(
        Some("devpts"),
        &pts,
        Some("devpts"),
        MsFlags::empty(),
        Some("ptmxmode=0666"),
    )
    .map_err(Error::system("mount devpts"))?;
    tmpfs(&shm, "mode=1777")?;
    tmpfs(&run, "mode=0755")?;
    // Programs that share the namespaces of nodes expect a root that propagates, as a distribution's init leaves it.
    mount(NONE, root, NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)
        .map_err(Error::system("make the new root private"))
}

fn tmpfs(dir: &Path, options: &str) -> Result<(), Error> {
    mount(Some("tmpfs"), dir, Some("tmpfs"), MsFlags::empty(), Some(options)).map_err(Error::system(format!(
        "mount a file system in memory on {}",
        dir.display()
    )))
}

fn make(dir: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(dir).map_err(Error::system(format!("create {}", dir.display())))
}
