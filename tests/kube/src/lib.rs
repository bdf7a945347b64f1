//! A stand-in for the Kubernetes API server in tests: keeps to its wire protocol, is not Kubernetes.
