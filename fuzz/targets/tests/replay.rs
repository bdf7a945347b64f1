//! Every input that is kept, through its target, without a fuzzer: the corpus that a search has left, and each input that once
//! failed. None may panic, and none may hold more memory than its size deserves.

use fuzz_targets::ALL;
use peak_alloc::PeakAlloc;
use std::fs;
use std::path::{Path, PathBuf};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What any input may hold at once, in octets: the target's own tables.
const FLOOR: usize = 16 << 20;
/// And for each of its octets.
const PER_OCTET: usize = 512;

fn inputs(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files
}

/// One test for all of them: memory is counted for the whole process.
#[test]
fn all_inputs_that_are_kept_replay() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, target) in ALL {
        let kept = ["corpus", "regressions"].map(|kind| root.join(kind).join(name));
        let files: Vec<PathBuf> = kept.iter().flat_map(|folder| inputs(folder)).collect();
        assert!(!files.is_empty(), "{name} has no inputs");
        println!("{name}: {} inputs", files.len());
        for file in files {
            let input = fs::read(&file).expect("it was listed");
            let before = MEMORY.current_usage();
            MEMORY.reset_peak_usage();
            // The name of the input is what matters when a target panics.
            println!("{}", file.display());
            target(&input);
            let held = MEMORY.peak_usage().saturating_sub(before);
            let most = FLOOR + PER_OCTET * input.len();
            assert!(
                held <= most,
                "{}: {held} octets at once, {most} at most",
                file.display()
            );
        }
    }
}
