//! What happened, as Events: repetitions are counted, floods are cut. Pure.
//!
//! An Event of Kubernetes is a series: made once, then its count goes up. [`Tally`] keeps one for each thing that
//! happens to one peer, says what is to be written ([`Tally::due`]), and hears what came of it. Its memory, and the
//! writes that it asks for, are bounded, however much happens.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::core::ObjectMeta;
use serde_json::{Value, json};

use crate::access::EVENT_NAMESPACE;
use crate::report::Note;

/// Who speaks (`reportingController`).
const CONTROLLER: &str = "roadbed.dev/agent";
/// Limits of events.k8s.io/v1, in bytes.
const NOTE: usize = 1024;
const WORD: usize = 128;

/// How many and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// So many series are remembered.
    pub series: usize,
    /// What happens again within this time is the same series.
    pub window: Duration,
    /// The count of a series is written this often at most.
    pub count_every: Duration,
    /// So many new Events at once,
    pub burst: u32,
    /// and then one in this time.
    pub one_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            series: 256,
            window: Duration::from_secs(360),
            count_every: Duration::from_secs(10),
            burst: 25,
            one_every: Duration::from_secs(10),
        }
    }
}

/// What makes two notes one series.
type Key = (bool, String, String);

#[derive(Debug)]
struct Series {
    name: String,
    note: Note,
    first: Timestamp,
    last: Timestamp,
    count: i32,
    /// The count that the server knows; 0: no Event yet.
    written: i32,
    /// When the server was told last.
    told: Option<Timestamp>,
}

/// Something to write.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// A new Event.
    Create(Box<Event>),
    /// The merge patch that sets the count of the Event of this name.
    Count(String, Value),
}

/// What happened lately.
#[derive(Debug)]
pub struct Tally {
    limits: Limits,
    regarding: ObjectReference,
    series: BTreeMap<Key, Series>,
    /// New Events that may be made now, and since when that is so.
    tokens: (u32, Option<Timestamp>),
    /// For names that are not taken yet.
    serial: u64,
    /// What was cut since it was asked for.
    cut: u64,
}

impl Tally {
    /// Nothing has happened yet to the Node `node`.
    pub fn new(node: &str, limits: Limits) -> Self {
        let regarding = ObjectReference {
            api_version: Some("v1".into()),
            kind: Some("Node".into()),
            name: Some(node.into()),
            // As the kubelet has it, as long as the Node's own is not known; kubectl looks for both.
            uid: Some(node.into()),
            ..ObjectReference::default()
        };
        Tally {
            tokens: (limits.burst, None),
            limits,
            regarding,
            series: BTreeMap::new(),
            serial: 0,
            cut: 0,
        }
    }

    /// The uid of the Node is known.
    pub fn set_uid(&mut self, uid: &str) {
        self.regarding.uid = Some(uid.into());
    }

    /// Something happened.
    pub fn note(&mut self, note: Note, now: Timestamp) {
        let key = (note.warning, note.reason.clone(), note.about.clone());
        let window = self.limits.window;
        if let Some(series) = self.series.get_mut(&key)
            && !older(series.last, now, window)
        {
            series.count = series.count.saturating_add(1);
            series.last = now;
            return;
        }
        if !self.series.contains_key(&key) && self.series.len() >= self.limits.series && !self.make_room() {
            self.cut += 1;
            return;
        }
        self.serial += 1;
        let series = Series {
            name: self.fresh_name(now),
            note,
            first: now,
            last: now,
            count: 1,
            written: 0,
            told: None,
        };
        self.series.insert(key, series);
    }

    /// Forgets the oldest series that the server knows whole.
    fn make_room(&mut self) -> bool {
        let told = self
            .series
            .iter()
            .filter(|(_, series)| series.written == series.count);
        let oldest = told
            .min_by_key(|(_, series)| series.last)
            .map(|(key, _)| key.clone());
        oldest.is_some_and(|key| self.series.remove(&key).is_some())
    }

    fn fresh_name(&self, now: Timestamp) -> String {
        let node = self.regarding.name.as_deref().unwrap_or_default();
        format!("{node}.{:x}{:x}", now.as_nanosecond(), self.serial)
    }

    /// What is to be written now, each until [`Tally::done`] hears of it. Forgets what is long over.
    pub fn due(&mut self, now: Timestamp) -> Vec<Write> {
        let Limits {
            window, count_every, ..
        } = self.limits;
        self.series
            .retain(|_, series| series.written != series.count || !older(series.last, now, window));
        self.refill(now);
        let mut writes = Vec::new();
        for series in self.series.values() {
            if series.written == 0 && self.tokens.0 > 0 {
                self.tokens.0 -= 1;
                writes.push(Write::Create(Box::new(event(series, &self.regarding))));
            } else if series.written != 0
                && series.written != series.count
                && series.told.is_none_or(|told| older(told, now, count_every))
            {
                writes.push(Write::Count(
                    series.name.clone(),
                    json!({"series": count(series)}),
                ));
            }
        }
        writes
    }

    fn refill(&mut self, now: Timestamp) {
        let since = *self.tokens.1.get_or_insert(now);
        let passed = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        let more = passed.as_millis() / self.limits.one_every.as_millis().max(1);
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        if more > 0 {
            self.tokens = (
                self.tokens.0.saturating_add(more).min(self.limits.burst),
                Some(now),
            );
        }
    }

    /// The server has taken a write.
    pub fn done(&mut self, write: &Write, now: Timestamp) {
        let (name, told) = match write {
            Write::Create(event) => (
                event.metadata.name.as_deref(),
                event.series.as_ref().map_or(1, |s| s.count),
            ),
            Write::Count(name, patch) => (Some(name.as_str()), number(patch)),
        };
        if let Some(series) = self
            .series
            .values_mut()
            .find(|series| Some(series.name.as_str()) == name)
        {
            series.written = told;
            series.told = Some(now);
        }
    }

    /// The server does not know the Event whose count was to be set (they last an hour there): it is made anew.
    pub fn lost(&mut self, write: &Write, now: Timestamp) {
        let Write::Count(lost, _) = write else { return };
        self.serial += 1;
        let name = self.fresh_name(now);
        if let Some(series) = self.series.values_mut().find(|series| series.name == *lost) {
            (series.name, series.written, series.first) = (name, 0, series.last);
        }
    }

    /// A write that was refused for what it is, and would be again.
    pub fn drop_refused(&mut self, write: &Write) {
        let name = match write {
            Write::Create(event) => event.metadata.name.clone(),
            Write::Count(name, _) => Some(name.clone()),
        };
        self.series
            .retain(|_, series| Some(&series.name) != name.as_ref());
        self.cut += 1;
    }

    /// How much was cut since this was asked for last.
    pub fn take_cut(&mut self) -> u64 {
        std::mem::take(&mut self.cut)
    }

    /// Whether something waits to be written.
    pub fn is_pending(&self) -> bool {
        self.series.values().any(|series| series.written != series.count)
    }
}

fn older(then: Timestamp, now: Timestamp, than: Duration) -> bool {
    now.duration_since(then) >= SignedDuration::try_from(than).unwrap_or(SignedDuration::MAX)
}

fn number(patch: &Value) -> i32 {
    patch["series"]["count"]
        .as_i64()
        .and_then(|count| count.try_into().ok())
        .unwrap_or(0)
}

fn count(series: &Series) -> EventSeries {
    EventSeries {
        count: series.count,
        last_observed_time: MicroTime(series.last),
    }
}

fn event(series: &Series, regarding: &ObjectReference) -> Event {
    let node = regarding.name.as_deref().unwrap_or_default();
    Event {
        metadata: ObjectMeta {
            name: Some(series.name.clone()),
            namespace: Some(EVENT_NAMESPACE.into()),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(series.first)),
        type_: Some(if series.note.warning { "Warning" } else { "Normal" }.into()),
        reason: Some(cut(&series.note.reason, WORD)),
        action: Some(cut(&series.note.reason, WORD)),
        note: Some(cut(&series.note.message, NOTE)),
        regarding: Some(regarding.clone()),
        reporting_controller: Some(CONTROLLER.into()),
        reporting_instance: Some(cut(&format!("roadbed-{node}"), WORD)),
        series: (series.count > 1).then(|| count(series)),
        ..Event::default()
    }
}

/// The first bytes of a text, whole characters.
fn cut(text: &str, bytes: usize) -> String {
    let end = (0..=bytes.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests;
