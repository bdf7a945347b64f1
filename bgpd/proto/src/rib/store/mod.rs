//! What the large tables are made of: pages that grow without being copied, an index of hashed numbers, a keyed hash, and a
//! queue of numbers that each stand in it once.
//!
//! None of them knows what it stores, and none of them iterates in the order of hashes: what a speaker does never depends on
//! the key, so that simulations repeat themselves although each table has its own.

mod index;
mod pages;
mod queue;
mod seed;
mod slab;

pub(super) use index::Index;
pub(super) use pages::Pages;
pub(super) use queue::Queue;
pub(super) use seed::Seed;
pub(super) use slab::Slab;
