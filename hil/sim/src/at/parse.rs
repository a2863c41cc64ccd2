//! The command line: what stands between `AT` and `\r`, one command after the other.

/// Which form of a command was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `AT+X`
    Execute,
    /// `AT+X=?`
    Test,
    /// `AT+X?`
    Read,
    /// `AT+X=...`
    Write,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Arg {
    Missing,
    Plain(String),
    Quoted(String),
}

/// One command of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// In capitals: `+QIRD`, `&W`, `E`.
    pub(crate) name: String,
    pub(crate) form: Form,
    args: Vec<Arg>,
}

/// The line or a parameter does not fit the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

type Result<T> = std::result::Result<T, Malformed>;

impl Call {
    /// Takes the next command off the front of `line`, which is what follows `AT`.
    pub(crate) fn next(line: &mut &str) -> Option<Result<Call>> {
        *line = line.trim_start_matches([' ', ';']);
        let first = line.chars().next()?;
        Some(match first {
            '+' => Call::extended(line),
            '&' | 'A'..='Z' | 'a'..='z' => Call::basic(line),
            _ => Err(Malformed),
        })
    }

    fn basic(line: &mut &str) -> Result<Call> {
        if line.starts_with(['S', 's']) {
            return Call::register(line);
        }
        let letters = if line.starts_with('&') { 2 } else { 1 };
        let name = line.get(..letters).ok_or(Malformed)?.to_ascii_uppercase();
        let rest = line.get(letters..).unwrap_or_default();
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = rest.split_at(digits);
        *line = rest;
        let args = match number {
            "" => Vec::new(),
            _ => vec![Arg::Plain(number.to_owned())],
        };
        Ok(Call {
            name,
            form: Form::Execute,
            args,
        })
    }

    /// An S register: `S3=13` or `S3?`.
    fn register(line: &mut &str) -> Result<Call> {
        let end = line[1..].find(|c: char| !c.is_ascii_digit());
        let (name, rest) = line.split_at(end.map_or(line.len(), |end| end + 1));
        let (form, rest, number) = if let Some(rest) = rest.strip_prefix('?') {
            (Form::Read, rest, "")
        } else if let Some(rest) = rest.strip_prefix('=') {
            let end = rest.find(|c: char| !c.is_ascii_digit());
            let (number, rest) = rest.split_at(end.unwrap_or(rest.len()));
            (Form::Write, rest, number)
        } else {
            return Err(Malformed);
        };
        *line = rest;
        Ok(Call {
            name: name.to_ascii_uppercase(),
            form,
            args: match number {
                "" => Vec::new(),
                number => vec![Arg::Plain(number.to_owned())],
            },
        })
    }

    fn extended(line: &mut &str) -> Result<Call> {
        let end = line.find(['=', '?', ';']).unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        // A blank may follow a name, but only where nothing else does.
        let name = match rest.is_empty() || rest.starts_with(';') {
            true => name.trim_end(),
            false => name,
        };
        if name.contains(' ') {
            return Err(Malformed);
        }
        let name = name.to_ascii_uppercase();
        *line = rest;
        let (form, rest) = if let Some(rest) = rest.strip_prefix("=?") {
            (Form::Test, rest)
        } else if let Some(rest) = rest.strip_prefix('?') {
            (Form::Read, rest)
        } else if let Some(rest) = rest.strip_prefix('=') {
            (Form::Write, rest)
        } else {
            (Form::Execute, rest)
        };
        *line = rest;
        let args = match form {
            Form::Write => Call::parameters(line)?,
            _ => Vec::new(),
        };
        match line.trim_start().chars().next() {
            None | Some(';') => Ok(Call { name, form, args }),
            Some(_) => Err(Malformed),
        }
    }

    fn parameters(line: &mut &str) -> Result<Vec<Arg>> {
        let mut args = Vec::new();
        loop {
            let text = line.trim_start();
            let (arg, rest) = if let Some(text) = text.strip_prefix('"') {
                let (inside, rest) = text.split_once('"').ok_or(Malformed)?;
                (Arg::Quoted(inside.to_owned()), rest.trim_start())
            } else {
                let (plain, rest) = text.split_at(text.find([',', ';']).unwrap_or(text.len()));
                match plain.trim_end() {
                    "" => (Arg::Missing, rest),
                    plain if plain.contains('"') => return Err(Malformed),
                    plain => (Arg::Plain(plain.to_owned()), rest),
                }
            };
            args.push(arg);
            *line = rest;
            match rest.strip_prefix(',') {
                Some(rest) => *line = rest,
                None if rest.is_empty() || rest.starts_with(';') => return Ok(args),
                None => return Err(Malformed),
            }
        }
    }

    /// How many parameters were given.
    pub(crate) fn len(&self) -> usize {
        self.args.len()
    }

    /// Whether parameter `i` was given.
    pub(crate) fn has(&self, i: usize) -> bool {
        self.args.get(i).is_some_and(|arg| *arg != Arg::Missing)
    }

    /// Parameter `i`, a number without quotes.
    pub(crate) fn number(&self, i: usize) -> Result<u32> {
        match self.args.get(i) {
            Some(Arg::Plain(text)) if text.bytes().all(|b| b.is_ascii_digit()) => {
                text.parse().map_err(|_| Malformed)
            }
            _ => Err(Malformed),
        }
    }

    /// Parameter `i`, or `default` if it was not given.
    pub(crate) fn number_or(&self, i: usize, default: u32) -> Result<u32> {
        if self.has(i) {
            self.number(i)
        } else {
            Ok(default)
        }
    }

    /// Parameter `i`, or `default`, if it is in the range.
    pub(crate) fn ranged_or(
        &self,
        i: usize,
        range: std::ops::RangeInclusive<u32>,
        default: u32,
    ) -> Result<u32> {
        let value = self.number_or(i, default)?;
        if range.contains(&value) {
            Ok(value)
        } else {
            Err(Malformed)
        }
    }

    /// Parameter `i`, a number in the range.
    pub(crate) fn ranged(&self, i: usize, range: std::ops::RangeInclusive<u32>) -> Result<u32> {
        let value = self.number(i)?;
        if range.contains(&value) {
            Ok(value)
        } else {
            Err(Malformed)
        }
    }

    /// Parameter `i`, a text in quotes.
    pub(crate) fn quoted(&self, i: usize) -> Result<&str> {
        match self.args.get(i) {
            Some(Arg::Quoted(text)) => Ok(text),
            _ => Err(Malformed),
        }
    }

    /// Parameter `i`, a text in quotes, or nothing if it was not given.
    pub(crate) fn quoted_or_empty(&self, i: usize) -> Result<&str> {
        if self.has(i) { self.quoted(i) } else { Ok("") }
    }

    /// Parameter `i` as a text, in quotes or not.
    pub(crate) fn text(&self, i: usize) -> Result<&str> {
        match self.args.get(i) {
            Some(Arg::Quoted(text) | Arg::Plain(text)) => Ok(text),
            _ => Err(Malformed),
        }
    }

    /// Whether a parameter was left away before one that was given, or after a comma.
    pub(crate) fn has_gaps(&self) -> bool {
        self.args.contains(&Arg::Missing)
    }

    /// Succeeds if there are no more than `n` parameters.
    pub(crate) fn at_most(&self, n: usize) -> Result<()> {
        if self.len() <= n {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn calls(mut line: &str) -> Vec<Call> {
        std::iter::from_fn(|| Call::next(&mut line))
            .map(|call| call.expect("well formed"))
            .collect()
    }

    #[test]
    fn the_four_forms() {
        let forms: Vec<Form> = ["+qird", "+QIRD=?", "+QIRD?", "+QIRD=0"]
            .iter()
            .flat_map(|line| calls(line))
            .map(|call| {
                assert_eq!(call.name, "+QIRD");
                call.form
            })
            .collect();
        assert_eq!(forms, [Form::Execute, Form::Test, Form::Read, Form::Write]);
    }

    #[test]
    fn parameters_with_blanks_quotes_and_gaps() {
        let call = &calls("+QICSGP=1,1,\"a;b,c\",\"user\", \"pwd\",,1")[0];
        assert_eq!(call.number(0), Ok(1));
        assert_eq!(call.quoted(2), Ok("a;b,c"));
        assert_eq!(call.quoted(4), Ok("pwd"));
        assert!(!call.has(5));
        assert_eq!(call.number(6), Ok(1));
        assert_eq!(call.number(7), Err(Malformed));
    }

    #[test]
    fn blanks_around_commands() {
        let all = calls(" +CFUN? ; +CSQ ;E0");
        let names: Vec<&str> = all.iter().map(|call| call.name.as_str()).collect();
        assert_eq!(names, ["+CFUN", "+CSQ", "E"]);
    }

    #[test]
    fn several_commands_on_a_line() {
        let names: Vec<String> = calls("&FZE0+IPR=115200;&W")
            .into_iter()
            .map(|c| c.name)
            .collect();
        assert_eq!(names, ["&F", "Z", "E", "+IPR", "&W"]);
    }

    #[test]
    fn registers_on_a_line_with_others() {
        let all = calls("S0=0S3?s12=050E1");
        let names: Vec<(&str, Form)> = all.iter().map(|c| (c.name.as_str(), c.form)).collect();
        let expected = [
            ("S0", Form::Write),
            ("S3", Form::Read),
            ("S12", Form::Write),
            ("E", Form::Execute),
        ];
        assert_eq!(names, expected);
        assert_eq!(all[2].number(0), Ok(50));
        assert_eq!(Call::next(&mut "S3"), Some(Err(Malformed)));
    }

    #[test]
    fn what_does_not_parse() {
        for line in [
            "+X=\"open",
            "+X=1x\"2",
            "+X=\"a\"b",
            "=1",
            "\u{fffd}",
            "+X?1",
            "+CO PS?",
            "+COPS ?",
        ] {
            let mut rest = line;
            assert_eq!(Call::next(&mut rest), Some(Err(Malformed)), "{line}");
        }
        assert_eq!(calls("+X=99999999999")[0].number(0), Err(Malformed));
        assert_eq!(calls("+X=\"5\"")[0].number(0), Err(Malformed));
    }
}
