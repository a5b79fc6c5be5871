//! Calling an exported function with bytes, in a fresh instance.

use crate::bridge::ffi::{self, Host, ReplySink, WakeKey};
use crate::loop_bound::LoopBound;
use crate::pipes::{self, Giving};
use crate::program::{Linked, LinkedExport, Shared};
use crate::state::{self, State};
use crate::task::{Finish, Task, TaskFuture};
use std::future::poll_fn;
use std::sync::Arc;
use wasmtime::component::{Func, Instance};
use wasmtime::{AsContextMut, Result, Store, StoreContextMut, error::Context as _};
use weft_codec::{DynArgs, DynRet, Frame, Slot, with_flats};

/// # Safety
/// `host` and `sink` outlive the task.
pub unsafe fn start_export(
    linked: &Linked,
    host: *mut Host,
    function: u32,
    arguments: &[u8],
    sink: *mut ReplySink,
    wake: WakeKey,
) -> Box<Task> {
    let meter = state::new_meter(linked.shared.limits.cpu_ns);
    let shared = linked.shared.clone();
    let component = shared.component.clone();
    let (host, sink) = (LoopBound::new(host), LoopBound::new(sink));
    let (for_store, arguments) = (meter.clone(), arguments.to_vec());
    let future: TaskFuture = Box::pin(async move {
        let mut store =
            state::new_store(&shared.engine, &shared.limits, &shared.grants, &host, &for_store)?;
        let instance = shared.pre.instantiate_async(&mut store).await?;
        let (func, export) = find(&shared, &instance, &mut store, function)?;
        call(&shared, &mut store, func, export, arguments, &sink).await?;
        Ok(Finish::Done)
    });
    Task::new(future, wake, meter, component, None)
}

fn find<'a>(
    shared: &'a Shared,
    instance: &Instance,
    store: &mut Store<State>,
    function: u32,
) -> Result<(Func, &'a LinkedExport)> {
    let export =
        shared.exports.get(function as usize).context("there is no export of that number")?;
    let LinkedExport { interface, name, .. } = export;
    let parent = if interface.is_empty() {
        None
    } else {
        Some(
            instance
                .get_export_index(&mut *store, None, interface)
                .context("the export is gone")?,
        )
    };
    let index = instance
        .get_export_index(&mut *store, parent.as_ref(), name)
        .context("the export is gone")?;
    Ok((instance.get_func(&mut *store, index).context("the export is no function")?, export))
}

/// Calls with bytes that have been checked to be one value of the parameters' type, hands the reply
/// to `sink`, and goes on until the streams that it gave are done.
async fn call(
    shared: &Shared,
    store: &mut Store<State>,
    func: Func,
    export: &LinkedExport,
    arguments: Vec<u8>,
    sink: &LoopBound<*mut ReplySink>,
) -> Result<()> {
    let info = &export.info;
    let what = || format!("{}#{}: {}", export.interface, export.name, info.signature);
    let route =
        export.route.as_ref().map_err(|why| wasmtime::format_err!("{why}")).with_context(what)?;
    info.params.check(&arguments).context("the arguments")?;
    let handles = match route {
        Some(route) => pipes::give(store.as_context_mut(), route, &info.params, &arguments)?,
        None => Vec::new(),
    };
    let giving = Arc::new(Giving::default());
    // SAFETY: the sink outlives the task, and reads only during the call.
    let answer = |frame: &Frame| unsafe { ffi::sink_reply(*sink.get(), frame.bytes()) };
    let give = |store: StoreContextMut<'_, State>, mut frame: Frame, slots: Vec<Slot>| {
        if route.is_none() {
            answer(&frame);
            return Ok(());
        }
        let _adopted = pipes::adopt(store, &mut frame, slots, Some(&giving))?;
        answer(&frame);
        Ok::<_, wasmtime::Error>(())
    };
    with_flats!(info.return_flat, M => {
        let func = func.typed::<DynArgs<Vec<u8>>, DynRet<M>>(&mut *store)?;
        let arguments = DynArgs::with(arguments, handles);
        if shared.concurrent {
            store
                .run_concurrent(async |accessor| {
                    let reply = func.call_concurrent(accessor, arguments).await?;
                    accessor.with(|mut access| {
                        give(access.as_context_mut(), reply.frame, reply.handles)
                    })?;
                    poll_fn(|cx| giving.poll_done(cx)).await;
                    Ok::<_, wasmtime::Error>(())
                })
                .await??;
        } else {
            let reply = func.call_async(&mut *store, arguments).await?;
            give(store.as_context_mut(), reply.frame, reply.handles)?;
            poll_fn(|cx| giving.poll_done(cx)).await;
        }
        Ok(())
    })
}
