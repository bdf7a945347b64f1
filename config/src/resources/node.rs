//! `Node`: a node's addresses, AS number and pod subnets.

use super::metadata;
use super::parse::{as_number, cluster_id, ipv4_interface, ipv6_interface, pod_prefix};
use crate::fields::ResourceKind;
use crate::intent::{Node, NodeBgp};
use crate::reader::Reader;

const KIND: ResourceKind = ResourceKind::Node;

pub(super) fn read(document: &mut Reader<'_, '_>) -> Option<Node> {
    let metadata = metadata::read(document, KIND);
    let mut bgp = NodeBgp::default();
    let (mut vxlan_mac, mut vxlan_mac_v6, mut pod_cidrs) = (None, None, Vec::new());
    if let Some(mut spec) = document.object("spec") {
        if let Some(mut fields) = spec.object("bgp") {
            bgp = NodeBgp {
                ipv4_address: fields.with("ipv4Address", ipv4_interface),
                ipv6_address: fields.with("ipv6Address", ipv6_interface),
                as_number: fields.with("asNumber", as_number),
                cluster_id: fields.with("routeReflectorClusterID", cluster_id),
            };
            fields.finish(KIND);
        }
        vxlan_mac = spec.parsed("vxlanTunnelMACAddr");
        vxlan_mac_v6 = spec.parsed("vxlanTunnelMACAddrV6");
        pod_cidrs = spec.list("podCIDRs", pod_prefix).unwrap_or_default();
        spec.finish(KIND);
    }
    let metadata = metadata?;
    let name = metadata.name.parse().ok()?;
    Some(Node {
        name,
        labels: metadata.labels,
        bgp,
        vxlan_mac,
        vxlan_mac_v6,
        pod_cidrs,
    })
}
