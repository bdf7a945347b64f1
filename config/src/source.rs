//! What is read, and by which rules.

/// Larger sources are refused unread.
pub const MAX_BYTES: usize = 32 << 20;

/// A text with the name that problems are to show: its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name for messages.
    pub name: String,
    /// YAML documents.
    pub text: String,
}

/// What depends on the kind of datastore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rules {
    /// Whether blocks are claimed in the datastore (etcd, Kubernetes): then `Node.spec.podCIDRs` are optional.
    /// False for a file, which has no one who shares out: there each node lists its own.
    pub shared_out: bool,
}
