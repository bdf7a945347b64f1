//! Many prefixes leave a dead next hop: by the bare netlink program, by the agent and by BIRD. The routers have the same table from
//! two neighbours, the better one's link loses its carrier. Sixteen destinations all over the table are asked for in a loop: the
//! first that leads to the other neighbour is when the router acted, the last is when all prefixes were moved.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::Case;
use crate::Args;
use crate::outcome::Spread;
use crate::place::{Place, Plan, wait};
use crate::raw::moves::{self, Family, Way, samples};
use crate::raw::socket::Netlink;
use crate::report::{Table, ms};

/// How long a router may take to move.
const LONGEST: Duration = Duration::from_secs(60);

/// The cases.
pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "moves-raw",
            title: "Many prefixes moved by a bare netlink program",
            run: bare,
        },
        Case {
            name: "moves-routers",
            title: "Many prefixes off a next hop whose link lost its carrier",
            run: routers,
        },
    ]
}

fn cell(values: Vec<Duration>) -> String {
    Spread::of(values).map_or(String::new(), |s| format!("{} / {}", ms(s.median), ms(s.worst)))
}

/// Both compatibility modes, both families, all three forms.
fn bare(args: &Args) -> anyhow::Result<Vec<Table>> {
    let hosts = Plan::new(&args.agent)
        .host("n", &addresses())
        .host("r1", &[])
        .host("r2", &[]);
    let place = neighbours(hosts).up("bare", false)?;
    let mut text = format!(
        "{} prefixes, from the first write to the last acknowledgement (ms, median / worst).\n\n\
                    | family | nexthop_compat_mode | every route rewritten | the one object replaced | a member out of the one group |\n\
                    |---|---|---|---|---|\n",
        args.prefixes
    );
    for family in [Family::V4, Family::V6] {
        for compat in [1, 0] {
            place.run("n", &format!("sysctl -qw net.ipv4.nexthop_compat_mode={compat}"))?;
            let mut all = Vec::new();
            for _ in 0..args.runs() {
                let ways = ways(&place, family)?;
                all.push(place.in_namespace("n", || moves::run(family, args.prefixes, ways))??);
            }
            text += &format!(
                "| {} | {compat} | {} | {} | {} |\n",
                family.name(),
                cell(all.iter().map(|m| m.rewritten).collect()),
                cell(all.iter().map(|m| m.replaced).collect()),
                cell(all.iter().map(|m| m.dropped).collect()),
            );
        }
    }
    Ok(vec![Table::Text(text)])
}

/// The router `n` with a neighbour on each of its interfaces, who announces everything where it is told to.
fn neighbours(plan: Plan) -> Plan {
    plan.link("n:eth1", "r1:eth1").link("n:eth2", "r2:eth1")
}

fn addresses() -> Vec<String> {
    (1..=2)
        .flat_map(|r| {
            [
                format!("ip addr add 198.18.{r}.2/24 dev eth{r}"),
                format!("ip -6 addr add 2001:db8:{r}::2/64 dev eth{r} nodad"),
            ]
        })
        .collect()
}

fn ways(place: &Place, family: Family) -> anyhow::Result<[Way; 2]> {
    let mut ways = Vec::new();
    for (r, interface) in (1..).zip(interfaces(place)?) {
        let gateway: IpAddr = match family {
            Family::V4 => format!("198.18.{r}.1"),
            Family::V6 => format!("2001:db8:{r}::1"),
        }
        .parse()?;
        ways.push(Way { gateway, interface });
    }
    ways.try_into().map_err(|_| anyhow::anyhow!("two ways"))
}

fn interfaces(place: &Place) -> anyhow::Result<[u32; 2]> {
    let index = |name: &str| -> anyhow::Result<u32> {
        let text = place.run("n", &format!("cat /sys/class/net/{name}/ifindex"));
        text?.trim().parse().context("an interface's index")
    };
    Ok([index("eth1")?, index("eth2")?])
}

/// Who is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Router {
    Agent,
    Bird,
}

fn routers(args: &Args) -> anyhow::Result<Vec<Table>> {
    let mut text = format!(
        "From the loss of carrier (ms, median / worst); {} routes from BGP, the second best path over the other link.\n\n\
         | router | family | nexthop_compat_mode | first prefix moved | last prefix moved | between them |\n\
         |---|---|---|---|---|---|\n",
        args.prefixes
    );
    for (router, name) in [(Router::Agent, "roadbed"), (Router::Bird, "BIRD")] {
        for family in [Family::V4, Family::V6] {
            // BIRD has no nexthop objects, so the mode means nothing to it.
            let modes: &[u8] = if router == Router::Agent { &[1, 0] } else { &[1] };
            for compat in modes {
                let place = routed(args, router, family)?;
                place.run("n", &format!("sysctl -qw net.ipv4.nexthop_compat_mode={compat}"))?;
                let all = measured(args, &place, family)?;
                text += &format!(
                    "| {name} | {} | {compat} | {} | {} | {} |\n",
                    family.name(),
                    cell(all.iter().map(|(first, _)| *first).collect()),
                    cell(all.iter().map(|(_, last)| *last).collect()),
                    cell(all.iter().map(|(first, last)| *last - *first).collect()),
                );
            }
        }
    }
    Ok(vec![Table::Text(text)])
}

fn measured(args: &Args, place: &Place, family: Family) -> anyhow::Result<Vec<(Duration, Duration)>> {
    let prefixes = args.prefixes;
    let [better, other] = interfaces(place)?;
    let mut all = Vec::new();
    for _ in 0..args.runs() {
        all_lead(place, family, args.prefixes, better)?;
        let began = Instant::now();
        let watch = || -> anyhow::Result<(Duration, Duration)> {
            let mut netlink = Netlink::open()?;
            // On the same thread: what is before the command cannot be seen after it.
            let mut left = samples(family, prefixes);
            let mut first = None;
            while !left.is_empty() {
                anyhow::ensure!(
                    began.elapsed() < LONGEST,
                    "{} of the samples do not move",
                    left.len()
                );
                let mut still = Vec::new();
                for to in left {
                    if netlink.leads(to)? == Some(other) {
                        first.get_or_insert_with(|| began.elapsed());
                    } else {
                        still.push(to);
                    }
                }
                left = still;
            }
            let last = began.elapsed();
            Ok((first.unwrap_or(last), last))
        };
        let took = std::thread::scope(|scope| -> anyhow::Result<_> {
            let watching = scope.spawn(|| place.in_namespace("n", watch));
            let cut = place.set_link("r1", "eth1", false);
            let took = watching
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))??;
            cut?;
            Ok(took)
        })?;
        all.push(took);
        place.set_link("r1", "eth1", true)?;
    }
    Ok(all)
}

/// Waits until all samples lead over this interface and the table is complete.
fn all_lead(place: &Place, family: Family, prefixes: u32, interface: u32) -> anyhow::Result<()> {
    wait("the whole table leads over the better neighbour", || {
        let look = || -> std::io::Result<Vec<Option<u32>>> {
            let mut netlink = Netlink::open()?;
            samples(family, prefixes)
                .into_iter()
                .map(|to| netlink.leads(to))
                .collect()
        };
        let seen = place
            .in_namespace("n", look)
            .map_err(|e| e.to_string())?
            .map_err(|e| e.to_string())?;
        if seen.iter().all(|leads| *leads == Some(interface)) {
            Ok(())
        } else {
            Err(format!("{seen:?}"))
        }
    })?;
    // What is still under way, such as the other neighbour's table, is no part of what is measured.
    std::thread::sleep(Duration::from_secs(2));
    Ok(())
}

/// The router with both neighbours, and the whole table in its kernel.
fn routed(args: &Args, router: Router, family: Family) -> anyhow::Result<Place> {
    let mut plan = Plan::new(&args.agent);
    plan = match router {
        Router::Agent => plan.agent("n", &addresses()),
        Router::Bird => plan.program(
            "n",
            &bird(),
            "bird -f -c /etc/n.conf -s /run/bird.ctl",
            &addresses(),
        ),
    };
    for r in 1..=2 {
        let name = format!("r{r}");
        let exec = [
            format!("ip addr add 198.18.{r}.1/24 dev eth1"),
            format!("ip -6 addr add 2001:db8:{r}::1/64 dev eth1 nodad"),
        ];
        let command = format!("bird -f -c /etc/{name}.conf -s /run/bird.ctl");
        plan = plan.program(&name, &announcer(r, family, args.prefixes), &command, &exec);
    }
    let place = neighbours(plan).resources(&resources()).up("moves", false)?;
    all_lead(&place, family, args.prefixes, interfaces(&place)?[0])?;
    Ok(place)
}

fn resources() -> String {
    let mut text = "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: { name: default }\n\
         spec: { asNumber: 64512, nodeToNodeMeshEnabled: false }\n---\n\
         apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: { name: pods }\nspec: { cidr: 10.244.0.0/16 }\n---\n\
         apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: { name: n }\n\
         spec: { bgp: { ipv4Address: 198.18.1.2/24, ipv6Address: '2001:db8:1::2/64' }, podCIDRs: [10.244.1.0/24] }\n"
        .to_owned();
    for r in 1..=2 {
        text += &format!(
            "---\napiVersion: roadbed.dev/v1\nkind: BGPPeer\nmetadata: {{ name: r{r} }}\n\
             spec: {{ peerIP: 198.18.{r}.1, asNumber: 6500{r}, sourceAddress: None }}\n"
        );
    }
    text
}

/// BIRD in the agent's place.
fn bird() -> String {
    let mut text = "router id 198.18.1.2;\nprotocol device { scan time 1; }\nprotocol direct { ipv4; ipv6; interface \"eth*\"; }\n\
         protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }\n\
         protocol kernel { ipv6 { import none; export where source = RTS_BGP; }; }\n"
        .to_owned();
    for r in 1..=2 {
        text += &format!(
            "protocol bgp r{r} {{ local 198.18.{r}.2 as 64512; neighbor 198.18.{r}.1 as 6500{r}; direct;\n \
             connect delay time 1; connect retry time 1; error wait time 1,2;\n \
             ipv4 {{ import all; export none; }}; ipv6 {{ import all; export none; extended next hop; }}; }}\n"
        );
    }
    text
}

/// A neighbour that announces everything; the second with a longer path.
fn announcer(r: u8, family: Family, prefixes: u32) -> String {
    let (name, mut more) = match family {
        Family::V4 => ("ipv4", String::new()),
        Family::V6 => ("ipv6", format!("bgp_next_hop = 2001:db8:{r}::1; ")),
    };
    if r == 2 {
        more += "bgp_path.prepend(65002); ";
    }
    let mut text = format!(
        "router id 198.18.{r}.1;\nprotocol device {{ }}\nprotocol direct {{ ipv4; ipv6; interface \"eth*\"; }}\n\
         protocol bgp n {{ local 198.18.{r}.1 as 6500{r}; neighbor 198.18.{r}.2 as 64512; direct;\n \
         connect delay time 1; connect retry time 1; error wait time 1,2;\n \
         {name} {{ import none; export filter {{ if source = RTS_STATIC then {{ {more}accept; }} reject; }}; }}; }}\n\
         protocol static {{ {name};\n"
    );
    for number in 0..prefixes {
        text += &format!(
            " route {}/{} blackhole;\n",
            family.prefix(number),
            family.length()
        );
    }
    text + "}\n"
}
