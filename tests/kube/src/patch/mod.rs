//! Patches, by the media type of the request. Server-side apply is not done here but in [`crate::managed`].

mod json;
mod merge;
mod strategic;

use serde_json::Value;

use crate::path::Target;
use crate::resource::Resource;
use crate::shape::Shape;
use crate::status::Refusal;

/// What a patch asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Patch {
    /// `application/json-patch+json` (RFC 6902).
    Json(Value),
    /// `application/merge-patch+json` (RFC 7386).
    Merge(Value),
    /// `application/strategic-merge-patch+json`.
    Strategic(Value),
    /// `application/apply-patch+yaml`.
    Apply { object: Value, force: bool },
}

impl Patch {
    /// The patch of this media type; none for types that are not served.
    pub fn new(kind: &str, body: Value, force: bool) -> Option<Patch> {
        match kind.split(';').next().unwrap_or_default().trim() {
            "application/json-patch+json" => Some(Patch::Json(body)),
            "application/merge-patch+json" => Some(Patch::Merge(body)),
            "application/strategic-merge-patch+json" => Some(Patch::Strategic(body)),
            "application/apply-patch+yaml" | "application/apply-patch" => {
                Some(Patch::Apply { object: body, force })
            }
            _ => None,
        }
    }

    /// The object after this patch.
    ///
    /// # Errors
    /// 422 where a test does not hold or a path does not lead anywhere, 415 where the type has no such patches.
    pub fn onto(&self, object: &Value, target: &Target, resource: &Resource) -> Result<Value, Refusal> {
        let mut new = object.clone();
        match self {
            Patch::Json(patch) => {
                json::patch(&mut new, patch).map_err(|what| Refusal::invalid(target, &what))?
            }
            Patch::Merge(patch) => merge::merge(&mut new, patch),
            Patch::Strategic(_) if resource.is_custom() => {
                let message = "the body of the request was in an unknown format - accepted media types include: \
                    application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
                return Err(Refusal::new(415, "UnsupportedMediaType", message));
            }
            Patch::Strategic(patch) => {
                strategic::merge(&mut new, patch, &Shape::of(resource)).map_err(Refusal::bad_request)?;
            }
            Patch::Apply { .. } => return Err(Refusal::bad_request("apply is not done as a patch here")),
        }
        Ok(new)
    }
}
