//! Certificates, users and tokens: what is refused says what to do, and no secret is ever part of it.

use std::time::Duration;

use config::EtcdSettings;
use datastore::{Datastore, Error, Expect, Key, Space, Write};
use etcd_testbed::{Cluster, Options};
use futures::StreamExt;
use store::etcd::{EtcdStore, Timing};

use super::support::{password_file, run, settings, soon};

const SECRET: &str = "correct-horse-battery";

fn put(name: &str) -> Write {
    Write::Put(Key::Sticky(name.into()), "{}".into())
}

/// The text of a refusal; it holds no secret, however it is printed.
async fn refusal(store: &EtcdStore, secrets: &[&str]) -> String {
    // The connection's end may be heard before the reason for it is read; then the next attempt says it.
    let refused = async {
        loop {
            match store.list(Space::Resources).await {
                Ok(_) => panic!("it was let in"),
                Err(error @ Error::Refused { .. }) => return error,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let error = soon("a refusal", refused).await;
    let (text, debug) = (error.to_string(), format!("{error:?} {}", store.describe()));
    for secret in secrets {
        assert!(
            !text.contains(secret) && !debug.contains(secret),
            "{text} {debug}"
        );
    }
    text
}

#[test]
fn certificates_that_do_not_fit_are_refused_with_the_reason_and_taken_up_once_they_do() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(Options {
        tls: true,
        ..Options::default()
    });
    let plain = Cluster::start(Options::default());
    let files = cluster.client_paths().unwrap();
    let good = settings(&cluster, dir.path());
    let with = |change: &dyn Fn(&mut EtcdSettings)| {
        let mut settings = good.clone();
        change(&mut settings);
        EtcdStore::connect(&settings).unwrap()
    };
    run(async {
        let wrong_ca = with(&|s| s.ca_file = Some(files.other_ca.clone()));
        let text = refusal(&wrong_ca, &[]).await;
        assert!(
            text.contains("is not one that we trust") && text.contains("caFile"),
            "{text}"
        );
        let no_ca = with(&|s| s.ca_file = None);
        let text = refusal(&no_ca, &[]).await;
        assert!(text.contains("caFile"), "{text}");
        let none = with(&|s| (s.cert_file, s.key_file) = (None, None));
        let text = refusal(&none, &[]).await;
        assert!(
            text.contains("client certificate") && text.contains("certFile"),
            "{text}"
        );
        let mismatch = |url: String| {
            let settings = EtcdSettings {
                endpoints: vec![url],
                ..good.clone()
            };
            let timing = Timing {
                total: Duration::from_secs(1),
                ..Timing::default()
            };
            EtcdStore::with_timing(&settings, timing).unwrap()
        };
        let tls_as_plain = mismatch(cluster.endpoint(0).replace("https:", "http:"));
        let plain_as_tls = mismatch(plain.endpoint(0).replace("http:", "https:"));
        for (store, hint) in [(tls_as_plain, "write https://"), (plain_as_tls, "write http://")] {
            let text = soon("an answer", store.list(Space::Resources))
                .await
                .unwrap_err()
                .to_string();
            assert!(
                text.contains("cannot be reached") && text.contains(hint),
                "{text}"
            );
        }

        // A store with files that are rotated under it.
        let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        let rotated = with(&|s| (s.cert_file, s.key_file) = (Some(cert.clone()), Some(key.clone())));
        let text = refusal(&rotated, &[]).await;
        assert!(text.contains("cannot be read"), "{text}");
        std::fs::copy(&files.other_cert, &cert).unwrap();
        std::fs::copy(&files.other_key, &key).unwrap();
        let secret = std::fs::read_to_string(&key).unwrap();
        let secret = secret.lines().nth(1).unwrap();
        let text = refusal(&rotated, &[secret]).await;
        assert!(text.contains("client certificate"), "{text}");
        std::fs::copy(&files.cert, &cert).unwrap();
        std::fs::copy(&files.key, &key).unwrap();
        soon("an answer", rotated.write(put("a.b"), Expect::Absent))
            .await
            .unwrap();
    });
}

#[test]
fn users_passwords_and_rights() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(Options {
        auth: Some(("roadbed".into(), SECRET.into())),
        ..Options::default()
    });
    cluster.must(&["role", "add", "reader"]);
    cluster.must(&[
        "role",
        "grant-permission",
        "reader",
        "read",
        "/roadbed/",
        "--prefix",
    ]);
    cluster.must(&["user", "add", &format!("reader:{SECRET}")]);
    cluster.must(&["user", "grant-role", "reader", "reader"]);
    let good = settings(&cluster, dir.path());
    run(async {
        let mut nobody = good.clone();
        (nobody.username, nobody.password_file) = (None, None);
        let text = refusal(&EtcdStore::connect(&nobody).unwrap(), &[SECRET]).await;
        assert!(
            text.contains("asks for a user") && text.contains("datastore.username"),
            "{text}"
        );

        let store = EtcdStore::connect(&good).unwrap();
        password_file(dir.path(), "another-secret");
        let text = refusal(&store, &[SECRET, "another-secret"]).await;
        assert!(text.contains("passwordFile"), "{text}");
        password_file(dir.path(), SECRET);
        soon("an answer", store.write(put("a.b"), Expect::Absent))
            .await
            .unwrap();

        let reader = EtcdSettings {
            username: Some("reader".into()),
            ..good.clone()
        };
        let reader = EtcdStore::connect(&reader).unwrap();
        assert_eq!(reader.list(Space::Ownership).await.unwrap().items.len(), 1);
        let refused = reader.write(put("c.d"), Expect::Absent).await;
        let Err(Error::Refused { fix, .. }) = &refused else {
            panic!("{refused:?}")
        };
        assert!(fix.contains("readwrite"), "{fix}");
        let other = EtcdSettings {
            prefix: "/other".into(),
            username: Some("reader".into()),
            ..good.clone()
        };
        let other = EtcdStore::connect(&other).unwrap();
        let revision = store.list(Space::Ownership).await.unwrap().revision;
        let refused = soon("an answer", other.watch(Space::Ownership, revision))
            .await
            .err();
        assert!(matches!(refused, Some(Error::Refused { .. })), "{refused:?}");
    });
}

#[test]
fn tokens_that_ran_out_are_renewed() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(Options {
        auth: Some(("roadbed".into(), SECRET.into())),
        auth_token_ttl: Some(Duration::from_secs(1)),
        ..Options::default()
    });
    run(async {
        let store = EtcdStore::connect(&settings(&cluster, dir.path())).unwrap();
        let start = store.list(Space::Ownership).await.unwrap().revision;
        let mut early = store.watch(Space::Ownership, start.clone()).await.unwrap();
        for round in 0..3 {
            // Longer than the token lives; etcd looks at them every second.
            tokio::time::sleep(Duration::from_millis(2_200)).await;
            match round {
                0 => drop(store.write(put("a.b"), Expect::Absent).await.unwrap()),
                1 => drop(store.list(Space::Ownership).await.unwrap()),
                _ => {
                    let mut late = store.watch(Space::Ownership, start.clone()).await.unwrap();
                    for watch in [&mut early, &mut late] {
                        let changes = soon("the change", watch.next()).await.unwrap().unwrap();
                        assert_eq!(changes.changes.len(), 1);
                    }
                }
            }
        }
    });
}

#[test]
fn authentication_may_be_switched_on_later() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(Options::default());
    let mut settings = settings(&cluster, dir.path());
    settings.username = Some("root".into());
    settings.password_file = Some(password_file(dir.path(), SECRET));
    run(async {
        let store = EtcdStore::connect(&settings).unwrap();
        store.write(put("a.b"), Expect::Absent).await.unwrap();
        for arguments in [
            &["role", "add", "root"][..],
            &["user", "add", &format!("root:{SECRET}")],
            &["user", "grant-role", "root", "root"],
            &["auth", "enable"],
        ] {
            cluster.must(arguments);
        }
        soon("an answer", store.write(put("c.d"), Expect::Absent))
            .await
            .unwrap();
    });
}
