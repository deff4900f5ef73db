//! Loads.
use std::path::Path;
use l4re_kconfig::*;
fn main() {
    let mut args = std::env::args().skip(1);
    let tree = args.next().unwrap_or_default();
    let arch = args.next().unwrap_or_default();
    let environment = Environment::linux(Path::new(&tree), &arch, &Tools { cross_compile: args.next().unwrap_or_default(), ..Tools::default() }).unwrap();
    let t = std::time::Instant::now();
    match Kconfig::load(&TreeSource::new(Path::new(&tree)), environment, Box::new(NoShell)) {
        Ok((k, r)) => {
            for d in r { println!("{d}"); }
            println!("{:?} options {} files {} walk {} {:?}", t.elapsed(), k.options().count(), k.files().count(), k.walk().count(), k.dialect());
        }
        Err(f) => println!("{f}"),
    }
}
