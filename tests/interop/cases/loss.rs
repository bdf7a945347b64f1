//! Every way to lose a session without graceful restart, and its return.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::interop::fabric::{NODE, OURS, ROUTER, Session, ours_known, site, theirs_installed, up};
use crate::interop::makes::{Router, THEIRS};
use crate::support::{SOON, check, eventually, kernel, stays, view, within};

/// The router's process dies: its routes leave our kernel at once. It comes back: so do they.
pub fn killed(router: &dyn Router) {
    let session = Session::External;
    let fabric = up("killed", router, session);
    fabric.kill(fabric.process(ROUTER, router.process()));
    // The router's kernel closes the connection: there is no hold time to wait for.
    within(Duration::from_secs(5), "the loss of the session", || {
        view::down(&fabric, NODE, session.theirs())
    });
    for family in session.families() {
        eventually("their route out of our kernel", || {
            kernel::no_route(&fabric, NODE, THEIRS[family])
        });
        kernel::route(&fabric, NODE, OURS[family]).expect("our own block stays");
    }
    router.restart(&fabric, &site(session));
    eventually("the session again", || {
        view::established(&fabric, NODE, session.theirs())
    });
    for family in session.families() {
        eventually("their route again", || theirs_installed(&fabric, session, family));
        eventually("our route at the router", || {
            ours_known(&fabric, router, session, family)
        });
    }
}

/// Our link goes down: the route over it is neither in the kernel nor said to be. It comes back: so does the route.
pub fn link_down(router: &dyn Router) {
    let session = Session::External;
    let fabric = up("link", router, session);
    fabric.set_link(NODE, "eth1", false).expect("set the link down");
    within(Duration::from_secs(5), "the route out of the kernel", || {
        kernel::no_route(&fabric, NODE, THEIRS[0])
    });
    eventually("the agent says so", || {
        match view::route(&fabric, NODE, THEIRS[0]) {
            Ok(route) if route.installed => Err(format!("{route:?}")),
            _ => Ok(()),
        }
    });
    fabric.set_link(NODE, "eth1", true).expect("set the link up");
    eventually("the session", || {
        view::established(&fabric, NODE, session.theirs())
    });
    eventually("their route again", || theirs_installed(&fabric, session, 0));
    eventually("our route at the router", || {
        ours_known(&fabric, router, session, 0)
    });
}

/// The router hangs: the hold time that both agreed on ends the session, not sooner. It wakes up: all is well.
pub fn hold_timer(router: &dyn Router) {
    let session = Session::Internal;
    let fabric = up("hold", router, session);
    let process = fabric.process(ROUTER, router.process());
    process.signal(Signal::SIGSTOP);
    // The last keepalive came at most 3 s ago, so nothing may happen for 5 s and more.
    stays(
        Duration::from_secs(5),
        "the session of a router that hangs",
        || view::established(&fabric, NODE, session.theirs()).map(drop),
    );
    let lost = within(Duration::from_secs(9), "the end of the hold time", || {
        view::down(&fabric, NODE, session.theirs())
    });
    let why = lost.last_error.unwrap_or_default();
    check(why.to_lowercase().contains("hold timer"), || why.clone()).expect("the agent gives the reason");
    for family in session.families() {
        eventually("their route out of our kernel", || {
            kernel::no_route(&fabric, NODE, THEIRS[family])
        });
    }
    process.signal(Signal::SIGCONT);
    within(SOON, "the session again", || {
        view::established(&fabric, NODE, session.theirs())
    });
    for family in session.families() {
        eventually("their route again", || theirs_installed(&fabric, session, family));
    }
}
