//! The frame by which a guest that has moved tells the switches where it is now.

/// Bytes of an announcement: the shortest Ethernet frame, without its check sequence.
pub const ANNOUNCEMENT_FRAME_BYTES: usize = 60;

const BROADCAST: [u8; 6] = [0xff; 6];
const ETHERTYPE_RARP: [u8; 2] = [0x80, 0x35];
/// Hardware type Ethernet, protocol type IPv4, address lengths 6 and 4, operation 3: request reverse (RFC 903).
const REQUEST_REVERSE: [u8; 8] = [0, 1, 8, 0, 6, 4, 0, 3];

/// A RARP request (RFC 903) from a hardware address about itself, sent to everybody: the usual way to move a switch
/// port, because it needs no protocol address.
pub fn announcement_frame(mac: [u8; 6]) -> [u8; ANNOUNCEMENT_FRAME_BYTES] {
    let mut frame = [0; ANNOUNCEMENT_FRAME_BYTES];
    frame[0..6].copy_from_slice(&BROADCAST);
    frame[6..12].copy_from_slice(&mac);
    frame[12..14].copy_from_slice(&ETHERTYPE_RARP);
    frame[14..22].copy_from_slice(&REQUEST_REVERSE);
    // Sender's hardware and protocol address, target's hardware and protocol address; no protocol address is known.
    frame[22..28].copy_from_slice(&mac);
    frame[32..38].copy_from_slice(&mac);
    frame
}

/// The hardware address that a frame announces; none when it is no announcement.
pub fn announcement_mac(frame: &[u8]) -> Option<[u8; 6]> {
    if frame.len() < 42 || frame[12..14] != ETHERTYPE_RARP || frame[14..22] != REQUEST_REVERSE {
        return None;
    }
    frame[32..38].try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_tells_its_address_and_nothing_else_does() {
        let mac = [2, 0, 0, 0, 0, 7];
        let frame = announcement_frame(mac);
        assert_eq!(announcement_mac(&frame), Some(mac));
        assert_eq!(announcement_mac(&frame[..41]), None);
        let mut other = frame;
        other[21] = 4;
        assert_eq!(announcement_mac(&other), None);
        other = frame;
        other[13] = 0x06;
        assert_eq!(announcement_mac(&other), None);
    }
}
