//! `GET /v1/explain?target=ADDRESS|PREFIX|NODE`: why a destination is reached as it is.

use serde::{Deserialize, Serialize};

/// The whole way from the question to the kernel, a step a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// What was asked.
    pub target: String,
    /// What it is: `own pod`, `own block`, `pod of another node`, `node`, `outside the pools`, `unknown`.
    pub what: String,
    /// One sentence: where packets to it go from here.
    pub verdict: String,
    /// The steps, in the order in which they were decided.
    pub steps: Vec<Step>,
}

/// One stage of the decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// `pool`, `block`, `pod`, `bgp`, `next hop`, `encapsulation`, `kernel route`, `neighbour`, `mtu`.
    pub stage: String,
    /// What came out.
    pub result: String,
    /// The checks that led to it, each with its values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
}
