/** The local AWS cannot start, for a reason that a person can do something about; the message says what. */
export class CannotStart extends Error {}
