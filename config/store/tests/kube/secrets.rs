//! A token is in no text that comes out of the store.

use std::collections::BTreeSet;

use config::KubernetesSettings;
use datastore::{Datastore, Error, Space};
use kube_standin::Rights;
use store::kubernetes::KubeStore;

use crate::support::{TOKEN, standin, store};

#[tokio::test]
async fn errors_of_a_session_do_not_tell_the_token() {
    let mut standin = standin();
    let store = store(&standin).await;
    let mut texts = vec![store.describe()];
    let mut note = |error: Error| {
        texts.push(error.to_string());
        texts.push(format!("{error:?}"));
    };
    for user in ["other", TOKEN] {
        standin.set_rights(Rights {
            tokens: [(user.to_owned(), ("x".to_owned(), BTreeSet::new()))].into(),
        });
        note(store.list(Space::Resources).await.expect_err("a refusal"));
    }
    standin.stop();
    note(store.list(Space::Resources).await.expect_err("nobody there"));
    assert_eq!(texts.len(), 7);
    for text in texts {
        assert!(!text.contains(TOKEN), "{text}");
    }
}

#[tokio::test]
async fn a_kubeconfig_that_is_wrong_is_named_and_not_quoted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kubeconfig");
    let user = format!("users: [{{name: u, user: {{token: {TOKEN}}}}}]");
    let no_server =
        "clusters: [{name: c, cluster: {}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]";
    let bad_ca =
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority-data: '!!'}}]";
    for (text, part) in [
        (format!("{user}\n  token: {TOKEN}\n{{"), "is not a kubeconfig"),
        (user.clone(), "current-context"),
        (format!("{user}\ncurrent-context: c"), "current-context"),
        (
            format!("{user}\ncurrent-context: c\n{no_server}"),
            "no cluster with a server",
        ),
        (
            format!(
                "{user}\ncurrent-context: c\n{bad_ca}\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]"
            ),
            "certificate authority",
        ),
    ] {
        std::fs::write(&path, &text).expect("written");
        let settings = KubernetesSettings {
            kubeconfig: Some(path.clone()),
        };
        let error = KubeStore::connect(&settings)
            .await
            .err()
            .unwrap_or_else(|| panic!("{text}"));
        let said = format!("{error} {error:?}");
        assert!(said.contains(part) && said.contains("kubeconfig"), "{said}");
        assert!(!said.contains(TOKEN), "{said}");
    }
    let settings = KubernetesSettings {
        kubeconfig: Some(folder.path().join("none")),
    };
    let said = KubeStore::connect(&settings)
        .await
        .err()
        .expect("no file")
        .to_string();
    assert!(said.contains("cannot be read"), "{said}");
}
