//! Compiles the C++ half of the bridge's glue, which cxx makes from src/bridge.rs.

fn main() {
    cxx_build::bridge("src/bridge.rs")
        .compiler("clang++-22")
        .std("c++23")
        .include("../src")
        .flag("-Wno-unused-parameter")
        .compile("weft_bridge");
    println!("cargo:rerun-if-changed=src/bridge.rs");
    println!("cargo:rerun-if-changed=../src/engine/bridge_host.h");
    println!("cargo:rerun-if-changed=../src/engine/net_gate.h");
    println!("cargo:rerun-if-changed=../src/io/wake.h");
}
