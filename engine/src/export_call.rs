//! Calling an exported function with bytes, in a fresh instance.

use crate::bridge::ffi::{self, Host, ReplySink, WakeKey};
use crate::loop_bound::LoopBound;
use crate::program::{Linked, Shared};
use crate::state::{self, State};
use crate::task::{Finish, Task, TaskFuture};
use wasmtime::component::{Func, Instance};
use wasmtime::{Result, Store, error::Context as _};
use weft_codec::{DynArgs, DynRet, Frame, FuncInfo, with_flats};

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
    let meter = state::new_meter(linked.limits.cpu_ns);
    let shared = linked.shared.clone();
    let component = shared.component.clone();
    let (host, sink) = (LoopBound::new(host), LoopBound::new(sink));
    let (for_store, arguments) = (meter.clone(), arguments.to_vec());
    let future: TaskFuture = Box::pin(async move {
        let mut store =
            state::new_store(&shared.engine, &shared.limits, &shared.grants, &host, &for_store)?;
        let instance = shared.pre.instantiate_async(&mut store).await?;
        let (func, info) = find(&shared, &instance, &mut store, function)?;
        let reply = call(&shared, &mut store, func, info, arguments).await?;
        // SAFETY: the sink outlives the task, and reads only during the call.
        unsafe { ffi::sink_reply(*sink.get(), reply.bytes()) };
        Ok(Finish::Done)
    });
    Task::new(future, wake, meter, component, None)
}

fn find<'a>(
    shared: &'a Shared,
    instance: &Instance,
    store: &mut Store<State>,
    function: u32,
) -> Result<(Func, &'a FuncInfo)> {
    let (interface, name, info) =
        shared.exports.get(function as usize).context("there is no export of that number")?;
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
    Ok((instance.get_func(&mut *store, index).context("the export is no function")?, info))
}

/// Calls with bytes that have been checked to be one value of the parameters' type.
async fn call(
    shared: &Shared,
    store: &mut Store<State>,
    func: Func,
    info: &FuncInfo,
    arguments: Vec<u8>,
) -> Result<Frame> {
    if !info.plain {
        wasmtime::bail!("it takes or returns handles, which only a linked component can be given");
    }
    info.params.check(&arguments).context("the arguments")?;
    with_flats!(info.return_flat, M => {
        let func = func.typed::<DynArgs<Vec<u8>>, DynRet<M>>(&mut *store)?;
        if shared.concurrent {
            let reply = store
                .run_concurrent(async |accessor| {
                    func.call_concurrent(accessor, DynArgs::new(arguments)).await
                })
                .await??;
            Ok(reply.frame)
        } else {
            Ok(func.call_async(&mut *store, DynArgs::new(arguments)).await?.frame)
        }
    })
}
