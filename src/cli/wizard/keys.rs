//! The bytes that a terminal sends, as keys.

/// A key, or a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// A printable character.
    Char(char),
    /// Enter.
    Enter,
    /// Esc.
    Esc,
    /// Ctrl-C.
    Quit,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Tab.
    Tab,
    /// An arrow.
    Up,
    /// An arrow.
    Down,
    /// An arrow.
    Left,
    /// An arrow.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// Ctrl-U: empties the line.
    Clear,
}

/// What a terminal puts around what is pasted, when it was asked to (xterm's bracketed paste).
const PASTE: (&[u8], &[u8]) = (b"\x1b[200~", b"\x1b[201~");

/// Longest sequence that is waited for to come to its end; what is longer is none of a keyboard's.
const LONGEST: usize = 32;

/// Turns bytes into keys, whatever the pieces they come in.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    held: Vec<u8>,
    pasting: bool,
}

impl Decoder {
    /// Takes bytes; returns the keys that they complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.held.extend_from_slice(bytes);
        let mut keys = Vec::new();
        while let Some((key, used)) = self.first() {
            self.held.drain(..used);
            keys.extend(key);
        }
        keys
    }

    /// Tells whether bytes are held that may be the beginning of more.
    pub(crate) fn waits(&self) -> bool {
        !self.held.is_empty()
    }

    /// Nothing more came: what is held stands for itself.
    pub(crate) fn settle(&mut self) -> Vec<Key> {
        let mut keys = Vec::new();
        while self.waits() {
            let first = self.held.remove(0);
            if first == 0x1b && !self.pasting {
                keys.push(Key::Esc);
            }
            keys.extend(self.feed(&[]));
        }
        keys
    }

    /// The first key of what is held, if it has one, and how many bytes it is.
    fn first(&mut self) -> Option<(Option<Key>, usize)> {
        let held = self.held.as_slice();
        let first = *held.first()?;
        if first == 0x1b {
            return self.sequence();
        }
        let plain = if self.pasting { None } else { control(first) };
        match first {
            0x03 => Some((Some(Key::Quit), 1)),
            _ if plain.is_some() => Some((plain, 1)),
            // What is pasted stays one line.
            b'\r' | b'\n' | b'\t' => Some((Some(Key::Char(' ')), 1)),
            0..0x20 | 0x7f => Some((None, 1)),
            _ => character(held),
        }
    }

    fn sequence(&mut self) -> Option<(Option<Key>, usize)> {
        let held = self.held.as_slice();
        for (mark, pasting) in [(PASTE.0, true), (PASTE.1, false)] {
            if held.starts_with(mark) {
                self.pasting = pasting;
                return Some((None, mark.len()));
            }
        }
        let esc = if self.pasting { None } else { Some(Key::Esc) };
        match held.get(1)? {
            b'[' => {
                let end = held[2..].iter().position(|byte| (0x40..=0x7e).contains(byte));
                match end {
                    Some(end) => Some((named(&held[2..2 + end], held[2 + end]), end + 3)),
                    None if held.len() > LONGEST => Some((None, held.len())),
                    None => None,
                }
            }
            b'O' => held.get(2).map(|last| (named(&[], *last), 3)),
            _ => Some((esc, 1)),
        }
    }
}

/// The keys that are one byte.
fn control(byte: u8) -> Option<Key> {
    Some(match byte {
        b'\r' | b'\n' => Key::Enter,
        b'\t' => Key::Tab,
        0x7f | 0x08 => Key::Backspace,
        0x15 => Key::Clear,
        0x01 => Key::Home,
        0x05 => Key::End,
        0x10 => Key::Up,
        0x0e => Key::Down,
        _ => return None,
    })
}

/// The keys that are sequences (ECMA-48 and the VT220): `ESC [ NUMBERS LETTER`.
fn named(numbers: &[u8], last: u8) -> Option<Key> {
    Some(match (numbers, last) {
        (_, b'A') => Key::Up,
        (_, b'B') => Key::Down,
        (_, b'C') => Key::Right,
        (_, b'D') => Key::Left,
        (_, b'H') | (b"1" | b"7", b'~') => Key::Home,
        (_, b'F') | (b"4" | b"8", b'~') => Key::End,
        (b"3", b'~') => Key::Delete,
        (b"5", b'~') => Key::PageUp,
        (b"6", b'~') => Key::PageDown,
        _ => return None,
    })
}

/// A character of UTF-8; what is none is passed over.
fn character(held: &[u8]) -> Option<(Option<Key>, usize)> {
    let length = match held[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        0x80.. => return Some((None, 1)),
        _ => 1,
    };
    let Some(bytes) = held.get(..length) else {
        // Its beginning, unless what is there already is wrong.
        let begun = std::str::from_utf8(held).is_err_and(|error| error.error_len().is_none());
        return if begun { None } else { Some((None, 1)) };
    };
    match std::str::from_utf8(bytes).ok().and_then(|text| text.chars().next()) {
        Some(c) if !c.is_control() => Some((Some(Key::Char(c)), length)),
        Some(_) => Some((None, length)),
        None => Some((None, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(pieces: &[&[u8]]) -> Vec<Key> {
        let mut decoder = Decoder::default();
        let mut keys: Vec<Key> = pieces.iter().flat_map(|piece| decoder.feed(piece)).collect();
        keys.extend(decoder.settle());
        keys
    }

    #[test]
    fn keys_come_whole_however_they_are_cut() {
        let all = b"a\x1b[A\xc3\xa4\x1bOB\r\x7f\x1b[3~\x1b[6~\x03\xf0\x9f\x90\x98";
        let whole = keys(&[all]);
        use Key::*;
        let expected = [Char('a'), Up, Char('ä'), Down, Enter, Backspace, Delete, PageDown, Quit, Char('🐘')];
        assert_eq!(whole, expected);
        let bytes: Vec<&[u8]> = all.chunks(1).collect();
        assert_eq!(keys(&bytes), whole);
    }

    #[test]
    fn esc_is_a_key_when_nothing_follows() {
        assert_eq!(keys(&[b"\x1b"]), [Key::Esc]);
        assert_eq!(keys(&[b"\x1bx"]), [Key::Esc, Key::Char('x')]);
        assert_eq!(keys(&[b"\x1b\x1b"]), [Key::Esc, Key::Esc]);
    }

    #[test]
    fn what_is_pasted_presses_no_enter() {
        let pasted = keys(&[b"\x1b[200~a\r\nb\x1b[201~\r"]);
        assert_eq!(pasted, [Key::Char('a'), Key::Char(' '), Key::Char(' '), Key::Char('b'), Key::Enter]);
    }

    #[test]
    fn no_bytes_are_too_odd() {
        let mut state: u64 = 7;
        let mut decoder = Decoder::default();
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            decoder.feed(&(state >> 40).to_le_bytes()[..3]);
            assert!(decoder.held.len() <= LONGEST + 4, "{:?}", decoder.held);
        }
        decoder.settle();
        assert!(!decoder.waits());
    }
}
