//! The two-rack demonstration: its steps, its checks, and the sabotages that must make them fail
