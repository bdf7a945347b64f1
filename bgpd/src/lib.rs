//! BGP speaker: the thin tokio driver around bgpd-proto
