//! QEMU in software emulation: an unpacked kernel of the distribution, the machine's root over 9p.

use std::path::Path;
use std::process::Command;

use crate::error::Error;
use crate::kernel::Kernel;

/// The terminal of the second serial line.
pub(crate) const OUTPUT: &str = "/dev/ttyS1";

/// The command line of a machine.
pub(crate) fn command(_kernel: &Kernel, _dir: &Path) -> Result<Command, Error> {
    Err(Error::Request("not yet".into()))
}
