//! The bridge between weft and Wasmtime: engines, programs, running guests, and the glue to
//! Wasmtime's WASI crates. It holds no policy and no capability, and does no I/O of its own.
//!
//! bridge.rs is the whole surface. A guest's run is a [`task::Task`]: a future that C++ polls on
//! one loop, whose wakers only post. What a guest imports and Wasmtime does not serve goes through
//! door.rs: a function's number and bytes, to C++ and back.

mod bridge;
mod callee;
mod command;
mod door;
mod exchange;
mod http_fresh;
mod http_worker;
mod inspect;
mod loop_bound;
mod outgoing;
mod pipes;
mod program;
mod report;
mod runtime;
mod sockets;
mod state;
mod stdio;
mod task;
mod waker;
mod wasi_streams;
mod wit;
