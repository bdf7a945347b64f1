//! A session that nobody else can speak on: TCP MD5 (RFC 2385), GTSM (RFC 5082) and roles (RFC 9234), as far as the make
//! has them.

use std::time::Duration;

use interop_table::Feature;
use lab::capture::Capture;

use crate::interop::fabric::{
    NODE, OUR_ADDRESS, ROUTER, Session, THEIR_ADDRESS, THEIR_AS, addresses, both_blocks, builder, ours_known,
    peer, resources, site, theirs_installed,
};
use crate::interop::makes::{Neighbor, Router};
use crate::interop::record;
use crate::support::{Fabric, SOON, check, eventually, stays, view};

/// It must appear nowhere but in the files that it is kept in.
const PASSWORD: &str = "no-one-may-read-this";

pub fn secured(router: &dyn Router) {
    let mut site = site(Session::External);
    let roles = router.lacks(Feature::Roles).is_none();
    site.neighbors[0] = Neighbor {
        password: Some(PASSWORD.to_owned()),
        ttl_security: true,
        role: roles.then_some("provider"),
        // OpenBGPD needs more than one hop for next hops of IPv6 here, and then no TTL security.
        families: 0..1,
        ..site.neighbors[0].clone()
    };
    let exec = addresses(THEIR_ADDRESS);
    let fabric = router
        .add(
            builder("secured").resources(&resources(&both_blocks(), "")),
            &site,
            &exec.each_ref().map(String::as_str),
        )
        .up();
    router.settle(&fabric, &site);
    let right = fabric.file("right", PASSWORD);
    let wrong = fabric.file("wrong", "another-password");
    let with_role = |file: &str, role: &str| {
        let role = if roles {
            format!(", role: {role}, strictRole: true")
        } else {
            String::new()
        };
        let more = format!(", password: {{ file: {file} }}, ttlSecurity: 1, connectRetryTime: 1s{role}");
        fabric.edit(
            NODE,
            &resources(&both_blocks(), &peer("router", THEIR_ADDRESS[0], THEIR_AS, &more)),
        );
    };
    let with = |file: &str| with_role(file, "Customer");
    with(&wrong);
    eventually("the peer is known", || {
        view::peer(&fabric, NODE, THEIR_ADDRESS[0])
    });
    stays(Duration::from_secs(4), "no session with another password", || {
        view::down(&fabric, NODE, THEIR_ADDRESS[0]).map(drop)
    });
    with(&right);
    let capture = Capture::start(&fabric, ROUTER, "eth1", "tcp port 179").expect("a capture");
    exchanged(&fabric, router);
    // Every packet of ours is signed and has the TTL that no router has touched.
    let ours = format!("src host {}", OUR_ADDRESS[0]);
    let near = format!("{ours} and ip[8] = 255");
    capture.wait_for(&near, 1, SOON).unwrap_or_else(|e| panic!("{e}"));
    let counted = |filter: &str| capture.count(filter).expect("packets are counted");
    let far = format!("{ours} and ip[8] != 255");
    assert_eq!(counted(&far), 0, "packets of ours with another TTL");
    let unsigned = format!("{ours} and tcp[13] & 4 = 0 and not tcp[20:4] = 0x01011312");
    assert_eq!(counted(&unsigned), 0, "packets of ours without a signature");
    with(&wrong);
    eventually("the session ends with its password", || {
        view::down(&fabric, NODE, THEIR_ADDRESS[0])
    });
    with(&right);
    exchanged(&fabric, router);
    nowhere(&fabric);
    if roles {
        // Both are providers then, which cannot be.
        with_role(&right, "Provider");
        eventually("no session of two providers", || {
            let peer = view::down(&fabric, NODE, THEIR_ADDRESS[0])?;
            let why = peer.last_error.clone().unwrap_or_default().to_lowercase();
            check(why.contains("role"), || format!("{peer:?}"))
        });
        with(&right);
        exchanged(&fabric, router);
        let peer = view::established(&fabric, NODE, THEIR_ADDRESS[0]).expect("the session");
        let agreed = "role customer towards provider".to_owned();
        assert!(peer.capabilities.contains(&agreed), "{peer:?}");
        record::works(router, &fabric, ROUTER, Feature::Roles, "");
    }
    record::works(router, &fabric, ROUTER, Feature::Password, "");
    record::works(router, &fabric, ROUTER, Feature::TtlSecurity, "");
}

fn exchanged(fabric: &Fabric, router: &dyn Router) {
    eventually("the session", || {
        view::established(fabric, NODE, THEIR_ADDRESS[0])
    });
    eventually("their route", || theirs_installed(fabric, Session::External, 0));
    eventually("our route", || ours_known(fabric, router, Session::External, 0));
}

/// Neither what the agent says nor what it logs has the password.
fn nowhere(fabric: &Fabric) {
    let roadbed = fabric.roadbed().expect("the program");
    for words in [
        &["peers"][..],
        &["peers", THEIR_ADDRESS[0]],
        &["status"],
        &["events"],
    ] {
        let argv = [&[roadbed.as_str()], words, &["-o", "json"]].concat();
        let said = fabric.exec(NODE, &argv).expect("it answers");
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(
            !said.contains(PASSWORD),
            "`roadbed {words:?}` tells the password: {said}"
        );
    }
    assert!(
        !fabric.log(NODE, "agent").contains(PASSWORD),
        "the log tells the password"
    );
}
