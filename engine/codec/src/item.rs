//! What travels beside the bytes: handles, and the items of typed streams and futures.

use crate::lift::Lifter;
use crate::lower::Lowerer;
use crate::plan::{Node, program};
use std::cell::RefCell;
use std::mem::MaybeUninit;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{
    ComponentType, FutureReader, Lift, Lower, ResourceAny, Source, StreamReader,
};
use wasmtime::{Result, StoreContextMut, ValRaw, bail, format_err};

/// A thing that cannot be bytes. Whoever has one must get rid of it: drop a resource with
/// `resource_drop_async` (borrows too), pipe or close a stream and a future.
#[derive(Debug)]
pub enum Handle {
    /// A resource that is not `ResourceType::host_dynamic`: another component's, or one of
    /// Wasmtime's own crates (compare `ty()` with `ResourceType::host::<T>()`).
    Resource(ResourceAny),
    StreamU8(StreamReader<u8>),
    Stream(StreamReader<DynItem>),
    StreamUnit(StreamReader<()>),
    Future(FutureReader<DynItem>),
    FutureUnit(FutureReader<()>),
}

/// A handle and where in the bytes its number stands. Lifting numbers handles from 0 on, in five
/// bytes each, so that another number can take its place without moving anything.
#[derive(Debug)]
pub struct Slot {
    pub at: usize,
    pub handle: Handle,
}

/// One item of a `stream<T>` or the value of a `future<T>`, encoded.
///
/// To produce: `Destination::set_buffer(VecBuffer::from(items))` with at most
/// `Destination::remaining` items, once per `poll_produce`. To consume: [`read_items`], once per
/// `poll_consume`. Wasmtime would compute the place of a second batch from a size that is not the
/// real one.
#[derive(Debug, Default)]
pub struct DynItem {
    pub bytes: Vec<u8>,
    /// In the order in which they occur in the bytes. Lowering ignores `at`.
    pub handles: Vec<Slot>,
}

/// The batch being read: where its first item lies, and what its items are like.
struct Batch {
    first: usize,
    node: Node,
}

thread_local! {
    static BATCH: RefCell<Option<Batch>> = const { RefCell::new(None) };
}

/// Takes at most `max` items out of a stream or a future. Only once per `poll_consume`.
pub fn read_items<D: 'static>(
    source: &mut Source<'_, DynItem>,
    mut store: StoreContextMut<'_, D>,
    max: usize,
) -> Result<Vec<DynItem>> {
    let mut items = Vec::with_capacity(source.remaining(&mut store).min(max));
    BATCH.with(|batch| batch.borrow_mut().take());
    let read = source.read(store, &mut items);
    BATCH.with(|batch| batch.borrow_mut().take());
    read.map(|()| items)
}

// SAFETY: never flat; a size of one byte makes Wasmtime's own bounds check too weak and its
// addresses wrong, so that both are made anew below.
unsafe impl ComponentType for DynItem {
    type Lower = [ValRaw; 1];
    const ABI: CanonicalAbiInfo =
        CanonicalAbiInfo { size32: 1, align32: 1, size64: 1, align64: 1, flat_count: Some(1) };
    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        program(types.types, || types.types.clone()).node(*ty).map(|_| ())
    }
}

// SAFETY: every address is checked before it is read.
unsafe impl Lift for DynItem {
    fn linear_lift_from_flat(
        _cx: &mut LiftContext<'_>,
        _ty: InterfaceType,
        _src: &Self::Lower,
    ) -> Result<Self> {
        bail!("an item of a stream outside a stream")
    }

    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> Result<Self> {
        let here = bytes.as_ptr().addr() - cx.memory().as_ptr().addr();
        BATCH.with(|batch| {
            let batch = &mut *batch.borrow_mut();
            let batch = match batch {
                Some(batch) => batch,
                None => {
                    let node = program(cx.types, || cx.types.clone()).node(ty)?;
                    if !here.is_multiple_of(node.align as usize) {
                        bail!("stream buffer not aligned");
                    }
                    batch.insert(Batch { first: here, node })
                }
            };
            let size = batch.node.size as usize;
            let at = here
                .checked_sub(batch.first)
                .and_then(|index| index.checked_mul(size))
                .and_then(|offset| offset.checked_add(batch.first))
                .filter(|at| at.checked_add(size).is_some_and(|end| end <= cx.memory().len()))
                .ok_or_else(|| format_err!("stream buffer out of bounds of memory"))?;
            cx.consume_fuel(size)?;
            let mut item = DynItem::default();
            let mut lifter = Lifter::new(cx, &mut item.bytes);
            lifter.load(&batch.node, at)?;
            item.handles = lifter.handles;
            Ok(item)
        })
    }
}

// SAFETY: every address is checked before it is written.
unsafe impl Lower for DynItem {
    fn linear_lower_to_flat<T>(
        &self,
        _cx: &mut LowerContext<'_, T>,
        _ty: InterfaceType,
        _dst: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        bail!("an item of a stream outside a stream")
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        offset: usize,
    ) -> Result<()> {
        Self::linear_store_list_to_memory(cx, ty, offset, std::slice::from_ref(self))
    }

    fn linear_store_list_to_memory<T>(
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        offset: usize,
        items: &[Self],
    ) -> Result<()> {
        let types = cx.types;
        let node = program(types, || cx.instance_type().types.clone()).node(ty)?;
        let end = items
            .len()
            .checked_mul(node.size as usize)
            .and_then(|length| length.checked_add(offset));
        if !offset.is_multiple_of(node.align as usize)
            || end.is_none_or(|end| end > cx.as_slice_mut().len())
        {
            bail!("stream buffer not aligned or out of bounds of memory");
        }
        for (index, item) in items.iter().enumerate() {
            let mut handles = item.handles.iter().map(|slot| &slot.handle);
            let mut lowerer = Lowerer::new(cx, &item.bytes, &mut handles);
            lowerer.store(&node, offset + index * node.size as usize)?;
            lowerer.finish()?;
        }
        Ok(())
    }
}
