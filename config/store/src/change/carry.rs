//! Writing a request, over what others write meanwhile.

use std::time::Duration;

use config::Rules;
use datastore::{
    Compare, Datastore, Error, Expect, Key, Outcome, Space, SpaceView, Transaction, Transactional, Write,
};
use tokio::time::sleep;

use super::plan::{Plan, Spelling, Step, There, plan};
use super::{Action, Changed, Done, Refusal, Request};
use crate::pause::{Pause, seed};

/// How often others may be in the way.
const ATTEMPTS: usize = 12;

/// So many writes go into one transaction: etcd takes 128 operations. More of them are several transactions, each
/// good in itself.
const TOGETHER: usize = 100;

/// And so many bytes: etcd takes requests of 1.5 MiB.
const TOGETHER_BYTES: usize = 1 << 20;

/// The steps that go into the next transaction: at least one.
fn together(plan: &Plan) -> Vec<&Step> {
    let size = |step: &Step| match &step.write {
        Some(Write::Put(_, value)) => value.len() + 200,
        _ => 200,
    };
    let mut bytes = 0;
    let open = plan.steps.iter().filter(|step| step.write.is_some());
    let mut part: Vec<&Step> = Vec::new();
    for step in open.take(TOGETHER) {
        bytes += size(step);
        if bytes > TOGETHER_BYTES && !part.is_empty() {
            break;
        }
        part.push(step);
    }
    part
}

/// The store that is to be changed.
pub struct Target<'s> {
    /// It.
    pub store: &'s dyn Datastore,
    /// [`crate::kind_of`] its settings.
    pub kind: &'s str,
    /// [`crate::rules_of`] its settings.
    pub rules: Rules,
}

/// Carries out a request, or with `dry_run` says what it would do.
///
/// Everything is checked first, against the resources and the owned blocks of one moment. A store that commits
/// several keys at once takes it all together, and only if no resource was written since (nor, where a pool
/// changes its range, any block claimed). Another takes one resource after the other, each only if it is as it
/// was checked.
///
/// # Errors
/// [`Refusal`]; only [`Refusal::Partly`] leaves something changed.
pub async fn carry_out(target: &Target<'_>, request: &Request, dry_run: bool) -> Result<Done, Refusal> {
    let mut run = Run {
        target,
        request,
        first: Vec::new(),
        written: 0,
    };
    let mut pause = Pause::new(Duration::from_millis(20), Duration::from_secs(1), seed());
    let mut failed = 0;
    loop {
        let (plan, ownership) = run.look().await?;
        if dry_run || plan.steps.iter().all(|step| step.write.is_none()) {
            return Ok(run.done(plan));
        }
        let progress = match target.store.transactional() {
            Some(store) => run.commit(store, &plan, ownership.as_ref()).await?,
            None => run.one_by_one(&plan).await?,
        };
        if !progress {
            failed += 1;
            if failed >= ATTEMPTS {
                return Err(run.partly(&plan, Refusal::Contended { attempts: failed }));
            }
            sleep(pause.next()).await;
        }
    }
}

struct Run<'r> {
    target: &'r Target<'r>,
    request: &'r Request,
    /// What was found to be done with each resource at first: later looks see our own writes.
    first: Vec<(Key, Changed)>,
    written: usize,
}

impl Run<'_> {
    /// Reads what is there and plans. What is deleted already by ourselves is not missing.
    async fn look(&mut self) -> Result<(Plan, Option<SpaceView>), Refusal> {
        let store = self.target.store;
        let look = async || -> Result<(SpaceView, Option<SpaceView>), Error> {
            // Ownership first: what is claimed after it is seen by the comparison.
            let ownership = match self.target.rules.shared_out {
                true => Some(SpaceView::from(store.list(Space::Ownership).await?)),
                false => None,
            };
            Ok((SpaceView::from(store.list(Space::Resources).await?), ownership))
        };
        let (resources, ownership) = match look().await {
            Ok(found) => found,
            Err(error) => return Err(self.stopped(error)),
        };
        let mut request = self.request.clone();
        request
            .delete
            .retain(|key| resources.items.contains_key(key) || !self.knows(key));
        let name = store.describe();
        let spelling = match self.target.kind {
            "file" => Spelling::Text,
            _ => Spelling::Json,
        };
        let there = There {
            resources: &resources,
            ownership: ownership.as_ref(),
            store: &name,
            kind: self.target.kind,
            rules: self.target.rules,
            spelling,
        };
        let plan = match plan(&request, &there) {
            Ok(plan) => plan,
            Err(refusal) if self.written > 0 => return Err(self.stopped_by(refusal)),
            Err(refusal) => return Err(refusal),
        };
        for step in &plan.steps {
            if !self.knows(&step.key) {
                self.first.push((step.key.clone(), step.changed.clone()));
            }
        }
        Ok((plan, ownership))
    }

    fn knows(&self, key: &Key) -> bool {
        self.first.iter().any(|(known, _)| known == key)
    }

    fn done(&self, plan: Plan) -> Done {
        Done {
            resources: self.first.iter().map(|(_, changed)| changed.clone()).collect(),
            warnings: plan.warnings,
        }
    }

    /// The next part in one transaction. False where it has to be looked at anew.
    async fn commit(
        &mut self,
        store: &dyn Transactional,
        plan: &Plan,
        ownership: Option<&SpaceView>,
    ) -> Result<bool, Refusal> {
        let part = together(plan);
        let mut transaction =
            Transaction::default().when(Compare::Unwritten(Space::Resources, plan.revision.clone()));
        if let Some(ownership) = ownership.filter(|_| plan.rests_on_ownership) {
            transaction = transaction.when(Compare::Unwritten(Space::Ownership, ownership.revision.clone()));
        }
        for step in &part {
            transaction = match &step.expect {
                Expect::Absent => transaction.when(Compare::Absent(step.key.clone())),
                Expect::Version(version) => {
                    transaction.when(Compare::Version(step.key.clone(), version.clone()))
                }
                Expect::Any => transaction,
            };
            transaction.write.extend(step.write.clone());
        }
        match store.commit(&transaction).await {
            Ok(Outcome::Done(_)) => {
                self.written += part.len();
                Ok(true)
            }
            // Somebody wrote, or nobody knows: the next look tells.
            Ok(Outcome::Conflict) | Err(Error::Unknown { .. }) => Ok(false),
            Err(error) => Err(self.partly(plan, error.into())),
        }
    }

    /// All of it, one after the other. False where it has to be looked at anew.
    async fn one_by_one(&mut self, plan: &Plan) -> Result<bool, Refusal> {
        for step in &plan.steps {
            let Some(write) = &step.write else { continue };
            match self.target.store.write(write.clone(), step.expect.clone()).await {
                Ok(Outcome::Done(_)) => self.written += 1,
                Ok(Outcome::Conflict) | Err(Error::Unknown { .. }) => return Ok(false),
                Err(error) => {
                    let left = step.key.clone();
                    return Err(self.partly_at(left, error.into()));
                }
            }
        }
        Ok(true)
    }

    fn partly(&self, plan: &Plan, why: Refusal) -> Refusal {
        let left = plan.steps.iter().find(|step| step.write.is_some());
        match left {
            Some(step) => self.partly_at(step.key.clone(), why),
            None => why,
        }
    }

    fn partly_at(&self, left: Key, why: Refusal) -> Refusal {
        if self.written == 0 {
            return why;
        }
        let of = self
            .first
            .iter()
            .filter(|(_, changed)| changed.action != Action::Unchanged);
        Refusal::Partly {
            done: self.written,
            of: of.count(),
            left,
            why: Box::new(why),
        }
    }

    fn stopped(&self, error: Error) -> Refusal {
        self.stopped_by(error.into())
    }

    /// Where a look fails after something was written: which part is left is not known exactly.
    fn stopped_by(&self, why: Refusal) -> Refusal {
        let to_do = self
            .first
            .iter()
            .filter(|(_, changed)| changed.action != Action::Unchanged);
        match to_do.skip(self.written).map(|(key, _)| key).next() {
            Some(left) => self.partly_at(left.clone(), why),
            None => why,
        }
    }
}
