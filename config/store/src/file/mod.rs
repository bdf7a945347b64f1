//! The file datastore: a YAML file, or a folder of them.
//!
//! `eyes` looks at the path until it says something else (events through `watcher`, gathered by `debounce`, and a
//! slow poll) and `read` takes it in. `follow` is the agent's way: the whole, loaded and published. `store` is
//! the same path as a `Datastore`: its documents by key (`texts`), what was seen of them (`history`), and writes that change one document and leave
//! every other byte (`edit`), under a lock, refused where the whole would not load any more (`write`).

mod debounce;
mod edit;
mod eyes;
mod follow;
mod history;
mod lock;
mod read;
mod store;
mod texts;
mod watcher;
mod write;

pub use eyes::Timing;
pub(crate) use follow::start;
pub use read::sources;
pub use store::FileStore;
