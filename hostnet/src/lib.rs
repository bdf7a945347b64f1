//! The node's other kernel state: the sysctls that forwarding pods needs
