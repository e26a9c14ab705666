//! What a line says of something that may not be there: that it is absent is said, too, so that a line
//! that has lost the field says neither.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A field that is `null` where there is no such thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Told<T> {
    /// The line does not say.
    #[default]
    NotTold,
    /// There is none.
    Nothing,
    /// It is this.
    Is(T),
}

impl<T> Told<T> {
    /// It, if that is known.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Is(it) => Some(it),
            Self::NotTold | Self::Nothing => None,
        }
    }

    /// Whether the line does not say.
    pub const fn is_not_told(&self) -> bool {
        matches!(self, Self::NotTold)
    }
}

impl<T> From<Option<T>> for Told<T> {
    fn from(it: Option<T>) -> Self {
        it.map_or(Self::Nothing, Self::Is)
    }
}

impl<T: Serialize> Serialize for Told<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.known().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Told<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::from)
    }
}

impl<T: JsonSchema> JsonSchema for Told<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }

    fn inline_schema() -> bool {
        true
    }
}
