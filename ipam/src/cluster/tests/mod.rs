//! The decision from outside: what a node does, step by step, and why.

mod blocks;
mod choice;
mod nodes;
mod views;
