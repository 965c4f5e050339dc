//! A delta written from the edges of its runs.

use crate::format::{length_bytes_max, put_length};

/// Where the edges lie that a kernel found, and the page that has the new bytes between them.
#[derive(Clone, Copy)]
pub struct Runs<'a> {
    /// Begin and end of each run, in turn.
    pub positions: &'a [u32],
    pub new: *const u8,
    pub page_bytes: usize,
}

/// Writes the runs to `out` and returns the delta's length. Up to 64 bytes behind it may be overwritten.
///
/// # Safety
/// The processor has the writer's instruction set; the positions ascend within the page; a page at `new` is readable;
/// `out` has room for the longest delta of so many runs and bytes, and 64 bytes more.
pub type WriteRuns = unsafe fn(runs: Runs<'_>, out: *mut u8) -> usize;

/// Writes short lengths without a branch: whether one or two bytes is hard to predict.
///
/// # Safety
/// Two bytes at `out` are writable, three where `WIDE`.
#[inline(always)]
unsafe fn put<const WIDE: bool>(out: *mut u8, length: usize) -> *mut u8 {
    // SAFETY: the caller vouches for the bytes; no length of a page has more.
    unsafe {
        if WIDE && length >= 1 << 14 {
            out.cast::<[u8; 3]>()
                .write([length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8]);
            return out.add(3);
        }
        let high = length >> 7;
        let more = usize::from(high != 0);
        let bytes = (length & 0x7f) | (more << 7) | (high << 8);
        out.cast::<u16>().write_unaligned((bytes as u16).to_le());
        out.add(1 + more)
    }
}

/// The loop of every [`WriteRuns`]; `copy` copies a run, and may write 64 bytes behind it.
///
/// # Safety
/// See [`WriteRuns`].
#[inline(always)]
pub unsafe fn write_runs_with(runs: Runs<'_>, out: *mut u8, copy: impl Fn(*const u8, *mut u8, usize, usize)) -> usize {
    if length_bytes_max(runs.page_bytes) == 2 {
        // SAFETY: the caller vouches for all of it.
        unsafe { write_all::<false>(runs, out, copy) }
    } else {
        // SAFETY: as above.
        unsafe { write_all::<true>(runs, out, copy) }
    }
}

#[inline(always)]
unsafe fn write_all<const WIDE: bool>(
    runs: Runs<'_>,
    out: *mut u8,
    copy: impl Fn(*const u8, *mut u8, usize, usize),
) -> usize {
    let mut to = out;
    let mut at = 0;
    let (pairs, _) = runs.positions.as_chunks::<2>();
    for &[start, end] in pairs {
        let (start, end) = (start as usize, end as usize);
        // SAFETY: the caller vouches for the room and for the positions.
        unsafe {
            to = put::<WIDE>(to, start - at);
            to = put::<WIDE>(to, end - start);
            copy(runs.new.add(start), to, end - start, runs.page_bytes - start);
            to = to.add(end - start);
        }
        at = end;
    }
    // SAFETY: both lie within `out`.
    unsafe { to.offset_from_unsigned(out) }
}

/// Sixteen bytes at a time, which every processor moves at once. A [`WriteRuns`].
///
/// # Safety
/// See there.
pub unsafe fn write_runs(runs: Runs<'_>, out: *mut u8) -> usize {
    // SAFETY: the caller vouches for all of it; the closure is called as `write_runs_with` says.
    unsafe {
        write_runs_with(runs, out, |from, to, length, readable| {
            copy_run::<16>(from, to, length, readable)
        })
    }
}

/// As [`write_runs`], 32 bytes at a time.
///
/// # Safety
/// As there; the processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2")]
pub unsafe fn write_runs_avx2(runs: Runs<'_>, out: *mut u8) -> usize {
    // SAFETY: as above.
    unsafe {
        write_runs_with(runs, out, |from, to, length, readable| {
            copy_run::<32>(from, to, length, readable)
        })
    }
}

/// As [`write_runs`], 64 bytes at a time.
///
/// # Safety
/// As there; the processor has AVX-512 F and BW.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,bmi1,bmi2")]
pub unsafe fn write_runs_avx512(runs: Runs<'_>, out: *mut u8) -> usize {
    use std::arch::x86_64::{_mm512_maskz_loadu_epi8, _mm512_storeu_si512};
    // SAFETY: as above; a masked load touches only the bytes of its mask.
    unsafe {
        write_runs_with(runs, out, |from, to, length, readable| {
            if length <= 64 {
                let wanted = u64::MAX >> (64 - length);
                _mm512_storeu_si512(to.cast(), _mm512_maskz_loadu_epi8(wanted, from.cast()));
            } else {
                copy_run::<64>(from, to, length, readable);
            }
        })
    }
}

/// Copies a run in steps of `STEP` bytes, up to `STEP` bytes too many; `readable` bytes may be read.
///
/// # Safety
/// The bytes are readable and writable as said.
#[inline(always)]
unsafe fn copy_run<const STEP: usize>(from: *const u8, to: *mut u8, length: usize, readable: usize) {
    // SAFETY: the caller vouches for the bytes.
    unsafe {
        let copied = length.next_multiple_of(STEP);
        if copied > readable {
            std::ptr::copy_nonoverlapping(from, to, length);
            return;
        }
        let mut at = 0;
        while at < copied {
            to.add(at)
                .cast::<[u8; STEP]>()
                .write(from.add(at).cast::<[u8; STEP]>().read());
            at += STEP;
        }
    }
}

/// Writes the runs where `room` bytes may not be enough: `None` where they are not. As QEMU does, wants room for the longest
/// length wherever one may follow, so that both overflow at the same deltas.
pub fn write_runs_checked(runs: Runs<'_>, out: &mut [u8]) -> Option<usize> {
    let length_bytes_max = length_bytes_max(runs.page_bytes);
    let has_room = |written: usize, wanted: usize, out: &[u8]| written + wanted <= out.len();
    let mut written = 0;
    let mut at = 0;
    let (pairs, _) = runs.positions.as_chunks::<2>();
    for &[start, end] in pairs {
        let (start, end) = (start as usize, end as usize);
        if !has_room(written, length_bytes_max, out) {
            return None;
        }
        written += put_length(&mut out[written..], start - at);
        if !has_room(written, length_bytes_max, out) {
            return None;
        }
        written += put_length(&mut out[written..], end - start);
        let length = end - start;
        if !has_room(written, length, out) {
            return None;
        }
        // SAFETY: there is room for them, checked just now; the positions lie within the page, as a kernel made them.
        unsafe {
            std::ptr::copy_nonoverlapping(runs.new.add(start), out[written..].as_mut_ptr(), length);
        }
        written += length;
        at = end;
    }
    // Where equal bytes follow there must be room to say so.
    (at == runs.page_bytes || has_room(written, length_bytes_max, out)).then_some(written)
}
