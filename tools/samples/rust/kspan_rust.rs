// SPDX-License-Identifier: GPL-2.0

//! kspan_rust: the primes below a limit, in memory of kspan's.
//!
//! What it is: a sample of kspan's allocator for Rust, `kspan_alloc.rs`. When it is loaded it
//! sieves the numbers up to a limit in one vector, collects the primes in another that grows,
//! shrinks that to what it has, and keeps it until it is unloaded.
//!
//! ```text
//! # insmod kspan.ko
//! # insmod kspan_rust.ko limit=200000
//! # dmesg | grep kspan_rust
//! kspan_rust: 17984 primes below 200000, the last 199999, in 73728 bytes
//! # rmmod kspan_rust
//! ```
//!
//! Parameters:
//!
//! - `limit`: what is sieved, 2 to 10000000.
//! - `lose`: how many boxes to forget, of 64 bytes each, so that one can see kspan tell of them.
//!
//! With `CONFIG_KUNIT` the tests of the allocator are here, too, and run when it is loaded.

use kernel::prelude::*;

mod kspan_alloc;

use kspan_alloc::{
    memory,
    shrink_to_fit,
    KspanBox,
    KspanVec,
    KvKspanVec, //
};

module! {
    type: Primes,
    name: "kspan_rust",
    description: "Keeps the primes below a limit, in Rust's containers in memory of kspan's",
    license: "GPL",
    params: {
        limit: u32 {
            default: 200000,
            description: "what is sieved, 2 to 10000000",
        },
        lose: u32 {
            default: 0,
            description: "how many boxes to forget",
        },
    },
}

/// Up to here the primes, 664579 of them, are found while their vector has at most 4 MiB.
const MAX_LIMIT: u32 = 10_000_000;

/// What was found.
struct Summary {
    limit: u32,
    primes: KspanVec<u32>,
}

struct Primes {
    summary: KspanBox<Summary>,
}

/// A flag for each number below `limit`: whether it is no prime.
fn sieve(limit: usize) -> Result<KvKspanVec<u8>> {
    let mut composite = KvKspanVec::from_elem(0u8, limit, GFP_KERNEL)?;
    let mut n = 2;

    while n * n < limit {
        if composite[n] == 0 {
            for multiple in (n * n..limit).step_by(n) {
                composite[multiple] = 1;
            }
        }
        n += 1;
    }
    Ok(composite)
}

/// The primes below `limit`, in no more memory than they need.
fn primes_below(limit: u32) -> Result<KspanVec<u32>> {
    let composite = sieve(limit as usize)?;
    let mut primes = KspanVec::new();

    for n in 2..limit {
        if composite[n as usize] == 0 {
            primes.push(n, GFP_KERNEL)?;
        }
    }
    Ok(shrink_to_fit(primes, GFP_KERNEL).unwrap_or_else(|primes| primes))
}

impl kernel::Module for Primes {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let limit = *module_parameters::limit.value_ref();

        if !(2..=MAX_LIMIT).contains(&limit) {
            return Err(EINVAL);
        }
        // Of all users of kspan: somebody else may free something in between.
        let before = memory().live;
        let primes = primes_below(limit)?;

        pr_info!(
            "{} primes below {}, the last {}, in {} bytes\n",
            primes.len(),
            limit,
            primes.last().unwrap_or(&0),
            memory().live.saturating_sub(before)
        );
        for _ in 0..*module_parameters::lose.value_ref() {
            KspanBox::leak(KspanBox::new([0u64; 8], GFP_KERNEL)?);
        }
        Ok(Primes {
            summary: KspanBox::new(Summary { limit, primes }, GFP_KERNEL)?,
        })
    }
}

impl Drop for Primes {
    fn drop(&mut self) {
        pr_info!(
            "forgets {} primes below {}\n",
            self.summary.primes.len(),
            self.summary.limit
        );
    }
}

#[kunit_tests(kspan_rust)]
mod tests {
    use super::kspan_alloc::{
        memory,
        shrink_to_fit,
        Kspan,
        KspanBox,
        KspanVec,
        KvKspan,
        KvKspanVec, //
    };
    use core::alloc::Layout;
    use core::ptr::NonNull;
    use kernel::alloc::{
        AllocError,
        Allocator,
        NumaNode, //
    };
    use kernel::prelude::*;

    /// Bytes that are in use, by all users of kspan. There must be no other while the tests run.
    fn in_use() -> u64 {
        let memory = memory();

        memory.live + memory.vmalloc
    }

    fn is_aligned<T: ?Sized>(p: *const T, align: usize) -> bool {
        p.cast::<u8>() as usize & (align - 1) == 0
    }

    /// Something that counts how often it was dropped.
    struct Counted<'a>(&'a core::cell::Cell<usize>);

    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    /// An object of one cache line, at the start of a line.
    #[repr(align(64))]
    struct Line([u8; 40]);

    /// Pages at the start of 16 KiB.
    #[repr(align(16384))]
    struct Pages([u8; 16384]);

    // A box: 64 bytes in use, and none when it is dropped.
    #[test]
    fn box_is_freed() -> Result {
        let before = in_use();
        let b = KspanBox::new([7u64; 8], GFP_KERNEL)?;

        assert_eq!(in_use(), before + 64);
        assert!(b.iter().all(|&n| n == 7));
        drop(b);
        assert_eq!(in_use(), before);
        Ok(())
    }

    // What is in a box is dropped once, and not when the box is taken apart.
    #[test]
    fn contents_are_dropped() -> Result {
        let drops = core::cell::Cell::new(0);
        let before = in_use();
        let mut v = KspanVec::new();

        for _ in 0..100 {
            v.push(KspanBox::new(Counted(&drops), GFP_KERNEL)?, GFP_KERNEL)?;
        }
        assert_eq!(drops.get(), 0);
        v.truncate(60);
        assert_eq!(drops.get(), 40);
        let counted = KspanBox::into_inner(v.pop().ok_or(EINVAL)?);
        assert_eq!(drops.get(), 40);
        drop(counted);
        drop(v);
        assert_eq!(drops.get(), 100);
        assert_eq!(in_use(), before);
        Ok(())
    }

    // 10 000 numbers, each pushed: the vector has room for 1, 2, 4, ... and keeps what it has.
    #[test]
    fn vec_grows() -> Result {
        let before = in_use();
        let mut v = KspanVec::new();
        let mut moves = 0;

        for i in 0..10_000u64 {
            let was = v.as_ptr();
            v.push(i * i, GFP_KERNEL)?;
            if v.as_ptr() != was {
                moves += 1;
            }
        }
        assert_eq!(v.len(), 10_000);
        assert!(v.iter().enumerate().all(|(i, &n)| n == (i * i) as u64));
        assert!(moves >= 5);
        // 16384 elements.
        assert_eq!(in_use(), before + 131072);
        drop(v);
        assert_eq!(in_use(), before);
        Ok(())
    }

    // 16384 elements of room, 1000 used: 8000 bytes, a slot of 8192.
    #[test]
    fn vec_shrinks() -> Result {
        let before = in_use();
        let mut v = KspanVec::<u64>::with_capacity(16384, GFP_KERNEL)?;

        for i in 0..1000 {
            v.push(i, GFP_KERNEL)?;
        }
        assert_eq!(in_use(), before + 131072);
        let mut v = shrink_to_fit(v, GFP_KERNEL).map_err(|_| ENOMEM)?;
        assert_eq!(v.capacity(), 1000);
        assert!(v.iter().enumerate().all(|(i, &n)| n == i as u64));
        // A large object gives back pages, of which it has at least one.
        assert_eq!(in_use(), before + 8192);
        v.clear();
        let v = shrink_to_fit(v, GFP_KERNEL).map_err(|_| ENOMEM)?;
        assert_eq!(v.capacity(), 0);
        assert_eq!(in_use(), before);
        drop(v);
        assert_eq!(in_use(), before);
        Ok(())
    }

    // Alignment by type, also where the type's members do not fill it.
    #[test]
    fn boxes_are_aligned() -> Result {
        let before = in_use();
        let mut lines = KspanVec::new();

        for i in 0..64u8 {
            lines.push(KspanBox::new(Line([i; 40]), GFP_KERNEL)?, GFP_KERNEL)?;
        }
        for (i, line) in lines.iter().enumerate() {
            assert!(is_aligned(&**line, 64));
            assert!(line.0.iter().all(|&b| b as usize == i));
        }
        let pages = KspanBox::<Pages>::new_uninit(GFP_KERNEL)?;
        assert!(is_aligned(pages.as_ptr(), 16384));
        // SAFETY: Any bytes are valid, and these are written first.
        let pages = unsafe {
            let raw = KspanBox::into_raw(pages).cast::<Pages>();
            raw.cast::<u8>().write_bytes(0x5a, size_of::<Pages>());
            KspanBox::from_raw(raw)
        };
        assert!(pages.0.iter().all(|&b| b == 0x5a));
        drop(pages);
        drop(lines);
        assert_eq!(in_use(), before);
        Ok(())
    }

    // A vector of aligned elements stays aligned while it grows.
    #[test]
    fn vec_is_aligned() -> Result {
        let before = in_use();
        let mut v = KspanVec::new();

        for i in 0..2000usize {
            v.push(Line([i as u8; 40]), GFP_KERNEL)?;
            assert!(is_aligned(v.as_ptr(), 64));
        }
        assert!(v.iter().enumerate().all(|(i, line)| line.0[39] == i as u8));
        drop(v);
        assert_eq!(in_use(), before);
        Ok(())
    }

    // Above 128 KiB: 1 MiB, and it is zero where it was asked to be.
    #[test]
    fn large_vec() -> Result {
        let before = in_use();
        let mut v = KspanVec::<u32>::zeroed(1 << 18, GFP_KERNEL)?;

        assert_eq!(in_use(), before + (1 << 20));
        assert!(v.iter().all(|&n| n == 0));
        for i in 0..1000 {
            v.push(i, GFP_KERNEL)?;
        }
        assert!(v[..1 << 18].iter().all(|&n| n == 0));
        assert_eq!(v[(1 << 18) + 999], 999);
        drop(v);
        assert_eq!(in_use(), before);
        Ok(())
    }

    // What is too large for kspan_malloc() fails and leaves the vector as it was; the other
    // allocator goes on.
    #[test]
    fn beyond_the_limit() -> Result {
        let before = in_use();
        let mut v = KspanVec::from_elem(3u8, 1 << 20, GFP_KERNEL)?;

        assert!(v.reserve(8 << 20, GFP_KERNEL | __GFP_NOWARN).is_err());
        assert_eq!(v.capacity(), 1 << 20);
        assert!(v.iter().all(|&b| b == 3));
        drop(v);
        assert_eq!(in_use(), before);

        let mut v = KvKspanVec::from_elem(3u8, 1 << 20, GFP_KERNEL)?;
        v.resize(9 << 20, 4, GFP_KERNEL)?;
        assert!(v[..1 << 20].iter().all(|&b| b == 3));
        assert!(v[1 << 20..].iter().all(|&b| b == 4));
        assert_eq!(in_use(), before + (9 << 20));
        v.truncate(100);
        let v = shrink_to_fit(v, GFP_KERNEL).map_err(|_| ENOMEM)?;
        assert!(v.iter().all(|&b| b == 3));
        drop(v);
        assert_eq!(in_use(), before);
        Ok(())
    }

    // Nothing is allocated for nothing, and nothing is freed.
    #[test]
    fn no_bytes() -> Result {
        let before = in_use();
        let unit = KspanBox::new((), GFP_KERNEL)?;
        let mut v = KspanVec::new();

        for _ in 0..1000 {
            v.push((), GFP_KERNEL)?;
        }
        assert_eq!(v.len(), 1000);
        let empty = Layout::new::<[Line; 0]>();
        let p = Kspan::alloc(empty, GFP_KERNEL, NumaNode::NO_NODE)?.cast::<u8>();
        assert!(is_aligned(p.as_ptr(), 64));
        // SAFETY: `p` is of this allocator and this layout.
        unsafe { Kspan::free(p, empty) };
        assert_eq!(in_use(), before);
        drop(unit);
        drop(v);
        assert_eq!(in_use(), before);
        Ok(())
    }

    /// Allocates by `A` and changes the layout by `steps`; what was kept must be there.
    fn relayout<A: Allocator>(steps: &[Layout], nid: NumaNode) -> Result<bool, AllocError> {
        let mut old = steps[0];
        let mut p: NonNull<u8> = A::alloc(old, GFP_KERNEL, nid)?.cast();
        let mut good = true;

        for &new in &steps[1..] {
            let kept = old.size().min(new.size());

            // SAFETY: `p` has as many bytes as `old` says, is of `A`, and is not used any more
            // when there is another one.
            unsafe {
                for i in 0..old.size() {
                    p.as_ptr().add(i).write(i as u8);
                }
                match A::realloc(Some(p), new, old, GFP_KERNEL, nid) {
                    Ok(q) => p = q.cast(),
                    Err(e) => {
                        A::free(p, old);
                        return Err(e);
                    }
                }
                good &= is_aligned(p.as_ptr(), new.align());
                for i in 0..kept {
                    good &= p.as_ptr().add(i).read() == i as u8;
                }
            }
            old = new;
        }
        // SAFETY: `p` is of `A`, and `old` is its layout.
        unsafe { A::free(p, old) };
        Ok(good)
    }

    fn layout(size: usize, align: usize) -> Result<Layout> {
        Layout::from_size_align(size, align).map_err(|_| EINVAL)
    }

    // Sizes and alignments that go up and down, also where the object could stay but for its
    // alignment, and sizes that are no multiple of it.
    #[test]
    fn layouts_change() -> Result {
        let before = in_use();
        let steps = [
            layout(24, 8)?,
            layout(20, 4)?,
            layout(40, 32)?,
            layout(40, 8)?,
            layout(33, 64)?,
            layout(5000, 4096)?,
            layout(0, 16)?,
            layout(100, 4)?,
            layout(100, 128)?,
            layout(70_000, 8)?,
            layout(70_000, 65536)?,
            layout(200_000, 8192)?,
            layout(1, 1)?,
        ];

        assert!(relayout::<Kspan>(&steps, NumaNode::NO_NODE)?);
        assert!(relayout::<Kspan>(&steps, NumaNode::new(0)?)?);
        assert!(relayout::<KvKspan>(&steps, NumaNode::NO_NODE)?);
        assert!(relayout::<KvKspan>(&steps, NumaNode::new(0)?)?);
        assert_eq!(in_use(), before);
        Ok(())
    }

    // Slots of 48 bytes, half of which are aligned to 16 and no more: these objects have room for
    // 32 bytes that are to be aligned to 32, but must move.
    #[test]
    fn alignment_moves() -> Result {
        const OBJECTS: usize = 64;
        let (small, aligned) = (layout(48, 8)?, layout(32, 32)?);

        for nid in [NumaNode::NO_NODE, NumaNode::new(0)?] {
            let before = in_use();
            let mut moved = 0;
            let mut good = true;
            let mut objects = KspanVec::with_capacity(OBJECTS, GFP_KERNEL)?;

            for i in 0..OBJECTS {
                let p = Kspan::alloc(small, GFP_KERNEL, nid)?.cast::<u8>();
                // SAFETY: `p` has 48 bytes, and is not used any more when there is `q`.
                let q = unsafe {
                    p.as_ptr().write_bytes(i as u8, small.size());
                    Kspan::realloc(Some(p), aligned, small, GFP_KERNEL, nid)?.cast::<u8>()
                };

                good &= is_aligned(q.as_ptr(), 32);
                good &= (q == p) == is_aligned(p.as_ptr(), 32);
                moved += usize::from(q != p);
                objects.push(q, GFP_KERNEL)?;
            }
            for (i, q) in objects.iter().enumerate() {
                // SAFETY: Each has 32 bytes, was made for this layout, and is used for the last
                // time.
                unsafe {
                    for at in 0..aligned.size() {
                        good &= q.as_ptr().add(at).read() == i as u8;
                    }
                    Kspan::free(*q, aligned);
                }
            }
            assert!(good);
            // Where there is one that need not, the next one must.
            assert!(moved >= OBJECTS / 4);
            drop(objects);
            assert_eq!(in_use(), before);
        }
        Ok(())
    }

    // 8 MiB are vmalloc()'s, of which the kernel tells the page, and of that the node.
    #[test]
    fn node_is_asked_for() -> Result {
        let before = in_use();
        let large = layout(8 << 20, 8)?;
        // SAFETY: It is written to when memory comes or goes.
        let nodes = unsafe { kernel::bindings::nr_online_nodes };
        let mut good = true;

        for node in 0..nodes as i32 {
            let p = KvKspan::alloc(large, GFP_KERNEL, NumaNode::new(node)?)?.cast::<u8>();
            // SAFETY: `p` is of `vmalloc()`, of this allocator, and of this layout.
            unsafe {
                let page = kernel::bindings::vmalloc_to_page(p.as_ptr().cast());
                good &= kernel::bindings::page_to_nid(page) == node;
                KvKspan::free(p, large);
            }
        }
        assert!(good);
        assert_eq!(in_use(), before);
        Ok(())
    }

    // With __GFP_ZERO from the first call on, what was never written is zero, in place and not.
    #[test]
    fn zero_where_it_grows() -> Result {
        let before = in_use();
        let gfp = GFP_KERNEL | __GFP_ZERO;
        let mut old = layout(100, 4)?;
        let mut p: NonNull<u8> = Kspan::alloc(old, gfp, NumaNode::NO_NODE)?.cast();
        let mut good = true;

        for size in [104, 40, 112, 5000, 60, 300_000, 40_000, 270_000] {
            let new = layout(size, 4)?;

            // SAFETY: `p` has as many bytes as `old` says, and `new` takes its place.
            unsafe {
                p.as_ptr().write_bytes(0xff, old.size());
                p = Kspan::realloc(Some(p), new, old, gfp, NumaNode::NO_NODE)?.cast();
                for i in old.size()..new.size() {
                    good &= p.as_ptr().add(i).read() == 0;
                }
            }
            old = new;
        }
        // SAFETY: `p` is of this allocator, and `old` is its layout.
        unsafe { Kspan::free(p, old) };
        assert!(good);
        assert_eq!(in_use(), before);
        Ok(())
    }
}
