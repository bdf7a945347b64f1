//! Where resources come from: every datastore behind one [`Handle`].
//!
//! A store is either a file (or a folder of them), watched and applied atomically, or a cluster's store that is
//! followed by list and watch. Both end in the same channels: the state of the resources as a whole
//! ([`StoreState`]: a good text replaces the intent, a bad one leaves the last good intent in place and says what
//! is wrong and since when), the raw items, who owns which block, and whether the store is in reach ([`Contact`]).
//! The last good intent is kept on disk ([`last_good`]), so that a node boots while its store is away.
//!
//! ```text
//! file:              inotify, slow poll ─► debounce ─► read ─┐
//! etcd, kubernetes:  list, watch, check ─► SpaceView ────────┴─► config::load_with ─► StoreState::after
//!                                              │                                        │        │
//!                                     resources, ownership                 watch<StoreState>   intent.json
//! ```

pub mod calico;
pub mod change;
pub mod contact;
pub mod disk;
mod error;
pub mod etcd;
pub mod file;
pub mod follow;
mod handle;
pub mod kubernetes;
pub mod last_good;
mod open;
mod pause;
mod publish;
mod state;

pub use contact::Contact;
pub use error::Error;
pub use file::{FileStore, Timing, sources};
pub use handle::Handle;
pub use open::{connect, kind_of, open, rules_of};
pub use state::{Origin, StoreState};
