//! x
use std::path::Path;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let i = match l4re_image::Image::open(Path::new(&a[1])) {
        Ok(i) => i,
        Err(e) => {
            println!("{e}");
            return;
        }
    };
    println!("{} {} {:?}", i.format().name(), i.arch().name(), i.command_line);
    for (k, v) in i.attrs.iter() {
        println!("  {k}={}", String::from_utf8_lossy(v));
    }
    for m in &i.modules {
        println!(
            "{} {} {} {} [{}] {:?}",
            m.kind.name(),
            m.stored_size(),
            m.full_size(),
            m.name,
            m.command_line,
            m.checksums()
        );
    }
    if let Some(o) = a.get(2) {
        match i.write(Path::new(o)) {
            Ok(r) => {
                for d in r.iter() {
                    println!("{d}")
                }
            }
            Err(e) => println!("{e}"),
        }
    }
}
