//! What happens when something goes wrong: bad input, bad tools, a full disk, a killed kilter.

mod input;
