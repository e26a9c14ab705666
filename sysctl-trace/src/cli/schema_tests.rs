use serde_json::Value;

use crate::{
    event::{Event, SCHEMA_VERSION},
    output::{json::Json, samples},
};

fn schema() -> Value {
    serde_json::to_value(schemars::schema_for!(Event)).unwrap()
}

#[test]
fn events_of_every_action_follow_the_schema() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let mut start = samples::started();
    start.trace.filters = [("key".to_owned(), vec!["net.*".to_owned()])].into();
    for event in [&[start], &samples::all()[..]].concat() {
        let mut line = Vec::new();
        Json::default().push_event(&mut line, &event).unwrap();
        let line: Value = serde_json::from_slice(&line).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&line)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}\n{line:#}");
    }
}

#[test]
fn a_wrong_type_does_not_follow_it() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let mut line = serde_json::to_value(samples::created()).unwrap();
    assert!(validator.is_valid(&line));
    line["netns"]["inum"] = "4026532281".into();
    assert!(!validator.is_valid(&line));
}

#[test]
fn the_draft_is_named() {
    let schema = schema();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert_eq!(schema["title"], "sysctl-trace event");
    assert_eq!(SCHEMA_VERSION.split('.').count(), 2);
}

#[test]
fn every_field_is_described() {
    let mut bare = Vec::new();
    look(&schema(), "event", &mut bare);
    assert!(bare.is_empty(), "no description: {bare:#?}");
}

fn look(schema: &Value, name: &str, bare: &mut Vec<String>) {
    let Value::Object(schema) = schema else {
        return;
    };
    if let Some(Value::Object(properties)) = schema.get("properties") {
        for (field, schema) in properties {
            let described = schema
                .get("description")
                .and_then(Value::as_str)
                .is_some_and(|text| !text.trim().is_empty());
            if !described {
                bare.push(format!("{name}.{field}"));
            }
            look(schema, &format!("{name}.{field}"), bare);
        }
    }
    if let Some(Value::Object(definitions)) = schema.get("$defs") {
        for (definition, schema) in definitions {
            look(schema, definition, bare);
        }
    }
}
