//! The form of an access token: `kltr_`, 8 characters that name it, 32 of secret, 6 of checksum, all base 62.
//!
//! The checksum (CRC-32, as GitHub's tokens have it) tells a mistyped token from a wrong one without asking anybody, and lets
//! scanners find one that leaked. The secret has 190 bits, so a plain SHA-256 of the token is safe to store.

use std::fmt;

use crate::ids::Digest;

const PREFIX: &str = "kltr_";
const ID: usize = 8;
const SECRET: usize = 32;
const CHECKSUM: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// How many random bytes a token is made of.
const ENTROPY: usize = 40;

/// An access token. Printing it shows its name alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// It does not have the form.
    Form,
    /// The checksum does not fit: a character is wrong or missing.
    Checksum,
}

impl Token {
    /// Makes a token from random bytes; each must come from the system's generator.
    pub fn from_entropy(bytes: [u8; ENTROPY]) -> Self {
        // 256 is no multiple of 62: a digit is biased by at most 1 in 64, which leaves the secret above 188 bits.
        let body: String = bytes.iter().map(|byte| char::from(DIGITS[usize::from(*byte) % DIGITS.len()])).collect();
        let checksum = checksum(&body);
        Self(format!("{PREFIX}{body}{checksum}"))
    }

    /// Reads a token.
    ///
    /// # Errors
    /// When it has not the form, or its checksum does not fit.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let rest = text.strip_prefix(PREFIX).ok_or(TokenError::Form)?;
        if rest.len() != ID + SECRET + CHECKSUM || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(TokenError::Form);
        }
        let (body, sum) = rest.split_at(ID + SECRET);
        if checksum(body) != sum {
            return Err(TokenError::Checksum);
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the part that names the token; it is no secret.
    pub fn id(&self) -> &str {
        &self.0[PREFIX.len()..PREFIX.len() + ID]
    }

    /// Returns the digest that is stored in place of the token.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// Returns the whole token: for the request's header and the login store alone.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}…", self.id())
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "this is not a kilter token: one begins with `kltr_` and has 51 characters",
            Self::Checksum => "a character of the token is wrong or missing: its checksum does not fit",
        })
    }
}

fn checksum(body: &str) -> String {
    let mut rest = crc32(body.as_bytes());
    let mut digits = [0; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

/// CRC-32 as zlib and Ethernet have it (polynomial 0xEDB88320, reflected).
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & 0u32.wrapping_sub(crc & 1)))
    };
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_zlibs() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn every_single_slip_is_found() {
        let token = Token::from_entropy(std::array::from_fn(|i| (i * 37) as u8));
        assert_eq!(Token::parse(token.secret()).unwrap(), token);
        for at in PREFIX.len()..token.secret().len() {
            let mut text = token.secret().as_bytes().to_vec();
            text[at] = if text[at] == b'x' { b'y' } else { b'x' };
            let text = String::from_utf8(text).unwrap();
            assert_eq!(Token::parse(&text), Err(TokenError::Checksum), "{at}");
        }
        for text in ["", "kltr_", "ghp_abc", &token.secret()[..50], &format!("{}x", token.secret())] {
            assert_eq!(Token::parse(text), Err(TokenError::Form), "{text}");
        }
    }

    #[test]
    fn a_token_does_not_show_itself() {
        let token = Token::from_entropy([7; ENTROPY]);
        assert_eq!(format!("{token:?}"), "kltr_77777777…");
    }
}
