//! The messages themselves, without a kernel: what we make reads as what was wanted, and changes carry all that they must.

use super::*;
use crate::actual::{Actual, Kind};
use crate::diff;
use crate::model::DesiredTunnels;
use crate::ops::Op;
use crate::read::note_link;

fn ipip() -> IpipDevice {
    IpipDevice {
        local: "192.0.2.11".parse().unwrap(),
        mtu: 1480,
        address: None,
    }
}

fn vxlan(local: &str) -> VxlanDevice {
    VxlanDevice {
        vni: 4096,
        port: 4789,
        local: local.parse().unwrap(),
        mtu: 1430,
        mac: [0x66, 0, 0, 0, 0, 1],
        address: None,
    }
}

/// As the kernel gives the message back: with an index, and up.
fn told(mut message: LinkMessage) -> Actual {
    message.header.index = 7;
    message.header.flags = LinkFlags::Up;
    let (mut actual, mut indexes) = (Actual::default(), Indexes::default());
    note_link(&message, &mut actual, &mut indexes);
    actual
}

/// All three devices, that of IPIP among them, which not every kernel has.
#[test]
fn what_is_made_reads_as_what_is_wanted() {
    let wanted = DesiredTunnels {
        vxlan: Some(vxlan("192.0.2.11")),
        vxlan6: Some(vxlan("2001:db8::11")),
        ipip: Some(ipip()),
        sweep: true,
        ..DesiredTunnels::default()
    };
    let mut actual = Actual::default();
    for (device, config) in wanted.vxlans() {
        actual.devices.extend(told(vxlan_link(device, config)).devices);
    }
    actual.devices.extend(told(ipip_link(&ipip())).devices);
    assert_eq!(actual.devices.len(), 3);
    let plan = diff::plan(&wanted, &actual);
    assert_eq!((plan.ops, plan.problems), (vec![], vec![]));
}

fn ip_tunnel(info: &[LinkInfo]) -> &[InfoIpTunnel] {
    match info {
        [
            LinkInfo::Kind(InfoKind::IpIp),
            LinkInfo::Data(InfoData::IpTunnel(data)),
        ] => data,
        other => panic!("no IP tunnel: {other:?}"),
    }
}

/// The kernel takes a change of an IP tunnel as its whole set of parameters.
#[test]
fn a_change_of_ipip_is_the_whole_of_it() {
    let mut message = ipip_link(&ipip());
    let made = message.attributes.pop();
    let Some(LinkAttribute::LinkInfo(made)) = made else {
        panic!("the parameters come last: {made:?}")
    };
    // A device of another program's making, taken over by name.
    let mut actual = told(ipip_link(&ipip()));
    for own in actual.devices.values_mut() {
        if let Kind::Ipip(ipip) = &mut own.kind {
            ipip.outer.ttl = 0;
        }
    }
    let wanted = DesiredTunnels {
        ipip: Some(ipip()),
        ..DesiredTunnels::default()
    };
    let plan = diff::plan(&wanted, &actual);
    let [Op::Change(Device::Ipip, changes)] = plan.ops.as_slice() else {
        panic!("{:?}", plan.ops)
    };
    let changed = tunnel_parameters(Device::Ipip, changes).expect("there is something to change");
    assert_eq!(ip_tunnel(&changed), ip_tunnel(&made));
    assert_eq!(
        ip_tunnel(&changed),
        [
            InfoIpTunnel::Local("192.0.2.11".parse().unwrap()),
            InfoIpTunnel::Ttl(64),
            InfoIpTunnel::Tos(1),
            InfoIpTunnel::PMtuDisc(true),
        ]
    );
    assert_eq!(describe(changes), "local 192.0.2.11 ttl 64 tos inherit df set");
}

#[test]
fn refusals_say_what_to_do() {
    let refused = |spec: &Spec, code| explain_create(spec, io::Error::from_raw_os_error(code)).to_string();
    let text = refused(&Spec::Ipip(ipip()), errno::EOPNOTSUPP);
    assert!(text.contains("load the module ipip"), "{text}");
    let text = refused(&Spec::Ipip(ipip()), errno::EEXIST);
    assert!(text.contains("a tunnel of another program"), "{text}");
    let text = refused(&Spec::Vxlan(Device::Vxlan, vxlan("192.0.2.11")), errno::EPERM);
    assert!(text.contains("CAP_NET_ADMIN"), "{text}");
}
