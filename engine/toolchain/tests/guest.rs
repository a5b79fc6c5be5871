//! Bindings for guests, and the standard packages.

use std::path::{Path, PathBuf};

use weft_toolchain::{Wit, go_bindings, guest_bindings, write_standard};

/// A folder that is gone at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("weft-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Shows that a world which names a standard package needs no copy of it, and that a second run
/// leaves files alone that would not change.
#[test]
fn bindings_are_written_once() {
    let folder = Folder::new("guest");
    let make = || {
        let wit = Wit::read(Path::new("tests/everything.wit"), &[]).unwrap();
        guest_bindings(wit, Some("guest"), &folder.0).unwrap();
    };
    make();
    let header = folder.0.join("guest.h");
    let text = std::fs::read_to_string(&header).unwrap();
    assert!(text.contains("wasi_clocks_monotonic_clock_now"), "no version in names");
    let before = std::fs::metadata(&header).unwrap().modified().unwrap();
    make();
    assert_eq!(std::fs::metadata(&header).unwrap().modified().unwrap(), before);
}

/// Shows that Go's bindings import nothing from elsewhere and find what the app exports beside
/// them.
#[test]
fn go_imports_only_its_own_module() {
    let folder = Folder::new("go");
    let wit = Wit::read(Path::new("tests/everything.wit"), &[]).unwrap();
    go_bindings(wit, Some("guest"), "shop", &folder.0).unwrap();
    let exports = std::fs::read_to_string(folder.0.join("exports/wit_exports/wit_exports.go"));
    assert!(exports.unwrap().contains("\"shop/gen/wit/runtime\""));
    assert!(std::fs::read(folder.0.join("component_type.section")).unwrap().starts_with(&[0]));
    let runtime = std::fs::read_to_string(folder.0.join("wit/async/async.go")).unwrap();
    assert!(runtime.contains("\"shop/gen/wit/runtime\"") && !runtime.contains("go.bytecode"));
}

/// Shows that a world the C generator cannot do is an error and not a panic.
#[test]
fn a_world_beyond_c_is_refused() {
    let folder = Folder::new("whole");
    let wit = Wit::read(Path::new("tests/everything.wit"), &[]).unwrap();
    let error = guest_bindings(wit, Some("whole"), &folder.0).unwrap_err().to_string();
    assert!(error.contains("whole") && error.contains("map"), "{error}");
}

/// Shows that both generations of WASI are there, and that each file parses on its own terms.
#[test]
fn the_standard_packages_are_whole() {
    let folder = Folder::new("standard");
    write_standard(&folder.0).unwrap();
    for (version, file) in [("0.2.12", "http.wit"), ("0.2.12", "io.wit"), ("0.3.0", "http.wit")] {
        let path = folder.0.join(format!("wasi-{version}")).join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(&format!("@{version};")), "{}", path.display());
    }
}

/// Shows that a package from elsewhere is found when it is named.
#[test]
fn more_packages_may_be_named() {
    let folder = Folder::new("more");
    let user = folder.0.join("user.wit");
    let used = folder.0.join("used.wit");
    std::fs::write(&user, "package a:user;\nworld w { import a:used/i; }\n").unwrap();
    std::fs::write(&used, "package a:used;\ninterface i { f: func(); }\n").unwrap();
    assert!(Wit::read(&user, &[]).is_err());
    assert!(Wit::read(&user, &[used]).is_ok());
}
