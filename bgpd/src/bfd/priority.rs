//! The thread of BFD before all other work of the machine.

use thread_priority::unix::{set_thread_priority_and_policy, thread_native_id};
use thread_priority::{RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};

/// Asks for SCHED_RR, lowest real-time priority, and where that is refused for the highest nice value; both need
/// `CAP_SYS_NICE` (sched(7)). Nice values count only within a control group or a session, whose weight against others they do not
/// change: busy neighbours on the machine would have peers taken for dead. The kernel's limit for real-time threads (95 % of the
/// time) keeps the machine alive under a flood.
///
/// Returns whether either was granted to the calling thread.
pub fn raise() -> bool {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy).is_ok()
        || rustix::process::setpriority_process(Some(rustix::thread::gettid()), -20).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields 19 and 41 of proc(5): nice value and policy; the name, which is field 2, has no spaces here.
    fn of_this_thread() -> (String, String) {
        let text = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let field = |number: usize| text.split_whitespace().nth(number - 1).unwrap().to_owned();
        (field(19), field(41))
    }

    fn on_a_thread<T: Send + 'static>(work: fn() -> T) -> T {
        let thread = std::thread::Builder::new().name("one".into());
        thread.spawn(work).unwrap().join().unwrap()
    }

    #[test]
    fn the_thread_that_asks_is_raised_and_no_other() {
        let (granted, (nice, policy)) = on_a_thread(|| (raise(), of_this_thread()));
        assert!(granted && (policy == "2" || nice == "-20"), "{nice} {policy}");
        assert_eq!(on_a_thread(of_this_thread).1, "0");
    }
}
