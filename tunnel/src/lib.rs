//! How each peer node is reached: directly, by IPIP or by VXLAN; the devices, forwarding entries and MTU that follow.
//!
//! Two halves. The pure one decides: [`encap`] chooses the encapsulation for one owner node and says why, [`mac`] and
//! [`mtu`] compute the addresses and sizes of tunnel devices, [`model`] is the desired state, `actual` the kernel's, and
//! `diff` the operations between the two. The other half is one task ([`start`]) that owns the tunnel devices of
//! the network namespace: it reads the kernel over rtnetlink, applies the operations, listens for changes by others and
//! repairs them. Routes that use the tunnels belong to `routesync`, reverse path filters to `hostnet`.
//!
//! ```text
//! DesiredTunnels ──watch──► owner ── diff(desired, actual) ──► operations ──► kernel
//!                             ▲  └── TunnelStatus ──watch──► status, Handle::ready
//!                             └── link, neighbour and address events; audit; retry after errors
//! ```
//!
//! Ownership: the links `rb-vxlan`, `rb-vxlan6` and `rb-ipip` with everything on them, and loopback addresses that carry
//! our address protocol (or label). At exit all of it stays; at start it is adopted.

mod actual;
mod apply;
mod cleanup;
mod diff;
pub mod encap;
mod error;
mod events;
mod family;
mod linger;
pub mod mac;
pub mod model;
pub mod mtu;
mod netlink;
pub mod offload;
mod ops;
mod outer;
mod owner;
pub mod probe;
mod problem;
mod read;
mod report;
mod rhythm;
mod settle;
mod status;

pub use cleanup::cleanup;
pub use encap::{Choice, Encapsulation, Facts, L2Path, Mode, PoolModes, Reason, choose};
pub use error::Error;
pub use family::Family;
pub use mac::{vtep_gateway, vtep_mac};
pub use model::{
    DEFAULT_PORT, DEFAULT_VNI, DesiredTunnels, Device, IpipDevice, Remote, RemoteKey, VxlanDevice,
};
pub use mtu::{MtuError, Overhead, Path, Reach, RouteSizes, device_mtu, pod_mtu};
pub use owner::{Handle, Settings, start};
pub use settle::{SETTLE, Settle};
pub use status::{DeviceStatus, StatusError, TunnelStatus};
