//! The checks of builtin types that clients of ours can run into: those of events.k8s.io/v1, as the API server's own
//! validation of Events has them, and the form of `MicroTime` there and in Leases. Other builtin types are taken as they
//! come.

use serde_json::Value;

use crate::path::Target;
use crate::resource::Resource;
use crate::status::Refusal;

fn is_event(resource: &Resource) -> bool {
    (resource.group.as_str(), resource.kind.as_str()) == ("events.k8s.io", "Event")
}

fn refuse(target: &Target, what: &str) -> Result<(), Refusal> {
    let name = target.name.clone().unwrap_or_default();
    Err(Refusal::invalid(
        target,
        &format!("Event \"{name}\" is invalid: {what}"),
    ))
}

/// The fields of type `MicroTime`: the API server reads six digits after the second, no more and no fewer
/// (`RFC3339Micro` of apimachinery), and refuses the whole object else.
fn micro_times(resource: &Resource, object: &Value) -> Result<(), Refusal> {
    let fields: &[&str] = match (resource.group.as_str(), resource.kind.as_str()) {
        ("events.k8s.io", "Event") => &["/eventTime", "/series/lastObservedTime"],
        ("coordination.k8s.io", "Lease") => &["/spec/acquireTime", "/spec/renewTime"],
        _ => return Ok(()),
    };
    for field in fields {
        let Some(time) = object.pointer(field).and_then(Value::as_str) else {
            continue;
        };
        let fraction = time.split_once('.').map_or("", |(_, fraction)| fraction);
        let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        if fraction.len() - zone.len() != 6 || zone.is_empty() {
            let layout = "2006-01-02T15:04:05.000000Z07:00";
            return Err(Refusal::bad_request(format!(
                "{}: parsing time {time:?} as {layout:?}: cannot parse it",
                &field[1..]
            )));
        }
    }
    Ok(())
}

/// A new object.
///
/// # Errors
/// 422 with the first field that is not as it has to be; 400 for a time in another form.
pub fn created(target: &Target, resource: &Resource, object: &Value) -> Result<(), Refusal> {
    micro_times(resource, object)?;
    if !is_event(resource) {
        return Ok(());
    }
    // What is about an object of the whole cluster lives in one of two namespaces.
    let about = object["regarding"]["namespace"].as_str().unwrap_or_default();
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let fits = match about {
        "" => ["default", "kube-system"].contains(&namespace),
        about => about == namespace,
    };
    if !fits {
        return refuse(
            target,
            "involvedObject.namespace: Invalid value: does not match event.namespace",
        );
    }
    for (field, most) in [
        ("eventTime", usize::MAX),
        ("reportingController", usize::MAX),
        ("reportingInstance", 128),
        ("action", 128),
        ("reason", 128),
    ] {
        match object[field].as_str() {
            None | Some("") => return refuse(target, &format!("{field}: Required value")),
            Some(text) if text.len() > most => {
                return refuse(
                    target,
                    &format!("{field}: Invalid value: can have at most {most} characters"),
                );
            }
            Some(_) => {}
        }
    }
    if object["note"].as_str().is_some_and(|note| note.len() > 1024) {
        return refuse(target, "message: Invalid value: can have at most 1024 characters");
    }
    if !["Normal", "Warning"].contains(&object["type"].as_str().unwrap_or_default()) {
        return refuse(target, "type: Invalid value: has invalid value");
    }
    series(target, object)
}

/// A changed object: an Event's series may go on, and nothing else of it.
///
/// # Errors
/// 422 with the first field that may not change.
pub fn updated(target: &Target, resource: &Resource, old: &Value, new: &Value) -> Result<(), Refusal> {
    micro_times(resource, new)?;
    if !is_event(resource) {
        return Ok(());
    }
    for field in [
        "regarding",
        "related",
        "reason",
        "action",
        "reportingController",
        "reportingInstance",
        "eventTime",
        "note",
        "type",
    ] {
        if old[field] != new[field] {
            return refuse(target, &format!("{field}: Invalid value: field is immutable"));
        }
    }
    series(target, new)
}

fn series(target: &Target, object: &Value) -> Result<(), Refusal> {
    let series = &object["series"];
    if series.is_null() {
        return Ok(());
    }
    if series["count"].as_i64().unwrap_or_default() < 2 {
        return refuse(target, "series.count: Invalid value: should be at least 2");
    }
    match series["lastObservedTime"].as_str() {
        Some(_) => Ok(()),
        None => refuse(target, "series.lastObservedTime: Required value"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn micro_times_have_six_digits() {
        let lease = Resource::new("coordination.k8s.io", "v1", "leases", "Lease");
        let taken = |time: &str| micro_times(&lease, &json!({"spec": {"renewTime": time}})).is_ok();
        assert!(taken("2026-01-02T03:04:05.000006Z") && taken("2026-01-02T03:04:05.123456+01:00"));
        for bad in ["05Z", "05.123Z", "05.123456789Z", "05.123456"] {
            assert!(!taken(&format!("2026-01-02T03:04:{bad}")), "{bad}");
        }
    }
}
