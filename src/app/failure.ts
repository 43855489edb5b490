// What keeps the program from starting.

/** Told without a stack: the message says what to do. Exit code 1. */
export class StartError extends Error {}
