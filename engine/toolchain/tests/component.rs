//! Core modules into components.

use weft_toolchain::{Adapter, adapt_module, componentize, is_core_module};

const HEADER: &[u8] = b"\0asm\x01\0\0\0";

/// A core module with a memory, and one empty function exported as `name`.
fn module(name: &str) -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    bytes.extend([1, 4, 1, 0x60, 0, 0]); // a type: [] -> []
    bytes.extend([3, 2, 1, 0]); // a function of it
    bytes.extend([5, 3, 1, 0, 1]); // a memory of one page
    let mut exports = vec![2, name.len() as u8];
    exports.extend(name.as_bytes());
    exports.extend([0, 0, 6]);
    exports.extend(b"memory");
    exports.extend([2, 0]);
    bytes.extend([7, exports.len() as u8]);
    bytes.extend(exports);
    bytes.extend([10, 4, 1, 2, 0, 0x0b]); // its body: end
    bytes
}

/// Shows that a module with `_start` becomes a command, which exports wasi:cli/run.
#[test]
fn a_command_is_adapted() {
    let component = adapt_module(&module("_start")).unwrap();
    assert!(!is_core_module(&component));
    assert!(contains(&component, b"wasi:cli/run@0.2"));
}

/// Shows that a module without it does not become a command.
#[test]
fn a_reactor_is_adapted() {
    let component = adapt_module(&module("_initialize")).unwrap();
    assert!(!is_core_module(&component));
    assert!(!contains(&component, b"wasi:cli/run@0.2"));
}

/// Shows that bytes which are no core module are refused, whatever they are.
#[test]
fn what_is_no_module_is_refused() {
    let component = adapt_module(&module("_start")).unwrap();
    let truncated = &module("_start")[..20];
    for bytes in [&b""[..], b"hello", HEADER.split_at(4).0, component.as_slice(), truncated] {
        assert!(adapt_module(bytes).is_err(), "{} bytes were taken", bytes.len());
    }
    assert!(componentize(b"not wasm", Adapter::Reactor).is_err());
}

/// Shows that an import nobody serves is named.
#[test]
fn an_unknown_import_is_named() {
    let mut bytes = HEADER.to_vec();
    bytes.extend([1, 4, 1, 0x60, 0, 0]);
    bytes.extend([2, 9, 1, 3]);
    bytes.extend(b"env");
    bytes.extend([1, b'f', 0, 0]);
    let error = format!("{:#}", componentize(&bytes, Adapter::None).unwrap_err());
    assert!(error.contains("env"), "{error}");
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
