//! How our routes stand in the kernel: metric, table, form and number are what the settings say, changed live where they
//! are resources.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Fabric, check, eventually, kernel, pair, stays, view};

const OWN: &str = "10.244.1.0/24";
const OTHER: &str = "10.244.2.0/24";

/// Nodes on one wire with these lines in their agents' own file.
fn fabric(scenario: &str, nodes: u8, settings: &str) -> Fabric {
    let fabric = pair::wire(scenario, nodes).agent_settings(settings).up();
    eventually("the sessions of the nodes", || {
        view::converged(&fabric, "n1", usize::from(nodes) - 1)
    });
    fabric
}

/// Routes of ours in a table, as `destination metric`, sorted.
fn in_table(fabric: &Fabric, table: &str) -> Vec<String> {
    let words = ["ip", "-j", "route", "show", "table", table, "proto", "82"];
    let routes = kernel::json(fabric, "n1", &words);
    let text = |route: &Value| format!("{} {}", kernel::text(route, "dst"), kernel::text(route, "metric"));
    let mut routes: Vec<String> = routes.iter().map(text).collect();
    routes.sort();
    routes
}

#[test]
fn the_agents_file_says_metric_and_table() {
    let fabric = fabric("place", 2, "routeMetric: 500\nrouteTable: 1000\n");
    eventually("the routes in their table", || {
        let found = in_table(&fabric, "1000");
        check(found == [format!("{OWN} 1082"), format!("{OTHER} 500")], || {
            format!("{found:?}")
        })
    });
    assert_eq!(in_table(&fabric, "main"), Vec::<String>::new());
    let route = view::route(&fabric, "n1", OTHER).expect("the agent has it");
    assert!(route.installed, "{route:?}");
}

#[test]
fn the_resources_say_the_metric_and_a_change_leaves_no_twin() {
    let fabric = fabric("metric", 2, "");
    let with = |metric: u32| {
        let wanted = format!("asNumber: 64512, ipv4NormalRoutePriority: {metric}");
        let text = pair::resources(2, "CrossSubnet").replace("asNumber: 64512", &wanted);
        std::fs::write(fabric.resources_file("n1"), text).expect("the file is written");
        eventually("the route with its metric", || {
            let found = in_table(&fabric, "main");
            check(
                found == [format!("{OWN} 1082"), format!("{OTHER} {metric}")],
                || format!("{found:?}"),
            )
        });
    };
    with(777);
    with(778);
    with(1082);
}

#[test]
fn never_more_routes_than_the_limit() {
    let fabric = fabric("limit", 5, "maxRoutes: 3\n");
    let status = || view::status(&fabric, "n1");
    eventually("what is held back is said", || {
        let status = status()?;
        check(status.routes.held_back == 2, || format!("{:?}", status.routes))
    });
    stays(Duration::from_secs(1), "three routes", || {
        let found = in_table(&fabric, "main");
        check(found.len() == 3, || format!("{found:?}"))
    });
    let status = status().expect("the agent answers");
    let condition = status.conditions.iter().find(|c| c.name == "RoutesWithinLimit");
    let condition = condition.expect("there is a condition for it");
    assert!(!condition.met && !condition.required, "{condition:?}");
    assert!(status.ready, "what is in works: {:?}", status.problems);
}

#[test]
fn routes_of_a_node_share_a_nexthop_object_where_they_are_wanted() {
    for (settings, form) in [
        ("nexthopObjects: on\n", "objects"),
        ("nexthopObjects: off\n", "plain"),
    ] {
        let fabric = pair::wire("form", 2)
            .agent_settings(settings)
            .resources(
                &pair::resources(2, "CrossSubnet")
                    .replace("[10.244.2.0/24]", "[10.244.2.0/24, 10.244.3.0/24]"),
            )
            .up();
        let object = |destination: &str| -> Result<Option<u64>, String> {
            let route = kernel::route(&fabric, "n1", destination)?;
            Ok(route.get("nhid").and_then(Value::as_u64))
        };
        eventually("both routes of the other node", || {
            object(OTHER)?;
            object("10.244.3.0/24").map(drop)
        });
        let objects = [OTHER, "10.244.3.0/24"].map(|destination| object(destination).expect("it is there"));
        let status = view::status(&fabric, "n1").expect("the agent answers");
        assert_eq!(status.routes.nexthop_form, form);
        let listed = fabric.run("n1", "ip nexthop show proto 82");
        match form {
            "objects" => {
                assert!(objects[0].is_some() && objects[0] == objects[1], "{objects:?}");
                assert_eq!(listed.lines().count(), status.routes.nexthop_objects, "{listed}");
            }
            _ => {
                assert_eq!(objects, [None, None]);
                assert_eq!(listed, "");
            }
        }
    }
}
