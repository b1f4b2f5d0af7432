/** A model that cannot be used: the message says why and what to do, and stands behind the name of its file. */
export class Refused extends Error {}
