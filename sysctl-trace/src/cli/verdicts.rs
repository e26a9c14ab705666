//! What `run` ends with: a verdict for each namespace that was made meanwhile.

use std::fmt::Write as _;

use crate::{
    event::NetnsId,
    inquiry::recorded,
    ledger::{Ledger, Place},
    node::key::Keys,
    output::{
        answer::confidence_word,
        text::{Charset, push},
    },
};

/// How many namespaces are told one by one.
const NAMESPACES: usize = 1000;

/// The namespaces that verdicts are wanted for, and the keys.
#[derive(Debug)]
pub struct Verdicts {
    keys: Keys,
    made: Vec<NetnsId>,
    more: u64,
}

impl Verdicts {
    /// On these keys.
    pub const fn new(keys: Keys) -> Self {
        Self {
            keys,
            made: Vec::new(),
            more: 0,
        }
    }

    /// A namespace was made.
    pub fn add(&mut self, netns: NetnsId) {
        if self.made.len() < NAMESPACES {
            self.made.push(netns);
        } else {
            self.more += 1;
        }
    }

    /// A line for each namespace and key, in the order in which the namespaces were made.
    pub fn text(&self, ledger: &Ledger, charset: Charset) -> String {
        let mut out = String::new();
        for netns in &self.made {
            let inquiry = recorded::in_ledger(ledger, Place::Netns(*netns), &self.keys);
            for answer in inquiry.answers() {
                let mut sentence = String::new();
                push(&mut sentence, &answer.verdict.sentence, charset);
                let number = netns.inum.to_string();
                // Writing to a String can't fail.
                if !sentence.contains(&number) {
                    let _ = write!(out, "netns {number}: ");
                }
                let sureness = confidence_word(answer.verdict.confidence);
                let _ = writeln!(out, "{sentence} ({sureness})");
            }
        }
        if self.more > 0 {
            let _ = writeln!(out, "and {} more new namespaces", self.more);
        }
        out
    }
}
