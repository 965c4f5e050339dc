//! Any two pages and any room: every instruction set writes the same delta or overflows at the same one, writes nothing
//! behind its room, and the delta makes the one page of the other.
#![no_main]

use arbitrary::Arbitrary;
use godwit_codec_xbzrle::{DeltaEncoder, Encoded, Isa, decode};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input {
    page_size: u8,
    seed: u8,
    room: u16,
    delta_bytes_max: u16,
    unaligned: u8,
    edits: Vec<(u16, u8, u8)>,
}

fuzz_target!(|input: Input| {
    let page_size_bytes = godwit_codec_xbzrle_fuzz::page_size_of(input.page_size);
    let shift = usize::from(input.unaligned % 64);
    let mut old = vec![0; shift];
    old.extend(godwit_codec_xbzrle_fuzz::page_of(input.seed, page_size_bytes));
    let old = &old[shift..];
    let mut new = old.to_vec();
    for (at, length, step) in input.edits {
        let at = usize::from(at) * page_size_bytes / 65_536;
        for index in (at..page_size_bytes).take(usize::from(length)) {
            new[index] = new[index].wrapping_add(step);
        }
    }
    let room_bytes = usize::from(input.room) * 2 * page_size_bytes / 65_536;
    let mut first: Option<(Encoded, Vec<u8>)> = None;
    for isa in Isa::available() {
        // Exactly as long as it is, so that the sanitizer sees a write behind it.
        let mut out = vec![0; room_bytes].into_boxed_slice();
        let mut encoder = DeltaEncoder::new(page_size_bytes, isa);
        let encoded = encoder.encode_within(old, &new, &mut out, usize::from(input.delta_bytes_max));
        let length = match encoded {
            Encoded::Delta(length) => length,
            Encoded::Unchanged | Encoded::Overflow => 0,
        };
        assert_eq!(encoded == Encoded::Unchanged, old == new);
        assert!(length <= usize::from(input.delta_bytes_max));
        let written = out[..length].to_vec();
        match &first {
            None => first = Some((encoded, written)),
            Some(first) => assert!(*first == (encoded, written), "{isa:?} differs"),
        }
    }
    let Some((Encoded::Delta(_), delta)) = first else {
        return;
    };
    let mut page = old.to_vec();
    assert!(decode(&delta, &mut page).is_ok());
    assert!(page == new, "another page");
});
