//! `roadbed apply FILE...`: resources into the datastore, all that are asked for or none.

use std::path::PathBuf;

use anyhow::bail;
use store::change::{Changed, Done, Request, Target, carry_out};

use super::output::{self, Format};
use super::settings::{Settings, block_on};
use super::validate;

/// So many warnings are printed: what is more hides what became of the resources.
const SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Files or folders with resources; `-` reads standard input.
    #[arg(value_name = "FILE", required_unless_present = "file")]
    files: Vec<PathBuf>,
    /// The same, as kubectl takes it.
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Say what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Output: a line for each resource, or json or yaml with stable field names.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut sources = Vec::new();
    for file in args.files.iter().chain(&args.file) {
        match validate::read(file) {
            Ok(found) => sources.extend(found),
            Err(problem) => bail!("{problem}"),
        }
    }
    let request = Request::put(sources)?;
    let done = carry(&args.settings, &request, args.dry_run)?;
    print(args.output, &done, args.dry_run)
}

/// Carries a request out on the datastore of the agent's file.
pub(super) fn carry(settings: &Settings, request: &Request, dry_run: bool) -> anyhow::Result<Done> {
    let datastore = settings.load()?.datastore;
    block_on(async {
        let store = store::connect(&datastore).await?;
        let target = Target {
            store: store.as_ref(),
            kind: store::kind_of(&datastore),
            rules: store::rules_of(&datastore),
        };
        Ok(carry_out(&target, request, dry_run).await?)
    })
}

/// Prints what became of it; warnings go to standard error.
pub(super) fn print(format: Format, done: &Done, dry_run: bool) -> anyhow::Result<()> {
    if format == Format::Table {
        for problem in done.warnings.iter().take(SHOWN) {
            eprintln!("{problem}");
        }
        match done.warnings.len().saturating_sub(SHOWN) {
            0 => {}
            more => eprintln!("and {more} warnings more; `roadbed validate` shows all"),
        }
    }
    output::print(format, done, |done| lines(&done.resources, dry_run))
}

fn lines(resources: &[Changed], dry_run: bool) -> String {
    if resources.is_empty() {
        return "no resources in these files: nothing to do".to_owned();
    }
    let line = |changed: &Changed| {
        let how = if dry_run { " (dry run)" } else { "" };
        let note = if changed.note.is_empty() {
            String::new()
        } else {
            format!("; {}", changed.note)
        };
        format!(
            "{}/{} {}{how}{note}",
            changed.kind,
            changed.name,
            changed.action.word()
        )
    };
    resources.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use store::change::Action;

    use super::*;

    #[test]
    fn lines_say_what_became_of_each() {
        let changed = |name: &str, action, note: &str| Changed {
            kind: "Node",
            name: name.to_owned(),
            action,
            note: note.to_owned(),
        };
        let resources = [
            changed("a", Action::Created, ""),
            changed("b", Action::Deleted, "it owns a block"),
        ];
        assert_eq!(
            lines(&resources, false),
            "Node/a created\nNode/b deleted; it owns a block"
        );
        assert_eq!(lines(&resources[..1], true), "Node/a created (dry run)");
        assert!(lines(&[], false).starts_with("no resources"));
    }
}
