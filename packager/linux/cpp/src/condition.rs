//! `#if` (ISO C11 6.10.1): integer expressions of 64 bits, as on every target of gcc.

use crate::intern::known;
use crate::token::{Kind, Punctuator, Token};
use crate::unit::Unit;

/// How deep parentheses and conditional expressions may be nested.
const MAX_DEPTH: usize = 256;

/// A value: its bits, and whether they count as unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number {
    bits: u64,
    unsigned: bool,
}

impl Number {
    fn signed(value: i64) -> Self {
        Self { bits: value.cast_unsigned(), unsigned: false }
    }

    fn truth(value: bool) -> Self {
        Self::signed(i64::from(value))
    }

    fn is_true(self) -> bool {
        self.bits != 0
    }

    fn is_negative(self) -> bool {
        !self.unsigned && self.bits.cast_signed() < 0
    }
}

/// Why an expression has no value.
type Invalid = &'static str;

/// Reads an expression off a unit's tokens.
struct Reader<'a, 'u> {
    unit: &'a mut Unit<'u>,
    /// The token to look at next.
    token: Token,
    depth: usize,
    /// Whether operands are only read, because their value is not needed.
    skipping: bool,
}

impl Unit<'_> {
    /// The value of a condition; one that is wrong is false, as for gcc, and recorded.
    pub(crate) fn condition(&mut self, tokens: Vec<Token>) -> bool {
        if tokens.is_empty() {
            self.problem("condition", "there is no expression behind the directive", known::EMPTY);
            return false;
        }
        self.begin(tokens);
        let token = self.next_token();
        let mut reader = Reader { unit: self, token, depth: 0, skipping: false };
        let result = reader.comma().and_then(|value| match reader.token.kind {
            Kind::End => Ok(value.is_true()),
            _ => Err("the expression goes on without an operator"),
        });
        let text = reader.token.text;
        result.unwrap_or_else(|reason| {
            self.problem("condition", reason, text);
            false
        })
    }

    /// `defined X` or `defined(X)`, behind `defined`.
    fn defined(&mut self) -> Result<Number, Invalid> {
        const NO_NAME: Invalid = "`defined` stands without a name";
        self.expansion.prevent += 1;
        let mut name = self.next_token();
        let parenthesis = name.is(Punctuator::Open);
        if parenthesis {
            name = self.next_token();
        }
        let closed = !parenthesis || self.next_token().is(Punctuator::Close);
        self.expansion.prevent -= 1;
        if name.kind != Kind::Identifier {
            return Err(NO_NAME);
        }
        if !closed {
            return Err("`)` is missing behind `defined`");
        }
        Ok(Number::truth(self.is_defined(name.text)))
    }
}

/// How strongly a binary operator binds; 0 for what is none.
fn precedence(kind: Kind) -> u8 {
    use Punctuator as P;
    let Kind::Punctuator(operator) = kind else { return 0 };
    match operator {
        P::OrOr => 1,
        P::AndAnd => 2,
        P::Or => 3,
        P::Xor => 4,
        P::And => 5,
        P::Equal | P::NotEqual => 6,
        P::Less | P::Greater | P::LessEqual | P::GreaterEqual => 7,
        P::ShiftLeft | P::ShiftRight => 8,
        P::Plus | P::Minus => 9,
        P::Star | P::Slash | P::Percent => 10,
        _ => 0,
    }
}

impl Reader<'_, '_> {
    fn advance(&mut self) {
        self.token = self.unit.next_token();
    }

    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Invalid>,
    ) -> Result<T, Invalid> {
        if self.depth >= MAX_DEPTH {
            return Err("the expression is nested too deeply");
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Runs `read` without needing its value if `skip`.
    fn maybe_skipping<T>(&mut self, skip: bool, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.skipping;
        self.skipping |= skip;
        let result = read(self);
        self.skipping = before;
        result
    }

    fn comma(&mut self) -> Result<Number, Invalid> {
        let mut value = self.conditional()?;
        while self.token.is(Punctuator::Comma) {
            self.advance();
            value = self.conditional()?;
        }
        Ok(value)
    }

    fn conditional(&mut self) -> Result<Number, Invalid> {
        let condition = self.binary(1)?;
        if !self.token.is(Punctuator::Question) {
            return Ok(condition);
        }
        self.advance();
        let first = condition.is_true();
        let yes = self.maybe_skipping(!first, |reader| reader.nested(Self::comma))?;
        if !self.token.is(Punctuator::Colon) {
            return Err("`?` without `:`");
        }
        self.advance();
        let no = self.maybe_skipping(first, |reader| reader.nested(Self::conditional))?;
        let unsigned = yes.unsigned || no.unsigned;
        Ok(Number { unsigned, ..if first { yes } else { no } })
    }

    /// Operators that bind at least as strongly as `least`, all of them from left to right.
    fn binary(&mut self, least: u8) -> Result<Number, Invalid> {
        let mut left = self.unary()?;
        loop {
            let strength = precedence(self.token.kind);
            let Kind::Punctuator(operator) = self.token.kind else { return Ok(left) };
            if strength < least || strength == 0 {
                return Ok(left);
            }
            self.advance();
            let skip = match operator {
                Punctuator::AndAnd => !left.is_true(),
                Punctuator::OrOr => left.is_true(),
                _ => false,
            };
            let right = self.maybe_skipping(skip, |reader| reader.binary(strength + 1))?;
            left = self.apply(operator, left, right)?;
        }
    }

    fn unary(&mut self) -> Result<Number, Invalid> {
        let mut operators = Vec::new();
        while let Kind::Punctuator(
            operator @ (Punctuator::Not
            | Punctuator::Complement
            | Punctuator::Plus
            | Punctuator::Minus),
        ) = self.token.kind
        {
            operators.push(operator);
            self.advance();
        }
        let mut value = self.primary()?;
        for operator in operators.into_iter().rev() {
            value = match operator {
                Punctuator::Not => Number::truth(!value.is_true()),
                Punctuator::Complement => Number { bits: !value.bits, ..value },
                Punctuator::Minus => Number { bits: value.bits.wrapping_neg(), ..value },
                _ => value,
            };
        }
        Ok(value)
    }

    fn primary(&mut self) -> Result<Number, Invalid> {
        let token = self.token;
        let value = match token.kind {
            Kind::Punctuator(Punctuator::Open) => {
                self.advance();
                let value = self.nested(Self::comma)?;
                if !self.token.is(Punctuator::Close) {
                    return Err("`)` is missing");
                }
                value
            }
            Kind::Identifier if token.text == known::DEFINED => self.unit.defined()?,
            // What is left of names is 0 (6.10.1.4).
            Kind::Identifier => Number::signed(0),
            Kind::Number => match integer(self.unit.interner.spelling(token.text)) {
                Ok(number) => number,
                // gcc complains, and goes on with 0.
                Err(reason) => {
                    self.unit.problem("condition", reason, token.text);
                    Number::signed(0)
                }
            },
            Kind::Character => {
                let unsigned = self.unit.is_defined(known::CHAR_UNSIGNED);
                character(self.unit.interner.spelling(token.text), unsigned)?
            }
            Kind::String => return Err("a string is no number"),
            Kind::End => return Err("an operand is missing at the end"),
            _ => return Err("an operand is missing"),
        };
        self.advance();
        Ok(value)
    }

    fn apply(&mut self, operator: Punctuator, l: Number, r: Number) -> Result<Number, Invalid> {
        use Punctuator as P;
        let unsigned = l.unsigned || r.unsigned;
        let (a, b) = (l.bits.cast_signed(), r.bits.cast_signed());
        let less = if unsigned { l.bits < r.bits } else { a < b };
        let arithmetic = |bits| Number { bits, unsigned };
        Ok(match operator {
            P::OrOr => Number::truth(l.is_true() || r.is_true()),
            P::AndAnd => Number::truth(l.is_true() && r.is_true()),
            P::Or => arithmetic(l.bits | r.bits),
            P::Xor => arithmetic(l.bits ^ r.bits),
            P::And => arithmetic(l.bits & r.bits),
            P::Equal => Number::truth(l.bits == r.bits),
            P::NotEqual => Number::truth(l.bits != r.bits),
            P::Less => Number::truth(less),
            P::GreaterEqual => Number::truth(!less),
            P::Greater => Number::truth(!less && l.bits != r.bits),
            P::LessEqual => Number::truth(less || l.bits == r.bits),
            P::ShiftLeft => shift(l, r, true),
            P::ShiftRight => shift(l, r, false),
            P::Plus => arithmetic(l.bits.wrapping_add(r.bits)),
            P::Minus => arithmetic(l.bits.wrapping_sub(r.bits)),
            P::Star => arithmetic(l.bits.wrapping_mul(r.bits)),
            P::Slash | P::Percent if !r.is_true() => {
                // gcc complains, and goes on with the dividend.
                if !self.skipping {
                    self.unit.problem("condition", "division by zero", known::EMPTY);
                }
                arithmetic(l.bits)
            }
            P::Slash if unsigned => arithmetic(l.bits / r.bits),
            P::Slash => arithmetic(a.wrapping_div(b).cast_unsigned()),
            P::Percent if unsigned => arithmetic(l.bits % r.bits),
            P::Percent => arithmetic(a.wrapping_rem(b).cast_unsigned()),
            _ => return Err("an operator that conditions do not have"),
        })
    }
}

/// A shift; by a negative count it goes the other way, as for gcc.
fn shift(value: Number, count: Number, left: bool) -> Number {
    let left = left != count.is_negative();
    let count = if count.is_negative() { count.bits.wrapping_neg() } else { count.bits };
    let by = u32::try_from(count).unwrap_or(u32::MAX);
    let bits = match (left, value.unsigned) {
        (true, _) => value.bits.checked_shl(by).unwrap_or(0),
        (false, true) => value.bits.checked_shr(by).unwrap_or(0),
        (false, false) => (value.bits.cast_signed() >> by.min(63)).cast_unsigned(),
    };
    Number { bits, ..value }
}

/// An integer constant (6.4.4.1), with GNU's binary ones.
fn integer(spelling: &[u8]) -> Result<Number, Invalid> {
    let (radix, digits) = match spelling {
        [b'0', b'x' | b'X', rest @ ..] => (16, rest),
        [b'0', b'b' | b'B', rest @ ..] => (2, rest),
        [b'0', ..] => (8, spelling),
        _ => (10, spelling),
    };
    let length = digits.iter().take_while(|&&byte| char::from(byte).is_digit(radix)).count();
    let (digits, suffix) = digits.split_at_checked(length).unwrap_or_default();
    if digits.is_empty() {
        return Err("a number has no digits");
    }
    let suffix = suffix.to_ascii_lowercase();
    let unsigned = match suffix.as_slice() {
        b"" | b"l" | b"ll" => false,
        b"u" | b"ul" | b"lu" | b"ull" | b"llu" => true,
        _ => return Err("a number that is no integer"),
    };
    let mut bits = 0_u64;
    for &digit in digits {
        let digit = char::from(digit).to_digit(radix).unwrap_or(0);
        // gcc warns of what does not fit, and goes on with the low bits.
        bits = bits.wrapping_mul(u64::from(radix)).wrapping_add(u64::from(digit));
    }
    // What is too large for a signed number is an unsigned one.
    Ok(Number { bits, unsigned: unsigned || bits.cast_signed() < 0 })
}

/// A character constant (6.4.4.4); several characters make a number of their bytes.
fn character(spelling: &[u8], unsigned: bool) -> Result<Number, Invalid> {
    let open = spelling.iter().position(|&byte| byte == b'\'').unwrap_or(0);
    let wide = open > 0;
    let mut rest = spelling.get(open + 1..spelling.len().saturating_sub(1)).unwrap_or_default();
    let mut value = 0_i64;
    let mut count = 0;
    while let Some((&byte, after)) = rest.split_first() {
        let (unit, after) = if byte == b'\\' { escape(after)? } else { (u32::from(byte), after) };
        value = if wide { i64::from(unit) } else { (value << 8) | i64::from(unit & 0xff) };
        rest = after;
        count += 1;
    }
    match count {
        0 => Err("an empty character constant"),
        1 if !wide && !unsigned => Ok(Number::signed(i64::from(value as i8))),
        _ if wide => Ok(Number::signed(value)),
        _ => Ok(Number::signed(i64::from(value as i32))),
    }
}

/// An escape sequence behind its backslash: its value and what follows.
fn escape(rest: &[u8]) -> Result<(u32, &[u8]), Invalid> {
    let (&first, after) = rest.split_first().ok_or("an escape sequence without an end")?;
    let value = match first {
        b'n' => 10,
        b't' => 9,
        b'r' => 13,
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'v' => 11,
        b'e' | b'E' => 27,
        b'x' => return Ok(digits(after, 16, usize::MAX)),
        b'0'..=b'7' => return Ok(digits(rest, 8, 3)),
        other => u32::from(other),
    };
    Ok((value, after))
}

/// The number that at most `most` digits make.
fn digits(rest: &[u8], radix: u32, most: usize) -> (u32, &[u8]) {
    let mut value = 0_u32;
    let mut rest = rest;
    for _ in 0..most.min(rest.len()) {
        let Some((&byte, after)) = rest.split_first() else { break };
        let Some(digit) = char::from(byte).to_digit(radix) else { break };
        value = value.wrapping_mul(radix).wrapping_add(digit);
        rest = after;
    }
    (value, rest)
}
