//! Any history of a sender and its receiver: after each page that is sent the two agree on it, whatever the encoder chose
//! to do, and all instruction sets choose the same.
#![no_main]

use arbitrary::Arbitrary;
use godwit_codec_xbzrle::{BackOff, EncoderOptions, Isa, XbzrleEncoder, decode};
use godwit_ports::{Codec, Coded, CodedPage};
use libfuzzer_sys::fuzz_target;

const PAGE_BYTES: usize = 512;
const PAGE_COUNT: usize = 64;

#[derive(Debug, Arbitrary)]
enum Step {
    Write { page: u8, at: u16, length: u8, step: u8 },
    Rewrite { page: u8, content: u8 },
    Send { pages: Vec<u8> },
    SendAround { page: u8 },
    Resize { slots: u8 },
}

#[derive(Debug, Arbitrary)]
struct Input {
    slots: u8,
    tries: u8,
    pause_max: u8,
    delta_bytes_max: u16,
    steps: Vec<Step>,
}

struct Receiver {
    encoder: XbzrleEncoder,
    copy: Vec<u8>,
}

fuzz_target!(|input: Input| {
    let back_off = BackOff {
        tries: u32::from(input.tries),
        pause_max: u32::from(input.pause_max),
        paying_bytes_max: 300,
    };
    let mut receivers: Vec<Receiver> = Isa::available()
        .map(|isa| {
            let options = EncoderOptions {
                delta_bytes_max: usize::from(input.delta_bytes_max),
                // Where it is none the mode is off.
                back_off: Some(back_off).filter(BackOff::is_valid),
                ..EncoderOptions::new(PAGE_BYTES, cache_bytes_of(input.slots), isa)
            };
            Receiver {
                encoder: XbzrleEncoder::new(options).expect("a small cache"),
                copy: vec![0; PAGE_COUNT * PAGE_BYTES],
            }
        })
        .collect();
    let mut memory = vec![0_u8; PAGE_COUNT * PAGE_BYTES + 64];
    // As a guest's memory is; other addresses are the encode target's.
    let aligned = memory.as_ptr().align_offset(64);
    let memory = &mut memory[aligned..aligned + PAGE_COUNT * PAGE_BYTES];
    for step in input.steps {
        match step {
            Step::Write { page, at, length, step } => {
                let page = page_mut(memory, page);
                let at = usize::from(at) % PAGE_BYTES;
                for byte in page[at..].iter_mut().take(usize::from(length)) {
                    *byte = byte.wrapping_add(step);
                }
            }
            Step::Rewrite { page, content } => page_mut(memory, page).fill(content),
            Step::Send { pages } => {
                let pages: Vec<u64> = pages.iter().map(|page| u64::from(*page) % PAGE_COUNT as u64).collect();
                let sent: Vec<_> = receivers
                    .iter_mut()
                    .map(|receiver| receiver.send(memory, &pages))
                    .collect();
                assert!(
                    sent.windows(2).all(|pair| pair[0] == pair[1]),
                    "instruction sets differ"
                );
            }
            Step::Resize { slots } => {
                for receiver in &receivers {
                    let resized = receiver.encoder.resize(cache_bytes_of(slots)).expect("an open encoder");
                    resized.expect("a small cache");
                }
            }
            Step::SendAround { page } => {
                for receiver in &mut receivers {
                    let index = [u64::from(page) % PAGE_COUNT as u64];
                    receiver.encoder.forget(&index).expect("an open encoder");
                    page_mut(&mut receiver.copy, page).copy_from_slice(page_mut(memory, page));
                }
            }
        }
    }
});

fn cache_bytes_of(slots: u8) -> usize {
    (1 + usize::from(slots % 80)) * (PAGE_BYTES + 24)
}

impl Receiver {
    fn send(&mut self, memory: &[u8], pages: &[u64]) -> (Vec<CodedPage>, Vec<u8>) {
        let mut out = vec![0; pages.len() * PAGE_BYTES];
        let mut coded = vec![CodedPage::default(); pages.len()];
        // SAFETY: the memory has PAGE_COUNT pages, and no page beyond them is named.
        let used = unsafe { self.encoder.encode(memory.as_ptr(), pages, &mut out, &mut coded) }.expect("encodes");
        out.truncate(used as usize);
        for coded in &coded {
            let bytes = coded.bytes(&out).expect("bytes inside the output");
            let at = coded.page as usize * PAGE_BYTES;
            let copy = &mut self.copy[at..at + PAGE_BYTES];
            match coded.outcome().expect("an outcome") {
                Coded::Unchanged => assert!(bytes.is_empty()),
                Coded::Raw => copy.copy_from_slice(bytes),
                Coded::Delta => {
                    assert!(bytes.len() < PAGE_BYTES, "a delta that saves nothing");
                    assert!(decode(bytes, copy).is_ok());
                }
            }
            assert!(*copy == memory[at..at + PAGE_BYTES], "the copy differs");
        }
        (coded, out)
    }
}

fn page_mut(memory: &mut [u8], page: u8) -> &mut [u8] {
    let at = usize::from(page) % PAGE_COUNT * PAGE_BYTES;
    &mut memory[at..at + PAGE_BYTES]
}
