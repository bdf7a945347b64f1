//! Attachments in real network namespaces: each test has a node and pods of its own.

mod basics;
mod drift;
mod leaks;
mod namespaces;
mod several;
