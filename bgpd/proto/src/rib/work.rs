//! Counts the work that input causes, so that tests can hold it to what the input deserves: entries looked at in walks of
//! a table, prefixes computed for a peer. Outside of tests it counts nothing.

#[cfg(any(test, feature = "check"))]
use std::cell::Cell;

#[cfg(any(test, feature = "check"))]
thread_local! {
    static DONE: Cell<u64> = const { Cell::new(0) };
}

/// Notes work on that many entries.
#[cfg(any(test, feature = "check"))]
pub(super) fn note(entries: usize) {
    DONE.with(|done| done.set(done.get() + entries as u64));
}

/// Notes nothing.
#[cfg(not(any(test, feature = "check")))]
pub(super) fn note(_: usize) {}

/// Entries that this thread has looked at since it began.
#[cfg(any(test, feature = "check"))]
pub fn work() -> u64 {
    DONE.with(Cell::get)
}
