/** A cause that is told without a stack: the message says what to do. */
export class FlashError extends Error {}
