//! Routers of other makes beside BIRD, without an agent: what a [`Site`] asks for is what they do, so that a case which fails
//! with an agent tells of the agent.

use crate::interop::fabric::{
    OUR_ADDRESS, OUR_AS, ROUTER, SECOND, Session, THEIR_ADDRESS, THEIR_AS, addresses, site,
};
use crate::interop::makes::{Bird, Neighbor, Router, Site, THEIRS};
use crate::support::{Builder, Fabric, check, eventually};

/// The agent's place, taken by BIRD.
fn stand_in() -> Site {
    let mut site = site(Session::External);
    site.node = SECOND.to_owned();
    site.asn = OUR_AS;
    site.addresses = OUR_ADDRESS.map(str::to_owned);
    site.announces = false;
    site.neighbors[0].local = OUR_ADDRESS[0].to_owned();
    site.neighbors[0].remote = THEIR_ADDRESS[0].to_owned();
    site.neighbors[0].asn = THEIR_AS;
    site
}

fn up(router: &dyn Router, sites: [&Site; 2]) -> Fabric {
    let [first, second] = [addresses(THEIR_ADDRESS), addresses(OUR_ADDRESS)];
    let builder = Builder::new("instruments").link("r1:eth1", "r2:eth1");
    let builder = router.add(builder, sites[0], &first.each_ref().map(String::as_str));
    let fabric = Bird
        .add(builder, sites[1], &second.each_ref().map(String::as_str))
        .up();
    router.settle(&fabric, sites[0]);
    fabric
}

/// A session with all that both can do at once.
pub fn instruments(router: &dyn Router, knows_roles: bool) {
    let mut first = site(Session::External);
    let mut second = stand_in();
    for (site, role) in [(&mut first, "provider"), (&mut second, "customer")] {
        site.neighbors[0] = Neighbor {
            password: Some("not-to-be-printed".to_owned()),
            ttl_security: true,
            add_path: true,
            role: knows_roles.then_some(role),
            // OpenBGPD needs more than one hop for next hops of IPv6 here, and then no TTL security.
            families: 0..1,
            ..site.neighbors[0].clone()
        };
    }
    let fabric = up(router, [&first, &second]);
    eventually("a route over the session", || {
        Bird.learned(&fabric, SECOND, THEIRS[0])
    });
    let session = fabric.run(SECOND, "birdc -s /run/bird.ctl show protocols all node");
    let theirs = session.split("Neighbor capabilities").nth(1).unwrap_or_default();
    let theirs = theirs.split("Session:").next().unwrap_or_default();
    let wanted = ["ADD-PATH", "Route refresh"]
        .into_iter()
        .chain(knows_roles.then_some("Role: provider"));
    for capability in wanted {
        check(theirs.contains(capability), || {
            format!("no {capability}: {session}")
        })
        .expect("a capability");
    }
    let signed = lab::capture::Capture::start(&fabric, ROUTER, "eth1", "tcp port 179").expect("a capture");
    // The option has kind 19 and length 18, behind two of no operation.
    let option = "tcp[20:4] = 0x01011312";
    signed
        .wait_for(option, 1, crate::support::SOON)
        .unwrap_or_else(|e| panic!("{e}"));
}
