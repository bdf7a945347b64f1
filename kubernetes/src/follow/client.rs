//! A client whose answers are looked at: any that is no refusal shows that the server serves this kind again.

use std::sync::Arc;

use http::{Request, Response};
use kube::client::Body;

use super::Shared;
use super::known::Kind;

/// The same client, and the problem of this kind ends with its first good answer.
pub fn observed(client: kube::Client, shared: Arc<Shared>, kind: Kind) -> kube::Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, shared) = (client.clone(), shared.clone());
        async move {
            let answer: kube::Result<Response<Body>> = client.send(request).await;
            if answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
                shared.problems.clear(kind.name());
            }
            answer
        }
    });
    kube::Client::new(service, namespace)
}
