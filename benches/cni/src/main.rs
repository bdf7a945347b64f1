//! `bench-cni`: ADD and DEL beside the reference plugins.

fn main() {}
