//! Two nodes with an uplink to each of two switches: a link is cut, a switch dies, a link flaps. Once with loss of carrier, which the
//! kernel tells at once (but up to a second late where another link of the machine has changed within the last second, in whatever
//! namespace), and once silently, where only the hold timer (3 s here, the shortest that BGP has) tells.
//!
//! The streams of a run are chosen so that both use the link that is cut. What goes `there` recovers as soon as the agent of `n1`
//! has moved; what comes `back` is moved by the switch (it withdraws from `n2`), unless the switch itself is dead.

use std::time::{Duration, Instant, SystemTime};

use super::Case;
use crate::Args;
use crate::fabrics::{self, Make};
use crate::meter::{Both, Done, measure};
use crate::outcome::{Goal, Known, Row, Run};
use crate::place::{Place, SOON, wait};
use crate::report::Table;

/// What the issue of a cut is held against.
const MORE: Duration = Duration::from_millis(50);

/// The uplink of the nodes that is cut, and the wires between it and the switch.
const UPLINK: &str = "eth1";
const LINK: &[&str] = &["w11"];
const SWITCH: &[&str] = &["w11", "w12"];

/// The cases.
pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "link-cut",
            title: "One of two uplinks is cut",
            run: |args| cuts(args, LINK, "link to one of two switches"),
        },
        Case {
            name: "node-death",
            title: "One of two next hop nodes dies",
            run: |args| cuts(args, SWITCH, "all links of one of two next hop nodes"),
        },
        Case {
            name: "flap",
            title: "A link loses its carrier and gets it back",
            run: flap,
        },
    ]
}

/// Waits until a port of a wire forwards.
fn forwards(place: &Place, wire: &str, port: &str) -> anyhow::Result<()> {
    wait("the port forwards", || {
        let text = place
            .run(wire, &format!("ip -d link show {port}"))
            .map_err(|e| e.to_string())?;
        let forwards = text.contains("state forwarding");
        if forwards { Ok(()) } else { Err(text) }
    })
}

/// How a wire is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// Both ends lose carrier.
    Carrier,
    /// The node's end loses carrier, the switch's does not: the session stands, as with a media converter between them.
    Near,
    /// Both ends keep carrier, and nothing arrives.
    Silent,
}

impl Cut {
    /// Cuts wires, or makes them whole; when each node was cut off, in the order of the wires.
    fn make(self, place: &Place, wires: &[&str], whole: bool) -> anyhow::Result<Vec<Instant>> {
        let mut times = Vec::new();
        for wire in wires {
            match (self, whole) {
                (Cut::Carrier, false) => {
                    place.set_link(wire, "eth1", false)?;
                    times.push(Instant::now());
                    place.set_link(wire, "eth2", false)?;
                }
                // A real cable has carrier at an end only when the other one is there to receive: here, when the bridge forwards.
                (Cut::Carrier, true) => {
                    place.set_link(wire, "eth2", true)?;
                    forwards(place, wire, "eth2")?;
                    times.push(Instant::now());
                    place.set_link(wire, "eth1", true)?;
                }
                (Cut::Near, _) => {
                    times.push(Instant::now());
                    place.set_link(wire, "eth1", whole)?;
                }
                (Cut::Silent, false) => drop(place.run(wire, "ip link set eth1 nomaster")?),
                (Cut::Silent, true) => drop(place.run(wire, "ip link set eth1 master lan")?),
            }
        }
        Ok(times)
    }
}

fn cuts(args: &Args, wires: &[&str], what: &str) -> anyhow::Result<Vec<Table>> {
    let mut place = fabrics::racks(args, 2, Make::Frr)?;
    let mut rows = Vec::new();
    for (cut, how) in [
        (Cut::Carrier, "carrier lost"),
        (Cut::Silent, "silent, hold time 3 s"),
    ] {
        let mut runs = Vec::new();
        for _ in 0..args.runs() {
            runs.push(once(&mut place, wires, cut)?);
        }
        rows.push(Row {
            what: format!("{what}: {how}"),
            goal: Goal::Within(MORE),
            runs,
        });
    }
    Ok(vec![Table::Rows(rows)])
}

fn once(place: &mut Place, wires: &[&str], cut: Cut) -> anyhow::Result<Run> {
    measure(
        place,
        ["p1", "p2"],
        |place, both| {
            both.onto(place, UPLINK)?;
            let (began, clock) = (Instant::now(), SystemTime::now());
            let times = cut.make(place, wires, false)?;
            moved(place)?;
            both.settle()?;
            let known = |number: usize| -> anyhow::Result<Known> {
                Ok(Known::After(match cut {
                    // The kernel tells it at once; but the commands that cut take their time, one after the other.
                    Cut::Carrier | Cut::Near => times.get(number).map_or(Duration::ZERO, |at| *at - began),
                    Cut::Silent => expiry(place, ["n1", "n2"][number], clock)?,
                }))
            };
            // Where n2 keeps its link, the switch has to tell it that n1 is gone.
            let back = if wires == LINK {
                Known::Elsewhere
            } else {
                known(1)?
            };
            Ok(Done {
                cut: began,
                known: [known(0)?, back],
            })
        },
        |place| {
            cut.make(place, wires, true)?;
            fabrics::spread(place, 2)
        },
    )
}

/// Waits until both nodes have left the uplink.
fn moved(place: &Place) -> anyhow::Result<()> {
    for (node, block) in ["n1", "n2"].into_iter().zip(fabrics::BLOCK.iter().rev()) {
        wait("the other way is taken", || {
            let text = place
                .run(node, &format!("ip route show {block}"))
                .map_err(|e| e.to_string())?;
            let left = text.contains("dev eth2") && (!text.contains("dev eth1") || text.contains("linkdown"));
            if left { Ok(()) } else { Err(text) }
        })?;
    }
    Ok(())
}

/// How long after `since` the agent of a node said that the hold timer had expired.
fn expiry(place: &Place, node: &str, since: SystemTime) -> anyhow::Result<Duration> {
    let since = since.duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64() % 86_400.0;
    wait("the agent's word about the hold timer", || {
        let log = place.log(node, "agent");
        let after = log
            .lines()
            .filter(|line| line.to_lowercase().contains("hold timer"))
            .filter_map(time_of_day)
            .map(|at| (at - since).rem_euclid(86_400.0))
            // What is nearly a day after was before.
            .filter(|after| *after < 43_200.0)
            .reduce(f64::min);
        after
            .map(Duration::from_secs_f64)
            .ok_or_else(|| "it has not said it".to_owned())
    })
}

/// Seconds since midnight of a line of the log, which begins with its time: `2026-01-02T03:04:05.678901Z`.
fn time_of_day(line: &str) -> Option<f64> {
    let (_, rest) = line.split_once('T')?;
    let (time, _) = rest.split_once('Z')?;
    let mut parts = time.splitn(3, ':').map(|part| part.parse::<f64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    Some(hours * 3600.0 + minutes * 60.0 + seconds)
}

/// How long the link is away: other than the second after which the kernel asks for a neighbour again.
const AWAY: Duration = Duration::from_millis(1400);

/// Carrier goes for a while and comes back: with a second uplink, and with none. In the latter the time counts from when the link
/// is whole again.
fn flap(args: &Args) -> anyhow::Result<Vec<Table>> {
    let mut rows = Vec::new();
    for (switches, cut, what) in [
        (
            2,
            Cut::Carrier,
            "one of two uplinks, away for 1.4 s: from the cut",
        ),
        (
            1,
            Cut::Near,
            "the only uplink, away for 1.4 s at the node's end, the session stands: from the return",
        ),
        (
            1,
            Cut::Carrier,
            "the only uplink, away for 1.4 s at both ends, the switch ends its session: from the return",
        ),
    ] {
        let mut place = fabrics::racks(args, switches, Make::Frr)?;
        let mut runs = Vec::new();
        for _ in 0..args.runs() {
            runs.push(measure(
                &mut place,
                ["p1", "p2"],
                |place, both| {
                    if switches > 1 {
                        both.onto(place, UPLINK)?;
                    }
                    let began = Instant::now();
                    let times = cut.make(place, LINK, false)?;
                    both.last(AWAY)?;
                    let back = cut.make(place, LINK, true)?;
                    both.settle()?;
                    fabrics::spread(place, switches)?;
                    let told = times.first().map_or(Duration::ZERO, |at| *at - began);
                    Ok(if switches > 1 {
                        // What comes back is moved by the switch, and moved again when the link is whole.
                        let known = [Known::After(told), Known::Elsewhere];
                        Done { cut: began, known }
                    } else {
                        // What comes back waits for the switch, which has to find the node again.
                        let known = [Known::Nothing, Known::Elsewhere];
                        let cut = back.first().copied().unwrap_or(began);
                        Done { cut, known }
                    })
                },
                |_| Ok(()),
            )?);
        }
        rows.push(Row {
            what: what.to_owned(),
            // Where the switch ends its session, its time to come back is not ours.
            goal: match (switches, cut) {
                (1, Cut::Carrier) => Goal::None,
                _ => Goal::Within(MORE),
            },
            runs,
        });
    }
    Ok(vec![Table::Rows(rows)])
}

impl Both {
    /// Chooses other streams until both go over this interface of `n1`.
    fn onto(&mut self, place: &Place, interface: &str) -> anyhow::Result<()> {
        for _ in 0..64 {
            let before = packets(place, interface)?;
            self.settle()?;
            let after = packets(place, interface)?;
            let busy = |i: usize| after[i] - before[i] > 200;
            match (busy(0), busy(1)) {
                (true, true) => return Ok(()),
                (there, back) => self.again(place, !there, !back)?,
            }
        }
        anyhow::bail!(
            "no stream goes over {interface}: the ways are not used side by side (waited {} s)",
            SOON.as_secs()
        )
    }
}

/// Packets that an interface of `n1` has sent, and received.
fn packets(place: &Place, interface: &str) -> anyhow::Result<[u64; 2]> {
    let text = place.in_namespace("n1", || std::fs::read_to_string("/proc/thread-self/net/dev"))??;
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix(interface)?.strip_prefix(':'));
    let fields: Vec<u64> = line
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    match fields[..] {
        [_, received, _, _, _, _, _, _, _, sent, ..] => Ok([sent, received]),
        _ => anyhow::bail!("n1 has no interface {interface}"),
    }
}

#[cfg(test)]
mod tests {
    use super::time_of_day;

    #[test]
    fn the_time_of_a_line() {
        assert_eq!(time_of_day("2026-01-02T01:02:03.500000Z  INFO x"), Some(3723.5));
        assert_eq!(time_of_day("no time"), None);
    }
}
