//! What the kernel tells by itself: routes, nexthop objects, links and addresses.

use std::{collections::BTreeSet, net::IpAddr};

use super::{Engine, Event, FALL, SECOND_LOOK};
use crate::{
    clock::Now,
    fib::{Applied, RouteChange, RouteEvent},
    host::LinkEffect,
    model::Address,
    nexthop::object::NexthopEvent,
};

impl Engine {
    /// Takes one notification.
    pub fn handle(&mut self, event: Event, now: Now) {
        match event {
            Event::Route(event) => self.handle_route(&event, now),
            Event::Link(link) => {
                let index = link.index;
                let ran = self.host.runs(index);
                let effect = self.host.set_link(link);
                if !ran && self.host.runs(index) {
                    self.back.insert(index);
                }
                self.handle_link(index, effect, now);
            }
            Event::LinkGone(index) => {
                let effect = self.host.remove_link(index);
                self.handle_link(index, effect, now);
            }
            Event::Address { address, present } => {
                if self.host.set_address(address, present) {
                    self.view_dirty = true;
                    self.retry_all(now);
                    if !present {
                        self.address_gone(address, now);
                    }
                }
            }
            Event::Nexthop(event) => self.handle_nexthop(&event, now),
            Event::Lost => self.distrust(now),
        }
    }

    fn handle_route(&mut self, event: &RouteEvent, now: Now) {
        let applied = self.fib.apply(event);
        // Before the write or after it? That ours is gone, and nothing else, can only have come after.
        let told = event.change == RouteChange::Removed && applied != Applied::Unsure;
        if !told && self.fresh.binary_search(&event.key).is_ok() {
            self.distrust(now);
        }
        match applied {
            Applied::Nothing => return,
            Applied::Changed => {}
            Applied::Unsure => self.distrust(now),
        }
        self.dirty.insert(event.key);
        if event.route.protocol != self.settings.protocol {
            self.view_dirty = true;
            if event.change != RouteChange::Removed {
                self.retry_all(now);
            }
        }
    }

    fn handle_nexthop(&mut self, event: &NexthopEvent, now: Now) {
        let gone = self.nexthops.handle(event);
        if !gone.is_empty() && !event.own {
            self.fib.disbelieve();
        }
        let keys = self.fib.nexthops_gone(&gone);
        self.mark(keys);
        if !event.id.in_our_range() {
            // Routes of others over it lead elsewhere now, and it takes a dump to know where.
            self.view_dirty = true;
            self.request_resync(now);
        }
    }

    fn address_gone(&mut self, address: Address, now: Now) {
        if self.fib.prefers(address.net.addr()) {
            // Routes that prefer this source address go with it, without a notification on older kernels.
            self.fib.disbelieve();
            self.request_resync(now);
        }
        // With its last IPv4 address a link stops to speak IPv4 (`fib_disable_ip`): routes that lead over it go without a word,
        // as if it fell, but not its nexthop objects.
        if address.net.addr().is_ipv4() && !self.host.speaks_v4(address.index) {
            self.fib.disbelieve();
            self.fell(address.index, now);
        }
    }

    /// The kernel takes along the nexthop objects over a link that falls, and the routes on them: nobody's doing.
    fn flush_nexthops(&mut self, index: u32) {
        let gone = self.nexthops.flush(index);
        let keys = self.fib.nexthops_gone(&gone);
        keys.iter().for_each(|key| _ = self.confirmed.remove(key));
        self.mark(keys);
    }

    fn handle_link(&mut self, index: u32, effect: LinkEffect, now: Now) {
        if effect == LinkEffect::None {
            return;
        }
        self.view_dirty = true;
        self.names = None;
        if effect != LinkEffect::Noted {
            self.nexthops.review();
        }
        if matches!(effect, LinkEffect::Flushed | LinkEffect::Gone) {
            self.fib.disbelieve();
            self.flush_nexthops(index);
        }
        match effect {
            LinkEffect::None | LinkEffect::Noted => {}
            LinkEffect::Usable => {
                self.retry_all(now);
                let link = self.host.links.get(&index);
                if link.is_some_and(|link| link.up && link.carrier) {
                    let keys = self.fib.link_alive(index);
                    self.mark(keys);
                }
            }
            LinkEffect::Flushed => self.fell(index, now),
            LinkEffect::Gone => match self.fib.link_gone(index) {
                Some(keys) => {
                    self.falls.remove(&index);
                    self.mark(keys);
                }
                None => self.fell(index, now),
            },
        }
    }

    /// Links that have come back since the last call, with the gateways on them that are wanted.
    pub fn gateways_back(&mut self) -> Vec<(u32, BTreeSet<IpAddr>)> {
        let back = std::mem::take(&mut self.back);
        let links = back.into_iter().filter_map(|index| self.host.links.get(&index));
        let wanted = links.map(|link| {
            let hops = self.sets.sets.values().flat_map(|set| &set.hops);
            let here = hops.filter(|hop| hop.interface == link.name);
            (link.index, here.filter_map(|hop| hop.gateway).collect())
        });
        wanted
            .filter(|(_, gateways): &(_, BTreeSet<_>)| !gateways.is_empty())
            .collect()
    }

    fn fell(&mut self, index: u32, now: Now) {
        let looks = [FALL, SECOND_LOOK].map(|pause| Some(now.at + pause));
        self.falls.insert(index, looks);
    }
}
