//! What a receiver reads of a character that was sent at another speed than its own.

/// How many bits of a character the receiver looks at: start, eight data, stop.
const BITS: u64 = 10;

/// The byte that arrives, if both speeds are given in bits a second; none if the receiver finds no
/// start bit or no stop bit, and drops the character.
///
/// A receiver waits for the edge of the start bit, and then looks at the line in the middle of each
/// of its own bits. Each character is looked at for itself, as if the line was silent after it. A
/// deviation of up to about 5 % does no harm: the tenth bit is still met.
pub(crate) fn received(byte: u8, sender: u64, receiver: u64) -> Option<u8> {
    if sender == receiver {
        return Some(byte);
    }
    let high = |bit: u64| match (2 * bit + 1) * sender / (2 * receiver.max(1)) {
        0 => false,
        at @ 1..=8 => byte >> (at - 1) & 1 == 1,
        _ => true,
    };
    if high(0) || !high(BITS - 1) {
        return None;
    }
    Some((0..8).fold(0, |value, bit| value | u8::from(high(bit + 1)) << bit))
}

#[cfg(test)]
mod tests {
    use super::received;

    #[test]
    fn small_deviations_do_no_harm() {
        for byte in 0..=255 {
            for (sender, receiver) in [
                (115_200, 115_200),
                (111_800, 115_200),
                (118_600, 115_200),
                (9_600, 9_888),
                (9_888, 9_600),
            ] {
                assert_eq!(received(byte, sender, receiver), Some(byte), "{sender}");
            }
        }
    }

    #[test]
    fn half_the_speed_doubles_the_bits() {
        // Read are the start bit, data bits 0, 1 and 2 twice, and 3; its second half is where the stop
        // bit should be.
        assert_eq!(received(0b1101, 57_600, 115_200), Some(0b1110_0110));
        assert_eq!(received(0b0101, 57_600, 115_200), None);
    }

    #[test]
    fn twice_the_speed_skips_every_other_bit() {
        // Data bit 0 is where the start bit should be; read are 2, 4 and 6, and then silence.
        assert_eq!(received(b'B', 115_200, 57_600), Some(0b1111_1100));
        assert_eq!(received(b'A', 115_200, 57_600), None);
    }

    #[test]
    fn a_slow_character_is_a_break_and_a_fast_one_a_glitch() {
        assert_eq!(received(b'A', 9_600, 115_200), None);
        // In the middle of the long start bit there is data bit 5.
        assert_eq!(received(b'A', 115_200, 9_600), Some(0xFF));
        assert_eq!(received(b'a', 115_200, 9_600), None);
    }
}
