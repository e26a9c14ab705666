//! The facts for a question, brought together: what a recorder or a recording saw, what the node
//! holds now, and what files ask for.

mod choose;
pub mod live;
pub mod recorded;

use smol_str::SmolStr;

use crate::{
    answer::Answer,
    ledger::{Excerpt, Namespace, Place, reach::as_asked},
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
            Some(as_asked(namespace, &case.key, case.held.value.as_ref()))
        });
        Answer::of(&Facts {
            key: &case.key,
            is_node: case.is_node,
            seen: self.excerpt.as_ref().map(|excerpt| Seen {
                window: &excerpt.window,
                namespace: namespace.as_deref(),
                node: self::namespace(excerpt, Place::Node),
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

    /// Whether a value differs from what was seen: it may have been written in between.
    fn is_overtaken(&self) -> bool {
        let is_unseen = |answer: Answer| answer.verdict.cause == Cause::ChangedUnseen;
        self.answers().into_iter().any(is_unseen)
    }
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
