//! The kernels without JavaScript, for tuning them: `cargo bench -p godwit-codec-xbzrle [-- word...]`, where the words are
//! parts of a case's name, an instruction set, or a number of pages. The figures to compare with others come from
//! `godwit-bench micro xbzrle`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use godwit_codec_xbzrle::{DeltaEncoder, Encoded, EncoderOptions, Isa, XbzrleEncoder, decode};
use godwit_ports::{Codec, CodedPage};

const PAGE_BYTES: usize = 4096;
const ROUNDS: usize = 200;
const DELTA_BYTES: usize = 256 * 1024;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

type Change = fn(&mut [u8], &mut Random);

const CASES: &[(&str, Change)] = &[
    ("unchanged", |_, _| {}),
    ("one word", |page, random| {
        flip(page, random.next() as usize % 500 * 8, 8)
    }),
    ("ten words, 64 bytes apart", |page, random| {
        let at = random.next() as usize % 400 * 8;
        (0..10).for_each(|word| flip(page, at + word * 64, 8));
    }),
    ("four runs of 64", |page, _| {
        (0..4).for_each(|run| flip(page, 300 + run * 1000, 64))
    }),
    ("sixteen runs of 64", |page, _| {
        (0..16).for_each(|run| flip(page, 64 + run * 256, 64))
    }),
    ("5 % at random", |page, random| {
        for at in 0..page.len() {
            if random.next() % 20 == 0 {
                flip(page, at, 1);
            }
        }
    }),
    ("every byte", |page, _| flip(page, 0, PAGE_BYTES)),
];

fn flip(page: &mut [u8], at: usize, length: usize) {
    page[at..at + length].iter_mut().for_each(|byte| *byte ^= 0x5a);
}

/// The least time of many rounds, as GB/s of `bytes`.
fn best(bytes: usize, mut round: impl FnMut()) -> f64 {
    let mut least = Duration::MAX;
    for _ in 0..if bytes > 1 << 26 { 4 } else { ROUNDS } {
        let start = Instant::now();
        round();
        least = least.min(start.elapsed());
    }
    bytes as f64 / least.as_nanos() as f64
}

/// The encoder behind the capsule, cache and all, over memory that is now the old one and now the new one.
fn encoder_gbps(old: &[u8], new: &[u8], repeats: usize) -> f64 {
    let pages: Vec<u64> = (0..(old.len() / PAGE_BYTES) as u64).collect();
    let options = EncoderOptions::new(PAGE_BYTES, 4 * old.len() + (1 << 20), Isa::best());
    let encoder = XbzrleEncoder::new(options).expect("memory");
    // As a guest's memory is.
    let memories = [old, new].map(|memory| {
        let bytes = Vec::leak(vec![0_u8; memory.len() + PAGE_BYTES]);
        let from = bytes.as_ptr().align_offset(PAGE_BYTES);
        bytes[from..from + memory.len()].copy_from_slice(memory);
        &bytes[from..]
    });
    let mut out = vec![0_u8; old.len()];
    let mut coded = vec![CodedPage::default(); pages.len()];
    best(2 * repeats * old.len(), || {
        for memory in memories.iter().cycle().take(2 * repeats) {
            // SAFETY: the memory has the pages.
            unsafe { encoder.encode(memory.as_ptr(), &pages, &mut out, &mut coded) }.expect("encodes");
        }
    })
}

fn aligned(length: usize) -> &'static mut [u8] {
    let bytes = Vec::leak(vec![0_u8; length + 4096 + 16]);
    // As the buffers of Node.js are.
    let from = bytes.as_ptr().align_offset(4096) + 16;
    &mut bytes[from..from + length]
}

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    // Words that mean no value of a kind leave all of its values.
    let is_wanted = |value: &str, all: &[&str]| {
        let is_meant = |value: &str| words.iter().any(|word| value.contains(word.as_str()));
        is_meant(value) || !all.iter().any(|value| is_meant(value))
    };
    let names: Vec<&str> = CASES.iter().map(|(name, _)| *name).collect();
    let isas: Vec<&str> = Isa::available().map(Isa::name).collect();
    for page_count in [4, 32, 65_536] {
        if !is_wanted(&page_count.to_string(), &["4", "32", "65536"]) {
            continue;
        }
        println!("{page_count} pages");
        let mut random = Random(7);
        for (name, change) in CASES {
            if !is_wanted(name, &names) {
                continue;
            }
            let old = aligned(page_count * PAGE_BYTES);
            old.iter_mut().for_each(|byte| *byte = random.next() as u8);
            let new = aligned(page_count * PAGE_BYTES);
            new.copy_from_slice(old);
            new.chunks_exact_mut(PAGE_BYTES)
                .for_each(|page| change(page, &mut random));
            let before = old.to_vec();
            let repeats = (2000 / page_count).max(1);
            let mut line = format!("{name:28}");
            let mut deltas = vec![0_u8; page_count * PAGE_BYTES];
            let mut lengths = vec![0; page_count];
            for isa in Isa::available().filter(|isa| is_wanted(isa.name(), &isas)) {
                let mut encoder = DeltaEncoder::new(PAGE_BYTES, isa);
                let gbps = best(repeats * page_count * PAGE_BYTES, || {
                    for _ in 0..repeats {
                        let mut used = 0;
                        for (index, (old, new)) in old
                            .chunks_exact(PAGE_BYTES)
                            .zip(new.chunks_exact(PAGE_BYTES))
                            .enumerate()
                        {
                            let end = deltas.len().min(used + PAGE_BYTES - 1);
                            lengths[index] = match encoder.encode(old, new, &mut deltas[used..end]) {
                                Encoded::Delta(length) => length,
                                _ => 0,
                            };
                            used += lengths[index];
                        }
                        black_box(&lengths);
                    }
                });
                line += &format!(" {} {gbps:6.1}", isa.name());
            }
            if lengths[0] > 0 {
                // As many deltas as stay in the second level of cache, one behind the other.
                let used: usize = lengths.iter().sum();
                let copies = (DELTA_BYTES / used).max(1);
                let deltas = deltas[..used].repeat(copies);
                let rounds = (repeats / copies).max(1);
                let gbps = best(rounds * copies * page_count * PAGE_BYTES, || {
                    for _ in 0..rounds {
                        let mut at = 0;
                        for _ in 0..copies {
                            for (page, &length) in old.chunks_exact_mut(PAGE_BYTES).zip(&lengths) {
                                decode(black_box(&deltas[at..at + length]), page).expect("a sound delta");
                                at += length;
                            }
                        }
                    }
                });
                assert!(old == new);
                old.copy_from_slice(&before);
                line += &format!(" decode {gbps:6.1}");
            }
            line += &format!(" with cache {:6.1}", encoder_gbps(old, new, repeats));
            println!("{line}");
        }
    }
}
