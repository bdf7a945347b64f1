//! `roadbed delete KIND NAME...` and `roadbed delete -f FILE`: resources out of the datastore.

use std::path::PathBuf;

use anyhow::bail;
use datastore::Key;
use store::change::Request;

use super::output::Format;
use super::settings::Settings;
use super::{apply, kinds, validate};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Kind of the resources: by name, in the plural, or short.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    kind: Option<String>,
    /// Their names.
    #[arg(required_unless_present = "file")]
    names: Vec<String>,
    /// Delete the resources that this file or folder has.
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Say what would be deleted, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Output: a line for each resource, or json or yaml with stable field names.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let request = match &args.kind {
        Some(kind) => {
            let kind = kinds::parse_one(kind)?;
            Request::delete(args.names.iter().map(|name| Key::resource(kind, name)).collect())
        }
        None => {
            let mut sources = Vec::new();
            for file in &args.file {
                match validate::read(file) {
                    Ok(found) => sources.extend(found),
                    Err(problem) => bail!("{problem}"),
                }
            }
            Request::delete_documents(&sources)?
        }
    };
    let done = apply::carry(&args.settings, &request, args.dry_run)?;
    apply::print(args.output, &done, args.dry_run)
}
