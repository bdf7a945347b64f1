//! A router that has no hand in the kernel is killed and comes back: its routes stay in ours. What forwards is put through
//! the same under traffic in `hitless`.

use interop_table::Feature;

use crate::interop::fabric::{
    NODE, ROUTER, Session, THEIR_ADDRESS, addresses, both_blocks, builder, only_peer, resources, site,
    theirs_installed,
};
use crate::interop::makes::{Router, THEIRS};
use crate::interop::record;
use crate::support::watch::RouteWatch;
use crate::support::{check, eventually, view};

pub fn retained(router: &dyn Router) {
    let session = Session::External;
    let mut site = site(session);
    site.graceful = true;
    let exec = addresses(THEIR_ADDRESS);
    let builder = builder("retained").resources(&resources(&both_blocks(), &only_peer(session)));
    let fabric = router
        .add(builder, &site, &exec.each_ref().map(String::as_str))
        .up();
    router.settle(&fabric, &site);
    for family in session.families() {
        eventually("their route", || theirs_installed(&fabric, session, family));
    }
    let watch = RouteWatch::start(&fabric, NODE);
    fabric.kill(fabric.process(ROUTER, router.process()));
    let kept = eventually("the agent says that it keeps the routes", || {
        let peer = view::down(&fabric, NODE, session.theirs())?;
        check(peer.kept_seconds.is_some(), || format!("{peer:?}"))?;
        Ok(peer.kept_seconds)
    });
    for family in session.families() {
        theirs_installed(&fabric, session, family).unwrap_or_else(|e| panic!("{e}"));
    }
    router.restart(&fabric, &site);
    eventually("the session again", || {
        view::established(&fabric, NODE, session.theirs())
    });
    eventually("nothing is kept for it any more", || {
        let peer = view::peer(&fabric, NODE, session.theirs())?;
        check(
            peer.kept_seconds.is_none() && peer.families.iter().all(|f| f.end_of_rib),
            || format!("{peer:?}"),
        )
    });
    for family in session.families() {
        eventually("their route", || theirs_installed(&fabric, session, family));
        assert_eq!(watch.deletions_of(THEIRS[family]), Vec::<String>::new());
    }
    let detail = format!(
        "routes kept in the kernel, for {} s at most",
        kept.unwrap_or_default()
    );
    record::works(router, &fabric, ROUTER, Feature::TheyRestart, &detail);
}
