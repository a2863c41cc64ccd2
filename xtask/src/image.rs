//! What an image costs and whether it can panic, read from its ELF file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

/// The packages whose share of `.text` is told, by the names in their symbols.
/// Inlining moves code between them: the shares are approximate. The rest is
/// vectors, constants, the board and functions without a path.
const CRATES: [&str; 5] = [
    "quectel_sockets",
    "quectel_at_commands",
    "atat",
    "serde_at",
    "core",
];
const FLASH: [&str; 4] = [".vector_table", ".text", ".rodata", ".data"];
const RAM: [&str; 2] = [".data", ".bss"];

pub(crate) struct Image {
    name: String,
    flash: u64,
    ram: u64,
    /// Functions by address.
    functions: BTreeMap<u64, Function>,
    /// Address and bytes of `.text`.
    text: (u64, Vec<u8>),
}

struct Function {
    name: String,
    size: u64,
}

impl Image {
    pub(crate) fn read(name: &str, path: &Path) -> Result<Self, String> {
        let wrong = |what: String| format!("{}: {what}; run `cargo xtask build`", path.display());
        let bytes = fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let file = object::File::parse(&*bytes).map_err(|error| wrong(error.to_string()))?;
        let sum = |names: &[&str]| {
            let sections = file.sections();
            sections
                .filter(|section| section.name().is_ok_and(|name| names.contains(&name)))
                .map(|section| section.size())
                .sum()
        };
        let text = file
            .section_by_name(".text")
            .ok_or_else(|| wrong("it has no .text".into()))?;
        let code = text.data().map_err(|error| wrong(error.to_string()))?;
        let functions = file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
            .map(|symbol| {
                let name = rustc_demangle::demangle(symbol.name().unwrap_or_default());
                // Bit 0 says that it is Thumb code.
                let address = symbol.address() & !1;
                let function = Function {
                    name: format!("{name:#}"),
                    size: symbol.size(),
                };
                (address, function)
            })
            .collect();
        Ok(Self {
            name: name.into(),
            flash: sum(&FLASH),
            ram: sum(&RAM),
            functions,
            text: (text.address(), code.to_vec()),
        })
    }

    /// Bytes of `.text` in functions of a crate.
    fn share(&self, krate: &str) -> u64 {
        let functions = self.functions.values();
        functions
            .filter(|function| home(&function.name) == Some(krate))
            .map(|function| function.size)
            .sum()
    }

    /// Whether the panic handler is linked; if so, prints by whom it is
    /// called. The handler is not inlined, so without it nothing can panic.
    pub(crate) fn print_panics(&self) -> bool {
        let handler = self
            .functions
            .iter()
            .find(|(_, function)| function.name.ends_with("rust_begin_unwind"));
        let Some((&handler, _)) = handler else {
            println!("{}: no panic path", self.name);
            return false;
        };
        println!("{}: can panic, in", self.name);
        let callers = self.callers();
        let (mut seen, mut open) = (BTreeSet::from([handler]), vec![handler]);
        let mut found = BTreeSet::new();
        while let Some(address) = open.pop() {
            let via = &self.functions[&address].name;
            for &caller in callers.get(&address).into_iter().flatten() {
                let name = &self.functions[&caller].name;
                if home(name) != Some("core") {
                    found.insert((name, via));
                } else if seen.insert(caller) {
                    open.push(caller);
                }
            }
        }
        for (name, via) in found {
            println!("  {name}\n    through {via}");
        }
        true
    }

    /// Who calls or jumps to each function, by address.
    fn callers(&self) -> BTreeMap<u64, BTreeSet<u64>> {
        let mut callers = BTreeMap::<u64, BTreeSet<u64>>::new();
        for (&start, function) in &self.functions {
            let mut at = start;
            while at < start + function.size {
                let (length, branch) = self.instruction(at);
                if let Some(to) =
                    branch.filter(|to| *to != start && self.functions.contains_key(to))
                {
                    callers.entry(to).or_default().insert(start);
                }
                at += length;
            }
        }
        callers
    }

    /// Length of the instruction at an address, and where it branches to if
    /// it is `BL`, `B.W` or `B`.
    fn instruction(&self, at: u64) -> (u64, Option<u64>) {
        let first = self.halfword(at);
        if first >> 11 < 0b11101 {
            let narrow = (first >> 11 == 0b11100).then(|| sign_extend(first & 0x7ff, 11));
            return (2, narrow.map(|n| branch(at, n)));
        }
        let second = self.halfword(at + 2);
        if first >> 11 != 0b11110 || second & 0x9000 != 0x9000 {
            return (4, None);
        }
        let sign = first >> 10 & 1;
        let i1 = !(second >> 13 ^ sign) & 1;
        let i2 = !(second >> 11 ^ sign) & 1;
        let offset = sign << 23 | i1 << 22 | i2 << 21 | (first & 0x3ff) << 11 | second & 0x7ff;
        (4, Some(branch(at, sign_extend(offset, 24))))
    }

    fn halfword(&self, at: u64) -> u32 {
        let (start, code) = &self.text;
        let at = at
            .checked_sub(*start)
            .and_then(|at| usize::try_from(at).ok());
        let bytes = at.and_then(|at| code.get(at..at + 2));
        bytes.map_or(0, |bytes| u32::from(bytes[0]) | u32::from(bytes[1]) << 8)
    }
}

/// Where a branch of so many halfwords leads.
fn branch(at: u64, halfwords: i32) -> u64 {
    (at + 4).wrapping_add_signed(i64::from(halfwords) * 2)
}

fn sign_extend(value: u32, bits: u32) -> i32 {
    let unused = 32 - bits;
    ((value << unused) as i32) >> unused
}

/// The crate a symbol is counted for: the first of [`CRATES`] in it, and
/// `core` only if it names no other crate.
fn home(symbol: &str) -> Option<&'static str> {
    let own = |root: &str| CRATES.iter().copied().find(|krate| *krate == root);
    let mut roots = symbol
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        .filter_map(|path| path.split_once("::"))
        .map(|(root, _)| root)
        .filter(|root| !root.is_empty() && !matches!(*root, "core" | "compiler_builtins"))
        .peekable();
    if roots.peek().is_none() {
        return symbol.contains("::").then_some("core");
    }
    roots.find_map(own)
}

/// A table, with the difference of the last image to the first.
pub(crate) fn print_sizes(images: &[Image]) {
    let line = |what: &str, cells: Vec<u64>| {
        print!("{what:<24}");
        for cell in &cells {
            print!("{cell:>15}");
        }
        if let [without, .., with] = cells[..] {
            print!("{:>15}", with.saturating_sub(without));
        }
        println!();
    };
    print!("{:<24}", "bytes");
    for image in images {
        print!("{:>15}", image.name);
    }
    println!("{:>15}", "difference");
    line("flash", images.iter().map(|image| image.flash).collect());
    for krate in CRATES {
        let shares = images.iter().map(|image| image.share(krate)).collect();
        line(&format!("  {krate}"), shares);
    }
    line("static RAM", images.iter().map(|image| image.ram).collect());
}
