//! Links, sizes, and what does not fit together.

use super::*;

#[test]
fn pods_get_the_mtu_of_the_narrowest_way() {
    assert_eq!(
        decided(&plan("CrossSubnet"), &rib(&[]), &[])
            .outline
            .tunnels
            .pod_mtu,
        1450
    );
    assert_eq!(
        decided(&plan("Never"), &rib(&[]), &[]).outline.tunnels.pod_mtu,
        1500
    );
}

#[test]
fn the_underlay_is_found_from_where_it_leads_not_from_where_the_node_address_sits() {
    // A node that routes to the host: its address on loopback, no default route, all others learned by BGP.
    let mut view = view();
    view.foreign.remove(0);
    view.addresses[0] = Address {
        index: 1,
        net: net("192.0.2.11/32"),
    };
    let plan = plan("CrossSubnet");
    let mtu_with = |rib: RibSnapshot| {
        let decisions = decide(Inputs {
            plan: &plan,
            rib: &rib,
            view: &view,
            pods: &[],
            own_pod_addresses: &[],
            services: None,
            place: Place::default(),
            verdicts: &Verdicts::default(),
        });
        let uplinks: Vec<String> = decisions.outline.host.uplinks.iter().cloned().collect();
        (decisions.outline.tunnels.pod_mtu, uplinks)
    };
    let learned = rib(&[("198.51.100.0/24", &[(EBGP, "192.0.2.1")])]);
    assert_eq!(mtu_with(learned), (1450, vec!["eth0".to_owned()]));
    // Not even a peer can be reached: the usual MTU, and certainly not that of loopback.
    view.foreign.clear();
    let decisions = decide(Inputs {
        plan: &plan,
        rib: &rib(&[]),
        view: &view,
        pods: &[],
        own_pod_addresses: &[],
        services: None,
        place: Place::default(),
        verdicts: &Verdicts::default(),
    });
    assert_eq!(decisions.outline.tunnels.pod_mtu, 1450);
}

#[test]
fn what_does_not_fit_together_is_found() {
    let mut view = view();
    let lost = PodLink {
        addresses: vec![ip("10.244.1.7")],
        interface: "rbgone".into(),
    };
    let found = |view: &KernelView, pods: &[PodLink]| -> Vec<(&str, bool)> {
        let inputs = Inputs {
            plan: &plan("CrossSubnet"),
            rib: &rib(&[]),
            view,
            pods,
            own_pod_addresses: &[],
            services: None,
            place: Place::default(),
            verdicts: &Verdicts::default(),
        };
        let found = crate::decide::findings::of(inputs);
        found.iter().map(|f| (f.part, f.severe)).collect()
    };
    assert_eq!(found(&view, &[]), []);
    assert_eq!(found(&view, &[lost]), [("pod", false)]);
    let stray = Link {
        index: 9,
        name: "rb0123456789a".into(),
        ..Link::default()
    };
    view.links.insert(9, stray);
    assert_eq!(found(&view, &[]), [("ipam", false)]);
    view.links.remove(&9);
    view.addresses.clear();
    assert_eq!(found(&view, &[]), [("host", true)]);
}
