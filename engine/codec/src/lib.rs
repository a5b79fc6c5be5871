//! The value codec: between a guest's linear memory and the bytes of docs/ENCODING.md, for types
//! that are known only at run time.
//!
//! Wasmtime lifts and lowers through traits whose types are fixed when the host is compiled.
//! [`DynIn`], [`DynOut`], [`DynArgs`] and [`DynRet`] implement those traits for *any* function with
//! a given number of core values, and walk the real type as they go. [`FuncInfo`] says which
//! numbers a function needs.
//!
//! | | carries | numbers |
//! |---|---|---|
//! | [`DynIn<N>`] | parameters of an import | `FuncInfo::params_flat` |
//! | [`DynOut<M, R>`] | results of an import | `FuncInfo::results_flat` |
//! | [`DynArgs<R>`] | arguments of an export | none |
//! | [`DynRet<M>`] | results of an export | `FuncInfo::return_flat` |
//!
//! ```no_run
//! # use wasmtime::{Result, component::Linker};
//! use weft_codec::{DynIn, DynOut, FuncInfo, with_flats};
//! # struct State;
//! # fn link(linker: &mut Linker<State>, info: &FuncInfo) -> Result<()> {
//! // A plain import, answered with the bytes it was called with.
//! let mut instance = linker.instance("test:x/y")?;
//! with_flats!(info.params_flat, N => match info.results_flat {
//!     0 => instance.func_wrap_async("echo", move |_store, call: DynIn<N>| {
//!         Box::new(async move { Ok(DynOut::<0, _>::new(call.frame)) })
//!     })?,
//!     _ => instance.func_wrap_async("echo", move |_store, call: DynIn<N>| {
//!         Box::new(async move { Ok(DynOut::<1, _>::new(call.frame)) })
//!     })?,
//! });
//! // An `async` import: func_wrap_concurrent, whatever way the guest lowers it.
//! with_flats!(info.params_flat, N => {
//!     instance.func_wrap_concurrent("later", move |_accessor, call: DynIn<N>| {
//!         Box::pin(async move { Ok(DynOut::<0, _>::new(call.frame)) })
//!     })?
//! });
//! # Ok(()) }
//! # use wasmtime::{Store, component::Func};
//! # async fn call(func: Func, mut store: Store<State>, info: &FuncInfo) -> Result<()> {
//! use weft_codec::{DynArgs, DynRet};
//! // An export.
//! let reply = with_flats!(info.return_flat, M => {
//!     let func = func.typed::<DynArgs<Vec<u8>>, DynRet<M>>(&store)?;
//!     func.call_async(&mut store, DynArgs::new(vec![3, b'a', b'b', b'c'])).await?.frame
//! });
//! # Ok(()) }
//! ```
//!
//! Hazards: the traits are hidden from Wasmtime's docs and part of no promise, so that its version
//! is exact. `Lower` must be as many core values as the function has: `typecheck` refuses any other
//! number.

mod bytes;
mod info;
mod item;
mod lift;
mod lower;
mod plan;
mod scan;
mod values;

pub use bytes::{Frame, Reader, Reply, padded_u32, put_s64, put_u32, put_u64};
pub use info::FuncInfo;
pub use item::{DynItem, Handle, Slot, read_items};
pub use plan::{Payload, sweep};
pub use scan::{HandleKind, HandleRef, Plan};
pub use values::{DynArgs, DynIn, DynOut, DynRet};

/// Evaluates an expression with a constant that is the value of `$count`, which is at most 16.
#[macro_export]
macro_rules! with_flats {
    ($count:expr, $name:ident => $body:expr) => {
        $crate::with_flats!(@ $count, $name, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
    };
    (@ $count:expr, $name:ident, $body:expr, $($value:literal)*) => {
        match $count {
            $($value => { const $name: usize = $value; $body })*
            _ => unreachable!("more flat values than the canonical ABI has"),
        }
    };
}
