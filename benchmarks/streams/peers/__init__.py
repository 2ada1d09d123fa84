"""The scorer's job as applications of other libraries, each in the style of its documentation."""
