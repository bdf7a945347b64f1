//! What is wrong with the connection, by topic, and since when.
//!
//! Several topics with the same reason are told as one problem: where the server is away, every watch fails alike.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;

/// What is wrong now. Changes are published.
pub struct Problems {
    topics: Mutex<BTreeMap<&'static str, (String, SystemTime)>>,
    told: watch::Sender<Vec<(String, SystemTime)>>,
}

impl Problems {
    /// Nothing is wrong.
    pub fn new() -> Self {
        Problems {
            topics: Mutex::new(BTreeMap::new()),
            told: watch::Sender::new(Vec::new()),
        }
    }

    /// What is told.
    pub fn subscribe(&self) -> watch::Receiver<Vec<(String, SystemTime)>> {
        self.told.subscribe()
    }

    /// Something is wrong with a topic. What was wrong before is since then.
    pub fn set(&self, topic: &'static str, what: String, now: SystemTime) {
        self.change(|topics| {
            let entry = topics.entry(topic).or_insert_with(|| {
                tracing::warn!(topic, "{what}");
                (String::new(), now)
            });
            entry.0 = what;
        });
    }

    /// Nothing is wrong with it any more.
    pub fn clear(&self, topic: &'static str) {
        self.change(|topics| {
            if topics.remove(topic).is_some() {
                tracing::info!(topic, "works again");
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<&'static str, (String, SystemTime)>)) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut topics);
        let now = told(&topics);
        self.told.send_if_modified(|known| {
            let differs = *known != now;
            *known = now;
            differs
        });
    }
}

fn told(topics: &BTreeMap<&'static str, (String, SystemTime)>) -> Vec<(String, SystemTime)> {
    let mut by_text: BTreeMap<&str, (Vec<&str>, SystemTime)> = BTreeMap::new();
    for (topic, (text, since)) in topics {
        let (names, first) = by_text.entry(text).or_insert((Vec::new(), *since));
        names.push(topic);
        *first = (*first).min(*since);
    }
    let told = by_text.into_iter();
    told.map(|(text, (names, since))| (format!("{}: {text}", names.join(", ")), since))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_same_reason_is_one_problem_since_the_first() {
        let problems = Problems::new();
        let heard = problems.subscribe();
        let (early, late) = (
            SystemTime::UNIX_EPOCH,
            SystemTime::UNIX_EPOCH + Duration::from_secs(5),
        );
        problems.set("services", "away".into(), late);
        problems.set("pods", "away".into(), early);
        assert_eq!(*heard.borrow(), [("pods, services: away".to_owned(), early)]);
        problems.set("pods", "forbidden".into(), late);
        assert_eq!(
            *heard.borrow(),
            [
                ("services: away".to_owned(), late),
                ("pods: forbidden".to_owned(), early)
            ]
        );
        problems.clear("services");
        problems.clear("pods");
        assert!(heard.borrow().is_empty());
    }
}
