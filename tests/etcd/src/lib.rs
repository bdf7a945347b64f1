//! Starts real etcd clusters for tests: members, TLS, users, faults.
