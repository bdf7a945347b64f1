//! `bfd` of `BGPPeer` and `BGPConfiguration`, and Calico Enterprise's word for it.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::duration;
use crate::fields::ResourceKind;
use crate::intent::{Bfd, BfdMode};
use crate::reader::Reader;

/// Faster is nothing that a general-purpose kernel keeps, slower is what the hold timer does.
const INTERVALS: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);

/// Below this a busy node may look dead for a moment.
const DARING: Duration = Duration::from_millis(50);

const MODES: [(&str, BfdMode); 4] = [
    ("Auto", BfdMode::Auto),
    ("Off", BfdMode::Off),
    ("SingleHop", BfdMode::SingleHop),
    ("MultiHop", BfdMode::MultiHop),
];

/// Calico Enterprise's values. Single hop towards a peer that is not on-link never comes up, and harms nothing.
const CALICO: [(&str, BfdMode); 2] = [
    ("None", BfdMode::Off),
    ("BFDIfDirectlyConnected", BfdMode::SingleHop),
];

/// Reads `bfd`.
pub(super) fn read(spec: &mut Reader<'_, '_>, kind: ResourceKind) -> Bfd {
    let Some(mut fields) = spec.object("bfd") else {
        return Bfd::default();
    };
    let bfd = Bfd {
        mode: fields.choice("mode", &MODES),
        receive_interval: interval(&mut fields, "receiveInterval"),
        transmit_interval: interval(&mut fields, "transmitInterval"),
        detect_multiplier: (fields.integer("detectMultiplier", 2..=255)).and_then(|n| u8::try_from(n).ok()),
    };
    fields.finish(kind);
    bfd
}

/// Reads `failureDetectionMode` and `bfd`, of which one will do.
pub(super) fn read_either(spec: &mut Reader<'_, '_>, kind: ResourceKind) -> Bfd {
    let both = spec.has("bfd") && spec.has("failureDetectionMode");
    let mode = spec.choice("failureDetectionMode", &CALICO);
    let bfd = read(spec, kind);
    if both {
        let fix = "remove failureDetectionMode: bfd.mode says the same and more";
        spec.error("failureDetectionMode", "does not go together with bfd", fix);
    }
    Bfd {
        mode: bfd.mode.or(mode),
        ..bfd
    }
}

fn interval(fields: &mut Reader<'_, '_>, name: &str) -> Option<Duration> {
    let time = fields.with(name, |text| {
        let time = duration::parse(text)?;
        if INTERVALS.contains(&time) {
            Ok(time)
        } else {
            Err(format!("`{text}` is out of bounds: 10ms to 60s"))
        }
    })?;
    if time < DARING {
        let message = format!(
            "{} ms is short: a busy node may look dead for a moment",
            time.as_millis()
        );
        fields.warning(
            name,
            message,
            "write 50ms or more unless the nodes are known to keep up",
        );
    }
    Some(time)
}
