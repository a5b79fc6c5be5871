//! What a component shows of itself: functions with their signatures, its WIT, and its makers.

use weft_toolchain::{adapt_module, producers, surface};

const HEADER: &[u8] = b"\0asm\x01\0\0\0";

/// A module that exports `_start`, with this producers section: one field, one maker.
fn module(field: &str) -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    bytes.extend([1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 19, 2, 6]);
    bytes.extend(b"_start\0\0\x06memory\x02\0");
    bytes.extend([10, 4, 1, 2, 0, 0x0b]);
    let mut section = b"\x09producers\x01".to_vec();
    section.push(field.len() as u8);
    section.extend(field.as_bytes());
    section.extend(b"\x01\x05weave\x033.1");
    bytes.extend([0, section.len() as u8]);
    bytes.extend(section);
    bytes
}

/// Shows that an adapted command exports wasi:cli/run, with the type of its function, and that its
/// world is told as WIT.
#[test]
fn a_component_tells_its_functions() {
    let surface = surface(&adapt_module(&module("sdk")).unwrap()).unwrap();
    let run = surface.exports.iter().find(|each| each.name == "run").unwrap();
    assert!(run.interface.starts_with("wasi:cli/run@0.2."), "{}", run.interface);
    assert_eq!(run.signature, "func() -> result");
    // Of the adapter's imports those stay that the module's own code leads to: here WASI's at most.
    assert!(surface.imports.iter().all(|each| each.interface.starts_with("wasi:")));
    assert!(surface.wit.contains("world root"), "{}", surface.wit);
    assert!(surface.wit.contains("package wasi:cli@"), "{}", surface.wit);
}

/// Shows that makers are found in a module and in the component around it, each once, and that a
/// field that nobody knows does no harm.
#[test]
fn makers_are_told() {
    let maker = ["sdk", "weave", "3.1"].map(str::to_string);
    assert_eq!(producers(&module("sdk")), [maker.clone()]);
    let component = adapt_module(&module("sdk")).unwrap();
    assert_eq!(producers(&component).iter().filter(|each| **each == maker).count(), 1);
    assert!(producers(&module("colour")).is_empty());
    assert!(producers(b"nothing").is_empty());
}

/// Shows that bytes which are no component are refused.
#[test]
fn what_is_no_component_is_refused() {
    let component = adapt_module(&module("sdk")).unwrap();
    for bytes in [&b""[..], b"hello", &module("sdk"), &component[..component.len() / 2]] {
        assert!(surface(bytes).is_err(), "{} bytes were taken", bytes.len());
    }
}
