//! Which serial ports this machine has.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// A serial port of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPort {
    /// What [`PcPort::open`](crate::PcPort::open) takes.
    pub path: PathBuf,
    /// Maker, product and interface number of a USB device, otherwise empty.
    pub about: String,
}

impl fmt::Display for FoundPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if !self.about.is_empty() {
            write!(f, "  {}", self.about)?;
        }
        Ok(())
    }
}

/// The serial ports that have hardware behind them, those on USB first.
///
/// ```
/// for port in quectel_port::ports() {
///     println!("{port}");
/// }
/// ```
#[must_use]
pub fn ports() -> Vec<FoundPort> {
    if cfg!(target_os = "macos") {
        call_out_devices(Path::new("/dev"))
    } else {
        described(Path::new("/sys/class/tty"))
    }
}

/// The ports that Linux describes in `class`.
fn described(class: &Path) -> Vec<FoundPort> {
    let mut found: Vec<_> = names(class)
        .into_iter()
        .filter_map(|name| {
            let entry = class.join(&name);
            // A virtual terminal has no device.
            let device = entry.join("device").canonicalize().ok()?;
            // An 8250 driver reserves more ports than there are: type 0.
            if value(&entry, "type").is_some_and(|kind| kind == "0") {
                return None;
            }
            Some(FoundPort {
                path: Path::new("/dev").join(name),
                about: usb(&device).unwrap_or_default(),
            })
        })
        .collect();
    found.sort_by_key(|port| port.about.is_empty());
    found
}

/// What the USB device says of itself of which `device` is a part.
fn usb(device: &Path) -> Option<String> {
    let usb = device
        .ancestors()
        .find(|dir| dir.join("idVendor").exists())?;
    let mut about = ["manufacturer", "product"]
        .iter()
        .filter_map(|name| value(usb, name))
        .collect::<Vec<_>>()
        .join(" ");
    if about.is_empty() {
        about = "USB".into();
    }
    let mut interfaces = device.ancestors().take_while(|dir| *dir != usb);
    if let Some(number) = interfaces.find_map(|dir| value(dir, "bInterfaceNumber")) {
        about.push_str(&format!(", interface {number}"));
    }
    Some(about)
}

/// The call-out devices of macOS.
fn call_out_devices(dev: &Path) -> Vec<FoundPort> {
    let mut names = names(dev);
    names.retain(|name| name.starts_with("cu."));
    names
        .into_iter()
        .map(|name| FoundPort {
            path: dev.join(name),
            about: String::new(),
        })
        .collect()
}

/// What is in a directory, ttyUSB2 before ttyUSB10.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    names
}

/// A one-line file of sysfs.
fn value(dir: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(dir.join(name)).ok()?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A directory that is removed at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let name = format!("quectel-port-{name}-{}", std::process::id());
            let dir = std::env::temp_dir().join(name);
            fs::create_dir(&dir).unwrap();
            Self(dir)
        }

        fn file(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn link(&self, path: &str, to: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(self.0.join(to), path).unwrap();
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn a_module_is_told_from_other_terminals() {
        let sys = Scratch::new("sys");
        sys.file("usb/1-1/idVendor", "2c7c\n");
        sys.file("usb/1-1/manufacturer", "Quectel\n");
        sys.file("usb/1-1/product", "EC25-EUX\n");
        for n in [2, 10] {
            sys.file(
                &format!("usb/1-1/1-1:1.{n}/bInterfaceNumber"),
                &format!("{n:02x}\n"),
            );
            sys.file(&format!("usb/1-1/1-1:1.{n}/ttyUSB{n}/port_number"), "0\n");
            let device = format!("usb/1-1/1-1:1.{n}/ttyUSB{n}");
            sys.link(&format!("tty/ttyUSB{n}/device"), &device);
        }
        sys.file("uart/id", "");
        sys.file("tty/ttyS0/type", "4\n");
        sys.link("tty/ttyS0/device", "uart");
        sys.file("tty/ttyS1/type", "0\n");
        sys.link("tty/ttyS1/device", "uart");
        sys.file("tty/tty1/dev", "4:1\n");

        let found: Vec<_> = described(&sys.0.join("tty"))
            .iter()
            .map(|p| p.to_string())
            .collect();
        assert_eq!(
            found,
            [
                "/dev/ttyUSB2  Quectel EC25-EUX, interface 02",
                "/dev/ttyUSB10  Quectel EC25-EUX, interface 0a",
                "/dev/ttyS0",
            ]
        );
    }

    #[test]
    fn macos_has_call_out_devices() {
        let dev = Scratch::new("dev");
        dev.file("cu.usbserial-1", "");
        dev.file("tty.usbserial-1", "");
        let found = call_out_devices(&dev.0);
        assert_eq!(found.len(), 1);
        assert!(found[0].path.ends_with("cu.usbserial-1"));
    }
}
