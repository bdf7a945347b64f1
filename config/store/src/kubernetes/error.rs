//! What the API server and the way to it say, as errors of the datastore. Pure.
//!
//! Nothing of a credential gets in here: of errors of authentication only the kind is told, and of the server's
//! words only its `message`.

use datastore::Error;
use hyper_util::client::legacy;
use serde_json::Value;

use super::kinds::Kind;

/// What a server's TLS says about our certificate (RFC 8446, section 6.2), as rustls spells it.
const CERTIFICATE_ALERTS: [&str; 8] = [
    "BadCertificate",
    "UnsupportedCertificate",
    "CertificateRevoked",
    "CertificateExpired",
    "CertificateUnknown",
    "UnknownCA",
    "CertificateRequired",
    "DecryptError",
];

const INSTALL: &str = "install the definitions: kubectl apply -k deploy/crds";

/// What is being done, for messages.
#[derive(Debug, Clone)]
pub struct Call {
    /// The verb of RBAC.
    pub verb: &'static str,
    /// The type of objects, with `/status` where that is meant.
    pub resource: String,
    /// The object, if it is one.
    pub name: Option<String>,
}

impl Call {
    /// A call about objects of a kind.
    pub fn new(verb: &'static str, kind: Kind, name: Option<&str>) -> Self {
        let name = name.map(str::to_owned);
        Call {
            verb,
            resource: kind.resource(),
            name,
        }
    }

    /// Whether it changes something.
    pub fn writes(&self) -> bool {
        !matches!(self.verb, "get" | "list" | "watch")
    }

    fn words(&self) -> String {
        match &self.name {
            Some(name) => format!("{} {} {name}", self.verb, self.resource),
            None => format!("{} {}", self.verb, self.resource),
        }
    }
}

/// Speaks for one store.
#[derive(Debug, Clone)]
pub struct Says {
    /// [`datastore::Datastore::describe`].
    pub store: String,
}

/// Whether an error came before anything was sent.
pub fn not_sent(error: &kube::Error) -> bool {
    match error {
        kube::Error::Service(error) => error
            .downcast_ref::<legacy::Error>()
            .is_some_and(legacy::Error::is_connect),
        _ => false,
    }
}

impl Says {
    /// The request got no answer, or only a part of one.
    pub fn lost(&self, call: &Call, detail: &str) -> Error {
        let (store, detail) = (self.store.clone(), format!("{}: {detail}", call.words()));
        if call.writes() {
            Error::Unknown { store, detail }
        } else {
            Error::Unavailable { store, detail }
        }
    }

    /// An error on the way.
    pub fn transport(&self, call: &Call, error: &kube::Error) -> Error {
        let refused = |detail: String, fix: &str| Error::Refused {
            store: self.store.clone(),
            detail,
            fix: fix.to_owned(),
        };
        if matches!(error, kube::Error::Auth(_)) {
            let fix =
                "look at the user of the kubeconfig: its token file, or the program that prints the token";
            return refused("no credentials could be had".into(), fix);
        }
        let said = connection(error);
        if said.contains("invalid peer certificate") {
            let fix =
                "give the authority that signed it as certificate-authority of the cluster in the kubeconfig";
            return refused(format!("its certificate is not trusted: {said}"), fix);
        }
        if said.contains("received fatal alert")
            && CERTIFICATE_ALERTS.iter().any(|alert| said.contains(alert))
        {
            let fix = "look at client-certificate and client-key of the user in the kubeconfig";
            return refused(format!("it does not take our certificate: {said}"), fix);
        }
        if not_sent(error) {
            let (store, detail) = (self.store.clone(), format!("{}: {said}", call.words()));
            return Error::Unavailable { store, detail };
        }
        self.lost(call, &said)
    }

    /// 429, too often.
    pub fn busy(&self, call: &Call) -> Error {
        let detail = format!("{}: it is overloaded (429)", call.words());
        Error::Unavailable {
            store: self.store.clone(),
            detail,
        }
    }

    /// 5xx.
    pub fn failed(&self, call: &Call, code: u16, body: &Value, bytes: &[u8]) -> Error {
        self.lost(call, &format!("it failed with {code}: {}", message(body, bytes)))
    }

    /// Other answers that are no success.
    pub fn refusal(&self, call: &Call, code: u16, body: &Value, bytes: &[u8]) -> Error {
        let store = self.store.clone();
        let said = message(body, bytes);
        match code {
            401 => Error::Refused {
                store,
                detail: "it does not know us (401)".into(),
                fix:
                    "give a token or certificate that is valid: look at the kubeconfig or the service account"
                        .into(),
            },
            403 => Error::Refused {
                store,
                detail: format!("we may not {} {}: {said}", call.verb, call.resource),
                fix: format!(
                    "grant {} on {} (deploy/rbac has all that is needed)",
                    call.verb, call.resource
                ),
            },
            404 => self.unknown_kind(call),
            400 | 413 | 415 | 422 => Error::Invalid {
                store,
                detail: format!("{}: refused: {said}", call.words()),
                fix: "correct the value".into(),
            },
            code => Error::Invalid {
                store,
                detail: format!("{}: {code}: {said}", call.words()),
                fix: "look at the log of the API server".into(),
            },
        }
    }

    /// The server does not have this type of objects.
    pub fn unknown_kind(&self, call: &Call) -> Error {
        let detail = format!("it does not know {}", call.resource);
        Error::Invalid {
            store: self.store.clone(),
            detail,
            fix: INSTALL.into(),
        }
    }

    /// An error of a watch.
    pub fn watch(&self, call: &Call, error: &kube::Error) -> Error {
        match error {
            kube::Error::Api(status) => self.watch_status(call, status),
            error => self.transport(call, error),
        }
    }

    /// A `Status` in a watch.
    pub fn watch_status(&self, call: &Call, status: &kube::core::Status) -> Error {
        let body = serde_json::json!({"message": status.message});
        match status.code {
            410 => self.compacted("asked for"),
            429 => self.busy(call),
            404 => self.unknown_kind(call),
            0 | 500..=599 => self.failed(call, status.code, &body, &[]),
            code => self.refusal(call, code, &body, &[]),
        }
    }

    /// A revision that is too old.
    pub fn compacted(&self, revision: &str) -> Error {
        Error::Compacted {
            store: self.store.clone(),
            revision: revision.to_owned(),
        }
    }

    /// Something that this store cannot do.
    pub fn invalid(&self, detail: impl Into<String>, fix: &str) -> Error {
        let (detail, fix) = (detail.into(), fix.to_owned());
        Error::Invalid {
            store: self.store.clone(),
            detail,
            fix,
        }
    }
}

/// The innermost cause of a failed connection: outer ones say little.
fn connection(error: &kube::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    short(&cause.to_string())
}

/// The server's `message`, or the text of its answer, not without end.
fn message(body: &Value, bytes: &[u8]) -> String {
    match body["message"].as_str() {
        Some(message) => short(message),
        None => short(String::from_utf8_lossy(bytes).trim()),
    }
}

fn short(text: &str) -> String {
    const MOST: usize = 600;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} ...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn says() -> Says {
        Says {
            store: "kubernetes https://10.0.0.1:6443".into(),
        }
    }

    #[test]
    fn refusals_name_the_verb_and_the_resource_and_what_to_do() {
        let call = Call::new("create", Kind::Block, Some("10.0.0.0-26"));
        let text = |code: u16| {
            says()
                .refusal(&call, code, &json!({"message": "no"}), &[])
                .to_string()
        };
        for (code, parts) in [
            (401, ["does not know us", "service account"]),
            (403, ["may not create ipamblocks.roadbed.dev", "deploy/rbac"]),
            (
                404,
                [
                    "does not know ipamblocks.roadbed.dev",
                    "kubectl apply -k deploy/crds",
                ],
            ),
            (422, ["create ipamblocks.roadbed.dev 10.0.0.0-26", "no"]),
        ] {
            for part in parts {
                assert!(text(code).contains(part), "{code}: {}", text(code));
            }
        }
    }

    #[test]
    fn what_a_lost_answer_means_depends_on_the_verb() {
        let lost = |verb| says().lost(&Call::new(verb, Kind::Block, None), "gone");
        assert!(matches!(lost("get"), Error::Unavailable { .. }));
        assert!(matches!(lost("update"), Error::Unknown { .. }));
    }

    #[test]
    fn long_answers_are_cut() {
        let body = "x".repeat(5000);
        assert!(message(&Value::Null, body.as_bytes()).len() < 700);
    }
}
