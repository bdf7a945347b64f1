//! What is of this node itself.

use super::*;

#[test]
fn own_blocks_are_blackholes_whatever_is_learned() {
    let rib = rib(&[("10.244.1.0/24", &[(EBGP, "192.0.2.1")])]);
    let decisions = decided(&plan("CrossSubnet"), &rib, &[]);
    assert_eq!(
        wanted(&decisions, "10.244.1.0/24"),
        Some(DesiredRoute::blackhole())
    );
}

#[test]
fn a_pod_gets_its_host_route_once_its_link_exists() {
    let pod = |interface: &str| PodLink {
        addresses: vec![ip("10.244.1.7")],
        interface: interface.into(),
    };
    let present = decided(&plan("CrossSubnet"), &rib(&[]), &[pod("rbpod")]);
    assert!(wanted(&present, "10.244.1.7/32").is_some());
    let absent = decided(&plan("CrossSubnet"), &rib(&[]), &[pod("rbgone")]);
    assert_eq!(wanted(&absent, "10.244.1.7/32"), None);
    assert!(
        absent.routes()[&net("10.244.1.7/32")]
            .reason
            .contains("does not exist")
    );
}

#[test]
fn nothing_of_ours_is_swept_before_the_first_full_feed() {
    let mut rib = rib(&[]);
    rib.fully_fed = false;
    let decisions = decided(&plan("CrossSubnet"), &rib, &[]);
    assert!(!decisions.fib(rib.fully_fed).sweep && !decisions.outline.tunnels.desired.sweep);
}

#[test]
fn a_pod_outside_the_blocks_is_announced_by_itself() {
    let pod = |address: &str| PodLink {
        addresses: vec![ip(address)],
        interface: "rbpod".into(),
    };
    let pods = [pod("10.244.1.7"), pod("10.244.9.9")];
    let decisions = decided(&plan("CrossSubnet"), &rib(&[]), &pods);
    let announced: Vec<IpNet> = decisions.outline.originated.keys().copied().collect();
    assert_eq!(announced, [net("10.244.1.0/24"), net("10.244.9.9/32")]);
}

#[test]
fn services_are_announced_and_never_installed_where_they_are_served() {
    let mut plan = plan("Never");
    plan.service_ranges = vec![net("10.96.0.0/12"), net("203.0.113.0/24")];
    let rib = rib(&[
        ("10.96.0.0/12", &[(PathKind::Internal, "192.0.2.12")]),
        ("203.0.113.7/32", &[(PathKind::Internal, "192.0.2.12")]),
    ]);
    let services = Services::from([(net("10.96.0.0/12"), "ClusterIPs, announced by every node".into())]);
    let with = |services| {
        let view = view();
        decide(Inputs {
            plan: &plan,
            rib: &rib,
            view: &view,
            pods: &[],
            own_pod_addresses: &[],
            services,
            place: Place::default(),
            verdicts: &Verdicts::default(),
        })
    };
    let inside = with(Some(&services));
    assert!(inside.outline.originated.contains_key(&net("10.96.0.0/12")));
    for prefix in ["10.96.0.0/12", "203.0.113.7/32"] {
        let decision = &inside.routes()[&net(prefix)];
        assert_eq!(
            (decision.origin, &decision.kernel),
            (Origin::Service, &None),
            "{prefix}"
        );
    }
    assert!(
        inside.routes()[&net("10.96.0.0/12")]
            .reason
            .contains("every node")
    );
    assert!(
        inside.table().outside.is_empty(),
        "no next hop is resolved over what is not installed"
    );
    // A router that belongs to no Kubernetes installs them like any other route.
    let outside = with(None);
    assert!(
        outside
            .routes()
            .values()
            .filter(|r| r.best.is_some())
            .all(|r| r.kernel.is_some())
    );
    assert!(!outside.outline.originated.contains_key(&net("10.96.0.0/12")));
}

#[test]
fn a_pool_that_is_not_announced_has_neither_announcement_nor_blackhole() {
    let mut plan = plan("Never");
    plan.pools[0].exported = false;
    plan.originated.clear();
    let stray = PodLink {
        addresses: vec![ip("10.244.9.9")],
        interface: "rbpod".into(),
    };
    let decisions = decided(&plan, &rib(&[]), &[stray]);
    assert!(decisions.outline.originated.is_empty());
    assert_eq!(decisions.routes()[&net("10.244.1.0/24")].kernel, None);
    assert!(decisions.routes()[&net("10.244.9.9/32")].kernel.is_some());
}
