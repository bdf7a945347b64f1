//! Text of a selector to tokens, each with its column.

use std::fmt;

use super::error::SelectorError;

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A label name or a keyword: which of the two, the parser knows from its place.
    Word(String),
    /// A quoted string, without its quotes.
    Text(String),
    And,
    Or,
    Not,
    Equal,
    NotEqual,
    Open,
    Close,
    OpenSet,
    CloseSet,
    Comma,
    /// The end of the text.
    End,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fixed = match self {
            Token::Word(word) => return write!(f, "`{word}`"),
            Token::Text(text) => return write!(f, "the string '{text}'"),
            Token::And => "`&&`",
            Token::Or => "`||`",
            Token::Not => "`!`",
            Token::Equal => "`==`",
            Token::NotEqual => "`!=`",
            Token::Open => "`(`",
            Token::Close => "`)`",
            Token::OpenSet => "`{`",
            Token::CloseSet => "`}`",
            Token::Comma => "`,`",
            Token::End => "the end",
        };
        f.write_str(fixed)
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-')
}

/// All tokens with their columns; the last one is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, SelectorError> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = characters.get(at) {
        let column = at + 1;
        if c.is_whitespace() {
            at += 1;
            continue;
        }
        let (token, length) = match (c, characters.get(at + 1)) {
            ('&', Some('&')) => (Token::And, 2),
            ('|', Some('|')) => (Token::Or, 2),
            ('=', Some('=')) => (Token::Equal, 2),
            ('!', Some('=')) => (Token::NotEqual, 2),
            ('!', _) => (Token::Not, 1),
            ('(', _) => (Token::Open, 1),
            (')', _) => (Token::Close, 1),
            ('{', _) => (Token::OpenSet, 1),
            ('}', _) => (Token::CloseSet, 1),
            (',', _) => (Token::Comma, 1),
            ('\'' | '"', _) => string(&characters, at)?,
            (c, _) if is_word(c) => {
                let word: String = characters.iter().skip(at).take_while(|c| is_word(**c)).collect();
                let length = word.len();
                (Token::Word(word), length)
            }
            ('=', _) => {
                return Err(SelectorError {
                    column,
                    message: "a single `=`: write `==`".to_owned(),
                });
            }
            (c, _) => {
                let message =
                    format!("`{c}` does not belong in a selector: write values as 'text' in quotes");
                return Err(SelectorError { column, message });
            }
        };
        tokens.push((column, token));
        at += length;
    }
    tokens.push((at + 1, Token::End));
    Ok(tokens)
}

/// A quoted string that opens at `at`, and its length with both quotes.
fn string(characters: &[char], at: usize) -> Result<(Token, usize), SelectorError> {
    let quote = characters.get(at).copied().unwrap_or('\'');
    let inside: String = characters
        .iter()
        .skip(at + 1)
        .take_while(|c| **c != quote)
        .collect();
    let length = inside.chars().count() + 2;
    if characters.get(at + length - 1) == Some(&quote) {
        Ok((Token::Text(inside), length))
    } else {
        Err(SelectorError {
            column: at + 1,
            message: format!("this string has no closing {quote}"),
        })
    }
}
