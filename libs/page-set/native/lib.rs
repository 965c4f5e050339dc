//! A bitmap over page indexes: and, or, subtract, count, runs and fetch-and-clear at the speed of memory.
//!
//! This file is the JavaScript side; [`isa`] chooses the kernels, [`loops`] says what they do. `isa` is an index into
//! what [`isas`] lists.

mod isa;
mod kernels;
mod loops;
#[cfg(test)]
mod loops_tests;
mod word_view;

use godwit_ports::JsView;
use napi::{Error, Result, Status};
use napi_derive::napi;

use crate::isa::Isa;
use crate::kernels::Kernels;
use crate::word_view::WordView;

/// No page: more than any index, as a set has fewer than 2^32 pages.
const NO_PAGE: u32 = u32::MAX;

/// The instruction sets that this processor has and this build knows, fastest first.
#[napi]
pub fn isas() -> Vec<String> {
    Isa::available().map(|isa| isa.name().to_owned()).collect()
}

/// How many bits are set.
#[napi]
pub fn count(isa: u32, words: JsView<u32>) -> Result<f64> {
    let (kernels, words) = (kernels(isa)?, one(words)?);
    // SAFETY: isa is one that the processor has.
    Ok(unsafe { (kernels.count)(words) } as f64)
}

/// Sets the bits of `others`.
#[napi]
pub fn or(isa: u32, words: JsView<u32>, others: JsView<u32>) -> Result<()> {
    let (kernels, words, others) = (kernels(isa)?, one(words)?, like(words, others)?);
    // SAFETY: isa is one that the processor has; the views are equally long.
    unsafe { (kernels.or)(words, others) };
    Ok(())
}

/// Clears the bits that `others` lacks.
#[napi]
pub fn and(isa: u32, words: JsView<u32>, others: JsView<u32>) -> Result<()> {
    let (kernels, words, others) = (kernels(isa)?, one(words)?, like(words, others)?);
    // SAFETY: isa is one that the processor has; the views are equally long.
    unsafe { (kernels.and)(words, others) };
    Ok(())
}

/// Clears the bits of `others`.
#[napi]
pub fn subtract(isa: u32, words: JsView<u32>, others: JsView<u32>) -> Result<()> {
    let (kernels, words, others) = (kernels(isa)?, one(words)?, like(words, others)?);
    // SAFETY: isa is one that the processor has; the views are equally long.
    unsafe { (kernels.subtract)(words, others) };
    Ok(())
}

/// Whether both have the same bits.
#[napi]
pub fn equal(isa: u32, words: JsView<u32>, others: JsView<u32>) -> Result<bool> {
    let (kernels, words, others) = (kernels(isa)?, one(words)?, like(words, others)?);
    // SAFETY: isa is one that the processor has; the views are equally long.
    Ok(unsafe { (kernels.equal)(words, others) })
}

/// The first bit at or after `from` that is set (or clear, as `set` says); 2^32 - 1 where there is none.
#[napi]
pub fn next_bit(isa: u32, words: JsView<u32>, from: u32, set: bool) -> Result<u32> {
    let (kernels, words) = (kernels(isa)?, one(words)?);
    let skipped = if set { 0 } else { u64::MAX };
    // SAFETY: isa is one that the processor has.
    let bit = unsafe { (kernels.next_bit)(words, from as usize, skipped) };
    Ok(bit.and_then(|bit| u32::try_from(bit).ok()).unwrap_or(NO_PAGE))
}

/// How many runs of set bits there are.
#[napi]
pub fn run_count(isa: u32, words: JsView<u32>) -> Result<f64> {
    let (kernels, words) = (kernels(isa)?, one(words)?);
    // SAFETY: isa is one that the processor has.
    Ok(unsafe { (kernels.run_count)(words) } as f64)
}

/// Writes the runs below `page_count` as pairs of first page and page count, as many as fit into `runs`. Returns how
/// many numbers it wrote.
#[napi]
pub fn fill_runs(isa: u32, words: JsView<u32>, page_count: u32, runs: JsView<u32>) -> Result<f64> {
    let (kernels, view) = (kernels(isa)?, one(words)?);
    if overlap(words, runs) {
        return Err(invalid("the runs lie in the words themselves"));
    }
    // SAFETY: isa is one that the processor has; runs are writable and apart from the words, as just checked.
    Ok(unsafe { (kernels.fill_runs)(view, page_count.into(), runs.pointer(), runs.length()) } as f64)
}

/// Moves the bits of `marks` into `words` and returns how many `marks` held. `shared`: other threads set marks meanwhile,
/// atomically.
#[napi]
pub fn fetch_and_clear(isa: u32, words: JsView<u32>, marks: JsView<u32>, shared: bool) -> Result<f64> {
    let (kernels, view, mark_view) = (kernels(isa)?, one(words)?, like(words, marks)?);
    if overlap(words, marks) {
        return Err(invalid("a set cannot fetch its own pages"));
    }
    let fetch = if shared {
        kernels.fetch_and_clear_shared
    } else {
        kernels.fetch_and_clear
    };
    // SAFETY: isa is one that the processor has; the views are equally long and apart, as just checked.
    Ok(unsafe { fetch(view, mark_view) } as f64)
}

fn kernels(isa: u32) -> Result<&'static Kernels> {
    Isa::available()
        .nth(isa as usize)
        .map(Isa::kernels)
        .ok_or_else(|| invalid("there is no such instruction set"))
}

fn one(words: JsView<u32>) -> Result<WordView> {
    if !words.length().is_multiple_of(2) {
        return Err(invalid("a bitmap has an even number of words"));
    }
    // SAFETY: the typed array lives for as long as this call lasts, and its length was just found even.
    Ok(unsafe { WordView::new(words.pointer(), words.length()) })
}

fn like(words: JsView<u32>, others: JsView<u32>) -> Result<WordView> {
    if others.length() != words.length() {
        return Err(invalid("the bitmaps have different sizes"));
    }
    one(others)
}

fn overlap(one: JsView<u32>, other: JsView<u32>) -> bool {
    let [one_at, other_at] = [one.pointer() as usize, other.pointer() as usize];
    one_at < other_at + size_of::<u32>() * other.length() && other_at < one_at + size_of::<u32>() * one.length()
}

fn invalid(message: &str) -> Error {
    Error::new(Status::InvalidArg, message)
}
