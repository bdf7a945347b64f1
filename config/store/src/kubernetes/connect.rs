//! From settings to a client: a kubeconfig, or the service account of the pod.
//!
//! Errors name the file and the part of it, never its text: a kubeconfig holds tokens and keys.

use std::path::Path;

use config::KubernetesSettings;
use datastore::Error;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::error::Says;
use super::transport::{Timing, Transport};

/// A client for the server of these settings, with the limits of time of the store. Does not wait for the server.
///
/// # Errors
/// [`Error::Invalid`] where there is no usable kubeconfig, or no service account outside of one.
pub async fn client(settings: &KubernetesSettings) -> Result<kube::Client, Error> {
    Ok(transport(settings, Timing::default()).await?.client)
}

/// The way to the server.
pub async fn transport(settings: &KubernetesSettings, timing: Timing) -> Result<Transport, Error> {
    let mut config = match &settings.kubeconfig {
        Some(path) => from_file(path).await?,
        None => in_cluster()?,
    };
    // Attempts are counted here, where it is known what a request does.
    config.default_retry = false;
    config.connect_timeout = Some(timing.request);
    let store = format!("kubernetes {}", place(&config));
    let client = kube::Client::try_from(config).map_err(|error| Error::Invalid {
        store: store.clone(),
        detail: format!(
            "no connection can be made with these settings: {}",
            of_client(&error)
        ),
        fix: "look at the certificates and the user of the kubeconfig".into(),
    })?;
    Ok(Transport {
        client,
        says: Says { store },
        timing,
    })
}

/// Scheme, host and port: a URL may hold a password before the host.
fn place(config: &Config) -> String {
    let url = &config.cluster_url;
    let port = url.port_u16().map_or(String::new(), |port| format!(":{port}"));
    format!(
        "{}://{}{port}",
        url.scheme_str().unwrap_or("https"),
        url.host().unwrap_or("?")
    )
}

async fn from_file(path: &Path) -> Result<Config, Error> {
    let wrong = |error: KubeconfigError| Error::Invalid {
        store: "kubernetes".into(),
        detail: format!("{}: {}", path.display(), of_kubeconfig(&error)),
        fix: "point datastore.kubeconfig at a file that kubectl can use".into(),
    };
    let kubeconfig = Kubeconfig::read_from(path).map_err(wrong)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(wrong)
}

fn in_cluster() -> Result<Config, Error> {
    Config::incluster().map_err(|_| Error::Invalid {
        store: "kubernetes".into(),
        detail: "this is not a pod with a service account (no KUBERNETES_SERVICE_HOST, or no token)".into(),
        fix: "set datastore.kubeconfig".into(),
    })
}

fn of_kubeconfig(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(error, _) => format!("cannot be read: {error}"),
        // The words of the parser may quote the line.
        KubeconfigError::Parse(_) => "is not a kubeconfig".into(),
        KubeconfigError::CurrentContextNotSet | KubeconfigError::LoadContext(_) => {
            "has no usable current-context".into()
        }
        KubeconfigError::LoadClusterOfContext(_) | KubeconfigError::MissingClusterUrl => {
            "has no cluster with a server for its current context".into()
        }
        KubeconfigError::ParseClusterUrl(_) => "has a server that is not a URL".into(),
        KubeconfigError::LoadCertificateAuthority(_) | KubeconfigError::ParseCertificates(_) => {
            "has a certificate authority that cannot be read".into()
        }
        KubeconfigError::LoadClientCertificate(_) => "has a client certificate that cannot be read".into(),
        KubeconfigError::LoadClientKey(_) => "has a client key that cannot be read".into(),
        _ => "cannot be used".into(),
    }
}

fn of_client(error: &kube::Error) -> &'static str {
    match error {
        kube::Error::RustlsTls(_) => "a certificate or a key is not usable",
        kube::Error::Auth(_) => "no credentials could be had",
        kube::Error::ProxyProtocolUnsupported { .. } | kube::Error::ProxyProtocolDisabled { .. } => {
            "proxies are not supported"
        }
        _ => "the settings do not fit together",
    }
}
