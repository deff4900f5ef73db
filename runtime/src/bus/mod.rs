//! Where devices come from: a vbus, or capabilities granted one by one.
