//! BGP-4 without IO: wire codec, sessions, RIBs, decision, policy, speaker
