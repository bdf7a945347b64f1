//! The agent beside Kubernetes, spoken by the stand-in of `tests/kube`: services, annotations, conditions, events.
