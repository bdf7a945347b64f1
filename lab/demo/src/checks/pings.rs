//! Pings between all pods, and what was on the wire meanwhile: plain packets inside a rack, VXLAN across.
//!
//! The wire is captured on the link between the racks and on the uplink of every node. A check of the wire
//! looks for the request and for the answer in the right form, and for neither in the wrong form.

use std::collections::BTreeMap;

use lab::capture::Capture;

use crate::context::Context;
use crate::facts::{NODES, Node, SWITCHES, TRUNK, UPLINK, pairs};

/// What the captures take in: the pods' pings, plain or inside VXLAN.
const FILTER: &str = "icmp or udp port 4789";

/// Captures by place; the trunk's has the name of its switch.
pub type Wires = BTreeMap<&'static str, Capture>;

pub fn pings(context: &mut Context<'_>) {
    context.step("pings between all pairs of pods, captured on every uplink and between the racks");
    let wires = match listen(context) {
        Ok(wires) => wires,
        Err(e) => return context.check("wire/capture", "tcpdump listens on every wire", |_| Err(e)),
    };
    for (from, to) in pairs() {
        let pair = format!("{}>{}", from.name, to.name);
        context.check(
            format!("ping/{pair}"),
            format!("{} reaches {}", from.pod, to.pod),
            |c| {
                let address = c.pod(to.pod)?;
                c.wait(c.patience / 2, || c.ping(from.pod, &address))
            },
        );
        let form = if from.switch == to.switch {
            "plain inside the rack"
        } else {
            "VXLAN between the racks"
        };
        context.check(format!("wire/{pair}"), form, |c| {
            on_the_wire(c, &wires, &from, &to)
        });
    }
}

fn listen(context: &Context<'_>) -> Result<Wires, String> {
    let places = NODES
        .iter()
        .map(|n| (n.name, UPLINK))
        .chain([(SWITCHES[0], TRUNK)]);
    let open = |(node, interface)| {
        let capture = Capture::start(context.lab, node, interface, FILTER).map_err(|e| e.to_string())?;
        Ok((node, capture))
    };
    places.map(open).collect()
}

fn on_the_wire(context: &Context<'_>, wires: &Wires, from: &Node, to: &Node) -> Result<String, String> {
    let (source, target) = (context.pod(from.pod)?, context.pod(to.pod)?);
    let same_rack = from.switch == to.switch;
    let place = if same_rack { to.name } else { SWITCHES[0] };
    let wire = wires.get(place).ok_or("nobody listens there")?;
    let ping = [
        ("request", &source, &target, Echo::Request),
        ("answer", &target, &source, Echo::Answer),
    ];
    for (what, a, b, echo) in ping {
        let right = if same_rack {
            plain(a, b, echo)
        } else {
            tunnelled(a, b, echo)?
        };
        wire.wait_for(&right, 1, context.patience / 5)
            .map_err(|_| format!("the {what} from {a} was not seen on the wire of {place} in this form"))?;
        let wrong = if same_rack {
            tunnelled(a, b, echo)?
        } else {
            plain(a, b, echo)
        };
        for capture in wires.values() {
            let seen = capture.count(&wrong).map_err(|e| e.to_string())?;
            if seen > 0 {
                return Err(format!(
                    "{seen} packets from {a} to {b} were seen in the other form"
                ));
            }
        }
    }
    if same_rack {
        return Ok(format!("ICMP {source} - {target} on the uplinks, no VXLAN"));
    }
    Ok(format!(
        "UDP 4789 {} - {}, around {source} - {target}",
        from.address, to.address
    ))
}

/// Which half of a ping (RFC 792).
#[derive(Debug, Clone, Copy)]
pub enum Echo {
    /// Type 8.
    Request,
    /// Type 0.
    Answer,
}

impl Echo {
    fn number(self) -> u8 {
        match self {
            Echo::Request => 8,
            Echo::Answer => 0,
        }
    }
}

/// Half a ping from one address to another as it is.
pub fn plain(from: &str, to: &str, echo: Echo) -> String {
    format!(
        "icmp[0] = {} and src host {from} and dst host {to}",
        echo.number()
    )
}

/// The same inside VXLAN over IPv4: behind UDP (8 bytes), VXLAN (8) and Ethernet (14), the inner IPv4 source is
/// at 12, the destination at 16 and what follows the header at 20 (RFC 7348 section 5, RFC 791 section 3.1).
pub fn tunnelled(from: &str, to: &str, echo: Echo) -> Result<String, String> {
    let number = |text: &str| {
        text.parse::<std::net::Ipv4Addr>()
            .map(u32::from)
            .map_err(|e| format!("{text}: {e}"))
    };
    let (from, to, echo) = (number(from)?, number(to)?, echo.number());
    Ok(format!(
        "udp dst port 4789 and udp[42:4] = {from:#x} and udp[46:4] = {to:#x} and udp[50] = {echo}"
    ))
}
