//! The two-rack demonstration.
//!
//! It brings `lab/examples/two-racks.clab.yml` up and shows that the main job is done: sessions come up, each
//! node's routes have the right encapsulation and say why, pods reach each other directly inside a rack and
//! through VXLAN across (seen on the wire), clients reach their rack's pods natively, a cut link and a deleted
//! route are repaired. Everything shown is a check with a stable id and a result, so that a test can break the
//! fabric in a known way ([`Sabotage`]) and insist on exactly the checks that must fail then.
//!
//! `facts` is the fabric as the example file has it, `checks` are the steps in their order, `run` is the play.

mod checks;
mod context;
mod facts;
mod outcome;
mod progress;
mod run;
mod sabotage;

pub use outcome::{Outcome, failed};
pub use run::{Options, run};
pub use sabotage::Sabotage;
