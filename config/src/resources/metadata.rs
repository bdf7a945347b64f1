//! `metadata`: name and labels, alike in every kind.

use crate::fields::ResourceKind;
use crate::reader::Reader;
use crate::vocabulary::{Labels, resource_name};

/// What the readers of all kinds need of it.
pub(super) struct Metadata {
    pub name: String,
    pub labels: Labels,
}

/// Reads `metadata`. Without a usable name there is no resource.
pub(super) fn read(document: &mut Reader<'_, '_>, kind: ResourceKind) -> Option<Metadata> {
    if !document.has("metadata") {
        document.error("metadata", "is required", "write `metadata: { name: ... }`");
        return None;
    }
    let mut metadata = document.object("metadata")?;
    let _ = metadata.labels("annotations");
    let labels = metadata.labels("labels");
    let had_name = metadata.has("name");
    let name = metadata.text("name");
    let checked = name.as_deref().map(resource_name);
    match &checked {
        Some(Err(error)) => metadata.error("name", error.to_string(), ""),
        None if !had_name => metadata.error("name", "is required", "give the resource a name"),
        _ => {}
    }
    metadata.finish(kind);
    Some(Metadata {
        name: checked?.ok()?,
        labels,
    })
}
