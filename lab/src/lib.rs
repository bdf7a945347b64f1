//! Fabrics of network namespaces from containerlab files
