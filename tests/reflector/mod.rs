//! Two route reflectors and three clients, no mesh: what one client originates, the others have by reflection, with the
//! next hop left as it is; and the loss of one reflector costs nothing.

use config::api::routes::Route;

use crate::support::pair::{self, address};
use crate::support::{Fabric, check, eventually, kernel, view};

const REFLECTORS: [u8; 2] = [1, 2];
const CLIENTS: [u8; 3] = [3, 4, 5];

/// Nodes n1 and n2 reflect for n3 to n5, as Calico's manual has it: the mesh stays enabled, and the reflectors are not in it;
/// without a peering of their own the clients would be, so it is switched off here.
fn resources() -> String {
    let mut text =
        pair::resources(5, "Never").replace("nodeToNodeMeshEnabled: true", "nodeToNodeMeshEnabled: false");
    for n in REFLECTORS {
        text = text.replace(
            &format!("metadata: {{ name: n{n} }}\nspec: {{ bgp: {{ ipv4Address: 192.0.2.1{n}/24 }}"),
            &format!(
                "metadata: {{ name: n{n}, labels: {{ route-reflector: 'true' }} }}\n\
                 spec: {{ bgp: {{ ipv4Address: 192.0.2.1{n}/24, routeReflectorClusterID: 244.0.0.1 }}"
            ),
        );
    }
    text + "---\napiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: { name: peer-to-rrs }\n\
            spec: { nodeSelector: \"!has(route-reflector)\", peerSelector: has(route-reflector) }\n---\n\
            apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: { name: rr-mesh }\n\
            spec: { nodeSelector: has(route-reflector), peerSelector: has(route-reflector) }\n"
}

fn up(scenario: &str) -> Fabric {
    let fabric = pair::wire(scenario, 5).resources(&resources()).up();
    for n in REFLECTORS {
        eventually("a reflector has its clients and the other one", || {
            view::converged(&fabric, &format!("n{n}"), 4)
        });
    }
    for n in CLIENTS {
        eventually("a client has both reflectors", || {
            view::converged(&fabric, &format!("n{n}"), 2)
        });
    }
    fabric
}

fn every_pair(fabric: &Fabric) -> Result<(), String> {
    for (from, to) in CLIENTS.iter().flat_map(|a| CLIENTS.map(|b| (*a, b))) {
        if from != to {
            kernel::route_via(
                fabric,
                &format!("n{from}"),
                &format!("10.244.{to}.0/24"),
                &address(to),
            )?;
        }
    }
    Ok(())
}

#[test]
fn clients_learn_of_each_other_through_reflectors() {
    let fabric = up("reflect");
    eventually("every client has every other's block, by its own address", || {
        every_pair(&fabric)
    });
    // Each of both reflectors tells it, and nobody hears back what he said.
    for n in REFLECTORS {
        let told: Route = eventually("the reflected route", || {
            view::route_of(&fabric, "n3", "10.244.4.0/24", &["--received", &address(n)])
        });
        assert_eq!(told.next_hop, Some(address(4).parse().unwrap()), "{told:?}");
        let back = view::route_of(&fabric, "n3", "10.244.3.0/24", &["--received", &address(n)]);
        assert!(back.is_err(), "{back:?}");
    }
    // What a reflector hears of the other's clients through the other has its own cluster in it.
    let looped = eventually("the other reflector's copy", || {
        view::route_of(&fabric, "n1", "10.244.2.0/24", &["--received", &address(2)])
    });
    assert!(looped.reason.starts_with("accepted"), "{looped:?}");
    let copies = view::route_of(&fabric, "n1", "10.244.4.0/24", &["--rejected"]);
    if let Ok(copy) = copies {
        assert!(copy.reason.contains("cluster id"), "{copy:?}");
    }
}

#[test]
fn the_loss_of_a_reflector_costs_nothing() {
    let fabric = up("lost");
    eventually("every client has every other's block", || every_pair(&fabric));
    let agent = fabric.process("n1", "agent");
    fabric.kill(agent);
    eventually("the clients have noticed", || {
        for n in CLIENTS {
            let status = view::status(&fabric, &format!("n{n}"))?;
            check(status.peers.established == 1, || {
                format!("n{n}: {:?}", status.peers)
            })?;
        }
        Ok(())
    });
    every_pair(&fabric).expect("all routes are still there");
}
