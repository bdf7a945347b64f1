//! The `conf` and `neigh` settings of one interface, in the network namespace of the calling thread.
//!
//! `/proc/sys/net` shows the namespace of the thread that opens the file (`ip-sysctl.rst` of the kernel).

use std::fs;
use std::io;
use std::path::Path;

use crate::error::Error;

/// Writes `net.FAMILY.TABLE.IFNAME.KEY`.
pub(crate) fn set(family: &str, table: &str, ifname: &str, key: &str, value: &str) -> Result<(), Error> {
    let path = format!("/proc/sys/net/{family}/{table}/{ifname}/{key}");
    fs::write(&path, value).map_err(|source| Error::Kernel {
        step: format!("set net.{family}.{table}.{ifname}.{key} to {value}"),
        source: io::Error::new(source.kind(), format!("{source} ({path})")),
    })
}

/// False on a kernel without IPv6.
pub(crate) fn has_ipv6(ifname: &str) -> bool {
    Path::new(&format!("/proc/sys/net/ipv6/conf/{ifname}")).is_dir()
}
