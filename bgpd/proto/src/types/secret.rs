//! Text that is never shown.

use std::fmt;
use std::sync::Arc;

/// A password. It compares and clones like text, and no formatting of it, or of what holds it, prints it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// Keeps `bytes` secret.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// What is kept: for the system call that needs it, and nothing else.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new(*b"swordfish");
        assert_eq!(format!("{:?}", (1, Some(&secret))), "(1, Some(Secret(***)))");
        assert_eq!(secret.reveal(), b"swordfish");
        assert_eq!(secret, Secret::new(*b"swordfish"));
        assert_ne!(secret, Secret::new(*b"sword"));
    }
}
