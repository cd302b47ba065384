//! One prediction by its id, and the arrays that it refers to.
