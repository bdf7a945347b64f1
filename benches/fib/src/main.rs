//! `make bench-fib`: routes from BGP into the kernel's FIB and out again, beside BIRD's kernel protocol, FRR's zebra, and a raw
//! netlink loop as the limit, all in one run on one machine.
//!
//! Each router stands in a network namespace of its own and has one eBGP session, to a feeder of this program in a second
//! namespace ([`feeder`], plain RFC 4271). What the kernel has is seen by a listener for route notifications ([`watch`]), whose
//! cost is the same for all, the raw loop included. The contenders take turns in every round, so that what the machine does
//! besides hits all of them; medians are printed, with the processor time of all processes of a router.
//!
//! Nothing here is a test: no figure makes it fail. `--quick` takes fewer samples.

mod alone;
mod bgp;
mod feeder;
mod figures;
mod markdown;
mod message;
mod moves;
mod place;
mod raw;
mod report;
mod rounds;
mod routers;
mod single;
mod watch;

use std::path::PathBuf;

use clap::Parser;

/// What is measured.
#[derive(Debug, Clone, Parser)]
struct Args {
    /// Fewer rounds and samples.
    #[arg(long)]
    quick: bool,
    /// IPv6 as well.
    #[arg(long)]
    ipv6: bool,
    /// Rounds of the bulk measurements.
    #[arg(long)]
    rounds: Option<usize>,
    /// Routers to measure; roadbed-plain is the agent without nexthop objects.
    #[arg(long, value_delimiter = ',', default_value = "roadbed,roadbed-plain,bird,frr")]
    routers: Vec<String>,
    /// A line for the agent's file, as `nexthopCompat: off`; may be given more than once.
    #[arg(long, value_name = "LINE")]
    agent: Vec<String>,
    /// Only moves of very many routes from one next hop to another, so many rounds.
    #[arg(long, value_name = "ROUNDS")]
    moves: Option<usize>,
    /// Only route synchronisation alone, so many rounds: for a profiler.
    #[arg(long, value_name = "ROUNDS")]
    alone: Option<usize>,
    /// Only single prefixes on a small table, so many: for a profiler.
    #[arg(long, value_name = "PREFIXES")]
    single: Option<usize>,
    /// The agent; by default the one beside this program.
    #[arg(long)]
    roadbed: Option<PathBuf>,
    /// Writes the figures into this file, between the marks of this benchmark.
    #[arg(long)]
    markdown: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    place::MARK.sweep_when_told_to_end()?;
    place::MARK.sweep()?;
    let figures = match (args.alone, args.moves, args.single) {
        (Some(rounds), _, _) => rounds::alone_only(rounds)?,
        (None, Some(rounds), _) => rounds::moves_only(rounds)?,
        (None, None, Some(prefixes)) => rounds::single_only(&args, prefixes)?,
        (None, None, None) => rounds::run(&args)?,
    };
    report::print(&figures);
    if let Some(path) = &args.markdown {
        markdown::write(path, &figures)?;
    }
    Ok(())
}
