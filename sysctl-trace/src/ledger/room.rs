//! What has to go where there is no more room.

use smol_str::SmolStr;

use super::{Ledger, Namespace, Place};

impl Ledger {
    /// Makes room for one more place.
    pub(super) fn make_room(&mut self) {
        while self.places.len() >= self.limits.namespaces {
            let places = match self.oldest_gone() {
                Some(place) => vec![place],
                None => self.oldest(),
            };
            if places.is_empty() {
                return;
            }
            for place in places {
                self.forget(place);
            }
        }
    }

    /// A place has ended, or it turns out that it has not.
    pub(super) fn leave(&mut self, place: Place, is_gone: bool) {
        if is_gone {
            self.gone.push_back(place);
        } else if let Some(at) = self.gone.iter().position(|gone| *gone == place) {
            self.gone.remove(at);
        }
    }

    fn oldest_gone(&self) -> Option<Place> {
        self.gone.front().copied()
    }

    /// Of those that are still there, the ones that nothing was heard of for longest; never the node.
    /// Several at a time where there are many, as all are looked at.
    fn oldest(&self) -> Vec<Place> {
        let node = self.node().map(Place::Netns);
        let mut places: Vec<(u64, Place)> = self
            .places
            .values()
            .filter(|namespace| namespace.place != Place::Node && Some(namespace.place) != node)
            .map(|namespace| (namespace.last_ns(), namespace.place))
            .collect();
        places.sort_unstable();
        places.truncate((self.limits.namespaces / 64).max(1));
        places.into_iter().map(|(_, place)| place).collect()
    }

    fn forget(&mut self, place: Place) {
        let Some(namespace) = self.places.remove(&place) else {
            return;
        };
        self.entries = self.entries.saturating_sub(namespace.entries);
        self.forgotten += 1;
        // What comes of it later is not all.
        self.forgotten_ns = self.forgotten_ns.max(Some(namespace.last_ns()));
        if namespace.destroyed.is_some() {
            self.leave(place, false);
        }
    }

    /// Forgets until a quarter of the room for entries is free.
    pub(super) fn shorten(&mut self) {
        let target = self.limits.entries / 4 * 3;
        while self.entries > target {
            let Some(place) = self.oldest_gone() else {
                break;
            };
            self.forget(place);
        }
        if self.entries <= target {
            return;
        }
        let mut histories: Vec<(u64, Place, SmolStr)> = self
            .places
            .values()
            .flat_map(|namespace: &Namespace| {
                let entries = namespace.keys.iter();
                let with_entries = entries.filter(|(_, history)| !history.entries.is_empty());
                with_entries.map(|(key, history)| (history.last_ns(), namespace.place, key.clone()))
            })
            .collect();
        histories.sort_unstable_by_key(|(last_ns, _, _)| *last_ns);
        for (last_ns, place, key) in histories {
            if self.entries <= target {
                return;
            }
            if let Some(namespace) = self.places.get_mut(&place)
                && let Some(history) = namespace.keys.remove(&key)
            {
                let count = history.entries.len();
                self.entries = self.entries.saturating_sub(count);
                namespace.entries = namespace.entries.saturating_sub(count);
                namespace.forgotten_ns = namespace.forgotten_ns.max(Some(last_ns));
            }
        }
    }
}
