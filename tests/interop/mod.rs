//! The agent and routers of other makes. [`makes`] says how each is configured and spoken to, [`cases`] what two speakers
//! have to do for each other, the same for every make; here each make is put through each case that it has.
//!
//! What a case has shown is recorded ([`record`]); `make test` holds the table of `docs/interop.md` to the records.

pub mod cases;
pub mod fabric;
pub mod lan;
pub mod makes;
mod manual;
pub mod record;

/// One test for each make and case.
macro_rules! tests {
    ($($make:ident, $router:expr => { $($name:ident: $case:expr;)* })*) => {
        $(mod $make {
            use super::cases;
            use super::fabric::Session;

            $(#[test]
            fn $name() {
                let case: fn(&dyn super::makes::Router) = $case;
                case($router);
            })*
        })*
    };
}

tests! {
    frr, &super::makes::Frr => {
        ebgp_routes_both_ways: |router| cases::exchange(router, Session::External);
        ibgp_routes_both_ways: |router| cases::exchange(router, Session::Internal);
        ebgp_over_ipv6_routes_both_ways: |router| cases::exchange(router, Session::ExternalV6);
        a_killed_router_and_its_return: cases::killed;
        a_link_that_goes_down_and_its_return: cases::link_down;
        a_hanging_router_ends_by_the_hold_timer: cases::hold_timer;
        it_does_what_it_is_asked_for: |router| cases::instruments(router, true);
        attributes_refresh_and_last_words: cases::features;
        it_reflects_between_agents: cases::they_reflect;
        an_agent_reflects_between_two_of_them: cases::we_reflect;
        several_paths_from_it_are_used_together: cases::add_path;
        it_is_told_several_paths: cases::tell_paths;
        a_session_that_nobody_else_can_speak_on: cases::secured;
    }
    bird, &super::makes::Bird => {
        ebgp_routes_both_ways: |router| cases::exchange(router, Session::External);
        ibgp_routes_both_ways: |router| cases::exchange(router, Session::Internal);
        ebgp_over_ipv6_routes_both_ways: |router| cases::exchange(router, Session::ExternalV6);
        a_killed_router_and_its_return: cases::killed;
        a_link_that_goes_down_and_its_return: cases::link_down;
        a_hanging_router_ends_by_the_hold_timer: cases::hold_timer;
        it_does_what_it_is_asked_for: |router| cases::instruments(router, true);
        attributes_refresh_and_last_words: cases::features;
        it_reflects_between_agents: cases::they_reflect;
        an_agent_reflects_between_two_of_them: cases::we_reflect;
        several_paths_from_it_are_used_together: cases::add_path;
        it_is_told_several_paths: cases::tell_paths;
        a_session_that_nobody_else_can_speak_on: cases::secured;
    }
    gobgp, &super::makes::Gobgp => {
        ebgp_routes_both_ways: |router| cases::exchange(router, Session::External);
        ibgp_routes_both_ways: |router| cases::exchange(router, Session::Internal);
        ebgp_over_ipv6_routes_both_ways: |router| cases::exchange(router, Session::ExternalV6);
        it_does_what_it_is_asked_for: |router| cases::instruments(router, false);
        attributes_refresh_and_last_words: cases::features;
        it_reflects_between_agents: cases::they_reflect;
        an_agent_reflects_between_two_of_them: cases::we_reflect;
        several_paths_from_it_are_used_together: cases::add_path;
        it_is_told_several_paths: cases::tell_paths;
        a_session_that_nobody_else_can_speak_on: cases::secured;
    }
    openbgpd, &super::makes::Openbgpd => {
        ebgp_routes_both_ways: |router| cases::exchange(router, Session::External);
        ibgp_routes_both_ways: |router| cases::exchange(router, Session::Internal);
        ebgp_over_ipv6_routes_both_ways: |router| cases::exchange(router, Session::ExternalV6);
        it_does_what_it_is_asked_for: |router| cases::instruments(router, true);
        attributes_refresh_and_last_words: cases::features;
        it_reflects_between_agents: cases::they_reflect;
        an_agent_reflects_between_two_of_them: cases::we_reflect;
        several_paths_from_it_are_used_together: cases::add_path;
        it_is_told_several_paths: cases::tell_paths;
        a_session_that_nobody_else_can_speak_on: cases::secured;
    }
    exabgp, &super::makes::Exabgp => {
        ebgp_routes_both_ways: |router| cases::exchange(router, Session::External);
        ibgp_routes_both_ways: |router| cases::exchange(router, Session::Internal);
        ebgp_over_ipv6_routes_both_ways: |router| cases::exchange(router, Session::ExternalV6);
        it_does_what_it_is_asked_for: |router| cases::instruments(router, false);
        attributes_refresh_and_last_words: cases::features;
        an_agent_reflects_between_two_of_them: cases::we_reflect;
        several_paths_from_it_are_used_together: |_| cases::add_path_by_hand();
        it_is_told_several_paths: cases::tell_paths;
        a_session_that_nobody_else_can_speak_on: cases::secured;
    }
}

#[test]
fn exabgp_is_killed_and_its_routes_are_kept_until_it_is_back() {
    cases::retained(&makes::Exabgp);
}

#[test]
fn odd_attributes_cost_neither_the_session_nor_the_routes_beside() {
    cases::odd_attributes();
}

#[test]
fn routes_that_have_been_here_are_refused() {
    cases::loops();
}

#[test]
fn what_a_make_has_not_is_said() {
    record::all_that_is_not_there();
}
