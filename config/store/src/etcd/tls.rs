//! Certificates and the password, read from their files each time a connection is made, so that rotated ones
//! are taken up without a restart.

use std::path::Path;

use config::agent_file::EtcdSettings;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use super::errors::Trouble;

/// What a connection is made with.
pub(super) struct Secrets {
    /// None for `http`.
    pub tls: Option<ClientTlsConfig>,
    /// User and password.
    pub user: Option<(String, String)>,
}

/// Reads all files that the settings name. A file that cannot be read is the operator's to repair.
pub(super) fn read(settings: &EtcdSettings, https: bool) -> Result<Secrets, Trouble> {
    let mut tls = https.then(ClientTlsConfig::new);
    if let Some(config) = tls.take() {
        tls = Some(certificates(settings, config)?);
    }
    let user = match (&settings.username, &settings.password_file) {
        (Some(name), Some(file)) => {
            let text = text("password", file)?;
            let line = text.trim_end_matches(['\n', '\r']);
            Some((name.clone(), line.to_owned()))
        }
        _ => None,
    };
    Ok(Secrets { tls, user })
}

fn certificates(settings: &EtcdSettings, mut config: ClientTlsConfig) -> Result<ClientTlsConfig, Trouble> {
    if let Some(file) = &settings.ca_file {
        config = config.ca_certificate(Certificate::from_pem(pem("CA certificate", file)?));
    }
    if let (Some(cert), Some(key)) = (&settings.cert_file, &settings.key_file) {
        let (cert, key) = (pem("client certificate", cert)?, pem("client key", key)?);
        config = config.identity(Identity::from_pem(cert, key));
    }
    Ok(config)
}

/// A file with at least one PEM block; the TLS library takes an empty one for "no certificates".
fn pem(what: &str, file: &Path) -> Result<String, Trouble> {
    let text = text(what, file)?;
    match text.contains("-----BEGIN ") {
        true => Ok(text),
        false => Err(Trouble::Refused {
            detail: format!("the {what} {} is not in PEM form", file.display()),
            fix: "write a file that begins with -----BEGIN".into(),
        }),
    }
}

fn text(what: &str, file: &Path) -> Result<String, Trouble> {
    std::fs::read_to_string(file).map_err(|e| Trouble::Refused {
        detail: format!("the {what} {} cannot be read ({e})", file.display()),
        fix: "put the file there, readable for the agent".into(),
    })
}
