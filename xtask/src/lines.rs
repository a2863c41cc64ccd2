//! How long the faces of the library are: they are to be thin.

use std::{fs, path::Path};

/// Where each face is. What joins the engine to a serial line, and is not
/// counted, is in `src/stack.rs` for the first two, in `src/runner.rs` for the
/// third.
const FACES: [&str; 3] = ["src/socket", "src/nb", "src/asynch"];

/// Prints how many lines of code each has, without blank lines and comments.
pub(crate) fn print_faces(root: &Path) -> Result<(), String> {
    for face in FACES {
        let unreadable = |error| format!("{face}: {error}");
        let mut lines = 0;
        for entry in fs::read_dir(root.join(face)).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                lines += code(&fs::read_to_string(path).map_err(unreadable)?);
            }
        }
        println!("{face} has {lines} lines of code");
    }
    Ok(())
}

fn code(text: &str) -> usize {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .count()
}

#[cfg(test)]
mod tests {
    #[test]
    fn neither_blank_lines_nor_comments() {
        let text = "//! About.\n\n/// One.\nfn one() {\n    // Why.\n    two(); // here\n}\n";
        assert_eq!(super::code(text), 3);
    }
}
