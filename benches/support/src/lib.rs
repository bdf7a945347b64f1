//! What the benchmarks that set Roadbed beside other routers share, and nothing of what they measure.
//!
//! A benchmark names its things with a [`leftovers::Mark`], so that the next run can end what a killed one has left. It makes
//! network namespaces and starts programs in them ([`place`], [`frr`] for the one that takes more than a command line), asks
//! `/proc` what they have used ([`usage`], [`memory`]), takes medians ([`series`]), and writes its section of the page
//! ([`markdown`]). Where a program fails, [`logs`] has the end of what it wrote.

pub mod frr;
pub mod leftovers;
pub mod logs;
pub mod markdown;
pub mod memory;
pub mod place;
pub mod series;
pub mod usage;
