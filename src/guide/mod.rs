//! Which face to use, how to come here from another crate, and what to do
//! when something breaks.

#[doc = include_str!("which_face.md")]
pub mod which_face {}

#[doc = include_str!("from_quectel_bg77.md")]
pub mod from_quectel_bg77 {}

#[doc = include_str!("when_it_breaks.md")]
pub mod when_it_breaks {}
