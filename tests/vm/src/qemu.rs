//! QEMU in software emulation: an unpacked kernel of the distribution, the machine's root read-only over 9p.
//!
//! The kernel begins with a small RAM disk made here: busybox, the modules that 9p needs, and a script that mounts the
//! root and hands over to the guest by the same `init=` argument as elsewhere. The first serial line
//! is the console, the second one carries what the program prints.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::Error;
use crate::kernel::Kernel;
use crate::machine::init_argument;
use crate::modules::Index;
use crate::words::last_lines;

/// The terminal of the second serial line.
pub(crate) const OUTPUT: &str = "/dev/ttyS1";

/// What the RAM disk loads before there is a root.
const EARLY: [&str; 4] = ["virtio_ring", "virtio_pci", "9pnet_virtio", "9p"];

/// The name of the share in both command lines.
const SHARE: &str = "root9p";

/// The command line of a machine.
pub(crate) fn command(kernel: &Kernel, dir: &Path) -> Result<Command, Error> {
    let disk = ram_disk(kernel, dir)?;
    let append = format!("console=ttyS0 quiet panic=-1 {}", init_argument(dir));
    let mut command = Command::new("qemu-system-x86_64");
    command
        .args([
            "-M",
            "pc",
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            "1024",
        ])
        .args([
            "-nodefaults",
            "-no-user-config",
            "-no-reboot",
            "-display",
            "none",
            "-monitor",
            "none",
        ])
        // Its own descriptors are 3 and 4 (see `machine`): files by those names, so that nothing is a terminal.
        .args([
            "-chardev",
            "file,id=console,path=/dev/fd/4",
            "-serial",
            "chardev:console",
        ])
        .args([
            "-chardev",
            "file,id=output,path=/dev/fd/3",
            "-serial",
            "chardev:output",
        ])
        .args([
            "-fsdev",
            "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
        ])
        .args(["-device", &format!("virtio-9p-pci,fsdev=root,mount_tag={SHARE}")])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(disk)
        .args(["-append", &append]);
    Ok(command)
}

/// Makes the RAM disk in the machine's folder.
fn ram_disk(kernel: &Kernel, dir: &Path) -> Result<PathBuf, Error> {
    let (tree, disk) = (dir.join("disk"), dir.join("disk.cpio"));
    let what = || Error::system("make the machine's RAM disk");
    for folder in ["bin", "proc", "root", "dev"] {
        std::fs::create_dir_all(tree.join(folder)).map_err(what())?;
    }
    let busybox = busybox()?;
    std::fs::copy(busybox, tree.join("bin/busybox")).map_err(what())?;
    let files = Index::read(&kernel.modules)?.files(&EARLY)?;
    let names: Vec<String> = (files.iter().enumerate())
        .map(|(number, file)| {
            format!(
                "{number}-{}",
                file.file_name().unwrap_or_default().to_string_lossy()
            )
        })
        .collect();
    for (file, name) in files.iter().zip(&names) {
        std::fs::copy(file, tree.join(name)).map_err(Error::system(format!("copy {}", file.display())))?;
    }
    let script = tree.join("init");
    std::fs::write(&script, first_script(&names)).map_err(what())?;
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).map_err(what())?;
    pack(&tree, &disk)?;
    Ok(disk)
}

/// The RAM disk's own first process.
fn first_script(modules: &[String]) -> String {
    let mut text = String::from("#!/bin/busybox sh\nB=/bin/busybox\n$B mount -t proc proc /proc\n");
    for module in modules {
        let _ = writeln!(text, "$B insmod /{module} || $B echo cannot load {module}");
    }
    let options = "ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose";
    let _ = writeln!(
        text,
        "$B mount -t 9p -o {options} {SHARE} /root || exec $B poweroff -f"
    );
    text.push_str(
        "for word in $($B cat /proc/cmdline); do case $word in init=*) INIT=${word#init=} ;; esac; done\n",
    );
    text.push_str("$B umount /proc\nexec $B switch_root /root \"$INIT\"\n");
    text
}

/// The statically linked busybox of the distribution.
fn busybox() -> Result<PathBuf, Error> {
    let places = ["/usr/bin/busybox", "/bin/busybox"].map(PathBuf::from);
    let found = places.into_iter().find(|path| path.is_file());
    found.ok_or_else(|| Error::Missing {
        what: "busybox".into(),
        remedy: "install it with `apt-get install busybox-static`".into(),
    })
}

/// Packs a folder as the kernel wants it (`newc`), with busybox itself: there may be no cpio.
fn pack(tree: &Path, disk: &Path) -> Result<(), Error> {
    let output = Command::new("/bin/sh")
        .args(["-c", "find . | busybox cpio -o -H newc > \"$0\""])
        .arg(disk)
        .current_dir(tree)
        .stdin(Stdio::null())
        .output()
        .map_err(Error::system("pack the machine's RAM disk"))?;
    if output.status.success() && disk.metadata().is_ok_and(|file| file.len() > 0) {
        return Ok(());
    }
    Err(Error::Request(format!(
        "busybox cannot pack the machine's RAM disk: {}",
        last_lines(&String::from_utf8_lossy(&output.stderr), 5)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_script_loads_mounts_and_hands_over() {
        let script = first_script(&["0-virtio.ko".into(), "1-9p.ko".into()]);
        let place = |text: &str| {
            script
                .find(text)
                .unwrap_or_else(|| panic!("no {text} in {script}"))
        };
        assert!(place("insmod /0-virtio.ko") < place("insmod /1-9p.ko"));
        assert!(place("insmod /1-9p.ko") < place("mount -t 9p"));
        assert!(place("mount -t 9p") < place("switch_root"));
    }
}
