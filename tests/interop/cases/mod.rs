//! What two speakers have to do for each other.

mod add_path;
mod exchange;
mod features;
mod instruments;
mod loss;
mod odd;
mod reflection;
mod restart;
mod secured;

pub use add_path::{add_path, add_path_by_hand, tell_paths};
pub use exchange::exchange;
pub use features::features;
pub use instruments::instruments;
pub use loss::{hold_timer, killed, link_down};
pub use odd::odd_attributes;
pub use reflection::{loops, they_reflect, we_reflect};
pub use restart::retained;
pub use secured::secured;
