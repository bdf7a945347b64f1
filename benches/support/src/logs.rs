//! What programs have written, for the error of a run that fails.

use std::path::{Path, PathBuf};

/// Lines of each log that are shown.
const LINES: usize = 15;

/// The end of every log of a folder.
pub fn ends(name: &str, folder: &Path) -> String {
    let mut text = format!("{name} fails; its programs wrote:");
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let logs: Vec<PathBuf> = files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .collect();
    for log in logs {
        let written = std::fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = written.lines().collect();
        for line in lines.iter().skip(lines.len().saturating_sub(LINES)) {
            text += "\n  ";
            text += line;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_each_log_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let long: String = (0..100).map(|n| format!("line {n}\n")).collect();
        std::fs::write(folder.path().join("a.log"), long).unwrap();
        std::fs::write(folder.path().join("a.conf"), "secret").unwrap();
        let text = ends("bird", folder.path());
        assert!(
            text.starts_with("bird fails") && text.ends_with("\n  line 99"),
            "{text}"
        );
        assert!(!text.contains("line 84") && text.contains("line 85") && !text.contains("secret"));
    }
}
