//! Where resources come from: the file datastore, watched and applied atomically.
//!
//! A file, or a folder of `*.yaml`, is read as one. When it changes, it is read again once the writer is done
//! (`debounce`), loaded as a whole (`config::load`), and what becomes of that is decided by a pure function
//! ([`StoreState::after`]): a good text replaces the intent, a bad one leaves the last good intent in place and
//! says what is wrong and since when. Whoever follows sees only complete states, over a `watch` channel.
//!
//! ```text
//! inotify ─► debounce ─┬─► read ─► config::load ─► StoreState::after ─► watch<Arc<StoreState>>
//! slow poll ───────────┘
//! ```

mod debounce;
mod error;
mod file;
mod read;
mod state;
mod watcher;

pub use error::Error;
pub use file::{FileStore, Handle, Timing};
pub use read::sources;
pub use state::StoreState;
