//! Requests: from path, query and body to what is done.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Shared_;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::list::list;
use crate::managed::Author;
use crate::patch::Patch;
use crate::path::{Target, query};
use crate::server::{Inner, Shared};
use crate::status::{Refusal, no_such_path};
use crate::watch::{Wish, answer};

/// A request as far as it was read.
struct Request {
    verb: &'static str,
    target: Target,
    query: HashMap<String, String>,
    bearer: Option<String>,
    media_type: String,
    agent: String,
    body: Bytes,
}

pub async fn handle(
    Shared_(shared): Shared_<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (delay, fail) = shared.with(|inner| {
        inner.requests.push(format!("{method} {uri}"));
        (
            inner.faults.delay,
            inner.faults.fails(method.as_str(), uri.path()),
        )
    });
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    if let Some(fail) = fail {
        let mut response = Refusal::new(fail.code, "InternalError", "told to fail").into_response();
        if let Some(seconds) = fail.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        return response;
    }
    let Some(request) = Request::read(&method, &uri, &headers, body) else {
        return no_such_path();
    };
    let allowed = shared.with(|inner| {
        let bearer = request.bearer.as_deref();
        inner.rights.check(bearer, request.verb, &request.target)
    });
    if let Err(refusal) = allowed {
        return refusal.into_response();
    }
    let (resource, streaming) = shared.with(|inner| {
        let resource = inner.state.resource(&request.target).cloned();
        (resource, inner.streaming_lists)
    });
    let Some(resource) = resource else {
        return no_such_path();
    };
    if request.verb == "watch" {
        let wish = Wish::new(request.target, resource, &request.query, streaming);
        return wish.map_or_else(IntoResponse::into_response, |wish| answer(shared, wish));
    }
    let (done, lost) = shared.with(|inner| {
        let done = act(inner, &request);
        (
            done,
            !matches!(request.verb, "get" | "list") && inner.faults.loses(),
        )
    });
    shared.announce();
    if lost {
        std::future::pending::<()>().await;
    }
    match done {
        Ok((true, object)) => (StatusCode::CREATED, Json(object)).into_response(),
        Ok((false, object)) => Json(object).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

impl Request {
    fn read(method: &Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Option<Request> {
        let query = query(uri.query().unwrap_or_default());
        let target = Target::parse(uri.path())?;
        let watching = query
            .get("watch")
            .is_some_and(|value| value != "false" && value != "0");
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        Some(Request {
            verb: verb(method, &target, watching),
            target,
            query,
            bearer: bearer.map(str::to_owned),
            media_type: text(header::CONTENT_TYPE).unwrap_or_default().to_owned(),
            agent: text(header::USER_AGENT).unwrap_or_default().to_owned(),
            body,
        })
    }

    fn author(&self) -> Author {
        let agent = self.agent.split('/').next().filter(|name| !name.is_empty());
        let named = self.query.get("fieldManager").filter(|name| !name.is_empty());
        Author {
            name: named
                .map(String::as_str)
                .or(agent)
                .unwrap_or("unknown")
                .to_owned(),
            apply: self.media_type.starts_with("application/apply-patch"),
            status: self.target.status,
        }
    }

    fn json(&self, limit: usize) -> Result<Value, Refusal> {
        match self.body.as_ref() {
            body if body.len() > limit => {
                let message = format!("Request entity too large: limit is {limit}");
                Err(Refusal::new(413, "RequestEntityTooLarge", message))
            }
            [] => Ok(Value::Null),
            body => serde_json::from_slice(body).map_err(|error| Refusal::bad_request(error.to_string())),
        }
    }

    fn patch(&self, body: Value) -> Result<Patch, Refusal> {
        let force = self.query.get("force").is_some_and(|force| force == "true");
        let unsupported = "the media type of the patch is not supported";
        let patch = Patch::new(&self.media_type, body, force)
            .ok_or_else(|| Refusal::new(415, "UnsupportedMediaType", unsupported))?;
        let named = self
            .query
            .get("fieldManager")
            .is_some_and(|name| !name.is_empty());
        let what = match (&patch, named) {
            (Patch::Apply { .. }, false) => "fieldManager: Required value: is required for apply patch",
            (Patch::Apply { .. }, true) => return Ok(patch),
            _ if force => "force: Forbidden: may not be specified for non-apply patch",
            _ => return Ok(patch),
        };
        let message = format!("PatchOptions.meta.k8s.io \"\" is invalid: {what}");
        Err(Refusal::new(422, "Invalid", message))
    }
}

fn verb(method: &Method, target: &Target, watching: bool) -> &'static str {
    match *method {
        Method::GET if watching => "watch",
        Method::GET if target.name.is_none() => "list",
        Method::GET => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if target.name.is_none() => "deletecollection",
        Method::DELETE => "delete",
        _ => "unknown",
    }
}

/// What was asked for, done; whether that made something.
fn act(inner: &mut Inner, request: &Request) -> Result<(bool, Value), Refusal> {
    let body = request.json(inner.body_limit)?;
    let (target, author) = (&request.target, request.author());
    let resource = inner.state.resource(target).cloned();
    let resource = resource.ok_or_else(|| Refusal::not_found(target))?;
    let not_allowed = || {
        Err(Refusal::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        ))
    };
    // All namespaces at once are only read.
    if resource.namespaced && target.namespace.is_none() && request.verb != "list" {
        return not_allowed();
    }
    let changed = |object: Value| (false, object);
    match request.verb {
        "get" => inner.state.get(target).map(changed),
        "list" => list(&inner.state, target, &resource, &request.query).map(changed),
        "create" => {
            lives(inner, target)?;
            Ok((true, inner.state.create(target, body, &author)?))
        }
        "update" => inner.state.replace(target, body, &author).map(changed),
        "patch" => {
            let patch = request.patch(body)?;
            let makes = author.apply && !target.status && inner.state.get(target).is_err();
            if makes {
                // An apply that makes an object needs the right to create it as well.
                inner.rights.check(request.bearer.as_deref(), "create", target)?;
                lives(inner, target)?;
            }
            Ok((makes, inner.state.patch(target, &patch, &author)?))
        }
        "delete" => inner.state.delete(target, &body).map(changed),
        _ => not_allowed(),
    }
}

/// Whether the namespace is there in which something is to be made.
fn lives(inner: &Inner, target: &Target) -> Result<(), Refusal> {
    let Some(namespace) = &target.namespace else {
        return Ok(());
    };
    let of = Target {
        group: String::new(),
        version: "v1".to_owned(),
        plural: "namespaces".to_owned(),
        namespace: None,
        name: Some(namespace.clone()),
        status: false,
    };
    inner.state.get(&of).map(|_| ())
}
