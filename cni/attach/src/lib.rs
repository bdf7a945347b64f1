//! Plugging pods in: the veth pair, its addresses, routes and neighbours
