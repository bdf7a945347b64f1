//! Churn: many ADDs and DELs in random order while the agent is killed, and nothing left behind.
