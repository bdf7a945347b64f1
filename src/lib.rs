//! Roadbed: composition of the parts into the node agent and its command line.
