//! DELs that wait on disk for an agent that is away: `<stateDir>/cni-queue`.
//!
//! The plugin writes one file for each attachment ([`put`]); the agent carries them out when it starts and before it
//! serves an ADD of the same attachment ([`pending`]), and removes them ([`done`]). The plugin speaks to the agent once
//! more after it has written: an agent that came up meanwhile hears of it at once.
//!
//! A file is whole or not there: it is written under another name, synced, and renamed, under a lock of the folder,
//! so that two DELs of one attachment cannot mix. A DEL that is carried out twice does no harm.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::cni::CniDel;

/// How the name of a queued DEL ends.
const WHOLE: &str = "json";
/// How the name ends while it is written.
const UNFINISHED: &str = "tmp";
/// How the name ends of what could not be read.
const BAD: &str = "bad";

/// A DEL on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its file; for [`done`] and [`set_aside`].
    pub path: PathBuf,
    /// What to carry out, or why the file cannot be understood.
    pub del: Result<CniDel, String>,
}

/// Where the queue is, in the agent's folder of state.
pub fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("cni-queue")
}

/// The file of an attachment, in a folder of [`folder`]'s.
pub fn file(folder: &Path, container_id: &str, ifname: &str) -> PathBuf {
    folder.join(format!("{:032x}.{WHOLE}", digest(container_id, ifname)))
}

/// Writes a DEL down; it is on disk when this returns. One of the same attachment that waits already is replaced.
/// The folder is made where it is not there, open to its owner only.
///
/// # Errors
/// What the file system says, with the path.
pub fn put(folder: &Path, del: &CniDel) -> io::Result<PathBuf> {
    make(folder).map_err(|e| with(folder, e))?;
    let held = File::open(folder).map_err(|e| with(folder, e))?;
    held.lock().map_err(|e| with(folder, e))?;
    let path = file(folder, &del.container_id, &del.ifname);
    let unfinished = path.with_extension(UNFINISHED);
    write(&unfinished, del)
        .and_then(|()| fs::rename(&unfinished, &path))
        .and_then(|()| held.sync_all())
        .map_err(|e| with(&path, e))?;
    Ok(path)
}

/// All that waits, in the order of the file names; nothing where the folder is not there. What a plugin left
/// unfinished is swept: its runtime was not told of a success.
///
/// # Errors
/// The folder cannot be read, or the process has no file descriptor or memory left. A file that cannot be read
/// otherwise is a [`Pending`] of its own.
pub fn pending(folder: &Path) -> io::Result<Vec<Pending>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(with(folder, error)),
    };
    let (mut waiting, mut unfinished) = (Vec::new(), Vec::new());
    for entry in entries {
        let path = entry.map_err(|e| with(folder, e))?.path();
        match path.extension().and_then(|e| e.to_str()) {
            Some(WHOLE) => waiting.extend(read(path)?),
            Some(UNFINISHED) => unfinished.push(path),
            _ => {}
        }
    }
    if !unfinished.is_empty() {
        sweep(folder, &unfinished);
    }
    waiting.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(waiting)
}

/// Removes a DEL that has been carried out; one that is gone already is a success. Not synced: a removal that a
/// power cut undoes is a DEL carried out once more, of pods that the reboot has ended.
///
/// # Errors
/// What the file system says, with the path.
pub fn done(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(with(path, error)),
        _ => Ok(()),
    }
}

/// Takes what cannot be read out of the queue and keeps it, as `.bad`, for the operator. Returns the new path.
///
/// # Errors
/// What the file system says, with the path.
pub fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let kept = path.with_extension(BAD);
    fs::rename(path, &kept).map_err(|e| with(path, e))?;
    Ok(kept)
}

/// Makes the folder durable, too: its entry in the folder above is synced.
fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    match folder.parent().filter(|above| !above.as_os_str().is_empty()) {
        Some(above) => File::open(above)?.sync_all(),
        None => Ok(()),
    }
}

fn write(path: &Path, del: &CniDel) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(&serde_json::to_vec(del)?)?;
    file.sync_all()
}

/// `None` where it is gone again: the plugin that wrote it has reached the agent.
fn read(path: PathBuf) -> io::Result<Option<Pending>> {
    let del = match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| e.to_string()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        // Nothing is wrong with the file: set aside, the DEL would be lost.
        Err(error) if is_ours(&error) => return Err(with(&path, error)),
        Err(error) => Err(error.to_string()),
    };
    Ok(Some(Pending { path, del }))
}

/// The process or the system has no room left: `ENOMEM`, `ENFILE`, `EMFILE` (errno(3), the same on every Linux).
fn is_ours(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(12 | 23 | 24))
}

/// Removes unfinished files while no plugin writes; a plugin at work keeps them until the next look.
fn sweep(folder: &Path, unfinished: &[PathBuf]) {
    let Ok(held) = File::open(folder) else { return };
    if held.try_lock().is_ok() {
        unfinished.iter().for_each(|path| drop(fs::remove_file(path)));
    }
}

/// FNV-1a of 128 bits: a name of one length for ids of any length, the same in every version.
fn digest(container_id: &str, ifname: &str) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let bytes = container_id.bytes().chain([0]).chain(ifname.bytes());
    bytes.fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

fn with(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A folder of its own for each test, gone at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let next = NEXT.fetch_add(1, Ordering::Relaxed);
            Folder(std::env::temp_dir().join(format!("roadbed-queue-{}-{next}", std::process::id())))
        }

        fn queue(&self) -> PathBuf {
            folder(&self.0)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn del(container: &str, ifname: &str, netns: Option<&str>) -> CniDel {
        CniDel {
            container_id: container.into(),
            ifname: ifname.into(),
            netns: netns.map(Into::into),
        }
    }

    #[test]
    fn what_is_put_waits_until_it_is_done() {
        let dir = Folder::new();
        let queue = dir.queue();
        assert_eq!(pending(&queue).unwrap(), []);
        let (one, two) = (del("c1", "eth0", Some("/run/netns/a")), del("c1", "net1", None));
        let first = put(&queue, &one).unwrap();
        put(&queue, &two).unwrap();
        let mut waiting: Vec<CniDel> = pending(&queue)
            .unwrap()
            .into_iter()
            .map(|p| p.del.unwrap())
            .collect();
        waiting.sort_by(|a, b| a.ifname.cmp(&b.ifname));
        assert_eq!(waiting, [one, two.clone()]);
        done(&first).unwrap();
        done(&first).unwrap();
        assert_eq!(pending(&queue).unwrap()[0].del, Ok(two));
        assert_eq!(fs::metadata(&queue).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_second_del_of_an_attachment_takes_the_place_of_the_first() {
        let dir = Folder::new();
        let queue = dir.queue();
        let first = put(&queue, &del("c1", "eth0", Some("/run/netns/a"))).unwrap();
        let again = del("c1", "eth0", None);
        assert_eq!(put(&queue, &again).unwrap(), first);
        assert_eq!(first, file(&queue, "c1", "eth0"));
        let waiting = pending(&queue).unwrap();
        assert_eq!(
            waiting,
            [Pending {
                path: first,
                del: Ok(again)
            }]
        );
    }

    #[test]
    fn what_cannot_be_read_is_set_aside() {
        let dir = Folder::new();
        let queue = dir.queue();
        let path = put(&queue, &del("c1", "eth0", None)).unwrap();
        fs::write(&path, "{\"containerId\":").unwrap();
        let waiting = pending(&queue).unwrap();
        assert!(waiting[0].del.is_err(), "{waiting:?}");
        let kept = set_aside(&waiting[0].path).unwrap();
        assert_eq!(pending(&queue).unwrap(), []);
        assert_eq!(fs::read_to_string(kept).unwrap(), "{\"containerId\":");
    }

    #[test]
    fn what_is_unfinished_is_swept_when_nobody_writes() {
        let dir = Folder::new();
        let queue = dir.queue();
        let path = put(&queue, &del("c1", "eth0", None)).unwrap();
        let unfinished = path.with_extension(UNFINISHED);
        fs::write(&unfinished, "{").unwrap();
        let held = File::open(&queue).unwrap();
        held.lock().unwrap();
        assert_eq!(pending(&queue).unwrap().len(), 1);
        assert!(unfinished.exists(), "a plugin writes it");
        drop(held);
        assert_eq!(pending(&queue).unwrap().len(), 1);
        assert!(!unfinished.exists());
    }

    #[test]
    fn errors_name_the_path() {
        let dir = Folder::new();
        fs::create_dir_all(&dir.0).unwrap();
        let queue = dir.queue();
        fs::write(&queue, "no folder").unwrap();
        for error in [
            put(&queue, &del("c", "e", None)).unwrap_err(),
            pending(&queue).unwrap_err(),
        ] {
            assert!(error.to_string().contains("cni-queue"), "{error}");
        }
    }

    #[test]
    fn names_are_those_of_fnv_1a() {
        // The test vectors of the algorithm's own draft: the empty text, and one zero byte.
        assert_eq!(digest("", ""), 0xd228_cb69_101a_8caf_7891_2b70_4e4a_147f);
        assert_ne!(digest("ab", "c"), digest("a", "bc"));
    }

    #[test]
    fn plugins_that_write_at_once_do_not_mix() {
        let dir = Folder::new();
        let queue = dir.queue();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let queue = &queue;
                scope.spawn(move || {
                    let long = "/".repeat(1 + n * 500);
                    for _ in 0..5 {
                        put(queue, &del("c1", "eth0", Some(&long))).unwrap();
                        assert!(pending(queue).unwrap().iter().all(|p| p.del.is_ok()));
                    }
                });
            }
        });
        assert_eq!(pending(&queue).unwrap().len(), 1);
    }

    #[test]
    fn a_del_is_not_set_aside_for_want_of_a_file_descriptor() {
        let of = |errno: i32| is_ours(&io::Error::from_raw_os_error(errno));
        let (enomem, enfile, emfile, eio) = (12, 23, 24, 5);
        assert!([enomem, enfile, emfile].into_iter().all(of) && !of(eio));
    }
}
