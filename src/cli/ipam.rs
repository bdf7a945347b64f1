//! `roadbed ipam show`, `check [--fix]` and `release`: blocks, addresses, and what is wrong with them.

use std::fmt::Write;
use std::net::IpAddr;
use std::str::FromStr;

use anyhow::bail;
use config::api::ipam::{
    IpamBlock, IpamCheck, IpamCheckRequest, IpamLoan, IpamNode, IpamPool, IpamRelease, IpamReleased, IpamShow,
};
use ipnet::IpNet;

use super::ask::Ask;
use super::output::{self, dash, table};

/// Width of a bar, in characters.
const BAR: u64 = 20;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// How full pools, blocks and nodes are.
    Show(Show),
    /// Leaks, double use, blocks of dead nodes; ledger against datastore against kernel.
    Check(Check),
    /// Give an address or a block back by hand.
    Release(Release),
}

#[derive(Debug, clap::Args)]
pub struct Show {
    #[command(flatten)]
    ask: Ask,
}

#[derive(Debug, clap::Args)]
pub struct Check {
    #[command(flatten)]
    ask: Ask,
    /// Repair what is safe to repair, each under a transaction of its own.
    #[arg(long)]
    fix: bool,
}

#[derive(Debug, clap::Args)]
pub struct Release {
    #[command(flatten)]
    ask: Ask,
    /// An address in this node's ledger, or a block of this node or of a node that is no more.
    target: Target,
    /// Also an address that a pod's interface still has.
    #[arg(long)]
    force: bool,
}

/// What is released.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// One address.
    Address(IpAddr),
    /// A block.
    Block(IpNet),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Target::Address(address));
        }
        let net = text.parse().map(|net: IpNet| Target::Block(net.trunc()));
        net.map_err(|_| "neither an address nor a block; write 10.244.1.7 or 10.244.1.0/26".into())
    }
}

pub fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Show(args) => output::print(
            args.ask.output,
            &args.ask.client().get::<IpamShow>("/v1/ipam")?,
            shown,
        ),
        Command::Check(args) => {
            let request = IpamCheckRequest { fix: args.fix };
            let found: IpamCheck = args.ask.client().post("/v1/ipam/check", &request)?;
            output::print(args.ask.output, &found, checked)?;
            if found.findings.iter().any(|f| f.severity == "error" && !f.fixed) {
                bail!("something is wrong with blocks or addresses, see above");
            }
            Ok(())
        }
        Command::Release(args) => {
            let mut request = IpamRelease {
                force: args.force,
                ..IpamRelease::default()
            };
            match args.target {
                Target::Address(address) => request.address = Some(address),
                Target::Block(block) => request.block = Some(block),
            }
            let released: IpamReleased = args.ask.client().post("/v1/ipam/release", &request)?;
            output::print(args.ask.output, &released, |r| r.message.clone())
        }
    }
}

/// `[########------------]  40%`, with the numbers behind it.
fn bar(used: Option<u64>, size: u64) -> String {
    let Some(used) = used else {
        return format!("[{}]  of {size}", "?".repeat(usize::try_from(BAR).unwrap_or(0)));
    };
    // In 128 bits: both numbers may be as large as 64 bits hold.
    let share = |whole: u64| {
        u64::try_from(u128::from(used) * u128::from(whole) / u128::from(size.max(1))).unwrap_or(whole)
    };
    // What is used at all shows.
    let full = share(BAR).clamp(u64::from(used > 0), BAR);
    let empty = BAR - full;
    let draw = |n: u64, c: &str| c.repeat(usize::try_from(n).unwrap_or(0));
    format!(
        "[{}{}] {:>3}%  {used} of {size}",
        draw(full, "#"),
        draw(empty, "-"),
        share(100)
    )
}

fn shown(show: &IpamShow) -> String {
    let pool = |p: &IpamPool| {
        let mut notes = Vec::new();
        if p.disabled {
            notes.push("disabled".to_owned());
        }
        if p.assignment != "automatic" {
            notes.push(p.assignment.clone());
        }
        if p.reserved > 0 {
            notes.push(format!("{} reserved", p.reserved));
        }
        vec![
            p.name.clone(),
            p.cidr.to_string(),
            format!(
                "/{}: {} of {} owned",
                p.block_size, p.blocks_owned, p.blocks_total
            ),
            bar(p.used, p.size),
            notes.join(", "),
        ]
    };
    let node = |n: &IpamNode| {
        let life = match (n.known, n.alive) {
            (false, _) => "no Node resource",
            (true, Some(false)) => "agent away",
            (true, _) => "",
        };
        vec![
            n.node.clone(),
            n.blocks.to_string(),
            bar(n.used, n.size),
            life.to_owned(),
        ]
    };
    let mut out = table(
        &["pool", "range", "blocks", "addresses", ""],
        show.pools.iter().map(pool),
    );
    out += "\n\n";
    out += &table(&["node", "blocks", "addresses", ""], show.nodes.iter().map(node));
    out += "\n\n";
    out += &table(
        &["block", "owner", "pool", "addresses", "", "aggregate"],
        show.blocks.iter().map(block),
    );
    out += "\n\n";
    out += &local(show);
    for missing in &show.missing {
        // Writing to a String cannot fail.
        let _ = write!(out, "\nnot looked at: {missing}");
    }
    out
}

fn block(b: &IpamBlock) -> Vec<String> {
    let aggregate = match (&b.aggregate, &b.aggregate_of) {
        (Some(range), Some(value)) => format!("{range} of {value}"),
        (Some(range), None) => range.to_string(),
        (None, _) => String::new(),
    };
    let state = match (b.origin.as_str(), b.state.as_str()) {
        ("claimed", "open") => String::new(),
        (origin, "open") => origin.to_owned(),
        (_, state) => state.to_owned(),
    };
    vec![
        b.cidr.to_string(),
        b.owner.clone(),
        dash(&b.pool),
        bar(b.used, b.size),
        state,
        aggregate,
    ]
}

fn local(show: &IpamShow) -> String {
    let l = &show.local;
    let own: Vec<String> = l.addresses.iter().map(ToString::to_string).collect();
    let mut out = format!(
        "this node ({}): {} leases, {} addresses rest, own address {}\n",
        l.node,
        l.leases,
        l.cooling,
        if own.is_empty() {
            "-".into()
        } else {
            own.join(", ")
        },
    );
    let mut loans = |what: &str, loans: &[IpamLoan]| {
        for loan in loans {
            let with = loan.node.as_ref().map_or_else(String::new, |n| format!(" {n}"));
            let for_whom = loan
                .workload
                .as_ref()
                .map_or_else(String::new, |w| format!(" for {w}"));
            let _ = writeln!(out, "  {} {what}{with}{for_whom}", loan.address);
        }
    };
    loans("lent to", &l.lent);
    loans("borrowed from", &l.borrowed);
    loans("kept", &l.kept);
    for waiting in &l.waiting {
        let _ = writeln!(out, "  waits: {waiting}");
    }
    if l.mirror_behind > 0 {
        let _ = writeln!(out, "  {} changes are not in the datastore yet", l.mirror_behind);
    }
    out
}

fn checked(check: &IpamCheck) -> String {
    let mut out = String::new();
    for f in &check.findings {
        let fix = match (&f.fix, f.fixed) {
            (Some(fix), true) => format!("; repaired: {fix}"),
            (Some(fix), false) => format!("; --fix would {fix}"),
            (None, _) => String::new(),
        };
        let _ = writeln!(
            out,
            "{} {} ({}): {}{fix}",
            f.severity, f.subject, f.kind, f.message
        );
    }
    for missing in &check.missing {
        let _ = writeln!(out, "not looked at: {missing}");
    }
    if check.findings.is_empty() {
        let all = if check.complete {
            "nothing is wrong"
        } else {
            "nothing is wrong with what could be looked at"
        };
        out.push_str(all);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_bar_shows_how_full_it_is() {
        assert_eq!(bar(Some(0), 64), "[--------------------]   0%  0 of 64");
        assert_eq!(bar(Some(32), 64), "[##########----------]  50%  32 of 64");
        assert_eq!(bar(Some(64), 64), "[####################] 100%  64 of 64");
        assert_eq!(bar(Some(1), 65536), "[#-------------------]   0%  1 of 65536");
        assert_eq!(
            bar(Some(u64::MAX), u64::MAX),
            format!("[{}] 100%  {} of {}", "#".repeat(20), u64::MAX, u64::MAX)
        );
        assert_eq!(bar(None, 64), "[????????????????????]  of 64");
        assert_eq!(bar(Some(0), 0), "[--------------------]   0%  0 of 0");
    }
}
