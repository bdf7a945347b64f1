//! What a route costs.

use crate::rib::entry::{Entry, Route};

#[test]
fn a_route_is_one_half_of_a_cache_line() {
    assert_eq!(size_of::<Route>(), 32);
    assert_eq!(size_of::<Entry>(), 32);
}
