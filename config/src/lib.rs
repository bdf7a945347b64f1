//! Vocabulary, resources, validation and the types of the socket API.
//!
//! Everything here is a pure function of text: [`load()`] turns YAML sources into an [`Intent`] or a list of
//! [`Problem`]s, each with its file, line and field; [`AgentConfig`] does the same for the agent's own file.
//! The `store` crate watches files and calls [`load()`]; the agent's plan reads the [`Intent`].
//!
//! The way of a document: text → positioned tree (`yaml`) → fields read one by one (`reader`), with what
//! is left over judged by the table of known fields (`fields`) → typed resource (`resources`) → checks
//! across resources (`checks`) → [`Intent`]. Mistakes are collected on the way, never returned at the first.

pub mod agent_file;
pub mod api;
pub mod changes;
pub mod checks;
pub mod documents;
pub mod duration;
pub mod fields;
pub mod intent;
pub mod load;
pub mod problem;
pub mod reader;
pub mod resources;
pub mod selector;
pub mod source;
pub mod vocabulary;
pub mod yaml;

pub use agent_file::{
    AgentConfig, Datastore, EtcdSettings, KubernetesSettings, NexthopCompat, NexthopObjects, RouteSettings,
};
pub use changes::pool_change;
pub use documents::{Document, documents};
pub use intent::{
    AggregateRule, AllowedUses, Assignment, BgpConfiguration, BgpFilter, BgpPeer, EncapMode, Intent, IpPool,
    IpReservation, IpamConfiguration, Node, NodeBgp, PeerNodes, PeerRemote, RemoteAs, Side, SourceAddress,
};
pub use load::{Loaded, load, load_with};
pub use problem::{Problem, Severity};
pub use selector::Selector;
pub use source::{Rules, Source};
pub use vocabulary::{Asn, Labels, MacAddress, NodeName, RouterId};
