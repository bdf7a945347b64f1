//! What was read: each resource with the places of its fields.

use crate::intent::{BgpConfiguration, BgpFilter, BgpPeer, IpPool, IpReservation, IpamConfiguration, Node};
use crate::problem::{Place, Problem, Severity};
use crate::reader::{Places, place_of};

/// A resource with the places of its fields.
#[derive(Debug, Clone)]
pub struct Read<T> {
    /// The resource.
    pub value: T,
    /// The source that has it.
    pub file: String,
    /// Where its fields stand.
    pub places: Places,
}

impl<T> Read<T> {
    /// Where a field stands, or the nearest mapping around it.
    pub fn at(&self, field: &str) -> Place {
        place_of(&self.places, field)
    }

    /// Whether a field was written.
    pub fn has(&self, field: &str) -> bool {
        self.places.contains_key(field)
    }

    /// `file:line`, to point at this resource from elsewhere.
    pub fn location(&self, field: &str) -> String {
        format!("{}:{}", self.file, self.at(field).line)
    }

    /// A problem at one of its fields.
    pub fn problem(
        &self,
        severity: Severity,
        field: &str,
        message: String,
        fix: impl Into<String>,
    ) -> Problem {
        let at = self.at(field);
        let (file, field, fix) = (self.file.clone(), field.to_owned(), fix.into());
        Problem {
            severity,
            file,
            line: at.line,
            column: at.column,
            field,
            message,
            fix,
        }
    }
}

/// Everything that was read, before it is checked against each other.
#[derive(Debug)]
pub struct Resources {
    /// `BGPConfiguration`s.
    pub bgp: Vec<Read<BgpConfiguration>>,
    /// `IPPool`s.
    pub pools: Vec<Read<IpPool>>,
    /// `BGPPeer`s.
    pub peers: Vec<Read<BgpPeer>>,
    /// `Node`s.
    pub nodes: Vec<Read<Node>>,
    /// `BGPFilter`s.
    pub filters: Vec<Read<BgpFilter>>,
    /// `IPReservation`s.
    pub reservations: Vec<Read<IpReservation>>,
    /// `IPAMConfiguration`s.
    pub ipam: Vec<Read<IpamConfiguration>>,
    /// Whether every document became a resource; if not, that something is absent proves nothing.
    pub complete: bool,
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            bgp: Vec::new(),
            pools: Vec::new(),
            peers: Vec::new(),
            nodes: Vec::new(),
            filters: Vec::new(),
            reservations: Vec::new(),
            ipam: Vec::new(),
            complete: true,
        }
    }
}
