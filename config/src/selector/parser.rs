//! Tokens of a selector to an expression, by recursive descent with a depth limit.

use std::collections::BTreeSet;

use super::error::SelectorError;
use super::lexer::{Token, tokens};

/// Parentheses and negations deeper than this are refused: no text may exhaust the stack.
const MAX_DEPTH: usize = 64;

/// A parsed expression. `Any` and `Every` have at least two parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expr {
    All,
    Has(String),
    Label(String, Operation),
    Not(Box<Expr>),
    Any(Vec<Expr>),
    Every(Vec<Expr>),
}

/// What is asked of a label's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    Equal(String),
    NotEqual(String),
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Contains(String),
    StartsWith(String),
    EndsWith(String),
}

/// Parses a whole selector; empty text is `all()`.
pub(super) fn parse(text: &str) -> Result<Expr, SelectorError> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens,
        next: 0,
        depth: 0,
    };
    if *parser.peek() == Token::End {
        return Ok(Expr::All);
    }
    let expr = parser.any()?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.wrong("`&&`, `||` or the end")),
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |(_, token)| token)
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn wrong(&self, expected: &str) -> SelectorError {
        let column = self
            .tokens
            .get(self.next)
            .or(self.tokens.last())
            .map_or(1, |(column, _)| *column);
        SelectorError {
            column,
            message: format!("found {}, expected {expected}", self.peek()),
        }
    }

    fn expect(&mut self, token: &Token) -> Result<(), SelectorError> {
        if self.peek() == token {
            self.next += 1;
            Ok(())
        } else {
            Err(self.wrong(&token.to_string()))
        }
    }

    fn any(&mut self) -> Result<Expr, SelectorError> {
        let mut parts = vec![self.every()?];
        while *self.peek() == Token::Or {
            self.next += 1;
            parts.push(self.every()?);
        }
        Ok(join(parts, Expr::Any))
    }

    fn every(&mut self) -> Result<Expr, SelectorError> {
        let mut parts = vec![self.unary()?];
        while *self.peek() == Token::And {
            self.next += 1;
            parts.push(self.unary()?);
        }
        Ok(join(parts, Expr::Every))
    }

    fn unary(&mut self) -> Result<Expr, SelectorError> {
        if self.depth >= MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} levels of parentheses or `!`");
            return Err(SelectorError {
                message,
                ..self.wrong("")
            });
        }
        self.depth += 1;
        let expr = match self.peek().clone() {
            Token::Not => {
                self.next += 1;
                Expr::Not(Box::new(self.unary()?))
            }
            Token::Open => {
                self.next += 1;
                let inner = self.any()?;
                self.expect(&Token::Close)?;
                inner
            }
            Token::Word(word) => {
                self.next += 1;
                self.word(word)?
            }
            _ => return Err(self.wrong("a label, `has(label)`, `all()`, `!` or `(`")),
        };
        self.depth -= 1;
        Ok(expr)
    }

    /// What may follow a word: it is a function where a parenthesis follows, a label else.
    fn word(&mut self, word: String) -> Result<Expr, SelectorError> {
        if *self.peek() != Token::Open {
            return Ok(Expr::Label(word, self.operation()?));
        }
        let function_at = self.next.saturating_sub(1);
        self.next += 1;
        let expr = match word.as_str() {
            "all" | "global" => Expr::All,
            "has" => match self.take() {
                Token::Word(label) => Expr::Has(label),
                _ => {
                    self.next -= 1;
                    return Err(self.wrong("a label"));
                }
            },
            _ => {
                self.next = function_at;
                return Err(self.wrong("one of the functions `has(label)`, `all()` and `global()`"));
            }
        };
        self.expect(&Token::Close)?;
        Ok(expr)
    }

    fn operation(&mut self) -> Result<Operation, SelectorError> {
        let operators = "`==`, `!=`, `in`, `not in`, `contains`, `starts with` or `ends with`";
        let token = self.peek().clone();
        let operation = match &token {
            Token::Equal => {
                self.next += 1;
                Operation::Equal(self.text()?)
            }
            Token::NotEqual => {
                self.next += 1;
                Operation::NotEqual(self.text()?)
            }
            Token::Word(word) => match word.as_str() {
                "in" => {
                    self.next += 1;
                    Operation::In(self.set()?)
                }
                "contains" => {
                    self.next += 1;
                    Operation::Contains(self.text()?)
                }
                "not" => {
                    self.two_words("in")?;
                    Operation::NotIn(self.set()?)
                }
                "starts" => {
                    self.two_words("with")?;
                    Operation::StartsWith(self.text()?)
                }
                "ends" => {
                    self.two_words("with")?;
                    Operation::EndsWith(self.text()?)
                }
                _ => return Err(self.wrong(operators)),
            },
            _ => return Err(self.wrong(operators)),
        };
        Ok(operation)
    }

    fn two_words(&mut self, second: &str) -> Result<(), SelectorError> {
        self.next += 1;
        self.expect(&Token::Word(second.to_owned()))
    }

    fn text(&mut self) -> Result<String, SelectorError> {
        match self.peek().clone() {
            Token::Text(text) => {
                self.next += 1;
                Ok(text)
            }
            _ => Err(self.wrong("a string in quotes, such as 'rack-1'")),
        }
    }

    fn set(&mut self) -> Result<BTreeSet<String>, SelectorError> {
        self.expect(&Token::OpenSet)?;
        let mut set = BTreeSet::new();
        if *self.peek() != Token::CloseSet {
            set.insert(self.text()?);
            while *self.peek() == Token::Comma {
                self.next += 1;
                set.insert(self.text()?);
            }
        }
        self.expect(&Token::CloseSet)?;
        Ok(set)
    }
}

fn join(mut parts: Vec<Expr>, many: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}
