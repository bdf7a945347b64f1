//! `roadbed validate FILE...`: offline, all mistakes at once.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use config::load::{Rules, Source, load_with};
use config::problem::Problem;

use super::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files or folders with resources, read as one set; `-` reads standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The kind of datastore that they are for: with `file`, every node lists its podCIDRs.
    #[arg(long, value_enum, default_value_t = Kind::File)]
    datastore: Kind,
    /// Output: lines for people on stderr, or json or yaml with stable field names.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// Which rules hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A file, or a folder of them.
    File,
    /// etcd.
    Etcd,
    /// Custom resources.
    Kubernetes,
}

pub fn run(args: &Args) -> ExitCode {
    let mut sources = Vec::new();
    for file in &args.files {
        match read(file) {
            Ok(found) => sources.extend(found),
            Err(problem) => {
                eprintln!("roadbed: {problem}");
                return ExitCode::FAILURE;
            }
        }
    }
    let shared_out = args.datastore != Kind::File;
    let loaded = load_with(&sources, Rules { shared_out });
    let bad = loaded.problems.iter().any(Problem::is_error);
    let printed = match args.output {
        Format::Table => print_lines(&loaded.problems, bad, sources.len()),
        _ => output::print(args.output, &loaded.problems, |_| String::new()),
    };
    match printed {
        Ok(()) if !bad => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("roadbed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A file, a folder of `*.yaml`, or standard input.
pub fn read(file: &Path) -> Result<Vec<Source>, Problem> {
    if file.as_os_str() != "-" {
        return store::sources(file);
    }
    let name = "standard input";
    let text = std::io::read_to_string(std::io::stdin())
        .map_err(|e| Problem::whole_file(name, format!("cannot be read: {e}"), "give YAML as UTF-8 text"))?;
    Ok(vec![Source {
        name: name.into(),
        text,
    }])
}

fn print_lines(problems: &[Problem], bad: bool, files: usize) -> anyhow::Result<()> {
    for problem in problems {
        eprintln!("{problem}");
    }
    if !bad {
        let warnings = problems.len();
        let said = if warnings == 0 {
            "good".to_owned()
        } else {
            format!("good, with {warnings} warnings")
        };
        println!("{files} file(s): {said}");
    }
    Ok(())
}
