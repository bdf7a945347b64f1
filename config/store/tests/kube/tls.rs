//! TLS as every cluster has it: the server's certificate against the authority of the kubeconfig, ours against the
//! server's, and what is said where they do not fit. A proxy that ends TLS stands before the stand-in.

use std::path::Path;
use std::sync::Arc;

use config::KubernetesSettings;
use datastore::{Datastore, Error, Expect, Outcome, Space, Write};
use kube_standin::Standin;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use store::kubernetes::KubeStore;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::support::{block, put, record, standin, timing};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

/// A certificate and its key, as PEM.
fn issued(by: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    let certificate = params.signed_by(&key, by).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

/// Ends TLS before the stand-in, for clients with certificates of the authority. Gives its port.
async fn proxy(standin: &Standin, authority: &Authority) -> u16 {
    let (certificate, key) = issued(authority, "127.0.0.1");
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).expect("a root");
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots))
        .build()
        .expect("a verifier");
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
    let config = ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key);
    let acceptor = TlsAcceptor::from(Arc::new(config.expect("a configuration")));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let behind = standin.url().trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                let Ok(mut client) = acceptor.accept(client).await else {
                    return;
                };
                let Ok(mut server) = TcpStream::connect(behind).await else {
                    return;
                };
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}

async fn store(
    folder: &Path,
    port: u16,
    authority: &str,
    identity: &(String, String),
) -> Result<KubeStore, Error> {
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {
            "server": format!("https://127.0.0.1:{port}"), "certificate-authority": file("ca.crt", authority),
        }}],
        "users": [{"name": "u", "user": {
            "client-certificate": file("tls.crt", &identity.0), "client-key": file("tls.key", &identity.1),
        }}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    });
    let kubeconfig = Some(file("kubeconfig", &kubeconfig.to_string()));
    KubeStore::connect_with(&KubernetesSettings { kubeconfig }, timing()).await
}

#[tokio::test]
async fn both_sides_show_certificates() {
    let (standin, ours) = (standin(), authority());
    let port = proxy(&standin, &ours).await;
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path(), port, &ours.pem(), &issued(&ours, "roadbed"))
        .await
        .expect("good settings");
    assert_eq!(store.describe(), format!("kubernetes https://127.0.0.1:{port}"));
    assert!(matches!(
        put(&store, &block("10.0.0.0/26"), record("a"), Expect::Absent).await,
        Outcome::Done(_)
    ));
    assert_eq!(
        store.list(Space::Ownership).await.expect("a listing").items.len(),
        1
    );
}

#[tokio::test]
async fn certificates_of_strangers_are_refused_and_named() {
    let (standin, ours, other) = (standin(), authority(), authority());
    let port = proxy(&standin, &ours).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (mine, strange) = (issued(&ours, "roadbed"), issued(&other, "roadbed"));
    let refused = [
        (other.pem(), &mine, "its certificate is not trusted"),
        (ours.pem(), &strange, "does not take our certificate"),
    ];
    for (authority, identity, said) in refused {
        let store = store(folder.path(), port, &authority, identity)
            .await
            .expect("settings that can be read");
        for error in [
            store.list(Space::Ownership).await.map(drop),
            store
                .write(Write::Delete(block("10.0.0.0/26")), Expect::Any)
                .await
                .map(drop),
        ] {
            let error = error.expect_err("a stranger");
            assert!(
                matches!(error, Error::Refused { .. }) && error.to_string().contains(said),
                "{error}"
            );
        }
    }
    let broken = (
        mine.0.clone(),
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned(),
    );
    let error = store(folder.path(), port, &ours.pem(), &broken)
        .await
        .err()
        .expect("no key");
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("a certificate or a key is not usable") && !text.contains("AAAA"),
        "{text}"
    );
}
