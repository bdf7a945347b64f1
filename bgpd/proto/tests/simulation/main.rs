//! A whole fabric of speakers in one process, on virtual time, with seeded chance: delays, lost connections, silent
//! links, hosts that stand still, killed and restarted speakers, changes of configuration and of distances. After the
//! faults end, every Loc-RIB must hold what a solver that knows nothing of BGP says (`solver`), both ends of each session must agree,
//! nothing may be left or go on, and no way may lead round (`oracles`).
//!
//! A failing seed is narrowed down to the strikes that matter, and printed with them:
//!
//! | variable | does |
//! |---|---|
//! | `ROADBED_SIM_SEED=N` | runs this seed alone |
//! | `ROADBED_SIM_UPTO=N` | only its first N strikes |
//! | `ROADBED_SIM_ONLY=3,7` | only these strikes |
//! | `ROADBED_SIM_SEEDS=N` | runs that many seeds in place of a few (`make sim SEEDS=N`) |

mod chance;
mod fabrics;
mod faults;
mod manner;
mod network;
mod oracles;
mod restarts;
mod seeds;
mod solver;
mod topology;
mod world;
