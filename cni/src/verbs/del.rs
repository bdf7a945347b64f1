//! DEL of both programs. What is not there is a success: the agent says so.
//!
//! The runtime must not wait for an agent that is away, and the pod must not keep its address: such a DEL is written
//! down (`config::api::queue`), and the agent carries it out when it is there again. So is one that the agent cannot
//! do now, or does not answer in time. What the agent refuses for good is an error: waiting would not mend it, and hiding it
//! would lose it.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use config::api::cni::{CniDel, CniDeleted};
use config::api::queue;

use crate::agent::{self, Failure};
use crate::env::{self, Lookup};
use crate::error::{CniError, Code};
use crate::netconf::NetConf;

/// How long a DEL waits before it is written down. Runtimes give the end of a sandbox two minutes, with all its
/// interfaces and its containers.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the second try may take: the DEL is safe by then.
const SECOND_PATIENCE: Duration = Duration::from_secs(2);

/// Unplugs the interface, now or later.
pub fn run(env: Lookup<'_>, stdin: &[u8]) -> Result<(), CniError> {
    let parameters = env::parameters_of_del(env)?;
    let conf = NetConf::parse(stdin)?;
    let del = CniDel {
        container_id: parameters.container_id,
        ifname: parameters.ifname,
        netns: Some(parameters.netns).filter(|path| !path.is_empty()),
    };
    let socket = conf.socket();
    match carry(PATIENCE, &socket, &del) {
        Ok(()) => Ok(()),
        Err(Failure::Final(error)) => Err(error),
        Err(failure) => {
            // One that does not answer, or answers that it cannot now, looks at the queue itself.
            let again = matches!(failure, Failure::Away(_)).then_some(socket.as_path());
            wait(&conf.queue(), &del, again, failure.into_error())
        }
    }
}

/// Writes the DEL down. An agent that has started meanwhile may have looked at the queue before: it is asked once more.
fn wait(folder: &Path, del: &CniDel, again: Option<&Path>, why: CniError) -> Result<(), CniError> {
    let path = queue::put(folder, del).map_err(|e| {
        CniError::new(
            Code::TryAgainLater,
            format!("{}, and the DEL cannot be written down for it", why.message),
            format!("{}; {e}", why.details),
        )
    })?;
    if again.is_some_and(|socket| carry(SECOND_PATIENCE, socket, del).is_ok()) {
        // Carried out twice does no harm, should the file stay.
        let _ = queue::done(&path);
        return Ok(());
    }
    // For the runtime's log, in one piece; stdout is not touched.
    let line = format!(
        "roadbed: {}; DEL of {}/{} waits in {}\n",
        why.message,
        del.container_id,
        del.ifname,
        path.display()
    );
    let _ = io::stderr().write_all(line.as_bytes());
    Ok(())
}

fn carry(limit: Duration, socket: &Path, del: &CniDel) -> Result<(), Failure> {
    agent::post_within::<_, CniDeleted>(limit, socket, "/v1/cni/del", del).map(drop)
}
