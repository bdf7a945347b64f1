//! Lists: a moment of one type, in pages, selected.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::path::Target;
use crate::resource::Resource;
use crate::selector::Selector;
use crate::state::State;
use crate::status::Refusal;

/// The revision that a page shows, and the namespace and name after which it begins.
fn page(state: &State, token: &str) -> Result<(u64, Option<(String, String)>), Refusal> {
    let Some((at, after)) = token.split_once('/') else {
        return Ok((state.revision, None));
    };
    let at: u64 = at
        .parse()
        .map_err(|_| Refusal::bad_request("continue key is not valid"))?;
    if at < state.compacted {
        return Err(Refusal::gone("The provided continue parameter is too old"));
    }
    let after = after.split_once('/');
    Ok((
        at,
        after.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())),
    ))
}

/// The answer to a list.
///
/// # Errors
/// 400 for a selector that cannot be read, 410 for a page of a list that is too old, 504 for a version of the future.
pub fn list(
    state: &State,
    target: &Target,
    resource: &Resource,
    query: &HashMap<String, String>,
) -> Result<Value, Refusal> {
    let text = |name: &str| query.get(name).map_or("", String::as_str);
    let selector = Selector::new(text("labelSelector"), text("fieldSelector"), resource)?;
    let limit = text("limit").parse().ok().filter(|limit| *limit > 0);
    let limit: usize = limit.unwrap_or(usize::MAX);
    let wanted = text("resourceVersion").parse::<u64>();
    if wanted.is_ok_and(|at| at > state.revision) {
        return Err(Refusal::new(504, "Timeout", "Too large resource version"));
    }
    let (revision, after) = page(state, text("continue"))?;
    let (group, plural, namespace, _) = State::key(target);
    let found = state.objects.iter().filter(|((of, name, within, _), object)| {
        *of == group
            && *name == plural
            && (namespace.is_empty() || *within == namespace)
            && selector.matches(object)
    });
    let later = |key: &(String, String)| after.as_ref().is_none_or(|after| key > after);
    let mut rest = found
        .filter(|((_, _, a, b), _)| later(&(a.clone(), b.clone())))
        .peekable();
    let mut items = Vec::new();
    let mut last = (String::new(), String::new());
    while items.len() < limit
        && let Some(((_, _, namespace, name), object)) = rest.next()
    {
        last = (namespace.clone(), name.clone());
        items.push(object.clone());
    }
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if rest.peek().is_some() {
        metadata["continue"] = json!(format!("{revision}/{}/{}", last.0, last.1));
    }
    Ok(json!({
        "kind": format!("{}List", resource.kind), "apiVersion": resource.api_version(),
        "metadata": metadata, "items": items,
    }))
}
