//! What the fuzzers run: each target is a function of bytes that panics where something is wrong.
//!
//! ```text
//! corpus, regressions ─┐                    ┌─► message      bytes ─► codec ─► bytes
//! libFuzzer's inputs  ─┴─► fn(&[u8]) ───────┼─► bfd          datagrams ─► Control packets ─► datagrams
//!                                           ├─► session      a driver and three peers around one `Speaker`
//!                                           ├─► rib          changes around one `Rib`, and the RIB computed from nothing
//!                                           ├─► filters      rules as text, routes, and what the documentation says of them
//!                                           └─► resources    text ─► documents, intent, selectors
//! ```
//!
//! That nothing panics is a weak thing to ask for; so each target asks more, and says what in its first lines. The
//! functions are ordinary safe code: `tests/replay.rs` runs them over all inputs that are kept, without a fuzzer. How to
//! search for new inputs says the page `docs/fuzzing.md`.

mod bfd;
mod filters;
mod input;
mod message;
mod resources;
mod rib;
mod session;

pub use bfd::bfd;
pub use filters::filters;
pub use message::message;
pub use resources::resources;
pub use rib::rib;
pub use session::session;

/// A function of bytes.
pub type Target = fn(&[u8]);

/// All targets with the names that their folders of inputs have.
pub const ALL: &[(&str, Target)] = &[
    ("bfd", bfd),
    ("filters", filters),
    ("message", message),
    ("resources", resources),
    ("rib", rib),
    ("session", session),
];
