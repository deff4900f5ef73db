//! Progress of long work.

/// Receives the steps of long work as they begin.
pub trait Progress {
    /// A new step begins.
    fn step(&mut self, text: &str);

    /// Does something for which the terminal must be still, such as asking.
    fn still(&mut self, work: &mut dyn FnMut()) {
        work();
    }
}
