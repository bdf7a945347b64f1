//! What every question to a running agent takes on the command line.

use std::path::PathBuf;

use config::api::Client;

use super::output::Format;

/// What every question to a running agent takes.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// The agent's socket.
    #[arg(long, env = "ROADBED_SOCKET", default_value = config::api::DEFAULT_SOCKET)]
    pub socket: PathBuf,
    /// Output: a table for people, or json or yaml with stable field names.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

impl Ask {
    /// A client of that agent.
    pub fn client(&self) -> Client {
        Client::new(&self.socket)
    }
}
