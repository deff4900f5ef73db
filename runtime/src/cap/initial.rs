//! The capabilities that every program starts with.

use spin::Once;

use crate::abi::cap::Sel;
use crate::abi::env::EnvData;
use crate::abi::fpage::Fpage;

static IDS: Once<EnvData> = Once::new();

/// Makes the environment known to the rest of the runtime; the first call counts.
pub(crate) fn set_initial(data: EnvData) -> &'static EnvData {
    IDS.call_once(|| data)
}

/// The environment; before start-up (and on the host) every capability in it is invalid, so that
/// calls fail instead of reaching somebody by chance.
pub(crate) fn initial() -> &'static EnvData {
    IDS.get().unwrap_or(&NONE)
}

/// A slot that nothing is ever put into. Not [`Sel::INVALID`], which means the calling thread.
const NOTHING: Sel = Sel::from_index(0);

static NONE: EnvData = EnvData {
    parent: NOTHING,
    rm: NOTHING,
    mem_alloc: NOTHING,
    log: NOTHING,
    main_thread: NOTHING,
    factory: NOTHING,
    scheduler: NOTHING,
    first_free_cap: 0,
    utcb_area: Fpage::NIL,
    first_free_utcb: 0,
    caps: 0,
};
