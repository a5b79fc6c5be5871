//! Finds the standard WIT inside the Wasmtime crates, and what Go's bindings are written against,
//! and makes them part of this one, so that no copy of them lies in the repository and a binary
//! needs no files beside it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the two generations of WASI lie, below the root of a crate.
const STANDARD: [(&str, &str, &str); 2] = [
    ("0.2.12", "wasmtime-wasi-http", "wit/deps"),
    ("0.3.0", "wasmtime-wasi-http", "src/p3/wit/deps"),
];
/// Where the packages lie that bindings for Go import.
const GO: [(&str, &str, &str); 3] = [
    ("async", "wit-bindgen-go", "src/pkg/wit/async"),
    ("runtime", "wit-bindgen-go", "src/pkg/wit/runtime"),
    ("types", "wit-bindgen-go", "src/pkg/wit/types"),
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../Cargo.lock");
    let metadata = metadata();
    let mut text = String::new();
    for (constant, sources) in [("STANDARD", &STANDARD[..]), ("GO_PACKAGES", &GO)] {
        writeln!(text, "pub const {constant}: &[(&str, &str, &str)] = &[").unwrap();
        for (label, package, folder) in sources {
            for file in files(&root_of(&metadata, package).join(folder)) {
                println!("cargo:rerun-if-changed={}", file.display());
                let name = file.file_name().unwrap().to_str().unwrap();
                writeln!(text, "    ({label:?}, {name:?}, include_str!({file:?})),").unwrap();
            }
        }
        text.push_str("];\n");
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap());
    std::fs::write(out.join("standard.rs"), text).unwrap();
}

/// What cargo knows about the packages of this workspace. Works without a network once the packages
/// for this target are there, which they are when this script runs.
fn metadata() -> serde_json::Value {
    let output = Command::new(std::env::var_os("CARGO").unwrap())
        .args(["metadata", "--format-version=1", "--locked", "--filter-platform"])
        .arg(std::env::var_os("TARGET").unwrap())
        .output()
        .expect("cargo metadata starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata failed: {complaint}");
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn root_of(metadata: &serde_json::Value, package: &str) -> PathBuf {
    let packages = metadata["packages"].as_array().expect("cargo metadata lists packages");
    let found = packages.iter().find(|p| p["name"] == package);
    let manifest = found.and_then(|p| p["manifest_path"].as_str());
    let manifest = manifest.unwrap_or_else(|| panic!("the workspace does not use {package}"));
    Path::new(manifest).parent().unwrap().to_path_buf()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|e| panic!("no {}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "wit" || e == "go" || e == "s"));
    files.sort();
    assert!(!files.is_empty(), "nothing in {}", folder.display());
    files
}
