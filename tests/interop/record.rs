//! What a case has shown, written down for the table of `docs/interop.md`.

use std::path::{Path, PathBuf};

use interop_table::{Feature, Make, Outcome, Record};

use super::makes::{self, Router};
use crate::support::Fabric;

/// Where the records are: beside what the tests are built into.
fn folder() -> PathBuf {
    let tests = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tests.parent().unwrap_or(tests).join("interop")
}

/// The router `node` of this make was seen doing it; `detail` says what was measured, if anything.
pub fn works(router: &dyn Router, fabric: &Fabric, node: &str, feature: Feature, detail: &str) {
    let lacks = router.lacks(feature);
    assert_eq!(lacks, None, "{} has it after all: {feature}", router.make());
    written(Record {
        make: router.make(),
        feature,
        outcome: Outcome::Works,
        version: router.version(fabric, node),
        detail: detail.to_owned(),
    });
}

/// Writes down the cells that no case can fill.
pub fn all_that_is_not_there() {
    for make in Make::ALL {
        for feature in Feature::ALL {
            let Some(why) = makes::of(make).lacks(*feature) else {
                continue;
            };
            written(Record {
                make,
                feature: *feature,
                outcome: Outcome::NotThere(why.to_owned()),
                version: String::new(),
                detail: String::new(),
            });
        }
    }
}

fn written(record: Record) {
    interop_table::write(&folder(), &record).expect("write down what was seen");
}
