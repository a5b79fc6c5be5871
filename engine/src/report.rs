//! How the end of a run is told: which kind it was, and for a trap the component, the function and
//! the wasm frames.

use crate::bridge::ffi::{Ending, Outcome, ReachedLimit};
use crate::state::CpuExhausted;
use crate::task::Finish;
use std::any::Any;
use std::fmt::Write;
use wasmtime::{Error, PoolConcurrencyLimitError, Result, Trap, WasmBacktrace};

/// Frames that a report prints; the rest are counted.
const FRAMES_MAX: usize = 32;

/// A limit that ended an instance, told in its own words.
#[derive(Debug)]
pub struct LimitReached {
    pub limit: ReachedLimit,
    pub text: String,
}
impl std::fmt::Display for LimitReached {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.text)
    }
}
impl std::error::Error for LimitReached {}

pub fn outcome(result: Option<&Result<Finish>>, component: &str) -> Outcome {
    match result {
        None => Outcome::new(Ending::Failed, 1, "it has not ended".into()),
        Some(Ok(Finish::Done)) => Outcome::new(Ending::Done, 0, String::new()),
        Some(Ok(Finish::Exited(code))) => Outcome::new(Ending::Exited, *code, String::new()),
        Some(Err(error)) => from_error(error, component),
    }
}

fn from_error(error: &Error, component: &str) -> Outcome {
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return Outcome::new(Ending::Exited, exit.0, String::new());
    }
    let limit = match error.downcast_ref::<LimitReached>() {
        Some(reached) => reached.limit,
        None if error.is::<CpuExhausted>() => ReachedLimit::Cpu,
        None => ReachedLimit::None,
    };
    let ending = if error.is::<PoolConcurrencyLimitError>() {
        Ending::NoRoom
    } else if limit != ReachedLimit::None {
        Ending::Limited
    } else if error.is::<Trap>() || error.is::<WasmBacktrace>() {
        Ending::Trapped
    } else {
        Ending::Failed
    };
    let mut message = format!("component {component}: {}", cause(error));
    if let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() {
        frames(backtrace, &mut message);
    }
    Outcome { limit, ..Outcome::new(ending, 1, message) }
}

/// What happened, without the frames that Wasmtime puts in front.
fn cause(error: &Error) -> String {
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return format!("trap: {trap}");
    }
    if let Some(cpu) = error.downcast_ref::<CpuExhausted>() {
        return cpu.to_string();
    }
    let links: Vec<String> = error
        .chain()
        .map(ToString::to_string)
        .filter(|text| !text.starts_with("error while executing at wasm backtrace"))
        .collect();
    links.join(": ")
}

fn frames(backtrace: &WasmBacktrace, out: &mut String) {
    let frames = backtrace.frames();
    for (index, frame) in frames.iter().take(FRAMES_MAX).enumerate() {
        let name = match frame.func_name() {
            Some(name) => demangled(name),
            None => format!("function {}", frame.func_index()),
        };
        let _ = write!(out, "\n  {index}: {}", one_line(&name));
        if let Some(module) = frame.module().name() {
            let _ = write!(out, " in {}", one_line(module));
        }
        for symbol in frame.symbols() {
            if let (Some(file), Some(line)) = (symbol.file(), symbol.line()) {
                let _ = write!(out, " at {file}:{line}");
            }
        }
    }
    if frames.len() > FRAMES_MAX {
        let _ = write!(out, "\n  ... {} more", frames.len() - FRAMES_MAX);
    }
}

/// A name out of a file that anybody made: it stays on its line.
fn one_line(name: &str) -> String {
    name.replace(char::is_control, "\u{fffd}")
}

fn demangled(name: &str) -> String {
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        return format!("{rust:#}");
    }
    cpp_demangle::Symbol::new(name)
        .ok()
        .and_then(|symbol| symbol.demangle().ok())
        .unwrap_or_else(|| name.to_string())
}

pub fn from_panic(panic: Box<dyn Any + Send>) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "unknown".into());
    wasmtime::format_err!("a bug in the engine was caught: {text}")
}
