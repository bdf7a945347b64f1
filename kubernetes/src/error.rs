//! What the API server and the way to it say, in words for the operator. Pure.
//!
//! Nothing of a credential gets in here: of errors of authentication only the kind is told, and of the server's words
//! only its `message`.

use kube::runtime::watcher;

/// What went wrong with a request.
pub fn says(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => match status.code {
            401 => {
                "the API server does not know this agent (401): its token or certificate is not valid".into()
            }
            403 => format!("not allowed, apply the roles of deploy/: {}", status.message),
            code => format!("the API server says {code}: {}", status.message),
        },
        kube::Error::Service(error) => format!("the API server is not reached: {}", root(error.as_ref())),
        kube::Error::HyperError(error) => format!("the connection to the API server broke: {}", root(error)),
        kube::Error::ReadEvents(error) => format!("the connection to the API server broke: {}", root(error)),
        kube::Error::Auth(_) => "no credentials for the API server could be had".into(),
        kube::Error::RustlsTls(_) => "the certificates for the API server cannot be used".into(),
        kube::Error::SerdeError(error) => format!("the answer of the API server is not understood: {error}"),
        _ => "the request to the API server failed".into(),
    }
}

/// The innermost reason; what is around it says no more ("client error (Connect)").
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// What went wrong with a watch; none where it only has to begin anew (410 Gone).
pub fn of_watch(error: &watcher::Error) -> Option<String> {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => (!is_gone(error)).then(|| says(error)),
        watcher::Error::WatchError(status) if status.code == 410 => None,
        watcher::Error::WatchError(status) => Some(says(&kube::Error::Api(status.clone()))),
        watcher::Error::NoResourceVersion => Some("the API server sends objects without a version".into()),
    }
}

/// Whether a watch was refused for the age of where it was to begin.
pub fn is_gone_at_start(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(error) | watcher::Error::WatchFailed(error) if is_gone(error))
}

fn is_gone(error: &kube::Error) -> bool {
    code(error) == Some(410)
}

/// The status of an answer, if the server answered.
pub fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

/// An error where none came but no answer either.
pub fn silence() -> String {
    "the API server does not answer".into()
}
