//! `BGPConfiguration`: settings of BGP for the whole cluster.

use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;

use super::parse::{as_number, prefix, service_range};
use super::{bfd, metadata, session};
use crate::duration;
use crate::fields::ResourceKind;
use crate::intent::{BgpConfiguration, Community, PrefixAdvertisement};
use crate::reader::Reader;

const KIND: ResourceKind = ResourceKind::BgpConfiguration;

/// The one name that is read. Calico also has one resource a node; here a Node has its own AS number.
pub(super) const NAME: &str = "default";

/// Bounds of Calico's fields for priorities of routes.
const PRIORITIES: RangeInclusive<u32> = 1..=2_147_483_646;

/// More next hops than this the kernel does not take in one route.
const MAX_PATHS: u32 = 256;

/// A VNI has 24 bits (RFC 7348 §5).
const VNIS: RangeInclusive<u32> = 1..=0xff_ffff;

pub(super) fn read(document: &mut Reader<'_, '_>) -> Option<BgpConfiguration> {
    let metadata = metadata::read(document, KIND)?;
    let mut bgp = BgpConfiguration::default();
    if let Some(mut spec) = document.object("spec") {
        read_spec(&mut spec, &mut bgp);
        spec.finish(KIND);
    }
    if metadata.name != NAME {
        let message = format!(
            "`{}` is not read: there is one BGPConfiguration, for all nodes",
            metadata.name
        );
        document.error(
            "metadata.name",
            message,
            format!("name it {NAME}; a node's own AS number is spec.bgp.asNumber of its Node"),
        );
        return None;
    }
    Some(bgp)
}

fn read_spec(spec: &mut Reader<'_, '_>, bgp: &mut BgpConfiguration) {
    if let Some(asn) = spec.with("asNumber", as_number) {
        bgp.as_number = asn;
    }
    if let Some(mesh) = spec.boolean("nodeToNodeMeshEnabled") {
        bgp.node_to_node_mesh = mesh;
    }
    if let Some(port) = spec
        .integer("listenPort", 1..=65535)
        .and_then(|port| u16::try_from(port).ok())
    {
        bgp.listen_port = port;
    }
    bgp.ipv4_route_priority = spec.integer("ipv4NormalRoutePriority", PRIORITIES);
    bgp.ipv6_route_priority = spec.integer("ipv6NormalRoutePriority", PRIORITIES);
    if let Some(vni) = spec.integer("vxlanVNI", VNIS) {
        bgp.vxlan_vni = vni;
    }
    if let Some(port) = spec
        .integer("vxlanPort", 1..=65535)
        .and_then(|port| u16::try_from(port).ok())
    {
        bgp.vxlan_port = port;
    }
    if let Some(install) = spec.boolean("installRoutes") {
        bgp.install_routes = install;
    }
    if let Some(deferral) = spec.with("feedDeferralTime", feed_deferral) {
        bgp.feed_deferral = deferral;
    }
    bgp.session = session::read_defaults(spec, KIND);
    bgp.bfd = bfd::read(spec, KIND);
    bgp.prefix_advertisements = advertisements(spec);
    if let Some(mut fields) = spec.object("multipath") {
        if let Some(most) = fields
            .integer("maxPaths", 1..=MAX_PATHS)
            .and_then(|n| u16::try_from(n).ok())
        {
            bgp.multipath.max_paths = most;
        }
        bgp.multipath.relax = fields.boolean("relax").unwrap_or(true);
        fields.finish(KIND);
    }
    let services = &mut bgp.services;
    let ranges = [
        ("serviceClusterIPs", &mut services.cluster_ips),
        ("serviceExternalIPs", &mut services.external_ips),
        ("serviceLoadBalancerIPs", &mut services.load_balancer_ips),
    ];
    for (name, ranges) in ranges {
        *ranges = spec.objects(name, range, KIND).unwrap_or_default();
    }
    let modes = [("Enabled", true), ("Disabled", false)];
    if let Some(whole) = spec.choice("serviceLoadBalancerAggregation", &modes) {
        services.load_balancer_aggregation = whole;
    }
}

/// Communities have names here, which ranges use.
fn advertisements(spec: &mut Reader<'_, '_>) -> Vec<PrefixAdvertisement> {
    let named = spec.objects("communities", community, KIND).unwrap_or_default();
    let resolve = |text: &str| match named.iter().find(|(name, _)| name == text) {
        Some((_, value)) => Ok(*value),
        None => text.parse().map_err(|_| {
            format!(
                "`{text}` is neither a community, such as 64512:100, nor the name of one in spec.communities"
            )
        }),
    };
    let read = |item: &mut Reader<'_, '_>| {
        if !item.has("cidr") {
            item.error("cidr", "is required", "write a range, such as 10.244.0.0/16");
        }
        let cidr = item.with("cidr", prefix);
        let communities = item.list("communities", resolve).unwrap_or_default();
        Some(PrefixAdvertisement {
            cidr: cidr?,
            communities,
        })
    };
    spec.objects("prefixAdvertisements", read, KIND)
        .unwrap_or_default()
}

/// `{ name: bgp-large, value: 64512:300:100 }`.
fn community(item: &mut Reader<'_, '_>) -> Option<(String, Community)> {
    for name in ["name", "value"] {
        if !item.has(name) {
            item.error(
                name,
                "is required",
                "write `{ name: tagged, value: 64512:100 }` or the like",
            );
        }
    }
    let name = item.text("name");
    let value = item.parsed("value");
    Some((name?, value?))
}

/// `{ cidr: 10.96.0.0/12 }`. Calico takes addresses with host bits too, and means their range.
fn range(item: &mut Reader<'_, '_>) -> Option<IpNet> {
    if !item.has("cidr") {
        item.error("cidr", "is required", "write a range, such as 10.96.0.0/12");
    }
    let written = item.with("cidr", service_range)?;
    let range = written.trunc();
    if range != written {
        let message = format!("`{written}` has host bits: it means {range}");
        item.warning("cidr", message, format!("write {range}"));
    }
    Some(range)
}

fn feed_deferral(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text)?;
    if (Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&time) {
        Ok(time)
    } else {
        Err(format!("`{text}` is out of bounds: 1s to 1h"))
    }
}
