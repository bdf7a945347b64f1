//! Addresses inside the blocks of a node, and the durable ledger of who has which
