//! What goes wrong with members, on demand.

use crate::cluster::{Cluster, HEALTHY};
use crate::probe;

impl Cluster {
    /// Kills a member (SIGKILL). Its data stays.
    pub fn kill(&mut self, member: usize) {
        self.members[member].kill(&self.janitor);
    }

    /// Starts a killed member again with its data. It does not wait: [`Cluster::await_healthy`] does.
    pub fn restart(&mut self, member: usize) {
        self.kill(member);
        self.launch(member);
    }

    /// Stops a member (SIGSTOP): its connections stay open and nothing answers.
    pub fn pause(&mut self, member: usize) {
        self.members[member].pause(true);
    }

    /// Lets a paused member go on.
    pub fn resume(&mut self, member: usize) {
        self.members[member].pause(false);
    }

    /// Cuts a member off from the others and from the clients: packets vanish.
    ///
    /// # Panics
    /// Without namespaces.
    pub fn cut(&mut self, member: usize) {
        self.network.link(member, "down");
        self.members[member].cut = true;
    }

    /// Joins it again.
    pub fn heal(&mut self, member: usize) {
        self.network.link(member, "up");
        self.members[member].cut = false;
    }

    /// Cuts a member off from the other members, while clients still reach it: it loses its leader and does not
    /// know what the others decide.
    ///
    /// # Panics
    /// Without namespaces.
    pub fn isolate(&mut self, member: usize) {
        self.network.peers(member, "add");
        self.members[member].isolated = true;
    }

    /// Joins an isolated member again.
    pub fn rejoin(&mut self, member: usize) {
        self.network.peers(member, "del");
        self.members[member].isolated = false;
    }

    /// Takes back whatever was done to a member: it runs, unpaused, and reaches everybody.
    pub fn mend(&mut self, member: usize) {
        if self.members[member].isolated {
            self.rejoin(member);
        }
        if self.members[member].cut {
            self.heal(member);
        }
        if self.members[member].paused {
            self.resume(member);
        }
        if self.members[member].process.is_none() {
            self.launch(member);
        }
    }

    /// The leader among the members that are up; none while there is none.
    pub fn leader(&self) -> Option<usize> {
        let mut members = self.members.iter();
        members.position(|member| member.is_up() && probe::leads(&member.site))
    }

    /// Waits for a leader among the members that are up.
    pub fn await_leader(&self) -> usize {
        probe::until(HEALTHY, "a leader", || {
            self.leader().ok_or("no member that is up leads".into())
        })
    }

    /// How many members there are, up or not.
    pub fn size(&self) -> usize {
        self.members.len()
    }
}
