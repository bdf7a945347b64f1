//! BGP roles (RFC 9234 §4.1): what the speaker is to its neighbour in the business between their ASes.

use std::fmt;

/// The role of the speaker that says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// It sells transit to the other.
    Provider,
    /// A route server of an exchange.
    RouteServer,
    /// A member of an exchange, towards its route server.
    RouteServerClient,
    /// It buys transit from the other.
    Customer,
    /// Both exchange their own routes and their customers'.
    Peer,
}

impl Role {
    /// The role with this code.
    pub fn from_code(code: u8) -> Option<Role> {
        Some(match code {
            0 => Role::Provider,
            1 => Role::RouteServer,
            2 => Role::RouteServerClient,
            3 => Role::Customer,
            4 => Role::Peer,
            _ => return None,
        })
    }

    /// Its code in the capability.
    pub fn code(self) -> u8 {
        match self {
            Role::Provider => 0,
            Role::RouteServer => 1,
            Role::RouteServerClient => 2,
            Role::Customer => 3,
            Role::Peer => 4,
        }
    }

    /// The role that the other end has to have (§4.2, table 2).
    pub fn counterpart(self) -> Role {
        match self {
            Role::Provider => Role::Customer,
            Role::RouteServer => Role::RouteServerClient,
            Role::RouteServerClient => Role::RouteServer,
            Role::Customer => Role::Provider,
            Role::Peer => Role::Peer,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Provider => "provider",
            Role::RouteServer => "rs-server",
            Role::RouteServerClient => "rs-client",
            Role::Customer => "customer",
            Role::Peer => "peer",
        })
    }
}
