//! The wire codec over generated messages, through its public interface: what is written reads back the same, nothing
//! that comes in makes it panic, and two other implementations read the same from what we write.

mod mutation;
mod netgauze;
mod roundtrip;
mod sample;
mod zettabgp;
