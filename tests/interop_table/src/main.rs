//! Holds `docs/interop.md` to the records of a run, or writes it from them.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Compares the table of a page with what the scenarios have recorded.
#[derive(Parser)]
struct Arguments {
    /// The folder with the records.
    #[arg(long)]
    from: PathBuf,
    /// The page.
    page: PathBuf,
    /// Writes the page in place of comparing it.
    #[arg(long)]
    write: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop-table: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", arguments.page.display());
    let records =
        interop_table::all(&arguments.from).map_err(|e| format!("{}: {e}", arguments.from.display()))?;
    let page = std::fs::read_to_string(&arguments.page).map_err(|e| named(&e))?;
    if arguments.write {
        let page = interop_table::written(&page, &records).map_err(|e| named(&e))?;
        return std::fs::write(&arguments.page, page).map_err(|e| named(&e));
    }
    interop_table::check(&page, &records).map_err(|e| named(&e))?;
    println!(
        "{} is what this run saw: {} cells",
        arguments.page.display(),
        records.len()
    );
    Ok(())
}
