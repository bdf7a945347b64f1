//! Certificates for one cluster: an authority, one certificate for all members, one for clients, and a second
//! authority with a client certificate that the members do not know.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

/// The files that a client needs, PEM, and others that must not do.
#[derive(Debug, Clone)]
pub struct ClientFiles {
    /// The authority of the members' certificates.
    pub ca: PathBuf,
    /// A client certificate that the members accept.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// An authority that has nothing to do with the cluster.
    pub other_ca: PathBuf,
    /// A client certificate of that authority.
    pub other_cert: PathBuf,
    /// Its key.
    pub other_key: PathBuf,
}

/// The files that a member needs.
#[derive(Debug, Clone)]
pub(crate) struct ServerFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Makes all of them in `dir`; the members' certificate is for `addresses`.
pub(crate) fn make(dir: &Path, addresses: &[IpAddr]) -> (ServerFiles, ClientFiles) {
    let server = ServerFiles {
        cert: dir.join("server.pem"),
        key: dir.join("server.key"),
    };
    let client = ClientFiles {
        ca: dir.join("ca.pem"),
        cert: dir.join("client.pem"),
        key: dir.join("client.key"),
        other_ca: dir.join("other-ca.pem"),
        other_cert: dir.join("other-client.pem"),
        other_key: dir.join("other-client.key"),
    };
    let ca = authority("testbed", &client.ca);
    // Members on loopback connect to each other from 127.0.0.1, and etcd checks where a peer comes from.
    let addresses = [addresses, &[IpAddr::V4(Ipv4Addr::LOCALHOST)]].concat();
    leaf("members", &addresses, &ca, &server.cert, &server.key);
    leaf("client", &[], &ca, &client.cert, &client.key);
    let other = authority("somebody else", &client.other_ca);
    leaf("client", &[], &other, &client.other_cert, &client.other_key);
    (server, client)
}

fn authority(name: &str, file: &Path) -> Issuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().expect("a key can be made");
    let cert = params.self_signed(&key).expect("the parameters are valid");
    write(file, &cert.pem());
    Issuer::new(params, key)
}

/// A certificate for both ends of a connection: members are clients of each other.
fn leaf(name: &str, addresses: &[IpAddr], issuer: &Issuer<'static, KeyPair>, cert: &Path, key: &Path) {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = addresses.iter().map(|a| SanType::IpAddress(*a)).collect();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    let pair = KeyPair::generate().expect("a key can be made");
    let signed = params.signed_by(&pair, issuer).expect("the parameters are valid");
    write(cert, &signed.pem());
    write(key, &pair.serialize_pem());
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).unwrap_or_else(|e| panic!("cannot write {}: {e}", file.display()));
}
