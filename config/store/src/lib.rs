//! Where resources come from: the file datastore, watched and applied atomically
