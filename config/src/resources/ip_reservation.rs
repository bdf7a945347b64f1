//! `IPReservation`: addresses that no pod gets.

use super::metadata;
use super::parse::prefix_or_address;
use crate::fields::ResourceKind;
use crate::intent::IpReservation;
use crate::reader::Reader;

const KIND: ResourceKind = ResourceKind::IpReservation;

pub(super) fn read(document: &mut Reader<'_, '_>) -> Option<IpReservation> {
    let metadata = metadata::read(document, KIND);
    let mut cidrs = Vec::new();
    if let Some(mut spec) = document.object("spec") {
        cidrs = spec.list("reservedCIDRs", prefix_or_address).unwrap_or_default();
        spec.finish(KIND);
    }
    Some(IpReservation {
        name: metadata?.name,
        cidrs,
    })
}
