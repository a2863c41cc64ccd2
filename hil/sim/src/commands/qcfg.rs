//! `AT+QCFG`: the configuration of the module. It is kept for good.
//!
//! `psm/urc` and `urc/cache` have an effect; the rest is only remembered, for it is
//! about radio bands, pins and USB, which nobody sees here.

use crate::at::parse::{Call, Malformed};
use crate::at::reply::Reply;
use crate::at::table::{Command, Outcome};
use crate::module::Module;
use crate::profile::CommandSet::{self, Bc, Bg9x, Ec2x, Ec200u, Ec200x};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("+QCFG")
        .test(test)
        .write(write)
        .on(ALL)
        .samples(&[
            "=\"nwscanmode\"",
            "=\"nwscanmode\",3",
            "=\"nwscanmode\",0,1",
        ]),
    Command::new("+QCFG")
        .test(test)
        .write(write)
        .on(&[Bc])
        .samples(&["=\"slplocktimes\"", "=\"slplocktimes\",12"]),
];

type Result<T> = std::result::Result<T, Malformed>;

/// A value and what it is at first.
enum Value {
    /// One of these.
    Number(&'static [std::ops::RangeInclusive<u32>], &'static str),
    /// Hexadecimal digits that are kept as they are.
    Hex(&'static str),
    /// A hexadecimal number, set with or without `0x`.
    Mask(&'static str),
    /// One of these words, in quotes.
    Word(&'static [&'static str], &'static str),
}

struct Item {
    name: &'static str,
    values: &'static [Value],
    /// Whether one more value says when it takes effect.
    effect: bool,
    sets: &'static [CommandSet],
}

const fn item(name: &'static str, values: &'static [Value], sets: &'static [CommandSet]) -> Item {
    Item {
        name,
        values,
        effect: false,
        sets,
    }
}

const fn radio(name: &'static str, values: &'static [Value], sets: &'static [CommandSet]) -> Item {
    Item {
        effect: true,
        ..item(name, values, sets)
    }
}

use Value::{Hex, Mask, Number, Word};

const ALL: &[CommandSet] = &[Ec2x, Bg9x, Ec200u, Ec200x];
const BIT: Value = Number(&[0..=1], "0");
const BIT_ON: Value = Number(&[0..=1], "1");
const RING: &[&str] = &["off", "pulse", "always", "auto", "wave"];
const MS: Value = Number(&[5..=2_000], "120");
const COUNT: Value = Number(&[1..=5], "1");

const ITEMS: &[Item] = &[
    radio("nwscanmode", &[Number(&[0..=8], "0")], &[Ec2x]),
    radio(
        "nwscanmode",
        &[Number(&[0..=1, 3..=3], "0")],
        &[Bg9x, Ec200u, Ec200x],
    ),
    radio("nwscanseq", &[Hex("0403020105")], &[Ec2x]),
    radio("nwscanseq", &[Hex("00")], &[Bg9x]),
    radio("iotopmode", &[Number(&[0..=2], "2")], &[Bg9x]),
    radio(
        "band",
        &[Mask("93"), Mask("1e0b9f38df"), Mask("3f")],
        &[Ec2x],
    ),
    radio("band", &[Mask("f"), Mask("80084"), Mask("80084")], &[Bg9x]),
    radio("servicedomain", &[Number(&[0..=2], "2")], ALL),
    radio("roamservice", &[Number(&[1..=2, 255..=255], "255")], ALL),
    item("celevel", &[Number(&[0..=2], "0")], &[Bg9x]),
    item(
        "urc/ri/ring",
        &[
            Word(RING, "pulse"),
            MS,
            Number(&[5..=10_000], "1000"),
            Number(&[5..=10_000], "5000"),
            Word(&["off", "on"], "off"),
            COUNT,
        ],
        ALL,
    ),
    item("urc/ri/smsincoming", &[Word(RING, "pulse"), MS, COUNT], ALL),
    item("urc/ri/other", &[Word(RING, "pulse"), MS, COUNT], ALL),
    item(
        "risignaltype",
        &[Word(&["respective", "physical"], "respective")],
        ALL,
    ),
    item("urc/delay", &[BIT], ALL),
    item("airplanecontrol", &[BIT], ALL),
    item("ledmode", &[Number(&[0..=3], "0")], ALL),
    item("usbnet", &[Number(&[0..=3], "0")], &[Ec2x, Ec200u, Ec200x]),
    // Vendor and product, and which ports there are.
    item(
        "usbcfg",
        &[
            Hex("0x2C7C"),
            Hex("0x0125"),
            BIT_ON,
            BIT_ON,
            BIT_ON,
            BIT_ON,
            BIT_ON,
            BIT,
            BIT,
        ],
        &[Ec2x],
    ),
    item("cmux/urcport", &[Number(&[0..=4], "0")], ALL),
    item(
        "apready",
        &[BIT, BIT, Number(&[100..=3_000], "500")],
        &[Ec2x, Bg9x],
    ),
    item("psm/enter", &[BIT], &[Bg9x]),
    item("psm/urc", &[BIT], &[Bg9x]),
    item("nccconf", &[Mask("1ff")], &[Bg9x]),
    item(
        "lapiconf",
        &[Number(&[0..=2], "2"), Number(&[0..=2], "2")],
        &[Bg9x],
    ),
    item("simeffect", &[BIT], &[Bg9x]),
    item("urc/cache", &[BIT], &[Ec200x]),
    item("slplocktimes", &[Number(&[0..=60], "10")], &[Bc]),
];

fn items(module: &Module) -> impl Iterator<Item = &'static Item> {
    let set = module.profile.commands;
    ITEMS.iter().filter(move |item| item.sets.contains(&set))
}

fn find(module: &Module, name: &str) -> Option<&'static Item> {
    items(module).find(|item| item.name.eq_ignore_ascii_case(name))
}

impl Value {
    fn first(&self) -> &'static str {
        match *self {
            Number(_, first) | Hex(first) | Mask(first) | Word(_, first) => first,
        }
    }

    fn range(&self) -> String {
        match self {
            Number(ranges, _) => {
                let ranges: Vec<String> = ranges
                    .iter()
                    .map(|range| match (range.start(), range.end()) {
                        (least, most) if least == most => least.to_string(),
                        (least, most) => format!("{least}-{most}"),
                    })
                    .collect();
                format!("({})", ranges.join(","))
            }
            Hex(first) | Mask(first) => format!("({first})"),
            Word(words, _) => format!("(\"{}\")", words.join("\",\"")),
        }
    }

    /// Parameter `i`, if it is allowed.
    fn parse(&self, call: &Call, i: usize) -> Result<String> {
        let text = match self {
            Word(..) => call.quoted(i)?,
            _ => call.text(i)?,
        };
        let digits = text.strip_prefix("0x").or(text.strip_prefix("0X"));
        let digits = digits.unwrap_or(text);
        let fits = match self {
            Number(ranges, _) => {
                let number = call.number(i)?;
                ranges.iter().any(|range| range.contains(&number))
            }
            Hex(_) | Mask(_) => {
                (1..=32).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit())
            }
            Word(words, _) => words.contains(&text),
        };
        match self {
            _ if !fits => Err(Malformed),
            Mask(_) => {
                let number = u128::from_str_radix(digits, 16).map_err(|_| Malformed)?;
                Ok(format!("{number:x}"))
            }
            _ => Ok(text.to_owned()),
        }
    }

    /// As the read form prints it. BG9x modules put `0x` before a mask.
    fn shown(&self, module: &Module, value: &str) -> String {
        match self {
            Word(..) => format!("\"{value}\""),
            Mask(_) if module.profile.commands == Bg9x => format!("0x{value}"),
            _ => value.to_owned(),
        }
    }
}

fn current(module: &Module, item: &Item, i: usize) -> String {
    let set = module.saved.qcfg.get(item.name).and_then(|all| all.get(i));
    let first = || item.values[i].first().to_owned();
    set.cloned().unwrap_or_else(first)
}

impl Module {
    /// Value `i` of a configuration; 0 if there is none.
    pub(crate) fn qcfg_number(&self, name: &str, i: usize) -> u32 {
        let item = find(self, name).filter(|item| i < item.values.len());
        item.map_or(0, |item| current(self, item, i).parse().unwrap_or(0))
    }
}

fn test(module: &mut Module, _: &Call, reply: &mut Reply) -> Result<Outcome> {
    for item in items(module) {
        let mut ranges: Vec<String> = item.values.iter().map(Value::range).collect();
        if item.effect {
            ranges.push("(0,1)".into());
        }
        reply.row(format!("+QCFG: \"{}\",{}", item.name, ranges.join(",")));
    }
    Ok(Outcome::OK)
}

fn write(module: &mut Module, call: &Call, reply: &mut Reply) -> Result<Outcome> {
    let item = find(module, call.quoted(0)?).ok_or(Malformed)?;
    let values = item.values;
    if call.len() == 1 {
        let shown: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(i, value)| value.shown(module, &current(module, item, i)))
            .collect();
        reply.row(format!("+QCFG: \"{}\",{}", item.name, shown.join(",")));
        return Ok(Outcome::OK);
    }
    call.at_most(1 + values.len() + usize::from(item.effect))?;
    if item.effect && call.has(1 + values.len()) {
        call.ranged(1 + values.len(), 0..=1)?;
    }
    let mut new = Vec::new();
    for (i, value) in values.iter().enumerate() {
        new.push(match call.has(i + 1) {
            true => value.parse(call, i + 1)?,
            false => current(module, item, i),
        });
    }
    module.saved.qcfg.insert(item.name, new);
    module.release_urcs();
    Ok(Outcome::OK)
}
