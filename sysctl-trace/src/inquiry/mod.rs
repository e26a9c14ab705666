//! The facts for a question, brought together: what a recorder or a recording saw, what the node
//! holds now, and what files ask for.

mod choose;
pub mod live;
pub mod recorded;

use smol_str::SmolStr;

use crate::{
    answer::Answer,
    ledger::{Excerpt, Namespace, Place, Sharing, reach::as_asked},
    target::Target,
    verdict::{Cause, Facts, Held, Seen, on_node},
};

/// One key in one place.
#[derive(Clone, Debug)]
pub struct Case {
    /// The key, dotted.
    pub key: SmolStr,
    /// Where it lives; absent where no tracer can have seen it.
    pub place: Option<Place>,
    /// Whether it is the node's own.
    pub is_node: bool,
    /// What is there now.
    pub held: Held,
}

/// A question's facts.
#[derive(Clone, Debug, Default)]
pub struct Inquiry {
    /// What was seen; absent where nobody watched.
    pub excerpt: Option<Excerpt>,
    /// What is asked, in the order of the keys.
    pub cases: Vec<Case>,
    /// What is worth saying beside the answers.
    pub notes: Vec<String>,
}

impl Inquiry {
    /// The answers, in the order of the cases.
    pub fn answers(&self) -> Vec<Answer> {
        self.cases.iter().map(|case| self.answer(case)).collect()
    }

    fn answer(&self, case: &Case) -> Answer {
        let namespace = self.excerpt.as_ref().and_then(|excerpt| {
            let namespace = namespace(excerpt, case.place?)?;
            let held = case.held.value.as_ref();
            Some(as_asked(&excerpt.window, namespace, &case.key, held))
        });
        Answer::of(&Facts {
            key: &case.key,
            is_node: case.is_node,
            seen: self.excerpt.as_ref().map(|excerpt| Seen {
                window: &excerpt.window,
                namespace: namespace.as_deref(),
                node: self::namespace(excerpt, Place::Node),
                node_netns: node_netns(excerpt),
            }),
            held: case.held.clone(),
        })
    }

    /// Says of who was asked about that it uses the node's own network namespace.
    fn say_on_node(&mut self, target: &Target) {
        let guest = match target {
            Target::Pod { .. } => format!("pod {target}"),
            Target::Name(name) => name.clone(),
            Target::Node | Target::Inum(_) | Target::Pid(..) | Target::Path(_) => return,
        };
        self.notes.push(on_node(&guest));
        for case in &mut self.cases {
            case.held.on_node = Some(guest.clone());
        }
    }

    /// Calls the namespace that was asked about as the question did.
    fn call_shown_by(&mut self, target: &Target) {
        let guest = match target {
            Target::Pod { .. } => format!("pod {target}"),
            Target::Name(name) => name.clone(),
            Target::Node | Target::Inum(_) | Target::Pid(..) | Target::Path(_) => return,
        };
        let shown_by = self.cases.iter_mut().map(|case| &mut case.held.shown_by);
        for name in shown_by.flatten() {
            name.clone_from(&guest);
        }
    }

    /// Whether a value differs from what was seen: it may have been written in between.
    fn is_overtaken(&self) -> bool {
        let is_unseen = |answer: Answer| answer.verdict.cause == Cause::ChangedUnseen;
        self.answers().into_iter().any(is_unseen)
    }
}

impl Case {
    /// The same of the whole node, where that is whose the key is: what is known of it there.
    fn where_it_lives(self, excerpt: &Excerpt) -> Self {
        let Some(Place::Netns(id)) = self.place else {
            return self;
        };
        let node = node_netns(excerpt);
        let is_shared = excerpt.window.sharing(&self.key, node) == Sharing::Shared;
        if Some(id) == excerpt.node || !is_shared {
            return self;
        }
        // Writes are told of the node's own network namespace, or of none.
        let has_key = |namespace: &&Namespace| namespace.keys.contains_key(&self.key);
        let of_none = namespace(excerpt, Place::Node).filter(has_key);
        let place = match node.filter(has_key).or(of_none) {
            Some(namespace) => namespace.place,
            None => excerpt.node.map_or(Place::Node, Place::Netns),
        };
        Self {
            place: Some(place),
            is_node: true,
            held: Held {
                value: self.held.value,
                shown_by: Some(format!("netns {}", id.inum)),
                ..Held::default()
            },
            ..self
        }
    }
}

/// What is known of the node's own network namespace.
fn node_netns(excerpt: &Excerpt) -> Option<&Namespace> {
    namespace(excerpt, Place::Netns(excerpt.node?))
}

fn namespace(excerpt: &Excerpt, place: Place) -> Option<&Namespace> {
    excerpt
        .namespaces
        .iter()
        .find(|namespace| namespace.place == place)
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
