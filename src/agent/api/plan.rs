//! `POST /v1/plan`: what this node would do if these resources were applied. Nothing is changed: the resources are
//! laid over those that are there, compiled, and decided on with what BGP and the kernel say now.

use axum::Json;
use axum::extract::State as Extract;
use config::api::ErrorKind;
use config::api::plan::{
    PlanAnswer, PlanRequest, PlannedBlock, PlannedChange, PlannedDevice, PlannedEncapsulation, PlannedPeer,
    PlannedRoute,
};
use config::intent::Intent;
use config::{Problem, Source};
use datastore::Key;

use super::answer::Failure;
use super::state::State;
use crate::agent::ownership;
use crate::decide::difference::{self, Change, Difference, Part};
use crate::decide::{self, Inputs, Place, RibSnapshot};
use crate::plan::{self, OwnBlock, Ownership, Plan};

pub async fn post(
    Extract(state): Extract<State>,
    Json(request): Json<PlanRequest>,
) -> Result<Json<PlanAnswer>, Failure> {
    let snapshot = state.snapshot();
    let (Some(old), Some(decisions)) = (snapshot.plan.clone(), snapshot.decisions.clone()) else {
        return Err(Failure::no_plan());
    };
    if !request.replace && state.parts.store.resources().borrow().is_none() {
        // Alone they would look as if all others were removed.
        return Err(Failure::new(
            ErrorKind::TryLater,
            "the datastore has not answered since the agent started, so the resources that these would be added to are \
             not known",
            "see `roadbed status` for what is wrong with the datastore, and try again when it is in reach",
        ));
    }
    let (intent, problems) = match proposed(&state, request) {
        Ok(found) => found,
        Err(problems) => return Ok(Json(refused(problems))),
    };
    let owned = owned_under(&state, &intent);
    let passwords = state.parts.passwords.known().borrow().clone();
    let new = match plan::compile(&intent, &old.node.name, &owned, &passwords) {
        Ok(plan) => plan,
        Err(error) => {
            let problem = Problem::whole_file("the resources", error.to_string(), "");
            return Ok(Json(refused(vec![problem])));
        }
    };
    let services = state.parts.kubernetes.as_ref().map(|kubernetes| {
        let cluster = kubernetes.cluster().borrow().clone();
        kubernetes::services::announce(&cluster, &intent.bgp.services, old.node.name.as_str())
    });
    let rib = preview(&state, &new, services.as_ref()).await?;
    let view = state.parts.fib.view().borrow().clone();
    let (pods, own) = (state.parts.pods.links(), state.parts.pods.own_addresses());
    let verdicts = state.parts.probes.verdicts();
    let proposed = decide::decide(Inputs {
        plan: &new,
        rib: &rib,
        view: &view,
        pods: &pods,
        own_pod_addresses: &own,
        services: services.as_ref(),
        place: Place::of(&state.routes, &new),
        verdicts: &verdicts,
    });
    let found = difference::between((&old, &decisions), (&new, &proposed));
    Ok(Json(answer(problems, found)))
}

fn refused(problems: Vec<Problem>) -> PlanAnswer {
    PlanAnswer {
        problems,
        ..PlanAnswer::default()
    }
}

/// The intent that the request would make, with warnings; or every mistake in it.
fn proposed(state: &State, request: PlanRequest) -> Result<(Intent, Vec<Problem>), Vec<Problem>> {
    let given: Vec<Source> = request.sources.into_iter().map(Source::from).collect();
    let mut replaced = Vec::new();
    for source in &given {
        let documents = config::documents(source)?;
        replaced.extend(documents.into_iter().map(|d| Key::resource(d.kind, d.name)));
    }
    let known = state.parts.store.resources();
    let known = known.borrow();
    let kept = known.iter().flat_map(|view| view.items.values());
    let kept = kept.filter(|item| !request.replace && !replaced.contains(&item.key));
    let mut sources: Vec<Source> = kept
        .map(|item| Source {
            name: item.key.to_string(),
            text: item.value.to_string(),
        })
        .collect();
    sources.extend(given);
    let rules = config::Rules {
        shared_out: state.parts.shared_out,
    };
    let loaded = config::load_with(&sources, rules);
    match loaded.intent {
        Some(intent) => Ok((intent, loaded.problems)),
        None => Err(loaded.problems),
    }
}

/// The blocks as they would be: those that the resources give, and of the claimed ones those that still lie in a pool.
fn owned_under(state: &State, intent: &Intent) -> Ownership {
    use ipam::local::Origin;
    let mut local = state.parts.pods.local();
    local
        .blocks
        .retain(|b| b.block.origin == Origin::Claimed && intent.pool_of(&b.block.cidr).is_some());
    let name = &state.parts.node;
    let records = state.parts.store.ownership();
    let mut owned = ownership::of(&local, records.borrow().as_deref(), name);
    let given = Ownership::given(intent, name).into_iter();
    let mut blocks: Vec<OwnBlock> = given.map(|(cidr, pool)| OwnBlock { cidr, pool }).collect();
    blocks.append(&mut owned.blocks);
    Ownership { blocks, ..owned }
}

/// What BGP would know, from what its peers have sent.
async fn preview(
    state: &State,
    new: &Plan,
    services: Option<&decide::Services>,
) -> Result<RibSnapshot, Failure> {
    let bgp = state.parts.speaker().ok_or_else(Failure::no_plan)?;
    let (config, pods) = (new.speaker.clone(), state.parts.pods.links());
    let originated = decide::originated(new, &pods, services);
    let question = move |speaker: &bgpd::Speaker, _now| RibSnapshot {
        loc_rib: (speaker.preview(&config, originated).loc_rib())
            .map(|route| (route.prefix, route))
            .collect(),
        tracked: speaker.tracked_next_hops(),
        fully_fed: speaker.fully_fed(),
    };
    Ok(bgp.query(question).await?)
}

fn answer(problems: Vec<Problem>, found: Vec<Difference>) -> PlanAnswer {
    let mut answer = PlanAnswer {
        problems,
        ..PlanAnswer::default()
    };
    for Difference {
        part,
        subject,
        change,
        detail,
    } in found
    {
        let change = match change {
            Change::Add => PlannedChange::Add,
            Change::Change => PlannedChange::Change,
            Change::Remove => PlannedChange::Remove,
        };
        match part {
            Part::Peer => answer.peers.push(PlannedPeer {
                peer: subject,
                change,
                detail,
            }),
            Part::Encapsulation => answer.encapsulation.push(PlannedEncapsulation {
                path: subject,
                change,
                detail,
            }),
            Part::Device => answer.devices.push(PlannedDevice {
                name: subject,
                change,
                detail,
            }),
            // Both have prefixes for subjects.
            Part::Route => answer
                .routes
                .extend(subject.parse().ok().map(|prefix| PlannedRoute {
                    prefix,
                    change,
                    detail,
                })),
            Part::Announcement => {
                answer.blocks.extend(
                    subject
                        .parse()
                        .ok()
                        .map(|cidr| PlannedBlock { cidr, change, detail }),
                )
            }
        }
    }
    answer
}
