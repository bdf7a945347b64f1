//! ExaBGP sends what no router would: malformed attributes, and one that nobody knows. The session stays, what RFC 7606
//! wants is done about each route, and those beside are unharmed. BIRD behind the agent shows what is passed on.

use interop_table::Feature;

use super::features::{between, wired};
use crate::interop::fabric::{
    NODE, ROUTER, SECOND, SECOND_ADDRESS, Session, THEIR_ADDRESS, addresses, second_site, site,
};
use crate::interop::makes::{Bird, Exabgp, Router, THEIRS};
use crate::interop::record;
use crate::support::{check, eventually, stays, view};

/// Type and flags of an attribute, its value, and whether the route is to be taken as withdrawn.
const ODD: [(&str, &str, &str, bool); 9] = [
    // AS_PATH that is no list of segments, and ORIGIN that is none of the three.
    ("10.7.0.2/32", "0x02 0x40", "0x11223344", true),
    ("10.7.0.1/32", "0x01 0x40", "0x07", true),
    // MULTI_EXIT_DISC, COMMUNITIES, extended and large ones of a length that they cannot have.
    ("10.7.0.4/32", "0x04 0x80", "0x112233", true),
    ("10.7.0.8/32", "0x08 0xc0", "0x112233", true),
    ("10.7.0.16/32", "0x10 0xc0", "0x112233", true),
    ("10.7.0.32/32", "0x20 0xc0", "0x1122334455", true),
    // AS4_PATH from a speaker of 4-octet numbers, and ATOMIC_AGGREGATE with a value: only the attribute goes.
    ("10.7.0.17/32", "0x11 0xc0", "0x11223344", false),
    ("10.7.0.6/32", "0x06 0x40", "0x11", false),
    // Nobody knows this one.
    ("10.7.0.99/32", "0x63 0xc0", "0x00112233", false),
];

pub fn odd_attributes() {
    let router = Exabgp;
    let mut routes = String::new();
    for (prefix, code, value, _) in ODD {
        routes += &format!(
            "    route {prefix} next-hop {} attribute [ {code} {value} ];\n",
            THEIR_ADDRESS[0]
        );
    }
    let first = addresses(THEIR_ADDRESS);
    let second = addresses(SECOND_ADDRESS);
    let builder = router.add_with(
        between("odd"),
        &site(Session::External),
        &first.each_ref().map(String::as_str),
        &routes,
    );
    let fabric = Bird
        .add(builder, &second_site(), &second.each_ref().map(String::as_str))
        .up();
    wired(&fabric);
    for prefix in THEIRS {
        eventually("a good route beside", || view::route(&fabric, NODE, prefix));
        eventually("a good route beside, passed on", || {
            Bird.learned(&fabric, SECOND, prefix)
        });
    }
    for (prefix, code, _, withdrawn) in ODD {
        eventually(&format!("what becomes of {prefix} with {code}"), || {
            let known = view::route(&fabric, NODE, prefix).is_ok();
            let passed_on = Bird.learned(&fabric, SECOND, prefix).is_ok();
            check((known, passed_on) == (!withdrawn, !withdrawn), || {
                format!("{known} {passed_on}")
            })
        });
    }
    let unknown = fabric.run(SECOND, "birdc -s /run/bird.ctl show route 10.7.0.99/32 all");
    assert!(unknown.contains("BGP.63 [t]: 00 11 22 33"), "{unknown}");
    // A good route that turns bad is as good as withdrawn, and good again when it is.
    let good = "announce route 10.7.1.1/32 next-hop 192.0.2.1";
    for (tail, there) in [
        ("", true),
        (" attribute [ 0x01 0x40 0x07 ]", false),
        (" med 5", true),
    ] {
        router.tell(&fabric, ROUTER, &format!("{good}{tail}"));
        eventually("the route that is good, bad, and good again", || {
            let route = view::route(&fabric, NODE, "10.7.1.1/32");
            check(route.is_ok() == there, || format!("{route:?}"))
        });
    }
    stays(std::time::Duration::from_secs(1), "the session", || {
        let peer = view::established(&fabric, NODE, THEIR_ADDRESS[0])?;
        check(peer.flaps == 0, || format!("{peer:?}"))
    });
    let taken = ODD.iter().filter(|odd| odd.3).count();
    let detail = format!(
        "{taken} kinds taken as withdrawn, {} passed on without what is wrong",
        ODD.len() - taken
    );
    record::works(&router, &fabric, ROUTER, Feature::Malformed, &detail);
}
