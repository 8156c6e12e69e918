//! The sans-I/O volume client: LSN allocation, boxcars, quorums, reads, opening.
