//! The sessions of the only switch are reset while it forwards: nodes and switch keep their routes (RFC 4724).

use super::{nothing_is_lost, pods, racks};
use crate::support::watch::RouteWatch;
use crate::support::{Fabric, check, eventually, view};

const SWITCH: [&str; 2] = ["198.18.11.1", "198.18.12.1"];

fn flaps(fabric: &Fabric) -> [u64; 2] {
    [("n1", SWITCH[0]), ("n2", SWITCH[1])]
        .map(|(node, peer)| eventually("the peer", || view::peer(fabric, node, peer)).flaps)
}

#[test]
fn a_reset_of_a_switchs_sessions_costs_no_packet_and_no_route() {
    let fabric = racks::up("reset", 1);
    let watches = ["n1", "n2"].map(|node| RouteWatch::start(&fabric, node));
    nothing_is_lost(&fabric, pods(&fabric), |both| {
        let before = flaps(&fabric);
        fabric.run("tor1", "ss -K -t sport = :179 or dport = :179");
        eventually("both sessions are lost", || {
            let now = flaps(&fabric);
            check(now[0] > before[0] && now[1] > before[1], || {
                format!("{before:?} {now:?}")
            })
        });
        racks::whole(&fabric, 1);
        both.flow("with the sessions again");
    });
    for (watch, block) in watches.iter().zip(racks::BLOCKS.iter().rev()) {
        assert_eq!(watch.deletions_of(block), Vec::<String>::new());
    }
}
