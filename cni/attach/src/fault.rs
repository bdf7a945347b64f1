//! Steps that tests let fail, one after the other. In a program there are none, and every point lets through.
//!
//! The plan belongs to a thread and is handed on to the threads that it makes.

use std::io;

#[cfg(test)]
pub(crate) use plan::Plan;
pub(crate) use plan::current;

/// A step that can fail.
pub(crate) fn point(step: &str) -> io::Result<()> {
    plan::pass(step)
}

#[cfg(not(test))]
mod plan {
    use std::io;

    #[derive(Clone)]
    pub(crate) struct Plan;

    pub(crate) fn current() -> Plan {
        Plan
    }

    impl Plan {
        pub(crate) fn take_over(self) {}
    }

    pub(super) fn pass(_: &str) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod plan {
    use std::cell::RefCell;
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Default)]
    struct Count {
        /// Points that still let through.
        left: usize,
        /// The name of the one that did not.
        failed: Option<String>,
    }

    #[derive(Clone, Default)]
    pub(crate) struct Plan(Option<Arc<Mutex<Count>>>);

    thread_local! {
        static PLAN: RefCell<Plan> = RefCell::default();
    }

    pub(crate) fn current() -> Plan {
        PLAN.with_borrow(Clone::clone)
    }

    impl Plan {
        pub(crate) fn fail_after(points: usize) -> Plan {
            Plan(Some(Arc::new(Mutex::new(Count {
                left: points,
                failed: None,
            }))))
        }

        pub(crate) fn none() -> Plan {
            Plan(None)
        }

        pub(crate) fn take_over(self) {
            PLAN.set(self);
        }

        /// The step that failed.
        pub(crate) fn failed(&self) -> Option<String> {
            self.0.as_ref()?.lock().unwrap().failed.clone()
        }
    }

    pub(super) fn pass(step: &str) -> io::Result<()> {
        let Plan(Some(plan)) = current() else {
            return Ok(());
        };
        let mut plan = plan.lock().unwrap();
        if plan.failed.is_some() {
            return Ok(());
        }
        if plan.left > 0 {
            plan.left -= 1;
            return Ok(());
        }
        plan.failed = Some(step.to_owned());
        Err(io::Error::other("injected"))
    }
}
