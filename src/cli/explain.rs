//! `roadbed explain ADDRESS|PREFIX|NODE`.

use std::fmt::Write;

use anyhow::bail;
use config::api::explain::Explanation;

use super::ask::Ask;
use super::output;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    ask: Ask,
    /// An address, a prefix, or the name of a node.
    target: String,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let (client, format) = (args.ask.client(), args.ask.output);
    let target = &args.target;
    let parses = target.parse::<std::net::IpAddr>().is_ok()
        || target.parse::<ipnet::IpNet>().is_ok()
        || target.parse::<config::vocabulary::NodeName>().is_ok();
    if !parses {
        bail!(
            "`{target}` is neither an address, nor a prefix, nor the name of a node; write 10.244.1.7 or 10.244.1.0/24"
        );
    }
    let answer: Explanation = client.get(&format!("/v1/explain?target={target}"))?;
    output::print(format, &answer, text)
}

fn text(answer: &Explanation) -> String {
    let mut out = format!("{} ({}): {}\n", answer.target, answer.what, answer.verdict);
    for step in &answer.steps {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {:<14} {}", step.stage, step.result);
        for check in &step.checks {
            let _ = writeln!(out, "  {:<14}   - {check}", "");
        }
    }
    out
}
