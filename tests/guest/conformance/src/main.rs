//! Conformance suite (first light).
#![cfg_attr(target_os = "none", no_std, no_main)]
use l4re_runtime::env::Env;

l4re_runtime::entry!(main, stack = 64 * 1024);

fn main(env: &'static Env) {
    log::info!("hello from {}", env.program_name());
    for c in env.named_caps() {
        log::info!("cap {} {:?}", c.name(), c.sel);
    }
    l4re_runtime::println!("L4RE-RESULT: pass 1 of 1");
}
