//! The image of sandboxes and containers: Debian's static busybox and links to it, as an OCI image in a tar.
//!
//! `sleep` is the pause program; `ping`, `wget`, `httpd` and `nc` are there for traffic from inside a pod. Layout and
//! manifest are those of the OCI image specification 1.0; containerd imports the tar as it is.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::Error;

/// The programs that the image has, each a link to busybox.
const PROGRAMS: [&str; 9] = ["sh", "sleep", "ping", "wget", "httpd", "nc", "ip", "cat", "mkdir"];

/// A blob: its digest and its bytes.
struct Blob {
    digest: String,
    bytes: Vec<u8>,
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Blob {
        let hash = Sha256::digest(&bytes);
        let digest = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Blob { digest, bytes }
    }

    fn json(value: &Value) -> Blob {
        Blob::new(value.to_string().into_bytes())
    }

    /// The descriptor by which another blob names this one.
    fn descriptor(&self, media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": format!("sha256:{}", self.digest), "size": self.bytes.len() })
    }
}

/// Writes the image `name` made of this static busybox.
pub(crate) fn write(name: &str, busybox: &Path, to: &Path) -> Result<(), Error> {
    let what = || format!("pack {} as an image", busybox.display());
    let program = std::fs::read(busybox).map_err(Error::system(what()))?;
    let file = std::fs::File::create(to).map_err(Error::system(what()))?;
    pack(name, &program, file).map_err(Error::system(what()))
}

fn pack(name: &str, busybox: &[u8], to: impl Write) -> std::io::Result<()> {
    let layer = Blob::new(layer(busybox)?);
    let config = Blob::json(&json!({
        "architecture": architecture(), "os": "linux",
        "config": { "Entrypoint": ["/bin/sleep", "100000"], "Env": ["PATH=/bin"] },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", layer.digest)] },
    }));
    let manifest = Blob::json(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config.descriptor("application/vnd.oci.image.config.v1+json"),
        "layers": [layer.descriptor("application/vnd.oci.image.layer.v1.tar")],
    }));
    let mut entry = manifest.descriptor("application/vnd.oci.image.manifest.v1+json");
    entry["annotations"] = json!({ "io.containerd.image.name": name });
    let index = json!({ "schemaVersion": 2, "manifests": [entry] });

    let mut tar = tar::Builder::new(to);
    file(
        &mut tar,
        "oci-layout",
        0o644,
        br#"{"imageLayoutVersion":"1.0.0"}"#,
    )?;
    file(&mut tar, "index.json", 0o644, index.to_string().as_bytes())?;
    for blob in [&layer, &config, &manifest] {
        file(
            &mut tar,
            &format!("blobs/sha256/{}", blob.digest),
            0o644,
            &blob.bytes,
        )?;
    }
    tar.finish()
}

/// The image's only layer.
fn layer(busybox: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for dir in ["bin/", "etc/", "tmp/"] {
        let mut header = header(0o755, 0);
        header.set_entry_type(tar::EntryType::Directory);
        tar.append_data(&mut header, dir, &[][..])?;
    }
    file(&mut tar, "bin/busybox", 0o755, busybox)?;
    for program in PROGRAMS {
        let mut header = header(0o777, 0);
        header.set_entry_type(tar::EntryType::Symlink);
        tar.append_link(&mut header, format!("bin/{program}"), "busybox")?;
    }
    tar.into_inner()
}

fn file<W: Write>(tar: &mut tar::Builder<W>, path: &str, mode: u32, bytes: &[u8]) -> std::io::Result<()> {
    let mut header = header(mode, bytes.len());
    tar.append_data(&mut header, path, bytes)
}

/// A header without owner and time, so that the same input is the same image.
fn header(mode: u32, size: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_mtime(0);
    header
}

/// The processor's name as images have it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read;

    use super::*;

    fn unpack(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(bytes).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(path, bytes);
        }
        files
    }

    #[test]
    fn every_digest_in_the_image_is_that_of_a_blob_in_it() {
        let mut bytes = Vec::new();
        pack("localhost/x:1", b"not really busybox", &mut bytes).unwrap();
        let files = unpack(&bytes);
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"]
                .as_str()
                .unwrap()
                .strip_prefix("sha256:")
                .unwrap();
            let bytes = &files[&format!("blobs/sha256/{digest}")];
            assert_eq!(Blob::new(bytes.clone()).digest, digest);
            assert_eq!(descriptor["size"], bytes.len());
            bytes.clone()
        };
        let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
        let manifest: Value = serde_json::from_slice(&blob(&index["manifests"][0])).unwrap();
        let config: Value = serde_json::from_slice(&blob(&manifest["config"])).unwrap();
        let layer = blob(&manifest["layers"][0]);
        let diff_id = format!("sha256:{}", Blob::new(layer.clone()).digest);
        assert_eq!(config["rootfs"]["diff_ids"], json!([diff_id]));
        let inside = unpack(&layer);
        assert_eq!(inside["bin/busybox"], b"not really busybox");
        assert!(inside.contains_key("bin/sleep"), "{:?}", inside.keys());
    }

    #[test]
    fn the_same_program_makes_the_same_image() {
        let image = || {
            let mut bytes = Vec::new();
            pack("localhost/x:1", b"busybox", &mut bytes).unwrap();
            bytes
        };
        assert_eq!(image(), image());
    }
}
