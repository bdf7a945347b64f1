//! A real containerd for tests.
