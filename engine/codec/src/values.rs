//! The four types that stand where Wasmtime wants a tuple of host types.

use crate::bytes::{Frame, Reply};
use crate::item::{Handle, Slot};
use crate::lift::Lifter;
use crate::lower::{Flats, Lowerer};
use crate::plan::{NOT_FLAT, Node, program};
use std::mem::MaybeUninit;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, Lower};
use wasmtime::{Result, ValRaw, bail};

/// Core values that parameters, and results of async-lifted exports, may have before they go
/// through memory.
pub(crate) const FLATS_MAX: usize = 16;

/// The parameters a guest called an import with. `N`: [`FuncInfo::params_flat`](crate::FuncInfo).
///
/// The same function is entered with core values or with a pointer, depending on how its caller
/// lowered it: both are handled for each `N`.
#[derive(Debug)]
pub struct DynIn<const N: usize> {
    pub frame: Frame,
    /// What is not bytes, in the order in which it occurs; the bytes number it from 0 on.
    pub handles: Vec<Slot>,
}

/// What an import answers. `M`: [`FuncInfo::results_flat`](crate::FuncInfo).
#[derive(Debug)]
pub struct DynOut<const M: usize, R: Reply> {
    pub reply: R,
    /// In the order in which they occur in the bytes, whatever their numbers there: all but the
    /// resources that cross by number. [`Plan::scan`](crate::Plan::scan) lists them.
    pub handles: Vec<Handle>,
}

/// The arguments an export is called with: any number of core values.
#[derive(Debug)]
pub struct DynArgs<R: Reply> {
    pub args: R,
    /// As in [`DynOut`].
    pub handles: Vec<Handle>,
}

/// What an export returned. `M`: [`FuncInfo::return_flat`](crate::FuncInfo).
#[derive(Debug)]
pub struct DynRet<const M: usize> {
    pub frame: Frame,
    /// As in [`DynIn`].
    pub handles: Vec<Slot>,
}

impl<const M: usize, R: Reply> DynOut<M, R> {
    pub fn new(reply: R) -> Self {
        DynOut { reply, handles: Vec::new() }
    }
    pub fn with(reply: R, handles: Vec<Handle>) -> Self {
        DynOut { reply, handles }
    }
}

impl<R: Reply> DynArgs<R> {
    pub fn new(args: R) -> Self {
        DynArgs { args, handles: Vec::new() }
    }
    pub fn with(args: R, handles: Vec<Handle>) -> Self {
        DynArgs { args, handles }
    }
}

/// The numbers of core values a function's parameters and results need of these types.
pub(crate) fn params_flat(node: &Node) -> usize {
    if node.flat == NOT_FLAT { 0 } else { node.flat.into() }
}
pub(crate) fn results_flat(node: &Node) -> usize {
    if node.flat <= 1 { node.flat.into() } else { 0 }
}
pub(crate) fn return_flat(node: &Node) -> usize {
    if node.flat == NOT_FLAT { 1 } else { node.flat.into() }
}

fn check(
    ty: &InterfaceType,
    types: &InstanceType<'_>,
    count: usize,
    wanted: fn(&Node) -> usize,
) -> Result<()> {
    let node = program(types.types, || types.types.clone()).tuple(*ty)?;
    match wanted(node) {
        wanted if wanted == count => Ok(()),
        wanted => bail!("{count} core values where the function has {wanted}"),
    }
}

/// Sizes of one byte: Wasmtime then checks a pointer against the memory, and what lies there is
/// checked here.
const fn abi(flat: usize) -> CanonicalAbiInfo {
    CanonicalAbiInfo { size32: 1, align32: 1, size64: 1, align64: 1, flat_count: Some(flat as u8) }
}

fn lift_flat(
    cx: &mut LiftContext<'_>,
    node: &Node,
    source: &[ValRaw],
) -> Result<(Frame, Vec<Slot>)> {
    let mut frame = Frame::take();
    let mut lifter = Lifter::new(cx, frame.bytes_mut());
    let mut rest = source;
    lifter.flat(node, &mut rest)?;
    let handles = lifter.handles;
    Ok((frame, handles))
}

/// Lifts from memory that starts where `bytes` does.
fn lift_from(cx: &mut LiftContext<'_>, node: &Node, at: usize) -> Result<(Frame, Vec<Slot>)> {
    if !at.is_multiple_of(node.align as usize) {
        bail!("pointer not aligned");
    }
    if at.checked_add(node.size as usize).is_none_or(|end| end > cx.memory().len()) {
        bail!("pointer out of bounds of memory");
    }
    let mut frame = Frame::take();
    let mut lifter = Lifter::new(cx, frame.bytes_mut());
    lifter.load(node, at)?;
    let handles = lifter.handles;
    Ok((frame, handles))
}

fn offset_of(cx: &LiftContext<'_>, bytes: &[u8]) -> usize {
    bytes.as_ptr().addr() - cx.memory().as_ptr().addr()
}

// SAFETY: `Lower` is N core values, and `typecheck` refuses functions that have another number.
unsafe impl<const N: usize> ComponentType for DynIn<N> {
    type Lower = [ValRaw; N];
    const ABI: CanonicalAbiInfo = abi(N);
    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        check(ty, types, N, params_flat)
    }
}
// SAFETY: `typecheck` is about the tuple.
unsafe impl<const N: usize> ComponentNamedList for DynIn<N> {}
// SAFETY: everything the guest says is checked by the lifter.
unsafe impl<const N: usize> Lift for DynIn<N> {
    #[inline]
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        source: &Self::Lower,
    ) -> Result<Self> {
        let types = cx.types;
        let node = program(types, || types.clone()).tuple(ty)?;
        let (frame, handles) = lift_flat(cx, node, source)?;
        Ok(DynIn { frame, handles })
    }
    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> Result<Self> {
        let types = cx.types;
        let node = program(types, || types.clone()).tuple(ty)?;
        let at = offset_of(cx, bytes);
        let (frame, handles) = lift_from(cx, node, at)?;
        Ok(DynIn { frame, handles })
    }
}

// SAFETY: as for DynIn.
unsafe impl<const M: usize> ComponentType for DynRet<M> {
    type Lower = [ValRaw; M];
    const ABI: CanonicalAbiInfo = abi(M);
    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        check(ty, types, M, return_flat)
    }
}
// SAFETY: `typecheck` is about the tuple.
unsafe impl<const M: usize> ComponentNamedList for DynRet<M> {}
// SAFETY: as for DynIn.
unsafe impl<const M: usize> Lift for DynRet<M> {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        source: &Self::Lower,
    ) -> Result<Self> {
        let types = cx.types;
        let node = program(types, || types.clone()).tuple(ty)?;
        // How many results are core values depends on how the guest lifted the function.
        let max = if cx.options().async_ { FLATS_MAX } else { 1 };
        let (frame, handles) = match source.first() {
            Some(pointer) if usize::from(node.flat) > max => {
                lift_from(cx, node, pointer.get_u32() as usize)?
            }
            _ => lift_flat(cx, node, source)?,
        };
        Ok(DynRet { frame, handles })
    }
    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> Result<Self> {
        let types = cx.types;
        let node = program(types, || types.clone()).tuple(ty)?;
        let at = offset_of(cx, bytes);
        let (frame, handles) = lift_from(cx, node, at)?;
        Ok(DynRet { frame, handles })
    }
}

// SAFETY: as for DynIn.
unsafe impl<const M: usize, R: Reply> ComponentType for DynOut<M, R> {
    type Lower = [ValRaw; M];
    const ABI: CanonicalAbiInfo = abi(M);
    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        check(ty, types, M, results_flat)
    }
}
// SAFETY: `typecheck` is about the tuple.
unsafe impl<const M: usize, R: Reply> ComponentNamedList for DynOut<M, R> {}
// SAFETY: all of the target is written, or an error returned.
unsafe impl<const M: usize, R: Reply> Lower for DynOut<M, R> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        target: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        let types = cx.types;
        let node = program(types, || cx.instance_type().types.clone()).tuple(ty)?;
        let mut handles = self.handles.iter();
        let mut lowerer = Lowerer::new(cx, self.reply.bytes(), &mut handles);
        let mut flats = Flats::new(as_slots(target));
        lowerer.flat(node, &mut flats)?;
        flats.fill_to(M)?;
        lowerer.finish()
    }
    #[inline]
    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        offset: usize,
    ) -> Result<()> {
        let types = cx.types;
        let node = program(types, || cx.instance_type().types.clone()).tuple(ty)?;
        let mut handles = self.handles.iter();
        let mut lowerer = Lowerer::new(cx, self.reply.bytes(), &mut handles);
        lowerer.store(node, offset)?;
        lowerer.finish()
    }
}

// SAFETY: `Lower` is the most core values there can be. All of them are written, so that Wasmtime
// never computes a size or an alignment from this type's constants.
unsafe impl<R: Reply> ComponentType for DynArgs<R> {
    type Lower = [ValRaw; FLATS_MAX];
    const ABI: CanonicalAbiInfo = abi(FLATS_MAX);
    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        program(types.types, || types.types.clone()).tuple(*ty).map(|_| ())
    }
}
// SAFETY: `typecheck` is about the tuple.
unsafe impl<R: Reply> ComponentNamedList for DynArgs<R> {}
// SAFETY: all of the target is written, or an error returned.
unsafe impl<R: Reply> Lower for DynArgs<R> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        target: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        let types = cx.types;
        let node = program(types, || cx.instance_type().types.clone()).tuple(ty)?;
        let mut flats = Flats::new(as_slots(target));
        let in_memory = match node.flat {
            NOT_FLAT => Some(cx.realloc(0, 0, node.align, node.size as usize)?),
            _ => None,
        };
        let mut handles = self.handles.iter();
        let mut lowerer = Lowerer::new(cx, self.args.bytes(), &mut handles);
        match in_memory {
            None => lowerer.flat(node, &mut flats)?,
            Some(pointer) => {
                lowerer.store(node, pointer)?;
                flats.put(ValRaw::i64(pointer as i64))?;
            }
        }
        flats.fill_to(FLATS_MAX)?;
        lowerer.finish()
    }
    fn linear_lower_to_memory<T>(
        &self,
        _cx: &mut LowerContext<'_, T>,
        _ty: InterfaceType,
        _offset: usize,
    ) -> Result<()> {
        bail!("arguments of an export are lowered flat")
    }
}

/// An array not written yet, as slots not written yet.
fn as_slots<const COUNT: usize>(
    target: &mut MaybeUninit<[ValRaw; COUNT]>,
) -> &mut [MaybeUninit<ValRaw>] {
    // SAFETY: an array of uninitialised values and an uninitialised array are laid out alike.
    unsafe { &mut *std::ptr::from_mut(target).cast::<[MaybeUninit<ValRaw>; COUNT]>() }
}
