//! `roadbed drain` and `roadbed undrain`: graceful shutdown of this node's routes (RFC 8326).

use std::time::Duration;

use config::api::drain::{Drain, DrainState};

use super::ask::Ask;
use super::output;

/// Take this node out of service: its routes are announced with the lowest preference, so that traffic takes other ways
/// where there are any. It stays so over restarts of the agent.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    ask: Ask,
    /// Close the BGP sessions afterwards, with Cease, Administrative Shutdown: peers drop this node's routes at once.
    #[arg(long)]
    shutdown: bool,
    /// With --shutdown: how long traffic has to move before the sessions are closed, such as 30s or 2m.
    #[arg(long, default_value = "30s", value_parser = config::duration::parse, requires = "shutdown")]
    after: Duration,
    /// Why, for the operators of the peers (RFC 9003), up to 128 octets; with --shutdown.
    #[arg(long, requires = "shutdown")]
    message: Option<String>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let client = args.ask.client();
    let say = |state: DrainState| {
        let drain = Drain {
            state,
            message: args.message.clone(),
        };
        client.post::<_, Drain>("/v1/drain", &drain)
    };
    let mut said = say(DrainState::Draining)?;
    if args.shutdown {
        std::thread::sleep(args.after);
        said = say(DrainState::Shutdown)?;
    }
    output::print(args.ask.output, &said, text)
}

/// Put this node back into service.
pub fn undo(ask: &Ask) -> anyhow::Result<()> {
    let said: Drain = ask.client().post("/v1/drain", &Drain::default())?;
    output::print(ask.output, &said, text)
}

pub fn text(drain: &Drain) -> String {
    match drain.state {
        DrainState::InService => "this node is in service\n",
        DrainState::Draining => {
            "this node's routes have the lowest preference; `roadbed undrain` takes it back\n"
        }
        DrainState::Shutdown => "this node's BGP sessions are closed; `roadbed undrain` opens them again\n",
    }
    .to_owned()
}
