//! `roadbed lab`: the command line of this crate, embedded by the root program.

use std::path::PathBuf;
use std::process::Stdio;

use clap::{Args, Subcommand, ValueEnum};

use crate::error::Error;
use crate::fabric::inspect::NodeReport;
use crate::fabric::{Lab, Options};
use crate::topology::Topology;

/// A fabric of network namespaces from a containerlab file.
#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// Bring a lab up
    Up(Target),
    /// Take a lab down and remove all that it made
    Down(Target),
    /// Show nodes, state, addresses and processes
    Inspect {
        /// Which lab
        #[command(flatten)]
        target: Target,
        /// Output format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Run a command inside a node; its exit code is ours
    Exec {
        /// Which lab
        #[command(flatten)]
        target: Target,
        /// The node
        #[arg(long)]
        node: String,
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

/// Which lab.
#[derive(Debug, Args)]
pub struct Target {
    /// The containerlab topology file
    file: PathBuf,
    /// Name of the lab, where it is not the file's
    #[arg(long)]
    name: Option<String>,
}

/// How `inspect` writes.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// For programs, and easier on the eye
    Yaml,
}

/// Carries a command out. `exec` ends the program with the exit code of what it ran.
pub fn run(command: LabCommand) -> Result<(), Error> {
    match command {
        LabCommand::Up(target) => up(&target),
        LabCommand::Down(target) => down(&target),
        LabCommand::Inspect { target, output } => inspect(&target, output),
        LabCommand::Exec {
            target,
            node,
            command,
        } => exec(&target, &node, &command),
    }
}

fn up(target: &Target) -> Result<(), Error> {
    let lab = Lab::up(
        &target.file,
        &Options {
            name: target.name.clone(),
            ..Options::default()
        },
    )?;
    for warning in lab.warnings() {
        eprintln!("warning: {warning}");
    }
    print!("{}", table(&lab.inspect()?));
    lab.leave();
    Ok(())
}

fn down(target: &Target) -> Result<(), Error> {
    let name = name(target)?;
    let Some(lab) = Lab::find(&name)? else {
        println!("lab {name} is not up");
        return Ok(());
    };
    for complaint in lab.down()? {
        eprintln!("warning: {complaint}");
    }
    println!("lab {name} is down");
    Ok(())
}

fn inspect(target: &Target, format: Format) -> Result<(), Error> {
    let report = find(target)?.inspect()?;
    match format {
        Format::Table => print!("{}", table(&report)),
        Format::Json => println!("{}", serde_json::to_string_pretty(&report).map_err(unwritten)?),
        Format::Yaml => print!("{}", serde_saphyr::to_string(&report).map_err(unwritten)?),
    }
    Ok(())
}

fn unwritten(error: impl std::fmt::Display) -> Error {
    Error::Request(format!("cannot write the report: {error}"))
}

fn exec(target: &Target, node: &str, command: &[String]) -> Result<(), Error> {
    let mut child = find(target)?.spawn_with(node, command, |c| {
        c.stdin(Stdio::inherit())
            .stdout(Stdio::inherit())
            .stderr(Stdio::inherit());
    })?;
    let status = child.wait().map_err(Error::system("wait for the command"))?;
    // A command that a signal ended has no code of its own; shells say 128 and the signal.
    let signal = std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0);
    std::process::exit(status.code().unwrap_or(128 + signal));
}

/// The lab's name; with `--name` the file is not even read, so that a lab can go whose file is broken.
fn name(target: &Target) -> Result<String, Error> {
    match &target.name {
        Some(name) => Ok(name.clone()),
        None => Ok(Topology::load(&target.file)?.name),
    }
}

fn find(target: &Target) -> Result<Lab, Error> {
    let name = name(target)?;
    Lab::find(&name)?.ok_or_else(|| {
        Error::Request(format!(
            "lab {name} is not up; bring it up with `roadbed lab up {}`",
            target.file.display()
        ))
    })
}

/// Aligned columns; further addresses of a node go on lines of their own.
fn table(nodes: &[NodeReport]) -> String {
    let mut rows = vec![["NODE", "KIND", "STATE", "ADDRESSES", "PROCESSES"].map(str::to_owned)];
    for node in nodes {
        let kind = node
            .on
            .as_ref()
            .map_or_else(|| node.kind.clone(), |on| format!("pod on {on}"));
        let processes = node
            .processes
            .iter()
            .map(|p| format!("{} {}", p.name, p.pid))
            .collect::<Vec<_>>();
        let mut addresses = node.addresses.iter().cloned();
        let first = addresses.next().unwrap_or_default();
        rows.push([
            node.name.clone(),
            kind,
            node.state.clone(),
            first,
            processes.join(", "),
        ]);
        rows.extend(addresses.map(|a| [String::new(), String::new(), String::new(), a, String::new()]));
    }
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths = [0, 1, 2, 3, 4].map(width);
    let line = |row: &[String; 5]| {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, w)| format!("{cell:w$}"))
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(subcommand)]
        command: LabCommand,
    }

    #[test]
    fn the_command_line_is_consistent_and_exec_takes_options_of_the_command() {
        let line = [
            "roadbed",
            "exec",
            "f.yml",
            "--node",
            "a1",
            "--",
            "ping",
            "-c",
            "1",
            "192.0.2.1",
        ];
        let parsed = Program::try_parse_from(line).unwrap();
        let LabCommand::Exec { node, command, .. } = parsed.command else {
            panic!("not exec")
        };
        assert_eq!((node.as_str(), command.len()), ("a1", 4));
        <Program as clap::CommandFactory>::command().debug_assert();
    }
}
