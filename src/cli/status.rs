//! `roadbed status`: one screen.

use std::fmt::Write;

use config::api::status::Status;

use super::ask::Ask;
use super::output::{self, span, table};

pub fn run(ask: &Ask) -> anyhow::Result<()> {
    output::print(ask.output, &ask.client().get::<Status>("/v1/status")?, screen)
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
    let r = &s.routes;
    let _ = writeln!(
        out,
        "routes     {} prefixes in the Loc-RIB; kernel has {} of {} wanted, {} refused, {} repaired",
        r.loc_rib, r.installed, r.wanted, r.failed, r.repaired
    );
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
