//! The definitions of our custom resources.
