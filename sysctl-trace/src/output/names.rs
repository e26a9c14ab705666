//! Names of variants as the stream has them. A test compares them with serde's.

use crate::event::{Category, Kind, Outcome, Type, ValueType};

pub(super) const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Event => "event",
        Kind::Metric => "metric",
    }
}

pub(super) const fn category_name(category: Category) -> &'static str {
    match category {
        Category::Configuration => "configuration",
        Category::Host => "host",
    }
}

pub(super) const fn type_name(type_: Type) -> &'static str {
    match type_ {
        Type::Creation => "creation",
        Type::Deletion => "deletion",
        Type::Change => "change",
        Type::Info => "info",
        Type::Start => "start",
        Type::End => "end",
    }
}

pub(super) const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Unknown => "unknown",
    }
}

pub(super) const fn value_type_name(type_: ValueType) -> &'static str {
    match type_ {
        ValueType::Int => "int",
        ValueType::Uint => "uint",
        ValueType::Ulong => "ulong",
        ValueType::U8 => "u8",
        ValueType::Bool => "bool",
        ValueType::Jiffies => "jiffies",
        ValueType::MsJiffies => "ms-jiffies",
        ValueType::UserhzJiffies => "userhz-jiffies",
        ValueType::UlongMsJiffies => "ulong-ms-jiffies",
        ValueType::PortPair => "port-pair",
        ValueType::StaticKey => "static-key",
        ValueType::Bitmap => "bitmap",
        ValueType::Actions => "actions",
        ValueType::Packets => "packets",
        ValueType::Uuid => "uuid",
        ValueType::String => "string",
        ValueType::NotDecoded => "not-decoded",
    }
}
