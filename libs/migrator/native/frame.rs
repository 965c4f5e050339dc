//! # The wire protocol, version 1
//!
//! A stream of frames in each direction. The same frames are written and read by `src/frame.ts`; golden vectors in
//! `test/golden-frames.txt` hold both to the same bytes. `docs/PROTOCOL.md` tells the sequence and what a failure costs.
//!
//! All integers are little-endian. A frame is a header of 24 bytes, a body, and raw pages:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | magic `47 44 57 54` ("GDWT") |
//! | 4 | 1 | type |
//! | 5 | 3 | zero |
//! | 8 | 4 | sequence: 0 for the first frame of this direction of this connection, then one more each |
//! | 12 | 4 | length of the body in bytes, at most [`BODY_BYTES_MAX`] |
//! | 16 | 4 | length of the raw pages in bytes, at most [`RAW_BYTES_MAX`]; only PAGES has any |
//! | 20 | 4 | CRC-32C of the 20 bytes above and the body |
//!
//! Raw pages of a running guest are not covered: they leave without a copy and may change meanwhile. A page that
//! changed is sent again, and the arrival digest sees what arrived.
//!
//! | type | from | body |
//! |---|---|---|
//! | 1 HELLO | source | JSON: who comes, with what (`src/handshake.ts`) |
//! | 2 ADMIT | destination | JSON |
//! | 3 REFUSE | destination | JSON: code, message |
//! | 4 PAGES | source | runs: count u32, then count x {first page u32, pages u32}; raw: the pages in order |
//! | 5 ZERO | source | runs of pages that are zero now |
//! | 6 DELTA | source | count u32, then count x {page u32, length u32}, then the deltas in order |
//! | 7 SYNC | source | number u32: all before this must be installed before it is answered |
//! | 8 SYNCED | destination | number u32 |
//! | 9 STATE | source | epoch u64, then the execution state |
//! | 10 READY | destination | epoch u64: everything is installed, the guest can start |
//! | 11 COMMIT | source | epoch u64: start. From here on the source is in doubt until it hears RUNNING |
//! | 12 RUNNING | destination | epoch u64, start time u64 (CLOCK_MONOTONIC, ns), CPU time spent here u64 (µs) |
//! | 13 QUERY | source | session 16 bytes, epoch u64; first frame of a new connection: did you start? |
//! | 14 STARTED | destination | epoch u64, start time u64 (as in RUNNING; 0 if not known yet) |
//! | 15 RENOUNCED | destination | epoch u64: it did not start and never will |
//! | 16 DIGEST | source | count u32, then count x {page u32, zero u32, hash u64} of its frozen memory |
//! | 17 DIGEST_END | source | pages u64: how many it named |
//! | 18 VERIFIED | destination | compared u64, mismatched u64, then up to 16 page indexes u64 |
//! | 19 FAILED | either | text: `CODE: message`; the session is over |
//! | 20 UNKNOWN | destination | epoch u64: it knows of no such session, which proves nothing |
//! | 21 LATE | source | after RUNNING: what the guest's devices still received there |
//! | 22 DONE | source | after RUNNING: no digest follows |
//!
//! A page is named at most once in a frame. Every page index is checked against the memory before anything is
//! installed; a frame that breaks a rule ends the session, and the guest goes on at the source.

use godwit_ports::CapsuleError;

/// "GDWT" as it stands on the wire.
pub const MAGIC: u32 = u32::from_le_bytes(*b"GDWT");
pub const HEADER_BYTES: usize = 24;
/// A body is never longer; larger ones are refused before anything is read.
pub const BODY_BYTES_MAX: usize = 2 << 20;
/// Raw pages of one frame are never longer.
pub const RAW_BYTES_MAX: usize = 4 << 20;

/// What a frame says. Zero is never a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameType {
    Hello = 1,
    Admit = 2,
    Refuse = 3,
    Pages = 4,
    Zero = 5,
    Delta = 6,
    Sync = 7,
    Synced = 8,
    State = 9,
    Ready = 10,
    Commit = 11,
    Running = 12,
    Query = 13,
    Started = 14,
    Renounced = 15,
    Digest = 16,
    DigestEnd = 17,
    Verified = 18,
    Failed = 19,
    Unknown = 20,
    Late = 21,
    Done = 22,
}

impl FrameType {
    const ALL: [Self; 22] = [
        Self::Hello,
        Self::Admit,
        Self::Refuse,
        Self::Pages,
        Self::Zero,
        Self::Delta,
        Self::Sync,
        Self::Synced,
        Self::State,
        Self::Ready,
        Self::Commit,
        Self::Running,
        Self::Query,
        Self::Started,
        Self::Renounced,
        Self::Digest,
        Self::DigestEnd,
        Self::Verified,
        Self::Failed,
        Self::Unknown,
        Self::Late,
        Self::Done,
    ];

    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == code)
    }
}

/// A header that passed every check that needs no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    pub kind: FrameType,
    pub sequence: u32,
    pub body_bytes: usize,
    pub raw_bytes: usize,
    checksum: u32,
}

/// The header of a frame with this body, checksum included.
pub fn encode_header(kind: FrameType, sequence: u32, body: &[u8], raw_bytes: usize) -> [u8; HEADER_BYTES] {
    debug_assert!(body.len() <= BODY_BYTES_MAX && raw_bytes <= RAW_BYTES_MAX);
    let mut header = [0; HEADER_BYTES];
    header[0..4].copy_from_slice(&MAGIC.to_le_bytes());
    header[4] = kind as u8;
    header[8..12].copy_from_slice(&sequence.to_le_bytes());
    header[12..16].copy_from_slice(&(body.len() as u32).to_le_bytes());
    header[16..20].copy_from_slice(&(raw_bytes as u32).to_le_bytes());
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&header[..20]), body);
    header[20..24].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Reads a header; refuses one that no later bytes could make right.
pub fn decode_header(bytes: &[u8; HEADER_BYTES], expected_sequence: u32) -> Result<FrameHeader, CapsuleError> {
    let word = |offset: usize| u32_at(bytes, offset);
    let header = FrameHeader {
        kind: FrameType::from_code(bytes[4]).ok_or(CapsuleError::Malformed)?,
        sequence: word(8),
        body_bytes: word(12) as usize,
        raw_bytes: word(16) as usize,
        checksum: word(20),
    };
    let sound = word(0) == MAGIC
        && bytes[5..8] == [0; 3]
        && header.sequence == expected_sequence
        && header.body_bytes <= BODY_BYTES_MAX
        && header.raw_bytes <= RAW_BYTES_MAX
        && (header.raw_bytes == 0 || header.kind == FrameType::Pages);
    if sound {
        Ok(header)
    } else {
        Err(CapsuleError::Malformed)
    }
}

/// Whether header and body are as they were sent.
pub fn check_body(header_bytes: &[u8; HEADER_BYTES], header: &FrameHeader, body: &[u8]) -> Result<(), CapsuleError> {
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&header_bytes[..20]), body);
    if checksum == header.checksum {
        Ok(())
    } else {
        Err(CapsuleError::Malformed)
    }
}

/// The u32 at `offset`; the caller has checked the length.
pub fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes([bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]])
}

/// The u64 at `offset`; the caller has checked the length.
pub fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from(u32_at(bytes, offset)) | u64::from(u32_at(bytes, offset + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_as_it_went() {
        let body = b"body";
        let bytes = encode_header(FrameType::Pages, 7, body, 4096);
        let header = decode_header(&bytes, 7).unwrap();
        assert_eq!(
            (header.kind, header.body_bytes, header.raw_bytes),
            (FrameType::Pages, 4, 4096)
        );
        check_body(&bytes, &header, body).unwrap();
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let body = *b"a body of some length";
        let bytes = encode_header(FrameType::Zero, 3, &body, 0);
        for bit in 0..(HEADER_BYTES + body.len()) * 8 {
            let (mut bytes, mut body) = (bytes, body);
            match bit / 8 {
                byte if byte < HEADER_BYTES => bytes[byte] ^= 1 << (bit % 8),
                byte => body[byte - HEADER_BYTES] ^= 1 << (bit % 8),
            }
            let seen = decode_header(&bytes, 3).and_then(|header| check_body(&bytes, &header, &body));
            assert_eq!(seen, Err(CapsuleError::Malformed), "bit {bit}");
        }
    }

    #[test]
    fn golden_frames_are_written_and_read_byte_for_byte() {
        let bytes_of = |hex: &str| -> Vec<u8> {
            let digits = if hex == "-" { "" } else { hex };
            let pairs = digits.as_bytes().chunks_exact(2);
            pairs
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect()
        };
        let lines = include_str!("../test/golden-frames.txt").lines();
        let mut codes = Vec::new();
        for line in lines.filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split(' ').collect();
            let (sequence, raw_bytes) = (fields[1].parse().unwrap(), fields[2].parse().unwrap());
            let header: [u8; HEADER_BYTES] = bytes_of(fields[3]).try_into().unwrap();
            let body = bytes_of(fields[4]);
            let seen = decode_header(&header, sequence).unwrap();
            check_body(&header, &seen, &body).unwrap();
            assert_eq!((seen.body_bytes, seen.raw_bytes), (body.len(), raw_bytes), "{line}");
            assert_eq!(encode_header(seen.kind, sequence, &body, raw_bytes), header, "{line}");
            assert_eq!(format!("{:?}", seen.kind).to_uppercase(), fields[0].replace('_', ""));
            codes.push(seen.kind);
        }
        assert_eq!(codes, FrameType::ALL);
    }

    #[test]
    fn lengths_are_bounded_before_anything_is_read() {
        let mut bytes = encode_header(FrameType::Pages, 0, &[], 0);
        bytes[12..16].copy_from_slice(&(BODY_BYTES_MAX as u32 + 1).to_le_bytes());
        assert!(decode_header(&bytes, 0).is_err());
        let mut bytes = encode_header(FrameType::Pages, 0, &[], 0);
        bytes[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(decode_header(&bytes, 0).is_err());
    }
}
