//! `IPAMConfiguration`: how blocks are claimed and addresses given out, for all nodes.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::metadata;
use crate::duration;
use crate::fields::ResourceKind;
use crate::intent::IpamConfiguration;
use crate::reader::Reader;

const KIND: ResourceKind = ResourceKind::IpamConfig;

/// The one name that is read, as in Calico.
const NAME: &str = "default";

const DAY: u64 = 24 * 3600;

pub(super) fn read(document: &mut Reader<'_, '_>) -> Option<IpamConfiguration> {
    let metadata = metadata::read(document, KIND)?;
    let mut ipam = IpamConfiguration::default();
    if let Some(mut spec) = document.object("spec") {
        read_spec(&mut spec, &mut ipam);
        spec.finish(KIND);
    }
    if metadata.name != NAME {
        let message = format!(
            "`{}` is not read: there is one IPAMConfiguration, for all nodes",
            metadata.name
        );
        document.error("metadata.name", message, format!("name it {NAME}"));
        return None;
    }
    Some(ipam)
}

fn read_spec(spec: &mut Reader<'_, '_>, ipam: &mut IpamConfiguration) {
    if let Some(strict) = spec.boolean("strictAffinity") {
        ipam.strict_affinity = strict;
    }
    if let Some(auto) = spec.boolean("autoAllocateBlocks") {
        ipam.auto_allocate_blocks = auto;
    }
    // Zero is no limit, as in Calico.
    ipam.max_blocks_per_host = spec
        .integer("maxBlocksPerHost", 0..=1_000_000)
        .filter(|most| *most > 0);
    let times = [
        ("emptyBlockLinger", 0..=DAY, &mut ipam.empty_block_linger),
        ("deadNodeGrace", 30..=DAY, &mut ipam.dead_node_grace),
        ("addressCoolDown", 0..=DAY, &mut ipam.address_cool_down),
    ];
    for (name, bounds, time) in times {
        if let Some(given) = spec.with(name, |text| bounded(text, &bounds)) {
            *time = given;
        }
    }
    if !ipam.auto_allocate_blocks && !ipam.strict_affinity {
        spec.error(
            "autoAllocateBlocks",
            "false does not go together with strictAffinity: false",
            "set one of them to true",
        );
    }
}

fn bounded(text: &str, seconds: &RangeInclusive<u64>) -> Result<Duration, String> {
    let time = duration::parse(text)?;
    let (low, high) = (*seconds.start(), *seconds.end());
    if (Duration::from_secs(low)..=Duration::from_secs(high)).contains(&time) {
        Ok(time)
    } else {
        Err(format!("`{text}` is out of bounds: {low}s to {}h", high / 3600))
    }
}
