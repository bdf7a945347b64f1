//! `roadbed plan FILE...`: what the running agent would change if these resources were applied.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::bail;
use config::Problem;
use config::api::plan::{PlanAnswer, PlanRequest, PlannedChange};

use super::ask::Ask;
use super::{output, validate};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    ask: Ask,
    /// Files or folders with resources; `-` reads standard input. They are laid over those that are there.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Take them as all there is, instead.
    #[arg(long)]
    replace: bool,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut sources = Vec::new();
    for file in &args.files {
        match validate::read(file) {
            Ok(found) => sources.extend(found.into_iter().map(Into::into)),
            Err(problem) => bail!("{problem}"),
        }
    }
    let request = PlanRequest {
        sources,
        replace: args.replace,
    };
    let answer: PlanAnswer = args.ask.client().post("/v1/plan", &request)?;
    output::print(args.ask.output, &answer, text)?;
    if answer.problems.iter().any(Problem::is_error) {
        bail!("the resources are refused; nothing would change");
    }
    Ok(())
}

fn text(answer: &PlanAnswer) -> String {
    let mut out = String::new();
    for problem in &answer.problems {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{problem}");
    }
    if answer.problems.iter().any(Problem::is_error) {
        return out;
    }
    if answer.is_empty() {
        let _ = writeln!(out, "nothing would change on this node");
    }
    let mut part = |title: &str, lines: Vec<(PlannedChange, String, &str)>| {
        if lines.is_empty() {
            return;
        }
        let _ = writeln!(out, "{title}:");
        for (change, subject, detail) in lines {
            let sign = match change {
                PlannedChange::Add => '+',
                PlannedChange::Change => '~',
                PlannedChange::Remove => '-',
            };
            let _ = writeln!(out, "  {sign} {subject}  {detail}");
        }
    };
    let a = answer;
    part(
        "peers",
        a.peers
            .iter()
            .map(|p| (p.change, p.peer.clone(), p.detail.as_str()))
            .collect(),
    );
    part(
        "announced",
        a.blocks
            .iter()
            .map(|p| (p.change, p.cidr.to_string(), p.detail.as_str()))
            .collect(),
    );
    part(
        "encapsulation",
        a.encapsulation
            .iter()
            .map(|p| (p.change, p.path.clone(), p.detail.as_str()))
            .collect(),
    );
    part(
        "devices",
        a.devices
            .iter()
            .map(|p| (p.change, p.name.clone(), p.detail.as_str()))
            .collect(),
    );
    part(
        "routes",
        a.routes
            .iter()
            .map(|p| (p.change, p.prefix.to_string(), p.detail.as_str()))
            .collect(),
    );
    out
}
