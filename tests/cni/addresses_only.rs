//! The IPAM plugin by its own name: addresses without an interface, and their gateway.

use serde_json::{Value, json};

use super::call::{Attachment, Plugins};
use crate::support::plugin::answer;
use crate::support::{check, eventually, kernel, pair, view};

fn network(gateway: Value) -> Value {
    json!({
        "cniVersion": "1.1.0", "name": "bridged", "type": "bridge",
        "ipam": { "type": "roadbed-ipam", "gateway": gateway },
    })
}

fn told(result: &Value) -> (String, String) {
    let ip = |field: &str| kernel::text(&result["ips"][0], field);
    (ip("address"), ip("gateway"))
}

#[test]
fn addresses_without_an_interface_have_the_gateway_that_is_asked_for() {
    let fabric = pair::wire("cni-ipam", 1)
        .host("c1", &[])
        .host("c2", &[])
        .host("c3", &[])
        .up();
    eventually("the agent is ready", || view::converged(&fabric, "n1", 0));
    let (links, routes) = (kernel::links(&fabric, "n1"), kernel::ours(&fabric, "n1").len());
    let plugins = Plugins::install();
    let of = |container| Attachment {
        fabric: &fabric,
        plugins: &plugins,
        container,
        ifname: "eth0",
    };
    let block = network(json!("block"));
    let first = of("c1").add(&block, "");
    assert_eq!(
        told(&first),
        ("10.244.1.2/24".into(), "10.244.1.1".into()),
        "{first}"
    );
    assert_eq!(of("c1").add(&block, ""), first, "again");
    let second = of("c2").add(&block, "");
    assert_eq!(told(&second).1, "10.244.1.1");
    let given = network(json!(["10.244.0.9/16"]));
    let third = of("c3").add(&given, ";IP=10.244.1.77");
    assert_eq!(
        told(&third),
        ("10.244.1.77/16".into(), "10.244.0.9".into()),
        "{third}"
    );
    // No interface, no route.
    assert_eq!(kernel::links(&fabric, "n1"), links);
    assert_eq!(kernel::ours(&fabric, "n1").len(), routes);
    assert_eq!(of("c1").with_result("CHECK", &block, &first), Ok(()));

    // An address that is in none of the networks is not kept.
    let wrong = of("c4").call("ADD", &network(json!(["192.0.2.1/24"])), "");
    assert!(!wrong.status.success(), "{wrong:?}");
    assert!(
        answer(&wrong).to_string().contains("192.0.2.1") || answer(&wrong)["code"] == 7,
        "{wrong:?}"
    );

    let mut listed = block.clone();
    listed["cni.dev/valid-attachments"] = json!([{ "containerID": "c1", "ifname": "eth0" }]);
    let done = of("c1").call("GC", &listed, "");
    assert!(done.status.success(), "{done:?}");
    assert_eq!(of("c1").with_result("CHECK", &block, &first), Ok(()));
    assert!(of("c2").with_result("CHECK", &block, &second).is_err());
    assert_eq!(of("c1").with_result("DEL", &block, &first), Ok(()));
    eventually("only the node's own address is in use", || {
        let status = view::status(&fabric, "n1")?;
        let used: u64 = status.blocks.iter().map(|b| b.used).sum();
        check(used == 1, || format!("{used} addresses"))
    });
}
