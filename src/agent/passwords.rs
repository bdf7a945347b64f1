//! Passwords of BGP sessions, read where the resources say they are, and read again when they change.
//!
//! A password that was read once stays in force while its file or secret cannot be read: taking a session down because
//! an API server is away would be the greater harm. A session whose password was never read does not start.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bgpd_proto::types::Secret;
use config::intent::PasswordRef;
use kubernetes::secrets::{self, Follower};
use tokio::sync::watch;

use crate::plan::Passwords;

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Longest key of TCP MD5 in Linux, in octets (`TCP_MD5SIG_MAXKEYLEN`).
const LONGEST: usize = 80;

/// How much of a file is read: a password, and the end of its line.
const MOST: u64 = 4096;

/// The reader of passwords.
#[derive(Clone)]
pub struct Reader {
    wanted: Arc<watch::Sender<BTreeSet<PasswordRef>>>,
    known: watch::Receiver<Arc<Passwords>>,
}

impl Reader {
    /// Nothing is wanted yet. Secrets are read by `secrets`, where the node belongs to a Kubernetes.
    pub fn start(secrets: Option<Follower>) -> Self {
        let (wanted, wishes) = watch::channel(BTreeSet::new());
        let (sender, known) = watch::channel(Arc::default());
        tokio::spawn(run(secrets, wishes, sender));
        Reader {
            wanted: Arc::new(wanted),
            known,
        }
    }

    /// These are wanted from now on.
    pub fn want(&self, references: &BTreeSet<PasswordRef>) {
        self.wanted.send_if_modified(|wanted| {
            let differs = wanted != references;
            if differs {
                wanted.clone_from(references);
            }
            differs
        });
    }

    /// What is known, and its changes.
    pub fn known(&self) -> watch::Receiver<Arc<Passwords>> {
        self.known.clone()
    }
}

async fn run(
    secrets: Option<Follower>,
    mut wishes: watch::Receiver<BTreeSet<PasswordRef>>,
    known: watch::Sender<Arc<Passwords>>,
) {
    let mut news = secrets.as_ref().map(Follower::known);
    loop {
        let wanted = wishes.borrow_and_update().clone();
        if let Some(secrets) = &secrets {
            secrets.want(&wanted.iter().filter_map(name_of).collect());
        }
        let found = news.as_mut().map(|news| news.borrow_and_update().clone());
        let last = known.borrow().clone();
        let mut now = Passwords::new();
        for reference in &wanted {
            let read = match reference {
                PasswordRef::File(path) => Some(from_file(path).await),
                PasswordRef::Secret { name, key } => from_secret(found.as_deref(), name, key),
            };
            let kept = match (read, last.get(reference)) {
                (None | Some(Err(_)), Some(Ok(secret))) => Some(Ok(secret.clone())),
                (read, last) => read.or_else(|| last.cloned()),
            };
            now.extend(kept.map(|read| (reference.clone(), read)));
        }
        known.send_if_modified(|known| {
            let differs = **known != now;
            if differs {
                *known = Arc::new(now);
            }
            differs
        });
        let files = wanted.iter().any(|r| matches!(r, PasswordRef::File(_)));
        tokio::select! {
            changed = wishes.changed() => if changed.is_err() { return },
            () = changed(&mut news) => {}
            () = tokio::time::sleep(LOOK), if files => {}
        }
    }
}

fn name_of(reference: &PasswordRef) -> Option<String> {
    match reference {
        PasswordRef::Secret { name, .. } => Some(name.clone()),
        PasswordRef::File(_) => None,
    }
}

async fn changed(news: &mut Option<watch::Receiver<Arc<secrets::Secrets>>>) {
    let changed = match news {
        Some(news) => news.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending().await
    }
}

/// `None` while the server has not answered.
fn from_secret(found: Option<&secrets::Secrets>, name: &str, key: &str) -> Option<Result<Secret, String>> {
    let Some(found) = found else {
        let why =
            "this node belongs to no Kubernetes: set kubernetes.enabled in the agent's file, or use `file`";
        return Some(Err(why.to_owned()));
    };
    Some(match found.get(name)? {
        secrets::Secret::Known(data) => match data.get(key) {
            Some(value) => password(value),
            None => Err(format!("the secret has no key {key}: add it")),
        },
        secrets::Secret::Missing => {
            Err("there is no such secret in the namespace of the agent: make it".to_owned())
        }
        secrets::Secret::Unread(why) => Err(format!(
            "{why}; see docs/kubernetes.md for the right that is needed"
        )),
    })
}

async fn from_file(path: &Path) -> Result<Secret, String> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
        std::io::Result::Ok(bytes)
    });
    match read.await {
        Ok(Ok(bytes)) => password(&bytes),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// The first line.
fn password(text: &[u8]) -> Result<Secret, String> {
    let line = text
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .next()
        .unwrap_or_default();
    match line.len() {
        0 => Err("it is empty".to_owned()),
        length if length > LONGEST => Err(format!("it has {length} octets, the kernel takes {LONGEST}")),
        _ => Ok(Secret::new(line)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_first_line_is_the_password() {
        for text in ["swordfish", "swordfish\n", "swordfish\r\nrest"] {
            assert_eq!(password(text.as_bytes()), Ok(Secret::new(*b"swordfish")));
        }
        assert!(password(b"").is_err() && password(b"\nx").is_err());
        assert!(password(&[b'x'; 80]).is_ok() && password(&[b'x'; 81]).is_err());
    }

    #[test]
    fn each_way_to_miss_a_key_has_its_words() {
        let found = BTreeMap::from([
            (
                "there".to_owned(),
                secrets::Secret::Known([("a".to_owned(), b"x".to_vec())].into()),
            ),
            ("gone".to_owned(), secrets::Secret::Missing),
            (
                "closed".to_owned(),
                secrets::Secret::Unread("forbidden".to_owned()),
            ),
        ]);
        assert_eq!(
            from_secret(Some(&found), "there", "a"),
            Some(Ok(Secret::new(*b"x")))
        );
        assert_eq!(from_secret(Some(&found), "later", "a"), None);
        for (name, key, words) in [
            ("there", "b", "no key b"),
            ("gone", "a", "make it"),
            ("closed", "a", "forbidden"),
        ] {
            let why = from_secret(Some(&found), name, key).unwrap().unwrap_err();
            assert!(why.contains(words), "{why}");
        }
        assert!(
            from_secret(None, "there", "a")
                .unwrap()
                .unwrap_err()
                .contains("kubernetes.enabled")
        );
    }

    #[tokio::test]
    async fn a_file_that_is_gone_keeps_its_password_and_a_new_one_is_read() {
        let folder = std::env::temp_dir().join(format!("roadbed-passwords-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("tor");
        let reference = PasswordRef::File(path.clone());
        let reader = Reader::start(None);
        let mut known = reader.known();
        reader.want(&[reference.clone()].into());
        let wait = async |known: &mut watch::Receiver<Arc<Passwords>>,
                          like: &dyn Fn(&Result<Secret, String>) -> bool| {
            let found = known.wait_for(|known| known.get(&reference).is_some_and(like));
            tokio::time::timeout(Duration::from_secs(30), found)
                .await
                .unwrap()
                .unwrap();
        };
        wait(&mut known, &|read| read.is_err()).await;
        std::fs::write(&path, "one\n").unwrap();
        wait(&mut known, &|read| *read == Ok(Secret::new(*b"one"))).await;
        std::fs::remove_file(&path).unwrap();
        // Another wish makes it look at once.
        reader.want(&[reference.clone(), PasswordRef::File(folder.join("other"))].into());
        let other = PasswordRef::File(folder.join("other"));
        known.wait_for(|known| known.contains_key(&other)).await.unwrap();
        assert_eq!(known.borrow()[&reference], Ok(Secret::new(*b"one")));
        std::fs::write(&path, "two\n").unwrap();
        wait(&mut known, &|read| *read == Ok(Secret::new(*b"two"))).await;
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
