//! `roadbed status`: one screen.

use std::fmt::Write;

use config::api::status::{RouteCounts, Status};

use super::ask::Ask;
use super::output::{self, span, table};

pub fn run(ask: &Ask) -> anyhow::Result<()> {
    output::print(ask.output, &ask.client().get::<Status>("/v1/status")?, screen)
}

/// The form in which next hops are in the kernel, and what is not there.
fn next_hops(r: &RouteCounts) -> String {
    let mut text = match r.nexthop_form.as_str() {
        "objects" => format!("{} nexthop objects", r.nexthop_objects),
        "plain" => "in each route (nexthopObjects: off)".to_owned(),
        "unsupported" => "in each route (the kernel has no nexthop objects)".to_owned(),
        _ => "not known yet".to_owned(),
    };
    if r.nexthops_failed > 0 {
        let _ = write!(text, ", {} not as wanted", r.nexthops_failed);
    }
    if r.held_back > 0 {
        let _ = write!(text, "; {} routes held back by maxRoutes", r.held_back);
    }
    text
}

fn screen(s: &Status) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail, so the results below carry nothing.
    let ready = if s.ready { "ready" } else { "not ready" };
    let _ = writeln!(
        out,
        "{} ({ready})  roadbed {}, up {}, AS {}, router id {}",
        s.node,
        s.version,
        span(s.uptime_seconds),
        s.asn,
        s.router_id
    );
    let d = &s.datastore;
    let applied = d
        .applied_seconds
        .map_or("never applied".into(), |n| format!("applied {} ago", span(n)));
    let _ = writeln!(
        out,
        "datastore  {} {}: {}, revision {}, {applied}",
        d.kind, d.location, d.state, d.revision
    );
    if let Some(away) = d.away_seconds {
        let from = if d.origin == "live" {
            "what it knows"
        } else {
            "the last good intent on disk"
        };
        let _ = writeln!(
            out,
            "           away for {}; the node works from {from}",
            span(away)
        );
    }
    let fed = if s.peers.fully_fed {
        "fully fed"
    } else {
        "waiting for the first full feed"
    };
    let _ = writeln!(
        out,
        "peers      {} of {} established, {fed}",
        s.peers.established, s.peers.configured
    );
    for peer in &s.peers.unfiltered {
        let _ = writeln!(out, "           {peer}: eBGP, no BGPFilter says what may pass");
    }
    let r = &s.routes;
    let _ = writeln!(
        out,
        "routes     {} prefixes in the Loc-RIB; kernel has {} of {} wanted, {} refused, {} repaired",
        r.loc_rib, r.installed, r.wanted, r.failed, r.repaired
    );
    let _ = writeln!(out, "next hops  {}", next_hops(r));
    for b in &s.blocks {
        let pool = b.pool.as_deref().unwrap_or("no pool");
        let _ = writeln!(
            out,
            "block      {} ({pool}): {} of {} addresses in use",
            b.cidr, b.used, b.size
        );
    }
    for t in &s.tunnels {
        let up = if t.up { "up" } else { "down" };
        let _ = writeln!(
            out,
            "tunnel     {} {up}, MTU {}, {} remotes",
            t.name, t.mtu, t.remotes
        );
    }
    for o in &s.offloads {
        let _ = writeln!(out, "offload    {}", o.detail);
    }
    if let Some(p) = &s.probes {
        let _ = writeln!(
            out,
            "probes     direct to {}, not to {}, of {} nothing is known yet; {} of {} answered",
            p.carries, p.silent, p.unknown, p.answered, p.sent
        );
    }
    if let Some(drain) = &s.drain {
        let _ = write!(out, "drained    {}", super::drain::text(drain));
    }
    for advice in &s.advice {
        let _ = writeln!(out, "advice     {advice}");
    }
    if !s.nodes.is_empty() {
        let rows = s.nodes.iter().map(|n| {
            vec![
                n.node.clone(),
                n.address.clone(),
                n.pool.clone(),
                n.encapsulation.clone(),
                n.reason.clone(),
            ]
        });
        let _ = write!(
            out,
            "\n{}\n",
            table(&["node", "address", "pool", "encap", "reason"], rows)
        );
    }
    if s.problems.is_empty() {
        let _ = write!(out, "\nnothing is wrong");
    } else {
        let _ = writeln!(out, "\nwhat is wrong:");
        for p in &s.problems {
            let _ = writeln!(
                out,
                "  {} ({}, for {}): {}",
                p.severity,
                p.part,
                span(p.since_seconds),
                p.message
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What an agent says that knows nothing of the newer fields.
    fn old() -> Value {
        json!({
            "node": "n1", "version": "0.1.0", "uptimeSeconds": 61, "asn": 64512, "routerId": "192.0.2.11", "ready": true,
            "problems": [],
            "datastore": {"kind": "file", "location": "/etc/r", "state": "ok", "revision": 1},
            "peers": {"configured": 1, "established": 1, "fullyFed": true},
            "routes": {"locRib": 2, "wanted": 3, "installed": 3, "failed": 0, "repaired": 0},
            "tunnels": [], "nodes": [], "blocks": [],
        })
    }

    fn lines(status: Value) -> Vec<String> {
        let status: Status = serde_json::from_value(status).unwrap();
        screen(&status).lines().map(str::to_owned).collect()
    }

    #[test]
    fn an_older_agent_is_shown_too() {
        let lines = lines(old());
        assert!(
            lines.contains(&"next hops  not known yet".to_owned()),
            "{lines:?}"
        );
        let newer = ["probes", "offload", "advice"];
        assert!(
            !lines
                .iter()
                .any(|line| newer.iter().any(|word| line.starts_with(word))),
            "{lines:?}"
        );
    }

    #[test]
    fn next_hops_probes_offloads_and_advice_have_their_lines() {
        let mut status = old();
        status["routes"] = json!({
            "locRib": 9, "wanted": 9, "installed": 5, "failed": 4, "repaired": 0, "heldBack": 4, "drifted": 0,
            "nexthopForm": "objects", "nexthopObjects": 6, "nexthopsFailed": 1,
        });
        status["probes"] = json!({"carries": 9, "silent": 1, "unknown": 0, "sent": 907, "answered": 812});
        status["offloads"] = json!([{"device": "rb-vxlan", "finding": "sound", "detail": "rb-vxlan: sound (3 of 3)", "ageSeconds": 4}]);
        status["advice"] = json!(["gc_thresh3 is 1024, should be 1280 at least"]);
        let lines = lines(status);
        for line in [
            "next hops  6 nexthop objects, 1 not as wanted; 4 routes held back by maxRoutes",
            "probes     direct to 9, not to 1, of 0 nothing is known yet; 812 of 907 answered",
            "offload    rb-vxlan: sound (3 of 3)",
            "advice     gc_thresh3 is 1024, should be 1280 at least",
        ] {
            assert!(lines.contains(&line.to_owned()), "{line}: {lines:?}");
        }
    }

    #[test]
    fn each_form_of_next_hops_has_its_words() {
        let text = |form: &str| {
            next_hops(&RouteCounts {
                nexthop_form: form.into(),
                ..RouteCounts::default()
            })
        };
        assert_eq!(text("plain"), "in each route (nexthopObjects: off)");
        assert_eq!(
            text("unsupported"),
            "in each route (the kernel has no nexthop objects)"
        );
        assert_eq!(text("objects"), "0 nexthop objects");
    }
}
