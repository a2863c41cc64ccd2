//! Settings that are numbers: kept here under the name of their command, and read where they matter.

use std::collections::BTreeMap;

use crate::at::parse::{Call, Malformed};
use crate::at::reply::Reply;
use crate::at::table::{Command, Outcome};
use crate::module::Module;

type Result<T> = std::result::Result<T, Malformed>;

/// A value: which ones are allowed, as the test form prints it, and what it is at first.
pub(crate) struct Field(pub(crate) &'static str, pub(crate) u32);

impl Field {
    fn allows(&self, value: u32) -> bool {
        let list = self.0.trim_matches(['(', ')']);
        list.split(',').any(|part| {
            let (least, most) = part.split_once('-').unwrap_or((part, part));
            match (least.parse::<u32>(), most.parse::<u32>()) {
                (Ok(least), Ok(most)) => (least..=most).contains(&value),
                _ => false,
            }
        })
    }
}

/// How long a setting lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Until the next start.
    Awake,
    /// `AT&W` stores it, `ATZ` brings that back.
    Profile,
    /// For good, from the moment it is set.
    Flash,
}

struct Setting {
    name: &'static str,
    fields: &'static [Field],
    kept: Kept,
    /// `AT&F` sets it to its first values.
    factory: bool,
}

const fn profile(name: &'static str, fields: &'static [Field]) -> Setting {
    Setting {
        name,
        fields,
        kept: Kept::Profile,
        factory: true,
    }
}

const fn awake(name: &'static str, fields: &'static [Field]) -> Setting {
    Setting {
        name,
        fields,
        kept: Kept::Awake,
        factory: true,
    }
}

const fn flash(name: &'static str, fields: &'static [Field]) -> Setting {
    Setting {
        name,
        fields,
        kept: Kept::Flash,
        factory: false,
    }
}

/// In the order of `AT&V`, which lists those of V.250.
const SETTINGS: &[Setting] = &[
    profile("&C", &[Field("(0,1,2)", 1)]),
    profile("&D", &[Field("(0,1,2)", 2)]),
    profile("Q", &[Field("(0,1)", 0)]),
    profile("V", &[Field("(0,1)", 1)]),
    profile("X", &[Field("(0-4)", 4)]),
    profile("S0", &[Field("(0-255)", 0)]),
    awake("S3", &[Field("(0-127)", 13)]),
    awake("S4", &[Field("(0-127)", 10)]),
    awake("S5", &[Field("(0-127)", 8)]),
    awake("S6", &[Field("(2-10)", 2)]),
    profile("S7", &[Field("(0-255)", 0)]),
    awake("S8", &[Field("(0-255)", 2)]),
    profile("S10", &[Field("(1-254)", 15)]),
    profile("S12", &[Field("(0-255)", 50)]),
    Setting {
        factory: false,
        ..awake("+IFC", &[Field("(0,2)", 0), Field("(0,2)", 0)])
    },
    Setting {
        factory: false,
        ..awake("+ICF", &[Field("(3)", 3), Field("(0-3)", 3)])
    },
    awake("+CGEREP", &[Field("(0-2)", 0), Field("(0,1)", 0)]),
    Setting {
        factory: true,
        ..flash("+CTZR", &[Field("(0-2)", 0)])
    },
    flash("+CTZU", &[Field("(0,1,3)", 1)]),
    Setting {
        factory: false,
        ..awake("+QSCLK", &[Field("(0-2)", 0)])
    },
    flash("+QSIMDET", &[Field("(0,1)", 0), Field("(0,1)", 0)]),
    flash(
        "+QPSMCFG",
        &[Field("(20-4294967295)", 20), Field("(0-15)", 4)],
    ),
    Setting {
        factory: false,
        ..awake("+QNBIOTEVENT", &[Field("(0,1)", 0), Field("(1)", 1)])
    },
];

/// The settings that `AT&V` lists.
pub(crate) fn listed() -> impl Iterator<Item = &'static str> {
    let names = SETTINGS.iter().map(|one| one.name);
    names.filter(|name| !name.starts_with('+'))
}

fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|one| one.name == name)
}

/// The values that were set; all others are the first ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers(BTreeMap<&'static str, Vec<u32>>);

impl Numbers {
    /// Value `i` of a setting; 0 if there is no such setting.
    pub(crate) fn get(&self, name: &str, i: usize) -> u32 {
        let set = self.0.get(name).and_then(|values| values.get(i));
        let first = || setting(name)?.fields.get(i).map(|field| field.1);
        set.copied().or_else(first).unwrap_or(0)
    }

    /// Whether a setting was ever set.
    pub(crate) fn was_set(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn all(&self, setting: &Setting) -> Vec<u32> {
        (0..setting.fields.len())
            .map(|i| self.get(setting.name, i))
            .collect()
    }

    fn copy(&mut self, setting: &Setting, from: &Numbers) {
        match from.0.get(setting.name) {
            Some(values) => self.0.insert(setting.name, values.clone()),
            None => self.0.remove(setting.name),
        };
    }

    /// `AT&W`: what it stores.
    pub(crate) fn store(&mut self, current: &Numbers) {
        for one in SETTINGS.iter().filter(|one| one.kept == Kept::Profile) {
            self.copy(one, current);
        }
    }

    /// `ATZ`: brings back what `AT&W` stored.
    pub(crate) fn recall(&mut self, stored: &Numbers) {
        for one in SETTINGS.iter().filter(|one| one.kept == Kept::Profile) {
            self.copy(one, stored);
        }
    }

    /// `AT&F`
    pub(crate) fn factory(&mut self) {
        for one in SETTINGS.iter().filter(|one| one.factory) {
            self.0.remove(one.name);
        }
    }
}

/// A command that is nothing but such a setting.
pub(super) const fn extended(name: &'static str) -> Command {
    Command::new(name).test(test).read(read).write(write)
}

/// A command of V.250 that is one: `ATX4`.
pub(super) const fn basic(name: &'static str) -> Command {
    Command::new(name).execute(set_basic)
}

/// An S register: `ATS3=13`, `ATS3?`.
pub(super) const fn register(name: &'static str) -> Command {
    Command::new(name).read(read_register).write(write)
}

fn test(_: &mut Module, call: &Call, reply: &mut Reply) -> Result<Outcome> {
    let ranges: Vec<&str> = setting(&call.name)
        .ok_or(Malformed)?
        .fields
        .iter()
        .map(|field| field.0)
        .collect();
    reply.row(format!("{}: {}", call.name, ranges.join(",")));
    Ok(Outcome::OK)
}

fn read(module: &mut Module, call: &Call, reply: &mut Reply) -> Result<Outcome> {
    let values = module
        .settings
        .numbers
        .all(setting(&call.name).ok_or(Malformed)?);
    let texts: Vec<String> = values.iter().map(u32::to_string).collect();
    reply.row(format!("{}: {}", call.name, texts.join(",")));
    Ok(Outcome::OK)
}

fn read_register(module: &mut Module, call: &Call, reply: &mut Reply) -> Result<Outcome> {
    reply.row(format!("{:03}", module.settings.numbers.get(&call.name, 0)));
    Ok(Outcome::OK)
}

/// Values that are left away stay as they are.
pub(super) fn write(module: &mut Module, call: &Call, _: &mut Reply) -> Result<Outcome> {
    let setting = setting(&call.name).ok_or(Malformed)?;
    call.at_most(setting.fields.len())?;
    let mut values = module.settings.numbers.all(setting);
    for (i, field) in setting.fields.iter().enumerate() {
        if !call.has(i) {
            continue;
        }
        let value = call.number(i)?;
        if !field.allows(value) {
            return Err(Malformed);
        }
        values[i] = value;
    }
    set(module, setting, values);
    Ok(Outcome::OK)
}

/// Without a number it is 0.
fn set_basic(module: &mut Module, call: &Call, _: &mut Reply) -> Result<Outcome> {
    let setting = setting(&call.name).ok_or(Malformed)?;
    let value = call.number_or(0, 0)?;
    if !setting.fields.iter().all(|field| field.allows(value)) {
        return Err(Malformed);
    }
    set(module, setting, vec![value]);
    Ok(Outcome::OK)
}

fn set(module: &mut Module, setting: &Setting, values: Vec<u32>) {
    if setting.kept == Kept::Flash {
        module.saved.numbers.0.insert(setting.name, values.clone());
    }
    module.settings.numbers.0.insert(setting.name, values);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_value_is_allowed() {
        for one in SETTINGS {
            for field in one.fields {
                assert!(field.allows(field.1), "{}", one.name);
                assert!(!field.allows(u32::MAX) || field.0.contains("4294967295"));
            }
        }
    }
}
