// SPDX-License-Identifier: GPL-2.0

//! kspan for Rust: what [`Kmalloc`] and [`KVmalloc`] are to SLUB.
//!
//! A module copies this file, says `mod kspan_alloc;`, and has [`KspanBox`] and [`KspanVec`] in
//! place of `KBox` and `KVec`, or any other container that takes an [`Allocator`].
//!
//! [`Kspan`] is `kspan_malloc()`, up to `kmalloc()`'s limit and contiguous. [`KvKspan`] is
//! `kspan_kvmalloc()`: of any size, above that limit from `vmalloc()`. Both allocate from the
//! default heap: an [`Allocator`] is a type and has no value that could tell of another one.
//!
//! Alignment: kspan aligns to the largest power of two that divides the size, so a size that is
//! a multiple of the layout's alignment is enough. What was resized in place has the alignment
//! that it had, so such an object is moved if a layout asks for more. Of `vmalloc()` there is
//! no more than a page's; a layout that asks for more and gets less is refused.
//!
//! Flags: as for `kspan_malloc()`. With `__GFP_ZERO` in every call that made the object, all of it
//! that was never written reads as zero, as with [`Kmalloc`].
//!
//! NUMA: without a node an object may come from any. An object that need not move stays where it
//! is, though another node is asked for. ([`Flags`] cannot say `__GFP_THISNODE`.)
//!
//! Context: as `kspan_malloc()` by its flags; to free, any, NMI included.
//!
//! [`Kmalloc`]: kernel::alloc::allocator::Kmalloc
//! [`KVmalloc`]: kernel::alloc::allocator::KVmalloc

// A module may want less than there is.
#![allow(dead_code)]

use core::{
    alloc::Layout,
    mem,
    ptr::{
        self,
        NonNull, //
    }, //
};

use kernel::{
    alloc::{
        AllocError,
        Allocator,
        Flags,
        NumaNode, //
    },
    prelude::*, //
};

/// What kspan exports, as in `include/linux/kspan.h`.
mod c {
    use kernel::ffi::{
        c_int,
        c_uint,
        c_void, //
    };

    /// `struct kspan_memory`, in bytes.
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    pub(crate) struct Memory {
        pub(crate) arenas: u64,
        pub(crate) spans: u64,
        pub(crate) live: u64,
        pub(crate) cached: u64,
        pub(crate) metadata: u64,
        pub(crate) vmalloc: u64,
    }

    /// `struct kspan_heap`, of which there is no more to know. NULL is the default heap.
    #[repr(C)]
    pub(super) struct Heap {
        _opaque: [u8; 0],
    }

    // `gfp_t` is an unsigned int.
    extern "C" {
        pub(super) fn kspan_malloc_node(size: usize, gfp: c_uint, node: c_int) -> *mut c_void;
        pub(super) fn kspan_realloc(p: *const c_void, size: usize, gfp: c_uint) -> *mut c_void;
        pub(super) fn kspan_heap_kvmalloc_node(
            heap: *mut Heap,
            size: usize,
            gfp: c_uint,
            node: c_int,
        ) -> *mut c_void;
        pub(super) fn kspan_heap_kvrealloc(
            heap: *mut Heap,
            p: *const c_void,
            size: usize,
            gfp: c_uint,
        ) -> *mut c_void;
        pub(super) fn kspan_free(p: *const c_void);
        pub(super) fn kspan_size(p: *const c_void) -> usize;
        pub(super) fn kspan_memory_read(memory: *mut Memory);
    }
}

pub(crate) use c::Memory;

/// Tells what kspan takes from the system, for all of its users.
///
/// Context: task; sleeps.
pub(crate) fn memory() -> Memory {
    let mut memory = Memory::default();

    // SAFETY: `memory` is a `struct kspan_memory` to write to.
    unsafe { c::kspan_memory_read(&mut memory) };
    memory
}

/// A [`Box`] in memory of kspan's.
pub(crate) type KspanBox<T> = Box<T, Kspan>;

/// A [`Vec`] in memory of kspan's, of at most 4 MiB.
pub(crate) type KspanVec<T> = Vec<T, Kspan>;

/// A [`Vec`] in memory of kspan's, of any size.
pub(crate) type KvKspanVec<T> = Vec<T, KvKspan>;

/// `kspan_malloc()` and its kin as an [`Allocator`].
pub(crate) struct Kspan;

/// `kspan_kvmalloc()` and its kin as an [`Allocator`].
pub(crate) struct KvKspan;

/// The two calls in which [`Kspan`] and [`KvKspan`] differ.
///
/// # Safety
///
/// Both return NULL, or an object of kspan's of at least `size` bytes that is aligned to the
/// largest power of two that divides `size`, up to the size of a page, or that is `p`.
unsafe trait Calls {
    /// Allocates an object.
    fn malloc(size: usize, gfp: c_uint, node: c_int) -> *mut c_void;

    /// Changes the size of `p`, which stays as it was if NULL is returned.
    ///
    /// # Safety
    ///
    /// `p` is an object of kspan's, and `size` is not 0.
    unsafe fn realloc(p: *const c_void, size: usize, gfp: c_uint) -> *mut c_void;
}

// SAFETY: As kspan documents it.
unsafe impl Calls for Kspan {
    fn malloc(size: usize, gfp: c_uint, node: c_int) -> *mut c_void {
        // SAFETY: It may be called with any arguments.
        unsafe { c::kspan_malloc_node(size, gfp, node) }
    }

    unsafe fn realloc(p: *const c_void, size: usize, gfp: c_uint) -> *mut c_void {
        // SAFETY: By the requirements of this function.
        unsafe { c::kspan_realloc(p, size, gfp) }
    }
}

// SAFETY: As kspan documents it.
unsafe impl Calls for KvKspan {
    fn malloc(size: usize, gfp: c_uint, node: c_int) -> *mut c_void {
        // SAFETY: It may be called with any arguments, and NULL is the default heap.
        unsafe { c::kspan_heap_kvmalloc_node(ptr::null_mut(), size, gfp, node) }
    }

    unsafe fn realloc(p: *const c_void, size: usize, gfp: c_uint) -> *mut c_void {
        // SAFETY: By the requirements of this function; NULL is the default heap.
        unsafe { c::kspan_heap_kvrealloc(ptr::null_mut(), p, size, gfp) }
    }
}

/// The flags as C has them. [`Flags`] has no call that tells.
fn gfp_of(flags: Flags) -> c_uint {
    // SAFETY: `Flags` is a struct with one field, a `u32`; the compiler checks that there is
    // nothing else in it, as both must have the same size. All values of a `u32` are valid.
    unsafe { mem::transmute::<Flags, u32>(flags) }
}

/// The node as C has it.
fn node_of(nid: NumaNode) -> c_int {
    // SAFETY: As for `Flags`, with an `i32`.
    unsafe { mem::transmute::<NumaNode, i32>(nid) }
}

fn is_aligned(p: NonNull<u8>, align: usize) -> bool {
    p.as_ptr() as usize & (align - 1) == 0
}

/// Allocates a new object.
fn alloc<C: Calls>(layout: Layout, flags: Flags, nid: NumaNode) -> Result<NonNull<u8>, AllocError> {
    let object = C::malloc(layout.size(), gfp_of(flags), node_of(nid)).cast();
    let object = NonNull::new(object).ok_or(AllocError)?;

    if !is_aligned(object, layout.align()) {
        // SAFETY: It is an object of kspan's, and nobody else knows it.
        unsafe { c::kspan_free(object.as_ptr().cast()) };
        return Err(AllocError);
    }
    Ok(object)
}

/// Moves an object to a new one.
///
/// # Safety
///
/// `p` is an object of kspan's of at least `bytes`, and is not used any more if there is a new one.
unsafe fn move_to_new<C: Calls>(
    p: NonNull<u8>,
    bytes: usize,
    layout: Layout,
    flags: Flags,
    nid: NumaNode,
) -> Result<NonNull<u8>, AllocError> {
    let object = alloc::<C>(layout, flags, nid)?;

    // SAFETY: Both have as many bytes, and are two objects. `p` is the caller's to give up.
    unsafe {
        ptr::copy_nonoverlapping(p.as_ptr(), object.as_ptr(), bytes.min(layout.size()));
        c::kspan_free(p.as_ptr().cast());
    }
    Ok(object)
}

/// Changes the size of an object.
///
/// # Safety
///
/// As [`move_to_new`], where `layout` has a size that is not 0, and is a multiple of its alignment.
unsafe fn resize<C: Calls>(
    p: NonNull<u8>,
    bytes: usize,
    layout: Layout,
    flags: Flags,
    nid: NumaNode,
) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: `p` is an object of kspan's.
    let has_room = || unsafe { c::kspan_size(p.as_ptr().cast()) } >= layout.size();

    // kspan moves an object within its own rules: to any node, with the alignment of its size.
    // That of `vmalloc()` may be less.
    let may_move = nid == NumaNode::NO_NODE && layout.align() <= kernel::page::PAGE_SIZE;
    if !is_aligned(p, layout.align()) || !(may_move || has_room()) {
        // SAFETY: By the requirements of this function.
        return unsafe { move_to_new::<C>(p, bytes, layout, flags, nid) };
    }
    // SAFETY: `p` is an object of kspan's, and the size is not 0.
    let object = unsafe { C::realloc(p.as_ptr().cast(), layout.size(), gfp_of(flags)) };
    NonNull::new(object.cast()).ok_or(AllocError)
}

/// What [`Allocator::realloc`] does, with the same requirements and guarantees.
///
/// # Safety
///
/// As [`Allocator::realloc`].
unsafe fn realloc<C: Calls>(
    ptr: Option<NonNull<u8>>,
    layout: Layout,
    old_layout: Layout,
    flags: Flags,
    nid: NumaNode,
) -> Result<NonNull<[u8]>, AllocError> {
    let layout = layout.pad_to_align();
    // Nothing was allocated for a layout of no bytes.
    let old = ptr.filter(|_| old_layout.size() != 0);

    let object = match old {
        Some(p) if layout.size() == 0 => {
            // SAFETY: `p` is an object of kspan's that the caller gives up.
            unsafe { c::kspan_free(p.as_ptr().cast()) };
            dangling(layout)
        }
        // SAFETY: `p` is an object of kspan's that was made for `old_layout`.
        Some(p) => unsafe { resize::<C>(p, old_layout.size(), layout, flags, nid)? },
        None if layout.size() == 0 => dangling(layout),
        None => alloc::<C>(layout, flags, nid)?,
    };
    Ok(NonNull::slice_from_raw_parts(object, layout.size()))
}

/// What stands for an object of no bytes.
fn dangling(layout: Layout) -> NonNull<u8> {
    // SAFETY: An alignment is not 0.
    unsafe { NonNull::new_unchecked(ptr::without_provenance_mut(layout.align())) }
}

// SAFETY: `realloc` has the guarantees: an object is valid until it is freed, and an object of one
// of them may be given to any call of the same one.
unsafe impl Allocator for Kspan {
    const MIN_ALIGN: usize = 8;

    #[inline]
    unsafe fn realloc(
        ptr: Option<NonNull<u8>>,
        layout: Layout,
        old_layout: Layout,
        flags: Flags,
        nid: NumaNode,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: The requirements are the same.
        unsafe { realloc::<Self>(ptr, layout, old_layout, flags, nid) }
    }
}

// SAFETY: As for `Kspan`.
unsafe impl Allocator for KvKspan {
    const MIN_ALIGN: usize = 8;

    #[inline]
    unsafe fn realloc(
        ptr: Option<NonNull<u8>>,
        layout: Layout,
        old_layout: Layout,
        flags: Flags,
        nid: NumaNode,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: The requirements are the same.
        unsafe { realloc::<Self>(ptr, layout, old_layout, flags, nid) }
    }
}

/// Gives back the room that a vector does not use.
///
/// The kernel's own `shrink_to()` is for `KVVec` alone.
///
/// On failure the vector is as it was, and is returned.
pub(crate) fn shrink_to_fit<T, A: Allocator>(
    vec: Vec<T, A>,
    flags: Flags,
) -> core::result::Result<Vec<T, A>, Vec<T, A>> {
    if size_of::<T>() == 0 {
        return Ok(vec);
    }
    let (data, len, capacity) = vec.into_raw_parts();

    // SAFETY: `data` is of a vector, so it is not NULL; its layout is an array of its capacity,
    // which was allocated, so it is none that is too large.
    let (ptr, new, old) = unsafe {
        (
            NonNull::new_unchecked(data),
            Layout::array::<T>(len).unwrap_unchecked(),
            Layout::array::<T>(capacity).unwrap_unchecked(),
        )
    };
    // SAFETY: `ptr` was allocated by `A` for `old`.
    let result = unsafe { A::realloc(Some(ptr.cast()), new, old, flags, NumaNode::NO_NODE) };

    match result {
        // SAFETY: It was allocated by `A` for `len` elements, which were kept.
        Ok(ptr) => Ok(unsafe { Vec::from_raw_parts(ptr.as_ptr().cast(), len, len) }),
        // SAFETY: It is what the vector was taken apart to.
        Err(_) => Err(unsafe { Vec::from_raw_parts(data, len, capacity) }),
    }
}
