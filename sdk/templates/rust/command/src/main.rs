//! A command that counts its runs.

wit_bindgen::generate!({ world: "command", path: "wit", generate_all });

use std::process::ExitCode;

use wasi::keyvalue::{atomics, store};

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_else(|| "world".to_string());
    match store::open("runs").and_then(|bucket| atomics::increment(&bucket, "all", 1)) {
        Ok(runs) => {
            println!("Hello, {name}! This is run {runs}.");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}
