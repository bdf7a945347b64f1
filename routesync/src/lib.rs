//! Desired routes and neighbours against the kernel FIB: diff and ownership, netlink, a fake kernel for tests
