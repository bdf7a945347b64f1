//! Requests: from path, query and body to what is done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Shared_;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::path::{Target, query};
use crate::server::{Inner, Shared};
use crate::state::{State, selected};
use crate::status::{Refusal, no_such_path};
use crate::watch::{Wish, answer};

pub async fn handle(
    Shared_(shared): Shared_<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (delay, fail) = shared.with(|inner| {
        inner.requests.push(format!("{method} {uri}"));
        (inner.faults.delay, inner.faults.fails(method.as_str()))
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
    let query = query(uri.query().unwrap_or_default());
    let Some(target) = Target::parse(uri.path()) else {
        return no_such_path();
    };
    let watching = query
        .get("watch")
        .is_some_and(|value| value != "false" && value != "0");
    let verb = verb(&method, &target, watching);
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
    let allowed = shared.with(|inner| inner.rights.check(bearer, verb, &target));
    if let Err(refusal) = allowed {
        return refusal.into_response();
    }
    if shared.with(|inner| inner.state.resource(&target).is_none()) {
        return no_such_path();
    }
    if watching {
        return wish(target, &query).map_or_else(IntoResponse::into_response, |wish| answer(shared, wish));
    }
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let (done, lost) = shared.with(|inner| {
        let done = act(inner, verb, &target, &query, &body, kind);
        (done, !matches!(verb, "get" | "list") && inner.faults.loses())
    });
    shared.announce();
    if lost {
        std::future::pending::<()>().await;
    }
    match done {
        Ok(object) if verb == "create" => (StatusCode::CREATED, Json(object)).into_response(),
        Ok(object) => Json(object).into_response(),
        Err(refusal) => refusal.into_response(),
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
        Method::DELETE => "delete",
        _ => "unknown",
    }
}

fn act(
    inner: &mut Inner,
    verb: &str,
    target: &Target,
    query: &HashMap<String, String>,
    body: &[u8],
    kind: &str,
) -> Result<Value, Refusal> {
    let read = || -> Result<Value, Refusal> {
        if body.len() > inner.body_limit {
            return Err(Refusal::new(
                413,
                "RequestEntityTooLarge",
                "Request entity too large: limit is 3145728",
            ));
        }
        match body {
            [] => Ok(Value::Null),
            body => serde_json::from_slice(body).map_err(|error| Refusal::bad_request(error.to_string())),
        }
    };
    let body = read()?;
    let state = &mut inner.state;
    match verb {
        "get" => state.get(target),
        "list" => list(state, target, query),
        "create" => state.create(target, body),
        "update" => state.replace(target, body),
        "patch" if kind.starts_with("application/merge-patch") => state.patch(target, body, false),
        "patch" if kind.starts_with("application/apply-patch") && query.contains_key("fieldManager") => {
            state.patch(target, body, true)
        }
        "patch" => Err(Refusal::new(
            415,
            "UnsupportedMediaType",
            "the media type of the patch is not supported",
        )),
        "delete" => state.delete(target, &body),
        _ => Err(Refusal::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method",
        )),
    }
}

fn list(state: &State, target: &Target, query: &HashMap<String, String>) -> Result<Value, Refusal> {
    let text = |name: &str| query.get(name).map_or("", String::as_str);
    let limit: usize = text("limit")
        .parse()
        .ok()
        .filter(|limit| *limit > 0)
        .unwrap_or(usize::MAX);
    if text("resourceVersion")
        .parse::<u64>()
        .is_ok_and(|at| at > state.revision)
    {
        return Err(Refusal::new(504, "Timeout", "Too large resource version"));
    }
    let (revision, after) = match text("continue").split_once('/') {
        None => (state.revision, None),
        Some((at, after)) => {
            let at: u64 = at
                .parse()
                .map_err(|_| Refusal::bad_request("continue key is not valid"))?;
            if at < state.compacted {
                return Err(Refusal::gone("The provided continue parameter is too old"));
            }
            (
                at,
                after
                    .split_once('/')
                    .map(|(namespace, name)| (namespace.to_owned(), name.to_owned())),
            )
        }
    };
    let (group, plural, namespace, _) = State::key(target);
    let mut found = state.objects.iter().filter(|((of, name, within, _), object)| {
        *of == group
            && *name == plural
            && (namespace.is_empty() || *within == namespace)
            && selected(object, text("labelSelector"))
    });
    let later = |key: &(String, String)| after.as_ref().is_none_or(|after| key > after);
    let mut page = found
        .by_ref()
        .filter(|((_, _, a, b), _)| later(&(a.clone(), b.clone())))
        .peekable();
    let mut items = Vec::new();
    let mut last = (String::new(), String::new());
    while items.len() < limit
        && let Some(((_, _, namespace, name), object)) = page.next()
    {
        last = (namespace.clone(), name.clone());
        items.push(object.clone());
    }
    let more = match page.peek() {
        Some(_) => format!("{revision}/{}/{}", last.0, last.1),
        None => String::new(),
    };
    let resource = state
        .resource(target)
        .cloned()
        .unwrap_or_else(|| unreachable!("looked at before"));
    Ok(json!({
        "kind": format!("{}List", resource.kind), "apiVersion": target.version,
        "metadata": {"resourceVersion": revision.to_string(), "continue": more}, "items": items,
    }))
}

fn wish(target: Target, query: &HashMap<String, String>) -> Result<Wish, Refusal> {
    let text = |name: &str| query.get(name).cloned().unwrap_or_default();
    let after = text("resourceVersion").parse();
    let after =
        after.map_err(|_| Refusal::bad_request("a watch needs the resourceVersion of a list here"))?;
    let limit = Duration::from_secs(text("timeoutSeconds").parse().unwrap_or(300));
    let bookmarks = text("allowWatchBookmarks") == "true";
    Ok(Wish {
        target,
        after,
        selector: text("labelSelector"),
        bookmarks,
        limit,
    })
}
