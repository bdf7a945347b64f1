//! What a route costs.

use crate::rib::attrs::Attrs;
use crate::rib::table::{Path, Table};

#[test]
fn a_path_is_a_quarter_of_a_cache_line() {
    assert_eq!(size_of::<Path>(), 16);
    assert_eq!(Table::NODE_SIZES, [16, 28]);
    assert_eq!(Attrs::HEAD_SIZE, 40);
}
