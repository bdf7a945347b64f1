//! Container runtimes for real, with the plugin and with chains of plugins.
