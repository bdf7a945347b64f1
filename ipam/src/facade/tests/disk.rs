//! Bad disks: a disk that loses power in the middle of a write, one that fails and comes back, one that hangs.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use proptest::prelude::*;
use redb::{Database, StorageBackend};

use super::*;

#[derive(Debug, Default)]
struct Platter {
    /// As the running system sees the file.
    seen: Vec<u8>,
    /// As it was at the last sync.
    synced: Vec<u8>,
    /// What came since, in order: a length, or bytes at a place.
    since: Vec<(u64, Option<Vec<u8>>)>,
    /// Every operation after so many fails.
    left: Option<usize>,
    /// Syncs wait.
    hangs: bool,
}

/// A disk in memory.
#[derive(Debug, Clone, Default)]
struct Disk {
    platter: Arc<(Mutex<Platter>, Condvar)>,
}

impl Disk {
    /// A disk with a new ledger on it, and the folder where its file is looked for.
    fn new() -> (Disk, TempDir) {
        let dir = folder();
        drop(Ipam::open(dir.path()).unwrap());
        let bytes = fs::read(dir.path().join(FILE)).unwrap();
        let disk = Disk::default();
        disk.with(|p| (p.seen, p.synced) = (bytes.clone(), bytes));
        (disk, dir)
    }

    fn with<T>(&self, f: impl FnOnce(&mut Platter) -> T) -> T {
        f(&mut self.platter.0.lock().unwrap())
    }

    fn open(&self, dir: &TempDir) -> Result<Ipam, Error> {
        let disk = self.clone();
        let open = move |_: &Path| Database::builder().create_with_backend(disk.clone());
        Ipam::open_on(dir.path(), Box::new(open))
    }

    fn work<T>(&self, f: impl FnOnce(&mut Platter) -> T) -> io::Result<T> {
        self.with(|p| {
            match &mut p.left {
                Some(0) => return Err(io::Error::other("the disk is gone")),
                Some(left) => *left -= 1,
                None => {}
            }
            Ok(f(p))
        })
    }

    /// The file after a loss of power: what was synced, and of what came after only what the bits say.
    fn after_power_loss(&self, survives: u64) -> TempDir {
        let image = self.with(|p| {
            let mut image = p.synced.clone();
            for (n, (at, bytes)) in p.since.iter().enumerate() {
                if survives >> (n % 64) & 1 == 1 {
                    lay(&mut image, *at, bytes.as_deref());
                }
            }
            image
        });
        let dir = folder();
        fs::write(dir.path().join(FILE), image).unwrap();
        dir
    }
}

fn lay(image: &mut Vec<u8>, at: u64, bytes: Option<&[u8]>) {
    let at = usize::try_from(at).unwrap();
    match bytes {
        None => image.resize(at, 0),
        Some(bytes) => {
            image.resize(image.len().max(at + bytes.len()), 0);
            image[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.work(|p| p.seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        self.work(|p| out.copy_from_slice(&p.seen[at..at + out.len()]))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.work(|p| {
            lay(&mut p.seen, len, None);
            p.since.push((len, None));
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        let (lock, moved) = &*self.platter;
        let waited = moved.wait_while(lock.lock().unwrap(), |p| p.hangs);
        drop(waited.unwrap());
        self.work(|p| {
            p.synced.clone_from(&p.seen);
            p.since.clear();
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.work(|p| {
            lay(&mut p.seen, offset, Some(data));
            p.since.push((offset, Some(data.to_vec())));
        })
    }
}

fn on_disk() -> (Ipam, Disk, TempDir) {
    let (disk, dir) = Disk::new();
    let ipam = disk.open(&dir).unwrap();
    ipam.set_given(given(&["10.0.0.0/24"]), now()).unwrap();
    ipam.apply(&[LedgerStep::Known], now()).unwrap();
    (ipam, disk, dir)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// The disk dies at any operation, and any part of what was not synced survives: everything that was
    /// answered is there, and of the change that got no answer all or nothing.
    #[test]
    fn what_was_answered_survives_a_loss_of_power(
        pods in proptest::collection::vec(0u8..6, 0..8),
        left in 0usize..40,
        survives in any::<u64>(),
    ) {
        let (ipam, disk, _dir) = on_disk();
        let mut truth = BTreeMap::new();
        let turn = |truth: &mut BTreeMap<Owner, Lease>, pod: u8| -> Result<(), Error> {
            let request = request(&format!("pod-{pod}"), &[]);
            if truth.contains_key(&request.owner) {
                ipam.release(&request.owner, now())?;
                truth.remove(&request.owner);
            } else {
                truth.insert(request.owner.clone(), ipam.assign(&request, now())?);
            }
            Ok(())
        };
        for pod in pods {
            turn(&mut truth, pod).unwrap();
        }
        disk.with(|p| p.left = Some(left));
        let mut unanswered = None;
        for pod in (0..6).cycle().take(60) {
            if turn(&mut truth, pod).is_err() {
                unanswered = Some(Owner::new(format!("pod-{pod}"), "eth0"));
                break;
            }
        }
        let unanswered = unanswered.expect("the disk was to fail");
        prop_assert_eq!(ipam.leases(), truth.values().cloned().collect::<Vec<_>>(), "what is read is on disk");
        let after = disk.after_power_loss(survives);
        let found: BTreeMap<Owner, Lease> = Ipam::open(after.path())
            .unwrap()
            .leases()
            .into_iter()
            .map(|l| (l.owner.clone(), l))
            .collect();
        let mut rest = found.clone();
        rest.remove(&unanswered);
        let mut expected = truth.clone();
        expected.remove(&unanswered);
        prop_assert_eq!(rest, expected);
    }
}

#[test]
fn a_disk_that_comes_back_is_used_again_and_nothing_is_given_twice() {
    let (ipam, disk, _dir) = on_disk();
    let a = ipam.assign(&request("a", &[]), now()).unwrap();
    let mut refused = 0;
    for left in 0..30 {
        disk.with(|p| p.left = Some(left));
        let b = ipam.assign(&request("b", &[]), now());
        refused += usize::from(matches!(b, Err(Error::Io { .. })));
        assert_eq!(ipam.lease(&a.owner), Some(a.clone()));
        disk.with(|p| p.left = None);
        let b = ipam.assign(&request("b", &[]), now()).unwrap();
        assert_ne!(b.addresses, a.addresses);
        assert_eq!(ipam.leases(), [a.clone(), b.clone()]);
        ipam.release(&b.owner, now()).unwrap();
    }
    assert!(refused > 3, "the disk was to fail");
}

#[test]
fn a_file_that_is_gone_is_an_error_that_names_it() {
    let (ipam, disk, dir) = on_disk();
    disk.with(|p| p.left = Some(0));
    assert!(ipam.assign(&request("a", &[]), now()).is_err());
    let path: PathBuf = dir.path().join(FILE);
    match ipam.assign(&request("a", &[]), now()) {
        Err(Error::Io { path: named, .. } | Error::Damaged { path: named, .. }) => assert_eq!(named, path),
        other => panic!("{other:?}"),
    }
}

fn wait_until(what: &str, met: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !met() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_disk_that_hangs_holds_up_the_changes_and_nothing_else_and_they_share_its_next_sync() {
    let (ipam, disk, _dir) = on_disk();
    let known = ipam.assign(&request("known", &[]), now()).unwrap();
    let before = ipam.changes();
    disk.with(|p| p.hangs = true);
    let answered = AtomicUsize::new(0);
    let add = |name: String| {
        let lease = ipam.assign(&request(&name, &[]), now()).unwrap();
        answered.fetch_add(1, Ordering::SeqCst);
        lease
    };
    let leases: Vec<Lease> = std::thread::scope(|scope| {
        let add = &add;
        let first = scope.spawn(|| add("first".into()));
        wait_until("the first is being written", || ipam.lock().writing.is_some());
        let others: Vec<_> = (0..20)
            .map(|n| scope.spawn(move || add(format!("pod-{n}"))))
            .collect();
        let puts = || {
            let state = ipam.lock();
            state
                .queue
                .iter()
                .filter(|op| matches!(op, Op::PutLease(_)))
                .count()
        };
        wait_until("the others are queued", || puts() == 20);
        assert_eq!(
            ipam.leases(),
            std::slice::from_ref(&known),
            "only what is on disk is shown"
        );
        assert_eq!(ipam.local(now()).leases.len(), 1);
        assert_eq!(
            answered.load(Ordering::SeqCst),
            0,
            "nothing is answered before it is on disk"
        );
        disk.with(|p| p.hangs = false);
        disk.platter.1.notify_all();
        let first = first.join().unwrap();
        let others = others.into_iter().map(|o| o.join().unwrap());
        std::iter::once(first).chain(others).collect()
    });
    assert_eq!(ipam.changes(), before + 2, "twenty changes were one transaction");
    let mut all: Vec<IpAddr> = leases.iter().flat_map(|l| l.addresses.clone()).collect();
    all.extend(known.addresses);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 22);
    assert_eq!(ipam.leases().len(), 22);
}

#[test]
fn a_write_that_fails_fails_for_all_that_was_decided_on_top_of_it() {
    let (ipam, disk, _dir) = on_disk();
    disk.with(|p| p.hangs = true);
    let add = |name: &str| ipam.assign(&request(name, &[]), now());
    let failed = std::thread::scope(|scope| {
        let first = scope.spawn(|| add("first"));
        wait_until("the first is being written", || ipam.lock().writing.is_some());
        // The same owner once more: the answer rests on the write that is going on.
        let again = scope.spawn(|| add("first"));
        let other = scope.spawn(|| add("other"));
        wait_until("the other is queued", || !ipam.lock().queue.is_empty());
        disk.with(|p| (p.left, p.hangs) = (Some(0), false));
        disk.platter.1.notify_all();
        [first, again, other].map(|t| t.join().unwrap().is_err())
    });
    // The repeated request may have come after the failure; then the disk was still gone.
    assert_eq!(failed, [true; 3]);
    assert!(ipam.leases().is_empty());
    disk.with(|p| p.left = None);
    assert!(ipam.assign(&request("first", &[]), now()).is_ok());
}
