//! A value that is turned into JSON once and shared by many lines.
//!
//! One process may stand behind thousands of events. Its part of the line is rendered at the
//! first of them and copied into the rest.

use std::{borrow::Cow, ops::Deref, sync::OnceLock};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error as _};
use serde_json::value::{RawValue, to_raw_value};

/// A `T` with its JSON, made when first asked for. The value can't be changed any more.
#[derive(Clone, Debug)]
pub struct Rendered<T> {
    value: T,
    json: OnceLock<Box<RawValue>>,
}

impl<T> Rendered<T> {
    /// Wraps a value; nothing is rendered yet.
    pub const fn new(value: T) -> Self {
        Self {
            value,
            json: OnceLock::new(),
        }
    }

    /// The value.
    pub const fn value(&self) -> &T {
        &self.value
    }
}

impl<T: Serialize> Rendered<T> {
    /// The JSON of the value.
    pub fn json(&self) -> Result<&str, serde_json::Error> {
        let json = match self.json.get() {
            Some(json) => json,
            None => {
                let json = to_raw_value(&self.value)?;
                self.json.get_or_init(|| json)
            }
        };
        Ok(json.get())
    }
}

impl<T> Deref for Rendered<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Serialize> Serialize for Rendered<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(json) = self.json.get() {
            return json.serialize(serializer);
        }
        let json = to_raw_value(&self.value).map_err(S::Error::custom)?;
        self.json.get_or_init(|| json).serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Rendered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

impl<T: PartialEq> PartialEq for Rendered<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Rendered<T> {}

impl<T: JsonSchema> JsonSchema for Rendered<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
