//! Descriptions and canonical signatures, over one interface that has every kind of type.

use std::path::Path;

use serde_json::Value;
use weft_toolchain::{Wit, describe};

fn everything(interfaces: &[&str]) -> Value {
    let wit = Wit::read(Path::new("tests/everything.wit"), &[]).unwrap();
    let names: Vec<String> = interfaces.iter().map(|s| s.to_string()).collect();
    serde_json::from_str(&describe(&wit, &names, &[]).unwrap()).unwrap()
}

fn interface<'a>(description: &'a Value, name: &str) -> &'a Value {
    let all = description["interfaces"].as_array().unwrap();
    all.iter().find(|i| i["interface"] == name).unwrap()
}

/// Shows the canonical text of each kind of type: the codec prints the same from a component.
#[test]
fn signatures_are_structural() {
    let description = everything(&["all"]);
    let functions = interface(&description, "all")["functions"].as_array().unwrap();
    let texts: Vec<(&str, &str)> = functions
        .iter()
        .map(|f| (f["name"].as_str().unwrap(), f["signature"].as_str().unwrap()))
        .collect();
    let expected = [
        ("[constructor]box", "func(size: u32) -> own<box>"),
        (
            "[method]box.open",
            "func(self: borrow<box>) -> result<list<u8>, variant{none, circle(f64)}>",
        ),
        ("[async method]box.close", "async func(self: borrow<box>, how: option<enum{red, green}>)"),
        ("[static]box.find", "func(name: string) -> option<own<box>>"),
        (
            "give",
            "func(what: own<thing>, lent: borrow<thing>) -> \
             tuple<record{left: u8, right: string}, flags{read, write}>",
        ),
        (
            "wait",
            "async func(items: stream<string>, end: future) -> future<result<_, enum{red, green}>>",
        ),
        ("table", "func(rows: list<list<char, 4>>) -> result"),
        ("look-up", "func(words: map<string, u16>) -> record{left: u8, right: string}"),
    ];
    for (name, text) in expected {
        let short = name.replace("[async method]", "[method]");
        let found = texts.iter().find(|(n, _)| *n == name || *n == short);
        assert_eq!(found.map(|(_, t)| *t), Some(text), "{name} in {texts:?}");
    }
    assert_eq!(texts.len(), expected.len());
}

/// Shows that a used type names its owner, and that the owner is described first.
#[test]
fn used_types_name_their_owner() {
    let description = everything(&["all"]);
    let names: Vec<&Value> =
        description["interfaces"].as_array().unwrap().iter().map(|i| &i["name"]).collect();
    assert_eq!(
        names,
        ["weft-test:everything/base@1.2.3", "weft-test:everything/all@1.2.3"],
        "interfaces come after those they use"
    );
    let types = interface(&description, "all")["types"].as_array().unwrap();
    let couple = types.iter().find(|t| t["name"] == "couple").unwrap();
    assert_eq!(couple["kind"], "alias");
    assert_eq!(couple["owner"], "weft-test:everything/base@1.2.3");
    assert_eq!(couple["original"], "pair");
    assert_eq!(couple["underlying"], "record");
    let again = types.iter().find(|t| t["name"] == "again").unwrap();
    assert_eq!(again["owner"], "weft-test:everything/all@1.2.3");
    assert_eq!(again["type"]["id"], couple["id"]);
}

/// Shows that ids are places in the list, and that each type comes after those it is made of.
#[test]
fn ids_are_places_and_go_upwards() {
    let description = everything(&[]);
    for interface in description["interfaces"].as_array().unwrap() {
        for (place, ty) in interface["types"].as_array().unwrap().iter().enumerate() {
            assert_eq!(ty["id"], place);
            for used in ids_in(ty) {
                assert!(used < place as u64, "{ty} uses {used}");
            }
        }
    }
}

fn ids_in(value: &Value) -> Vec<u64> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, v)| match (name.as_str(), v) {
                ("resource", Value::Number(n)) => vec![n.as_u64().unwrap()],
                ("type" | "ok" | "err" | "key" | "value", v) => {
                    v["id"].as_u64().into_iter().collect()
                }
                ("fields" | "cases" | "types", v) => ids_in(v),
                _ => vec![],
            })
            .collect(),
        Value::Array(items) => items
            .iter()
            .flat_map(|v| v["id"].as_u64().into_iter().chain(ids_in(v)).collect::<Vec<_>>())
            .collect(),
        _ => vec![],
    }
}

/// Shows that a wrong name says which names there are.
#[test]
fn unknown_interfaces_are_named() {
    let wit = Wit::read(Path::new("tests/everything.wit"), &[]).unwrap();
    let error = describe(&wit, &["nosuch".to_string()], &[]).unwrap_err().to_string();
    assert!(error.contains("nosuch") && error.contains("everything/all@1.2.3"), "{error}");
}

/// Shows that WIT which does not parse is refused with its place.
#[test]
fn bad_wit_names_its_place() {
    let folder = std::env::temp_dir().join(format!("weft-wit-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("bad.wit");
    std::fs::write(&file, "package a:b;\ninterface c { f: func(x: nosuch); }\n").unwrap();
    let error = Wit::read(&file, &[]).err().unwrap().to_string();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(error.contains("nosuch") && error.contains("bad.wit:2"), "{error}");
}
