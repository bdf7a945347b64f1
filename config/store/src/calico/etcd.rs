//! Calico's etcd (its `etcdv3` datastore), read at one revision in pages. Nothing is ever written.
//!
//! RPCs: `Range` with a limit, the revision of the first answer, and `keys_only` or `count_only` where values are
//! not needed (etcd v3 API). A compaction in between, or a member that goes away, starts the reading anew.

use std::path::Path;
use std::time::Duration;

use config::EtcdSettings;
use etcd_client::{
    Certificate, Client, ConnectOptions, GetOptions, GetResponse, Identity, KvClient, TlsOptions,
};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::Code;

use super::block;
use super::convert;
use super::error::Error;
use super::keys;
use super::kinds::{self, Handling};
use super::snapshot::Snapshot;

/// Bound of one request.
const REQUEST: Duration = Duration::from_secs(10);
/// Bound of a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Keys of one page. A value has up to 1.5 MiB (etcd's default limit), so that a page has up to 150.
const PAGE: i64 = 100;
/// Keys of one page without values.
const PAGE_OF_KEYS: i64 = 10_000;
/// Largest answer that is taken.
const LARGEST: usize = 256 << 20;
/// How often a reading is begun.
const ATTEMPTS: usize = 3;

/// Reads Calico's data. `prefix` of the settings is Roadbed's own and has no part in it.
///
/// # Errors
/// Where it cannot be reached or refuses us, and where it has nothing of Calico's.
pub async fn read(settings: &EtcdSettings) -> Result<Snapshot, Error> {
    let location = location(&settings.endpoints);
    let options = options(settings)?;
    let mut attempt = 1;
    loop {
        match read_once(&settings.endpoints, options.clone(), &location).await {
            Ok((snapshot, old)) => return found(snapshot, old),
            Err(Failure::Worth(_)) if attempt < ATTEMPTS => attempt += 1,
            Err(Failure::Worth(error) | Failure::Final(error)) => {
                let (detail, fix) = explain(&settings.endpoints, &error).await;
                return Err(Error::Access {
                    location,
                    detail,
                    fix,
                });
            }
        }
    }
}

/// The endpoints without user and password, should a URL have them.
fn location(endpoints: &[String]) -> String {
    let clean = |url: &String| match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.clone(),
    };
    format!(
        "etcd {}",
        endpoints.iter().map(clean).collect::<Vec<_>>().join(",")
    )
}

/// Refuses a datastore that has nothing; `old` says that it has the data of a Calico before version 3.
fn found(snapshot: Snapshot, old: bool) -> Result<Snapshot, Error> {
    if !snapshot.is_empty() || snapshot.documents.iter().any(|document| document.kind == "Node") {
        return Ok(snapshot);
    }
    Err(Error::Nothing {
        location: snapshot.location,
        looked: "keys under /calico/",
        fix: if old {
            "it has data of a Calico before version 3: upgrade Calico first"
        } else {
            "check the endpoints; where Calico's datastore type is `kubernetes`, give --kubeconfig instead"
        },
    })
}

fn file(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| Error::File {
        path: path.display().to_string(),
        why: format!("cannot be read: {error}"),
    })
}

fn options(settings: &EtcdSettings) -> Result<ConnectOptions, Error> {
    let mut options = ConnectOptions::new()
        .with_timeout(REQUEST)
        .with_connect_timeout(CONNECT);
    if let Some(user) = &settings.username {
        let password = match &settings.password_file {
            Some(path) => String::from_utf8(file(path)?).map_err(|_| Error::File {
                path: path.display().to_string(),
                why: "is not UTF-8 text: write the password into it and nothing else".to_owned(),
            })?,
            None => String::new(),
        };
        options = options.with_user(user, password.trim_end_matches(['\n', '\r']));
    }
    if settings
        .endpoints
        .iter()
        .any(|endpoint| endpoint.starts_with("https://"))
    {
        let mut tls = TlsOptions::new();
        if let Some(ca) = &settings.ca_file {
            tls = tls.ca_certificate(Certificate::from_pem(file(ca)?));
        }
        if let (Some(cert), Some(key)) = (&settings.cert_file, &settings.key_file) {
            tls = tls.identity(Identity::from_pem(file(cert)?, file(key)?));
        }
        options = options.with_tls(tls);
    }
    Ok(options)
}

enum Failure {
    /// A new attempt may work.
    Worth(etcd_client::Error),
    Final(etcd_client::Error),
}

/// The revision was compacted, or the member went away.
const AGAIN: [Code; 2] = [Code::OutOfRange, Code::Unavailable];

impl From<etcd_client::Error> for Failure {
    fn from(error: etcd_client::Error) -> Self {
        match &error {
            etcd_client::Error::GRpcStatus(status) if AGAIN.contains(&status.code()) => Failure::Worth(error),
            _ => Failure::Final(error),
        }
    }
}

async fn read_once(
    endpoints: &[String],
    options: ConnectOptions,
    location: &str,
) -> Result<(Snapshot, bool), Failure> {
    let client = Client::connect(endpoints, Some(options)).await?;
    let mut reader = Reader {
        kv: client.kv_client().max_decoding_message_size(LARGEST),
        revision: 0,
    };
    let mut snapshot = Snapshot {
        location: location.to_owned(),
        ..Snapshot::default()
    };
    reader.resources(&mut snapshot).await?;
    reader.ipam(&mut snapshot).await?;
    let old = snapshot.is_empty() && reader.count(keys::OLD).await? > 0;
    Ok((snapshot, old))
}

struct Reader {
    kv: KvClient,
    /// The revision of the first answer; all others are of the same.
    revision: i64,
}

impl Reader {
    async fn range(&mut self, key: Vec<u8>, options: GetOptions) -> Result<GetResponse, Failure> {
        let answer = self
            .kv
            .get(key, Some(options.with_revision(self.revision)))
            .await?;
        if self.revision == 0 {
            self.revision = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
        }
        Ok(answer)
    }

    /// Every key under a prefix, page by page, with its value where `values` says so.
    async fn each(
        &mut self,
        prefix: &str,
        values: bool,
        mut take: impl FnMut(&str, &[u8]),
    ) -> Result<(), Failure> {
        let end = after(prefix.as_bytes());
        let mut from = prefix.as_bytes().to_vec();
        loop {
            let mut options = GetOptions::new().with_range(end.clone());
            options = if values {
                options.with_limit(PAGE)
            } else {
                options.with_limit(PAGE_OF_KEYS).with_keys_only()
            };
            let answer = self.range(from, options).await?;
            for pair in answer.kvs() {
                take(&String::from_utf8_lossy(pair.key()), pair.value());
            }
            let Some(last) = answer.kvs().last().filter(|_| answer.more()) else {
                return Ok(());
            };
            from = [last.key(), &[0]].concat();
        }
    }

    async fn count(&mut self, prefix: &str) -> Result<usize, Failure> {
        let options = GetOptions::new()
            .with_range(after(prefix.as_bytes()))
            .with_count_only();
        let answer = self.range(prefix.as_bytes().to_vec(), options).await?;
        Ok(usize::try_from(answer.count()).unwrap_or_default())
    }

    /// First the names of everything, then the values of the kinds that are looked into.
    async fn resources(&mut self, snapshot: &mut Snapshot) -> Result<(), Failure> {
        let mut counted = std::mem::take(&mut snapshot.counted);
        self.each(keys::RESOURCES, false, |key, _| match keys::resource(key) {
            None => snapshot.cannot_read(key, "is no key of a resource"),
            Some((plural, name)) => match kinds::by_plural(plural) {
                Some(kind) if is_read(kind.handling) => {}
                Some(kind) => counted.entry(kind.name.to_owned()).or_default().add(name),
                None => counted.entry(plural.to_owned()).or_default().add(name),
            },
        })
        .await?;
        snapshot.counted = counted;
        for kind in kinds::KINDS.iter().filter(|kind| is_read(kind.handling)) {
            let prefix = format!("{}{}/", keys::RESOURCES, kind.plural);
            self.each(&prefix, true, |key, value| {
                let name = key.strip_prefix(&prefix).unwrap_or(key);
                match serde_json::from_slice::<Value>(value) {
                    Ok(value) if value.is_object() => {
                        let document = convert::document(kind.name, name, &value);
                        match kind.handling {
                            Handling::Felix => snapshot.felix.push(document),
                            _ => snapshot.documents.push(document),
                        }
                    }
                    Ok(_) => snapshot.cannot_read(key, "its value is no document"),
                    Err(error) => snapshot.cannot_read(key, format!("its value is not JSON: {error}")),
                }
            })
            .await?;
        }
        Ok(())
    }

    async fn ipam(&mut self, snapshot: &mut Snapshot) -> Result<(), Failure> {
        self.each(keys::BLOCKS, true, |key, value| {
            let parsed = keys::block(key)
                .ok_or_else(|| "is no key of a block".to_owned())
                .and_then(|cidr| block::read(&json(value)?, Some(cidr)));
            match parsed {
                Ok(block) => snapshot.blocks.extend(block),
                Err(why) => snapshot.cannot_read(key, why),
            }
        })
        .await?;
        for prefix in [keys::HOSTS, keys::VIRTUALS] {
            self.each(prefix, true, |key, value| {
                let parsed = keys::affinity(key)
                    .ok_or_else(|| "is no key of an affinity".to_owned())
                    .and_then(|(owner, cidr)| block::affinity(owner, cidr, &json(value)?));
                match parsed {
                    Ok(record) => snapshot.affinities.extend(record),
                    Err(why) => snapshot.cannot_read(key, why),
                }
            })
            .await?;
        }
        snapshot.handles = self.count(keys::HANDLES).await?;
        let answer = self.range(keys::CONFIG.into(), GetOptions::new()).await?;
        for pair in answer.kvs() {
            match json(pair.value()) {
                Ok(value) => {
                    snapshot
                        .documents
                        .retain(|document| document.kind != "IPAMConfiguration");
                    snapshot.documents.push(convert::etcd_ipam_settings(&value));
                }
                Err(why) => snapshot.cannot_read(keys::CONFIG, why),
            }
        }
        Ok(())
    }
}

fn is_read(handling: Handling) -> bool {
    matches!(handling, Handling::Read | Handling::Felix)
}

fn json(value: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(value).map_err(|error| format!("its value is not JSON: {error}"))
}

/// The first key after all keys with this prefix.
fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

/// What was seen, and what to do. A client of etcd cannot tell why a connection does not come about, so that each
/// endpoint is tried once by itself.
async fn explain(endpoints: &[String], error: &etcd_client::Error) -> (String, String) {
    let code = match error {
        etcd_client::Error::GRpcStatus(status) => Some((status.code(), status.message().to_owned())),
        _ => None,
    };
    match code {
        Some((Code::PermissionDenied, said)) => {
            return (said, "the user needs the right to read /calico/".to_owned());
        }
        // What etcd says to wrong users and passwords, and to their absence.
        Some((Code::InvalidArgument | Code::Unauthenticated, said)) => {
            return (said, "give the right --username and --password-file".to_owned());
        }
        Some((Code::OutOfRange, said)) => {
            return (said, "its history is compacted too fast: try again".to_owned());
        }
        _ => {}
    }
    let mut seen = Vec::new();
    for endpoint in endpoints {
        let bare = endpoint
            .split_once("://")
            .map_or(endpoint.as_str(), |(_, rest)| rest)
            .trim_end_matches('/');
        let bare = bare.rsplit_once('@').map_or(bare, |(_, host)| host);
        let said = match timeout(CONNECT, TcpStream::connect(bare)).await {
            Ok(Ok(_)) => "it is there, but is not understood".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        seen.push(format!("{bare}: {said}"));
    }
    let fix = if seen.iter().any(|said| said.ends_with("understood")) {
        "check whether it is http or https, the CA file, and whether it asks for a client certificate"
    } else {
        "check the endpoints"
    };
    (
        format!("{} ({})", message(error), seen.join("; ")),
        fix.to_owned(),
    )
}

fn message(error: &etcd_client::Error) -> String {
    match error {
        etcd_client::Error::GRpcStatus(status) => status.message().to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{after, location};

    #[test]
    fn a_range_ends_after_its_prefix() {
        assert_eq!(after(b"/calico/"), b"/calico0");
        assert_eq!(after(&[b'a', 0xff]), b"b");
        assert_eq!(after(&[0xff]), b"");
    }

    #[test]
    fn passwords_in_urls_are_not_shown() {
        let endpoints = [
            "https://me:secret@192.0.2.1:2379".to_owned(),
            "http://192.0.2.2:2379".to_owned(),
        ];
        assert_eq!(
            location(&endpoints),
            "etcd https://192.0.2.1:2379,http://192.0.2.2:2379"
        );
    }
}
