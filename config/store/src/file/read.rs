//! Reading the path: a file, or a folder of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use config::{Problem, Source};

/// The texts at the path, in the order of their names; or why they cannot be had.
///
/// A folder is read as a whole or not at all. For `validate` and `plan` as well, so that they see what the
/// agent sees.
pub fn sources(path: &Path) -> Result<Vec<Source>, Problem> {
    let unreadable = |path: &Path, error: &io::Error| {
        let fix = match error.kind() {
            io::ErrorKind::NotFound => "create it, or set datastore.path",
            io::ErrorKind::PermissionDenied => "let the agent's user read it",
            io::ErrorKind::InvalidData => "write it in UTF-8",
            _ => "make it readable",
        };
        Problem::whole_file(
            &path.display().to_string(),
            format!("cannot be read: {error}"),
            fix,
        )
    };
    let files = if path.is_dir() {
        files(path).map_err(|e| unreadable(path, &e))?
    } else {
        vec![path.to_owned()]
    };
    let read = |file: &PathBuf| {
        let text = fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
        Ok(Source {
            name: file.display().to_string(),
            text,
        })
    };
    files.iter().map(read).collect()
}

/// Whether a file of a folder holds resources: `*.yaml` and `*.yml`, not hidden (editors keep copies there).
pub(crate) fn is_resource_file(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with('.'));
    !hidden
        && path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if is_resource_file(&path) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
