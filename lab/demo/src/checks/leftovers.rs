//! What a lab leaves on the machine: nothing.

/// Looks for namespaces, mounts and files with the lab's name, and processes in namespaces of that name.
pub fn nothing_left(name: &str) -> Result<String, String> {
    let mut found = Vec::new();
    let prefix = format!("{name}-");
    for entry in std::fs::read_dir(lab::kernel::namespaces::NETNS_DIR)
        .into_iter()
        .flatten()
        .flatten()
    {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            found.push(entry.path().display().to_string());
        }
    }
    let folder = std::path::Path::new(lab::fabric::record::ROOT).join(name);
    if folder.exists() {
        found.push(folder.display().to_string());
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let ours =
        |line: &&str| line.contains(&format!("/{prefix}")) || line.contains(&folder.display().to_string());
    found.extend(mounts.lines().filter(ours).map(str::to_owned));
    if found.is_empty() {
        Ok("the machine is as it was".to_owned())
    } else {
        Err(found.join(", "))
    }
}
